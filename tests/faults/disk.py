"""The disk is full, broken or read-only: nothing is acknowledged that is not kept, questions are answered, and when there is room
again all goes on by itself.
"""

import errno
import os
import random
import shutil
import subprocess
import time

from kills import SEED, aged, filled
from load import Askers, Outbox, Senders, adds_up, look
from server import ANSWER_MAX_S, APP, MIDNIGHT_S, SOCKET, Died, Directory, call_rows, deliveries, number_of
from shim import CHANGES, LENGTH, NAME, READ, SYNC, WRITE, Shim, FREE_BYTES

# How often the disk fails in the middle of something; the gate is content with few.
FAILURES = number_of("ROUNDS", 12)
# How long it stays broken.
BROKEN_S = 0.15
# Calls of each day of a store that is not in memory as a whole once it is opened, where the engine of a debug build reads every page.
UNREAD_CALLS = 6_000
# Below this much free space nothing is accepted (`docs/operations.md`).
FREE_BYTES_MIN = 64 << 20


def until(holds, what):
    """Waits for something that must come by itself."""
    end = time.monotonic() + ANSWER_MAX_S
    while not holds():
        assert time.monotonic() < end, f"this never came: {what}"
        time.sleep(0.02)


def each_is_told(server, now_s, name):
    """While nothing can be kept, each source hears what makes it send again (design section 3 of the sources)."""
    for source, delivery in deliveries(name, now_s).items():
        status, text = server.deliver(delivery)
        # Janus takes any status for success, so it gets none.
        right = status == 0 if source == "janus" else status == 503
        assert right, f"{source}: {status} {text}"


def each_is_taken(server, now_s, name):
    """And when it can, each is taken, by itself and soon."""
    for source, delivery in deliveries(name, now_s).items():
        until(lambda delivery=delivery: server.deliver(delivery)[0] == 200, f"{source} is taken again")


def a_full_disk_refuses_and_recovers(binary, folder, library):
    """At random writes under load, whole or by half; nothing more of it is written until there is room again."""
    return failing(binary, folder, library, "full", WRITE | LENGTH, errno.ENOSPC)


def a_broken_disk_refuses_and_recovers(binary, folder, library):
    """The same, where each sync, change of a name or write may be the one that fails."""
    return failing(binary, folder, library, "broken", CHANGES, errno.EIO)


def a_disk_that_cannot_sync_acknowledges_nothing(binary, folder, library):
    """Writes succeed, syncs do not."""
    return failing(binary, folder, library, "unsynced", SYNC, errno.EIO)


def failing(binary, folder, library, name, kinds, code):
    """Breaks the disk again and again under load."""
    directory, outbox = Directory(binary, folder / name), Outbox(random.Random(SEED), MIDNIGHT_S)
    shim = Shim(library, folder, name, directory.data)
    failed = refused = 0
    with directory.serve("--clock", str(outbox.now_s), shim=shim) as server:
        senders = Senders(server, outbox, 16, is_refusal_right=True)
        until(lambda: len(outbox.acknowledged) > 50, "load")
        askers = Askers(server, outbox, may_fail=True)
        for number in range(FAILURES):
            shim.fail(kinds, code, after=outbox.random.randrange(40), is_torn=number % 2 == 0)
            until(lambda: shim.get(8) > 0, "a failure")
            time.sleep(BROKEN_S)
            if number % 8 == 0:
                each_is_told(server, outbox.now_s, f"told-{number}")
                assert server.get("/healthz")[0] == 200
            failed += shim.heal()
            known = len(outbox.acknowledged)
            until(lambda known=known: len(outbox.acknowledged) > known, "something is acknowledged again")
            if number % 8 == 0:
                each_is_taken(server, outbox.now_s, f"told-{number}")
        senders.stop()
        askers.join()
        refused = senders.refused
        assert refused > 0 and askers.answered > askers.failed, (refused, askers.answered, askers.failed)
        outbox.is_over = True
        Senders(server, outbox, 4).join()
        assert not outbox.waiting
        server.stop()
    kept = look(directory, outbox)
    adds_up(directory)
    return (f"{FAILURES} times, {failed} operations failed, {refused} batches refused, {askers.answered} questions answered and "
            f"{askers.failed} refused meanwhile, {kept} calls looked for at the end")


def with_little_room_nothing_is_accepted(binary, folder, library):
    """Before the disk is full: the engine's files are sparse, so that it would strike in the middle of a commit."""
    directory, outbox = Directory(binary, folder / "little"), Outbox(random.Random(SEED), MIDNIGHT_S)
    shim = Shim(library, folder, "little", directory.data)
    with directory.serve("--clock", str(outbox.now_s), shim=shim) as server:
        each_is_taken(server, outbox.now_s, "before")
        shim.set(FREE_BYTES, FREE_BYTES_MIN - 4096)
        each_is_told(server, outbox.now_s, "during")
        rows = server.users(outbox.now_s, ("before-e", outbox.now_s))
        assert rows == [("e", outbox.now_s, outbox.now_s, False)], rows
        assert shim.heal() > 0, "free space was not asked for"
        each_is_taken(server, outbox.now_s, "during")
        server.stop()


def a_start_on_a_broken_disk_says_what_is_wrong(binary, folder, library):
    """In each place of a start, of packing days and of dropping one, a change fails: the server starts, or says where it cannot."""
    directory, outbox = aged(binary, folder / "start")
    kept = folder / "aged"
    shutil.copytree(directory.data, kept, ignore=SOCKET)
    shim, flags, refused, places = Shim(library, folder, "start", directory.data), ("--clock", str(outbox.now_s)), 0, random.Random(SEED)
    calls = sorted(outbox.kept())
    for number in range(FAILURES):
        shutil.rmtree(directory.data)
        shutil.copytree(kept, directory.data)
        kinds, code = ((CHANGES, errno.EIO), (WRITE | LENGTH | NAME, errno.ENOSPC))[number % 2]
        shim.fail(kinds, code, after=0 if number < 2 else places.randrange(300))
        try:
            with directory.serve(*flags, shim=shim) as server:
                time.sleep(BROKEN_S)
                shim.heal()
                each_is_taken(server, outbox.now_s, f"after-{number}")
                for call in places.sample(calls, 3):
                    assert server.users(outbox.now_s, call) == call_rows(call), call
        except Died as died:
            refused += 1
            assert str(directory.data) in str(died) and "error" in str(died), died
            assert shim.heal() > 0
        directory.serve(*flags).kill()
        look(directory, outbox)
    assert refused > 0, "no start failed"
    return f"{FAILURES} starts, {refused} refused"


def what_cannot_be_read_is_not_answered(binary, folder, library):
    """Reads fail for a while: a question is answered rightly or with an error, never with half of the truth, and soon rightly again."""
    directory, outbox = filled(binary, folder / "unread", UNREAD_CALLS)
    shim = Shim(library, folder, "unread", directory.data)
    failed = right = broken = 0
    calls = sorted(outbox.kept())
    for number in range(max(2, FAILURES // 4)):
        # A fresh process has nothing in memory.
        with directory.serve("--clock", str(outbox.now_s), shim=shim) as server:
            time.sleep(0.3)
            shim.fail(READ, errno.EIO, after=number)
            for call in outbox.random.sample(calls, 40):
                rows = server.users(outbox.now_s, call)
                is_refused = isinstance(rows, str) and rows.startswith("InternalError")
                right, failed = right + (rows == call_rows(call)), failed + is_refused
                assert is_refused or rows == call_rows(call), (call, rows)
                listed = server.ask(outbox.now_s, "DescribeRoomInfo", StartTime=call[1] - 10, EndTime=call[1] + 10, PageNumber=0, PageSize=100)
                assert "Error" in listed or f"{APP}_{call[0]}_{call[1]}" in [room["CommId"] for room in listed["RoomList"]], (call, listed)
            broken += shim.heal()
            # Nobody writes: questions alone bring it back.
            for call in outbox.random.sample(calls, 10):
                until(lambda call=call: server.users(outbox.now_s, call) == call_rows(call), "answers are right again")
            each_is_taken(server, outbox.now_s, f"after-{number}")
    assert failed > 0 and broken > 0, (failed, broken)
    return f"{right} answers, {failed} errors, {broken} reads failed"


def a_read_only_directory_is_refused(binary, folder, _library):
    """With the path, and nothing changes."""
    directory, outbox = Directory(binary, folder / "fixed"), Outbox(random.Random(SEED), MIDNIGHT_S)
    with directory.serve("--clock", str(outbox.now_s)) as server:
        senders = Senders(server, outbox, 4)
        until(lambda: len(outbox.acknowledged) > 20, "load")
        senders.stop()
        server.stop()
    nobody = 65534 if os.getuid() == 0 else os.getuid()

    def become():
        # Root may write anywhere, so this process is somebody else.
        os.setgroups([]) if os.getuid() == 0 else None
        os.setuid(nobody)

    paths = [directory.folder, *directory.folder.rglob("*")]
    for path in paths:
        if os.getuid() == 0:
            os.chown(path, nobody, nobody)
        path.chmod(0o500 if path.is_dir() else 0o400)
    directory.folder.chmod(0o700)
    before = {path: path.read_bytes() for path in paths if path.is_file() and path != directory.log}
    # Neither the binary nor the folder need be reachable for somebody else by their whole paths.
    program = os.open(binary, os.O_RDONLY)
    try:
        for arguments in ("serve --listen 127.0.0.1:0", "check", "export users --app 1400000041"):
            command = [f"/proc/self/fd/{program}", *arguments.split(), "--config", "rollbook.toml", "--data-dir", "data"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_MAX_S, check=False, cwd=directory.folder,
                                  preexec_fn=become, pass_fds=[program])
            said = done.stderr.decode()
            assert done.returncode == 1 and "data/" in said and "Permission denied" in said and "panicked" not in said, (done.returncode, said)
    finally:
        os.close(program)
    after = {path: path.read_bytes() for path in before}
    assert before == after, "a file has changed"
    for path in paths:
        if os.getuid() == 0:
            os.chown(path, 0, 0)
        path.chmod(0o700 if path.is_dir() else 0o600)
    look(directory, outbox)


TESTS = [
    a_full_disk_refuses_and_recovers, a_broken_disk_refuses_and_recovers, a_disk_that_cannot_sync_acknowledges_nothing,
    with_little_room_nothing_is_accepted, a_start_on_a_broken_disk_says_what_is_wrong, what_cannot_be_read_is_not_answered,
    a_read_only_directory_is_refused,
]
