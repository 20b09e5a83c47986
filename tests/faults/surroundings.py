"""What the machine gives: a clock that jumps, and files that run out."""

import random
import socket
import time

from disk import each_is_taken, until
from kills import SEED, filled
from load import Outbox, Senders, adds_up, look
from server import APP, DAY_S, MIDNIGHT_S, SETTINGS, Directory, body_of, call_lines, call_rows, deliveries
from shim import CLOCK_S, Shim

HOUR_S = 3_600
# Files that the process may open, fewer than there are clients.
FILES = 220
CLIENTS = 400
# Days of a store that is kept for ever.
DAYS = 150


def a_clock_that_jumps_changes_no_record(binary, folder, library):
    """An hour forth, back, and back again, under load, with a rate limit: what is refused is refused by the clock, and nothing is stuck."""
    real_s = int(time.time())
    directory = Directory(binary, folder / "clock", SETTINGS.replace("requests_per_second = 0", "requests_per_second = 5"))
    outbox = Outbox(random.Random(SEED), real_s)
    shim = Shim(library, folder, "clock", directory.data)
    with directory.serve(shim=shim) as server:
        senders = Senders(server, outbox, 8)
        for number, jump_s in enumerate((0, HOUR_S, 0, -HOUR_S, 0)):
            shim.set(CLOCK_S, jump_s)
            known = len(outbox.acknowledged)
            until(lambda known=known: len(outbox.acknowledged) > known + 20, "events are acknowledged")
            call = sorted(outbox.kept())[0]
            # Who signs by the server's clock is answered, also where the clock was in this second before.
            until(lambda call=call: server.users(int(time.time()) + shim.get(CLOCK_S), call) == call_rows(call), "an answer")
            # Who signs by another one is not.
            others = server.users(int(time.time()) + jump_s + HOUR_S, call)
            assert isinstance(others, str) and others.startswith("AuthFailure."), others
            for source, delivery in deliveries(f"now-{number}", int(time.time()) + jump_s).items():
                status, text = server.deliver(delivery)
                assert status == 200, f"{source} at {jump_s}: {status} {text}"
            late = server.deliver(deliveries(f"late-{number}", int(time.time()) + jump_s - HOUR_S)["livekit"])
            assert late[0] == 401, f"a token that has ended: {late}"
        senders.stop()
        server.stop()
    kept = look(directory, outbox)
    adds_up(directory)
    return f"{kept} calls looked for at the end"


def without_files_the_store_goes_on(binary, folder, _library):
    """More clients than files: those that are silent make room, days that are new get their files, and the old ones are answered."""
    directory, outbox = filled(binary, folder / "files", 50)
    with directory.serve("--clock", str(outbox.now_s), files=FILES) as server:
        host, port = server.endpoint.split(":")
        crowd = [socket.create_connection((host, int(port)), timeout=30) for _ in range(CLIENTS)]
        for day in range(3):
            call = (f"new-{day}", MIDNIGHT_S + day * DAY_S + 600)
            status, text = server.post(call_lines(call))
            assert status == 200, (status, text)
            assert server.users(outbox.now_s, call) in (call_rows(call), "InvalidParameterValue.StartTs", "InvalidParameter.StartTs"), call
        for call in random.Random(SEED).sample(sorted(outbox.kept()), 20):
            assert server.users(outbox.now_s, call) == call_rows(call), call
        for stream in crowd:
            stream.close()
        each_is_taken(server, outbox.now_s, "after")
        assert server.get("/readyz")[0] == 200
        server.stop()
    look(directory, outbox)


def a_store_of_many_days_leaves_files_for_clients(binary, folder, _library):
    """Each day has files of its own: those are counted before connections are."""
    settings = SETTINGS.replace("retention_days = 4", "retention_days = 0").replace("[limits]\n", "[limits]\nhistory_days = 0\n")
    directory = Directory(binary, folder / "days", settings)
    calls = [(f"day-{n}", MIDNIGHT_S - n * DAY_S - 600) for n in range(DAYS)]
    lines = folder / "told.ndjson"
    lines.write_bytes(body_of([line for call in calls for line in call_lines(call)]))
    directory.command("import", "events", str(lines), "--app", str(APP))
    with directory.serve("--clock", str(MIDNIGHT_S), files=FILES) as server:
        host, port = server.endpoint.split(":")
        crowd = [socket.create_connection((host, int(port)), timeout=30) for _ in range(CLIENTS)]
        for call in calls[::7]:
            rows = server.users(MIDNIGHT_S, call)
            assert rows == call_rows(call), (call, rows)
        call = ("new", MIDNIGHT_S + DAY_S + 600)
        status, text = server.post(call_lines(call))
        assert status == 200, (status, text)
        assert len(crowd) == CLIENTS
        server.stop()
    directory.check()


TESTS = [a_clock_that_jumps_changes_no_record, without_files_the_store_goes_on, a_store_of_many_days_leaves_files_for_clients]
