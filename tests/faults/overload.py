"""Crowds: idle and slow connections, endless bodies, bombs, depth, and imports. A client that behaves is answered meanwhile, rightly and soon,
and memory stays under the bound that `docs/operations.md` states.
"""

import contextlib
import gzip
import json
import multiprocessing
import os
import resource
import select
import socket
import threading
import time

from server import ANSWER_MAX_S, APP, MIDNIGHT_S, SETTINGS, TOKEN, Directory, body_of, call_lines, call_rows

# The most memory during any of these, with the default limits (`docs/operations.md`).
MEMORY_MAX_MIB = 512
# How long a client asks during each.
ASKING_S = float(os.environ.get("ASKING_S") or 3)
# That an answer comes within this is asserted; how soon it comes is a figure, which is printed.
ANSWER_S = 10
IDLE, SLOW = 10_000, 1_000
NOW_S = MIDNIGHT_S
BEARER = f"Authorization: Bearer {TOKEN}"
FORK = multiprocessing.get_context("fork")


class Crowd:
    """Clients that misbehave, in a process of their own; `with` ends it. `behave(address, tell)` says what it is doing once it does."""

    def __init__(self, server, behave, *arguments):
        host, port = server.endpoint.split(":")
        self.told, tell = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=behave, args=((host, int(port)), tell.send, *arguments), daemon=True)

    def __enter__(self):
        self.process.start()
        assert self.told.poll(ANSWER_MAX_S), "the crowd does not come"
        self.first = self.told.recv()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def counts(self):
        """The last that it told."""
        last = None
        while self.told.poll(0):
            last = self.told.recv()
        return last


class Memory:
    """What a server takes, all the time."""

    def __init__(self, server):
        self.server, self.ending, self.curve = server, threading.Event(), []
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        """Twenty times a second."""
        begun = time.monotonic()
        while not self.ending.wait(0.05):
            with contextlib.suppress(OSError, StopIteration):
                self.curve.append((round(time.monotonic() - begun, 2), round(self.server.memory("VmRSS"), 1)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


def ask_through(server, calls):
    """A client asks, over a connection that it keeps and over new ones in turn; how long each answer took, in milliseconds."""
    kept, took, begun, number = server.connection(), [], time.monotonic(), 0
    while time.monotonic() - begun < ASKING_S:
        call = calls[number % len(calls)]
        connection = kept if number % 2 else server.connection()
        asked = time.monotonic()
        rows = server.users(NOW_S, call, connection)
        if rows is None and connection is kept:
            # A kept connection may be closed between two requests; clients send again.
            rows = server.users(NOW_S, call, connection)
        took.append((time.monotonic() - asked) * 1000)
        assert rows == call_rows(call), f"after {took[-1]:.0f} ms: {rows}"
        if connection is not kept:
            connection.close()
        number += 1
        time.sleep(0.01)
    assert max(took) < ANSWER_S * 1000, f"{max(took):.0f} ms"
    return sorted(took)


def crowded(binary, folder, name, behave, *arguments, limits="", right=lambda counts: True, most_mib=MEMORY_MAX_MIB):
    """A server, a crowd and a client; what was seen."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < IDLE + 1_000:
        raise SystemExit(f"these tests open {IDLE} connections from one process: raise the hard limit of open files (`ulimit -Hn`), which is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    settings = SETTINGS.replace("[limits]\n", f"[limits]\n{limits}")
    directory = Directory(binary, folder / name, settings)
    calls = [(f"r{n}", NOW_S - 5_000 - n) for n in range(50)]
    with directory.serve("--clock", str(NOW_S)) as server:
        status, text = server.post([line for call in calls for line in call_lines(call)])
        assert status == 200, text
        with Memory(server) as memory:
            quiet = ask_through(server, calls)
            with Crowd(server, behave, *arguments) as crowd:
                took = ask_through(server, calls)
                counts = crowd.counts() or crowd.first
            most = server.memory()
            status, text = server.post(call_lines(("after", NOW_S - 9_000)))
            assert status == 200, f"events are taken as before: {status} {text}"
        metrics = server.get("/metrics")[1]
        server.stop()
    assert right(counts), counts
    assert most < most_mib, f"{most:.0f} MiB, the bound is {most_mib}"
    closed = next(int(line.split()[1]) for line in metrics.splitlines() if line.startswith("rollbook_connections_closed_for_others_total "))
    figures = {"name": name, "answers": len(took), "p50_ms": round(share_of(took, 0.5), 1), "p99_ms": round(share_of(took, 0.99), 1),
               "quiet_p99_ms": round(share_of(quiet, 0.99), 1), "most_mib": round(most), "closed": closed, "counts": counts, "curve": memory.curve}
    if os.environ.get("FIGURES"):
        with open(os.environ["FIGURES"], "a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
    return (f"{len(took)} answers, p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms (before the crowd {figures['quiet_p99_ms']}), "
            f"at most {most:.0f} MiB, {closed} closed for others, the crowd: {counts}")


def share_of(took, share):
    """The figure below which this share of them is."""
    return took[min(len(took) - 1, int(len(took) * share))]


def connected(address):
    """A connection that nobody waits for."""
    return socket.create_connection(address, timeout=ANSWER_MAX_S)


def idle(address, tell, count):
    """So many connections over which nothing comes."""
    streams = [connected(address) for _ in range(count)]
    tell({"connections": len(streams)})
    while True:
        time.sleep(1)


def slow(address, tell, count):
    """One byte a second: of heads, and of the bodies of questions and of deliveries."""
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nFiller: " + b"x" * 100_000
    question = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    delivery = f"POST /ingest/events HTTP/1.1\r\nHost: x\r\n{BEARER}\r\nContent-Length: 100000\r\n\r\n".encode()
    streams = []
    for number in range(count):
        stream = connected(address)
        begin, rest = ((head[:30], head[30:]), (question, b" " * 100_000), (delivery, b" " * 100_000))[number % 3]
        stream.sendall(begin)
        streams.append((stream, rest))
    told, at = {"senders": count, "bytes": 0, "closed": 0}, 0
    tell(told)
    while True:
        going = []
        for stream, rest in streams:
            try:
                stream.send(rest[at : at + 1])
                told["bytes"] += 1
                going.append((stream, rest))
            except OSError:
                told["closed"] += 1
        streams, at = going, at + 1
        tell(told)
        time.sleep(1)


def pipelining(address, tell, count):
    """Thousands of requests at once over each connection, whose replies nobody reads."""
    requests = (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}") * 2_000
    streams = {}
    for _ in range(count):
        stream = connected(address)
        stream.setblocking(False)
        streams[stream] = requests
    told = {"connections": count, "bytes": 0}
    tell(told)
    while True:
        _, ready, _ = select.select([], list(streams), [], 0.2)
        for stream in ready:
            try:
                sent = stream.send(streams[stream])
                told["bytes"] += sent
                streams[stream] = streams[stream][sent:] or requests
            except OSError:
                del streams[stream]
        tell(told)


def endless(address, tell, threads):
    """Bodies that never end, as fast as they are taken, over all ways in."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    heads = ["POST / HTTP/1.1\r\nContent-Type: application/json", f"POST /ingest/events HTTP/1.1\r\n{BEARER}", f"POST /ingest/trtc HTTP/1.1\r\nSdkAppId: {APP}",
             f"POST /ingest/stats HTTP/1.1\r\n{BEARER}", "POST /ui/login HTTP/1.1"]
    told = {"bodies": 0, "mib": 0}

    def send(number):
        while True:
            with contextlib.suppress(OSError), connected(address) as stream:
                stream.sendall(f"{heads[number % len(heads)]}\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                while True:
                    stream.sendall(chunk)
                    told["mib"] += 1 / 16
            told["bodies"] += 1
    repeat(threads, send, told, tell)


def repeat(threads, work, told, tell):
    """The same in many threads, for ever."""
    for number in range(threads):
        threading.Thread(target=work, args=(number,), daemon=True).start()
    while True:
        time.sleep(0.3)
        tell({name: int(value) for name, value in told.items()})


def posts(address, tell, threads, deliveries):
    """Each delivery again and again; how often each status came."""
    told = {}

    def send(number):
        while True:
            request = deliveries[number % len(deliveries)]
            number += 1
            with contextlib.suppress(OSError), connected(address) as stream:
                stream.sendall(request)
                status = stream.recv(65_536)[9:12].decode() or "closed"
                told[status] = told.get(status, 0) + 1
    repeat(threads, send, told, tell)


def request(path, body, *headers):
    """A request as bytes."""
    lines = "".join(f"{line}\r\n" for line in (f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers))
    return lines.encode() + b"\r\n" + body


def bombs():
    """An eighth of a gibibyte of spaces, and fifteen mebibytes, once ones that say that they are none, in some kilobytes."""
    huge = b"".join(gzip.compress(b" " * (64 << 20), 9) for _ in range(2))
    modest = gzip.compress(b"\n" * (15 << 20), 9)
    lying = modest[:-4] + b"\0\0\0\0"
    return [request(path, body, BEARER, "Content-Encoding: gzip") for body in (huge, modest, lying) for path in ("/ingest/events", "/ingest/stats", "/ingest/attributes")]


def deep():
    """Ten thousand levels, everywhere."""
    lists, objects = b"[" * 10_000, b'{"a":' * 10_000
    whole = lists + b"]" * 10_000
    inside = b'{"kind":"joined","room":"r","user":"u","at_s":1,"attrs":' + objects + b"1" + b"}" * 10_000 + b"}"
    bodies = (lists, objects, whole, inside)
    paths = (("/", "Content-Type: application/json"), ("/ingest/events", BEARER), ("/ingest/stats", BEARER), ("/ingest/attributes", BEARER),
             ("/ingest/trtc", f"SdkAppId: {APP}"), ("/ingest/livekit", "Authorization: x.y.z"), (f"/ingest/janus/{APP}", "Authorization: Basic amFudXM6cGFzc3dvcmQtb2YtamFudXM="))
    return [request(path, body, header) for path, header in paths for body in bodies]


def imports(size):
    """Bodies of so many events each, all different."""
    bodies = []
    for body in range(4):
        lines = [{"kind": "joined", "room": f"import-{body}-{n // 100}", "user": f"user-{n}", "at_s": NOW_S - 4_000 + n % 3_000} for n in range(size)]
        bodies.append(request("/ingest/events", body_of(lines), BEARER))
    return bodies


def ten_thousand_idle_connections(binary, folder, _library):
    """Nothing comes over them."""
    return crowded(binary, folder, "idle", idle, IDLE, right=lambda counts: counts["connections"] == IDLE)


def more_idle_connections_than_allowed(binary, folder, _library):
    """Those that are silent for longest make room."""
    return crowded(binary, folder, "crowd", idle, 2_000, limits="connections = 500\n")


def a_thousand_slow_senders(binary, folder, _library):
    """One byte a second, of heads and bodies."""
    return crowded(binary, folder, "slow", slow, SLOW, right=lambda counts: counts["bytes"] >= SLOW)


def more_slow_senders_than_allowed(binary, folder, _library):
    """Also who sends slowly makes room."""
    return crowded(binary, folder, "slow-crowd", slow, SLOW, limits="connections = 300\n")


def pipelined_requests_that_nobody_reads(binary, folder, _library):
    """Replies are not piled up."""
    return crowded(binary, folder, "pipelining", pipelining, 100, right=lambda counts: counts["bytes"] > 1_000_000)


def bodies_that_never_end(binary, folder, _library):
    """They are cut off."""
    return crowded(binary, folder, "endless", endless, 32, right=lambda counts: counts["mib"] > 10)


def bombs_of_gzip(binary, folder, _library):
    """Unpacked within the bound for bodies, all together."""
    return crowded(binary, folder, "bombs", posts, 32, bombs(), right=lambda counts: counts.get("413", 0) > 0 and set(counts) <= {"200", "400", "413", "503", "closed"})


def json_of_ten_thousand_levels(binary, folder, _library):
    """Refused, everywhere."""
    return crowded(binary, folder, "deep", posts, 16, deep(), right=lambda counts: sum(counts.values()) > 50 and set(counts) <= {"200", "400", "401"})


def a_hundred_imports(binary, folder, _library):
    """Large ones, all at the same time: those that find no room are told to come again."""
    return crowded(binary, folder, "imports", posts, 100, imports(50_000), right=lambda counts: counts.get("503", 0) > 0 and set(counts) <= {"200", "503"})


TESTS = [
    ten_thousand_idle_connections, more_idle_connections_than_allowed, a_thousand_slow_senders, more_slow_senders_than_allowed,
    pipelined_requests_that_nobody_reads, bodies_that_never_end, bombs_of_gzip, json_of_ten_thousand_levels, a_hundred_imports,
]
