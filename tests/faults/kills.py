"""The process is killed, or the power is cut: under load, in a start, in packing a day and in dropping one. What was acknowledged is
there afterwards, and the store opens by itself.
"""

import random
import shutil
import time

import power
from load import Askers, Outbox, Senders, adds_up, look
from server import ANSWER_MAX_S, APP, DAY_S, MIDNIGHT_S, SOCKET, Died, Directory, body_of, call_lines, call_rows, measured, number_of
from shim import SEEN, Shim

# How often the process is killed under load, and in how many places of a start; the gate is content with few.
ROUNDS = number_of("ROUNDS", 12)
SEED = number_of("SEED", 1)
CONNECTIONS = 64
# The latest moment of a kill after it listens. Tens of commits take place until then, and what is done after a start.
MOMENT_MAX_S = 0.4
# With each round the clock goes on, so that days are packed and dropped all the time.
STEP_S = 3 * 3600
LOOK_EVERY = 10


def moments(directory, outbox, rounds, die):
    """Lets servers take load, and end as `die` says, at random moments; how much was acknowledged, and how many answers were right."""
    batches = answers = 0
    for number in range(1, rounds + 1):
        outbox.now_s += STEP_S
        batched, answered = die()
        batches, answers = batches + batched, answers + answered
        if number % LOOK_EVERY == 0:
            look(directory, outbox)
    outbox.is_over = True
    with directory.serve("--clock", str(outbox.now_s)) as server:
        Senders(server, outbox, 8).join()
        assert not outbox.waiting, "all is acknowledged in the end"
        server.stop()
    kept = look(directory, outbox)
    adds_up(directory)
    return f"{rounds} rounds, {batches} batches and {answers} answers meanwhile, {kept} calls looked for at the end"


def load(directory, outbox, shim=None):
    """One round: a server under load until SIGKILL."""
    with directory.serve("--clock", str(outbox.now_s), shim=shim) as server:
        senders, askers = Senders(server, outbox, CONNECTIONS), Askers(server, outbox)
        time.sleep(outbox.random.uniform(0, MOMENT_MAX_S))
        server.kill()
        senders.join()
        askers.join()
    return senders.posted, askers.answered


def killed_under_load_nothing_is_lost(binary, folder, _library):
    """Sixty-four connections send, two ask, days are packed and dropped."""
    directory, outbox = Directory(binary, folder / "killed"), Outbox(random.Random(SEED), MIDNIGHT_S)
    return moments(directory, outbox, ROUNDS, lambda: load(directory, outbox))


def power_cuts_under_load_lose_nothing(binary, folder, library):
    """The same, and what was not synced is lost, torn or kept, write by write."""
    directory, outbox = Directory(binary, folder / "cut"), Outbox(random.Random(SEED), MIDNIGHT_S)
    shim, lost = Shim(library, folder, "cut", directory.data), [0, 0]

    def die():
        shim.remember()
        done = load(directory, outbox, shim)
        writes, names = power.cut(shim, outbox.random)
        lost[0], lost[1] = lost[0] + writes, lost[1] + names
        return done

    told = moments(directory, outbox, ROUNDS, die)
    assert lost[0] > 0, "there was nothing to lose: the shim sees no writes"
    return f"{told}; {lost[0]} writes and {lost[1]} names were not synced"


def quiet(shim, server):
    """Waits until nothing is written any more; how many operations that were."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if (seen := shim.get(SEEN)) != before:
            before, since = seen, time.monotonic()
        assert server.poll() is None, "it ended by itself"
        time.sleep(0.02)
    return before


def filled(binary, folder, calls):
    """A store of so many calls on each of four days, more than is read when it is opened, and that were told all at once."""
    directory, outbox = Directory(binary, folder), Outbox(random.Random(SEED), MIDNIGHT_S)
    told = [(f"r{n}", MIDNIGHT_S - DAY_S * (n % 4) - 200 - n * 7 % 80_000) for n in range(4 * calls)]
    lines = folder / "told.ndjson"
    lines.write_bytes(body_of([line for call in told for line in call_lines(call)] + [measured(call) for call in told[: len(told) // 8]]))
    directory.command("import", "events", str(lines), "--app", str(APP))
    outbox.acknowledged.update(told)
    return directory, outbox


def aged(binary, folder):
    """A store that was killed under load, whose first day is to be dropped and others to be packed at the next start."""
    directory, outbox = Directory(binary, folder), Outbox(random.Random(SEED), MIDNIGHT_S)
    for _ in range(2):
        load(directory, outbox)
    outbox.is_over = True
    with directory.serve("--clock", str(outbox.now_s)) as server:
        Senders(server, outbox, 8).join()
        server.kill()
    outbox.now_s += 2 * DAY_S
    return directory, outbox


def killed_in_a_start_it_starts_again(binary, folder, library):
    """At each write, sync and name of a start, of packing days and of dropping one; every other time the power is cut there, too."""
    directory, outbox = aged(binary, folder / "start")
    aged_data = folder / "aged"
    shutil.copytree(directory.data, aged_data, ignore=SOCKET)
    shim = Shim(library, folder, "start", directory.data)

    def fresh():
        shutil.rmtree(directory.data)
        shutil.copytree(aged_data, directory.data)

    flags = ("--clock", str(outbox.now_s))
    fresh()
    with directory.serve(*flags, shim=shim) as server:
        operations = quiet(shim, server.process)
        said = directory.said()
        assert "packed finished days" in said and "dropped what is older" in said, said
    random_places = random.Random(SEED)
    places = sorted(random_places.sample(range(1, operations + 1), min(ROUNDS, operations)))
    calls = sorted(outbox.kept())
    for number, place in enumerate(places):
        fresh()
        is_cut = number % 2 == 1
        if is_cut:
            shim.remember()
        shim.is_logging = is_cut
        shim.kill_at(place)
        process = directory.spawn(*flags, shim=shim)
        assert process.wait(ANSWER_MAX_S) == -9, f"it was to be killed at {place} of {operations}:\n{directory.said()}"
        if is_cut:
            power.cut(shim, random_places)
        with directory.serve(*flags) as server:
            for call in random_places.sample(calls, 3):
                assert server.users(outbox.now_s, call) == call_rows(call), f"after {place} of {operations}: {call}"
        look(directory, outbox)
    return f"{len(places)} of {operations} places, every other with a power cut"


def a_second_process_is_refused(binary, folder, _library):
    """It is told who holds the directory, and the first goes on."""
    directory = Directory(binary, folder / "second")
    outbox = Outbox(random.Random(SEED), MIDNIGHT_S)
    with directory.serve("--clock", str(MIDNIGHT_S)) as server:
        senders = Senders(server, outbox, 4)
        holder = f"is in use by process {server.process.pid}"
        for arguments in (["check"], ["export", "users", "--app", "1400000041"], ["import", "events", "/dev/null", "--app", "1400000041"]):
            said = directory.command(*arguments, code=1)
            assert holder in said, said
        log, directory.log = directory.log, folder / "second.log"
        try:
            directory.serve()
            raise AssertionError("two servers have one data directory")
        except Died as died:
            assert holder in str(died), died
        finally:
            directory.log = log
        before = len(outbox.acknowledged)
        until = time.monotonic() + ANSWER_MAX_S
        while len(outbox.acknowledged) < before + 20:
            assert time.monotonic() < until, "the first goes on"
            time.sleep(0.01)
        senders.stop()
        server.stop()
    look(directory, outbox)


TESTS = [killed_under_load_nothing_is_lost, power_cuts_under_load_lose_nothing, killed_in_a_start_it_starts_again, a_second_process_is_refused]
