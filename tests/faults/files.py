"""Files of the store that are cut short, changed in a bit, or gone, as it was not the store that did it: refused at start with the
file's name, or answered rightly, or with an error; never with anything else.
"""

import collections
import random
import shutil
import time

from disk import until
from kills import SEED, filled
from server import DAY_S, Died, call_rows, number_of

# How often a file is damaged in each way; the gate is content with few.
ROUNDS = max(3, number_of("ROUNDS", 12) // 4)
# Calls of each day: files of some hundred pages.
CALLS = 300
# Questions after each start.
QUESTIONS = 40


def cut_short(path, places):
    """At any length."""
    data = path.read_bytes()
    path.write_bytes(data[: places.randrange(len(data))])


def bit_flipped(path, places):
    """One bit of what is used: where zeros are, mostly nothing is."""
    data = bytearray(path.read_bytes())
    while data[at := places.randrange(len(data))] == 0:
        pass
    data[at] ^= 1 << places.randrange(8)
    path.write_bytes(bytes(data))


def page_zeroed(path, places):
    """A page that the disk has forgotten."""
    data = bytearray(path.read_bytes())
    at = places.randrange(0, len(data), 4096)
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))
    path.write_bytes(bytes(data))


def page_misplaced(path, places):
    """A page that was written in the place of another."""
    data = bytearray(path.read_bytes())
    here, there = (places.randrange(0, len(data) - 4095, 4096) for _ in range(2))
    data[here : here + 4096] = data[there : there + 4096]
    path.write_bytes(bytes(data))


def gone(path, _places):
    """No such file."""
    path.unlink()


def emptied(path, _places):
    """Nothing in it."""
    path.write_bytes(b"")


def outcome(directory, outbox, path, places):
    """What a start, and questions about every day, make of it."""
    try:
        with directory.serve("--clock", str(outbox.now_s)) as server:
            answers = [(call, server.users(outbox.now_s, call)) for call in places.sample(sorted(outbox.kept()), QUESTIONS)]
    except Died as died:
        assert str(path) in str(died), f"the file is not named: {died}"
        # Who has no server to ask asks the command.
        assert str(path) in directory.command("check", code=1)
        return "refused at start"
    refused = [rows for _, rows in answers if isinstance(rows, str) and rows.startswith("InternalError")]
    wrong = [(call, rows) for call, rows in answers if rows not in refused and rows != call_rows(call)]
    assert not wrong, f"{path.name}: {wrong[:2]}"
    return "answered with errors" if refused else "answered"


def damaged(binary, folder, is_sealed):
    """Damages files of a store in every way, one at a time, and looks."""
    directory, outbox = filled(binary, folder / "damaged", CALLS)
    if is_sealed:
        outbox.now_s += 2 * DAY_S
        with directory.serve("--clock", str(outbox.now_s)) as server:
            until(lambda: "packed finished days" in directory.said(), "days are packed")
            time.sleep(0.5)
            server.stop()
    kept, directory.may_panic = folder / "kept", True
    shutil.copytree(directory.data, kept)
    places, seen = random.Random(SEED), collections.defaultdict(collections.Counter)
    for damage in (cut_short, bit_flipped, page_zeroed, page_misplaced, gone, emptied):
        for number in range(ROUNDS):
            shutil.rmtree(directory.data)
            shutil.copytree(kept, directory.data)
            stream = "samples" if number % 4 == 3 else "days"
            path = places.choice(sorted((directory.data / stream).glob("*.redb")))
            damage(path, places)
            seen[damage.__name__.replace("_", " ")][outcome(directory, outbox, path, places)] += 1
    return "; ".join(f"{damage}: {', '.join(f'{count} {what}' for what, count in whats.items())}" for damage, whats in seen.items())


def damaged_files_of_open_days_are_named(binary, folder, _library):
    """Rows."""
    return damaged(binary, folder, is_sealed=False)


def damaged_files_of_packed_days_are_named(binary, folder, _library):
    """Blocks."""
    return damaged(binary, folder, is_sealed=True)


TESTS = [damaged_files_of_open_days_are_named, damaged_files_of_packed_days_are_named]
