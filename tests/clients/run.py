"""Starts the real binary, feeds it a story by signed callbacks, and lets the vendor's own clients ask.

    python3 tests/clients/run.py target/debug/rollbook

Standard library only; `install` in this folder brings the clients. The last line is `N passed, N failed`.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TEST = HERE.parent.parent / ".test"
CALLBACK_KEY = "KeyOfTheClientTests1"
INGEST_TOKEN = "token-of-the-client-tests"
APP = 1400000001
# Each client has an account of its own on the server that allows one request a second and action.
LIMITED = [f"{tool}-{edition}" for tool in ("python", "tccli", "node") for edition in ("mainland", "international")]


def key(number, token=""):
    """An invented key. The numbers keep them apart."""
    return {"secret_id": f"AKIDclientTestsclientTests{number:010}", "secret_key": f"secretOfTheClientTests{number:010}", "token": token}


MAIN, TEMPORARY, BURST, STRANGER = key(1), key(2, "sts/token+of=the client tests"), key(3), key(4)
LIVEKIT = {"app": 1400000004, "key": key(5), "api_key": "APIclientTests", "api_secret": "secretOfTheLiveKitServer-0123456789"}
# The clock stands an hour after the evening of `docs/sources.md`.
SOURCES = {"app": 1400000005, "key": key(6), "token": "token-of-the-sources-page", "clock": 1795374000}
EXPLORER = {"app": 1400000006, **key(7)}
# Rooms of these names are asked for by the explorer's samples, each in the literals of its language.
HOSTILE = ["a\"b'c\\d\ne\tf", "$HOME `id` ${1} #{2} %s !x", "\\'; exit 1 #", "李😀\u202e</script>", "[\"x\"]", "-x", "\\", "@/etc/passwd"]


def account(name, app, *keys):
    """One account, as settings."""
    lines = ["[[account]]", f'name = "{name}"']
    for one in keys:
        lines += ["[[account.key]]", f'secret_id = "{one["secret_id"]}"', f'secret_key = "{one["secret_key"]}"']
        lines += [f'token = "{one["token"]}"'] if one["token"] else []
    lines += ["[[account.app]]", f"sdk_app_id = {app}"]
    if app == APP:
        lines += [f'trtc_callback_key = "{CALLBACK_KEY}"', f'ingest_token = "{INGEST_TOKEN}"']
    if app == EXPLORER["app"]:
        lines += [f'ingest_token = "{INGEST_TOKEN}-{app}"']
    if app == SOURCES["app"]:
        lines += [f'ingest_token = "{SOURCES["token"]}"']
    if app == LIVEKIT["app"]:
        lines += [f'livekit = {{ api_key = "{LIVEKIT["api_key"]}", api_secret = "{LIVEKIT["api_secret"]}" }}']
    return "\n".join(lines)


class Server:
    """The binary on a port of its own, until `stop`."""

    def __init__(self, folder, name, *command):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.endpoint = f"127.0.0.1:{port}"
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, "--listen", self.endpoint], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        self.wait()

    @classmethod
    def with_settings(cls, binary, folder, name, settings, *flags):
        """`rollbook serve --memory` with settings of its own."""
        config = folder / f"{name}.toml"
        config.write_text(settings)
        config.chmod(0o600)
        return cls(folder, name, binary, "serve", "--memory", "--config", str(config), *flags)

    def wait(self):
        """Until it answers `/readyz`; says what it logged if it never does."""
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://{self.endpoint}/readyz", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        self.stop()
        raise SystemExit(f"the server did not start:\n{self.log.read_text()}")

    def stop(self):
        """Asks it to end, as an operator would."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def post(self, path, body, headers):
        """Posts a body; gives the reply's body."""
        request = urllib.request.Request(f"http://{self.endpoint}{path}", body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"POST {path}: {error.code} {error.read()}") from error


def callback(server, event_type, second, **info):
    """One delivery as the vendor makes it: signed over the raw bytes, tabs and all. The hundreds are the group."""
    ms = second * 1000 + 160
    body = {
        "EventGroupId": event_type // 100,
        "EventType": event_type,
        "CallbackTs": ms + 90,
        "EventInfo": {"EventTs": second, "EventMsTs": ms, **info},
    }
    raw = json.dumps(body, indent="\t", separators=(",", ":\t")).encode()
    sign = base64.b64encode(hmac.new(CALLBACK_KEY.encode(), raw, hashlib.sha256).digest()).decode()
    headers = {"Content-Type": "application/json", "SdkAppId": str(APP), "Sign": sign}
    reply = server.post("/ingest/trtc", raw, headers)
    assert json.loads(reply) == {"code": 0}, reply


def tell_story(server, start):
    """Two calls: a lobby that is over, and a room where bob came and went, and alice came back and stays."""
    callback(server, 101, start - 100, RoomId="lobby_7", UserId="carol")
    callback(server, 103, start - 90, RoomId="lobby_7", UserId="carol", Role=20, TerminalType=1, UserType=1, Reason=1)
    callback(server, 104, start - 50, RoomId="lobby_7", UserId="carol", Role=20, Reason=1)
    callback(server, 102, start - 20, RoomId="lobby_7")
    callback(server, 101, start, RoomId=218695, UserId="alice")
    callback(server, 103, start + 1, RoomId=218695, UserId="alice", Role=20, TerminalType=3, UserType=3, Reason=1)
    callback(server, 103, start + 30, RoomId=218695, UserId="bob", Role=20, TerminalType=2, UserType=3, Reason=1)
    callback(server, 104, start + 600, RoomId=218695, UserId="alice", Role=20, Reason=2)
    callback(server, 103, start + 700, RoomId=218695, UserId="alice", Role=20, TerminalType=3, UserType=3, Reason=1)
    callback(server, 104, start + 900, RoomId=218695, UserId="bob", Role=20, Reason=1)
    attributes = {"room": "218695", "user": "bob", "at_ms": (start + 31) * 1000, "sdk_version": "4.3.14", "client_ip": "203.0.113.7"}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {INGEST_TOKEN}"}
    server.post("/ingest/attributes", json.dumps(attributes).encode(), headers)
    tell_rooms(server, start)
    tell_media(server, start)
    tell_quality(server, start)
    tell_yesterday(server, start)


def tell_rooms(server, start):
    """Rooms of hostile names, in an application of their own."""
    lines = [{"kind": kind, "room": room, "user": "u", "at_ms": (start + at) * 1000}
             for room in HOSTILE for kind, at in (("joined", 1), ("left", 9), ("room_destroyed", 10))]
    post_lines(server, lines, f"{INGEST_TOKEN}-{EXPLORER['app']}")


def post_lines(server, lines, token=INGEST_TOKEN):
    """Posts neutral lines; all of them are taken."""
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {token}"}
    reply = json.loads(server.post("/ingest/events", "\n".join(json.dumps(line) for line in lines).encode(), headers))
    assert reply["refused"] == 0, reply


def tell_media(server, start):
    """What bob (native SDK) and carol (WebRTC) switched on and off."""
    bob = {"RoomId": 218695, "UserId": "bob"}
    for second, event_type in ((32, 203), (33, 201), (50, 205), (60, 206), (70, 202), (80, 204)):
        callback(server, event_type, start + second, **bob)
    callback(server, 105, start + 85, **bob, Role=21)
    carol = {"RoomId": "lobby_7", "UserId": "carol"}
    for second, event_type in ((-89, 203), (-88, 201), (-60, 202), (-59, 204)):
        callback(server, event_type, start + second, **carol)


def tell_quality(server, start):
    """Measurements of alice, who sees bob freeze under load, and of bob."""
    def samples(user, seconds, peer=None, **values):
        line = {"kind": "samples", "room": "218695", "user": user, "connection": "PC_0", "values": values,
                "at_ms": [(start + second) * 1000 for second in seconds]}
        return line | ({"peer": peer} if peer else {})

    post_lines(server, [
        samples("alice", [98, 100, 102], sysCpu=[95, 96.5, 95]),
        samples("alice", [100, 102, 104], rtt=[39, 40.5, 0]),
        # Between two stays, and then in the second.
        samples("alice", [650, 705], rtt=[77, 41]),
        samples("alice", [100, 102, 104], "bob", bigvDecFps=[15, 3, 14.5], bigvBlock=[0, 1500, 0],
                audio_stream=[1, 1, 1], audio_bytes=[5000, 30000, 30000]),
        samples("bob", [100, 102], bigvCapFps=[15, 15], bigvWidth=[640, 640]),
    ])


def tell_yesterday(server, start):
    """A call two days ago, so that there is a day that is over."""
    then = start - 2 * 86400
    lines = [
        {"kind": kind, "room": "old", "user": "dave", "at_s": then + second}
        for second, kind in enumerate(("joined", "left", "joined", "left"))
    ]
    post_lines(server, [*lines, {"kind": "room_destroyed", "room": "old", "at_s": then + 4}])


def expected(start):
    """What each client must read: the same numbers, whoever asks."""
    ms = start * 1000 + 160
    series = [
        ["alice", "", "sysCpu", [[98, 95.0], [100, 96.5], [102, 95.0]]],
        ["alice", "", "rtt", [[100, 39.0], [102, 40.5], [104, 0.0], [705, 41.0]]],
        ["alice", "bob", "aBit", [[102, 100000.0], [104, 0.0]]],
        ["alice", "bob", "bigvDecFps", [[100, 15.0], [102, 3.0], [104, 14.5]]],
        ["alice", "bob", "bigvBlock", [[100, 0.0], [102, 1500.0], [104, 0.0]]],
        ["bob", "", "bigvCapFps", [[100, 15.0], [102, 15.0]]],
        ["bob", "", "bigvWidth", [[100, 640.0], [102, 640.0]]],
    ]
    bob = [[0, 30, 7000, 0], [0, 32, 3001, 0], [2, 33, 4006, 0], [7, 50, 4006, 0], [7, 60, 4006, 1],
           [2, 70, 4006, 1], [0, 80, 3001, 2], [0, 85, 4006, 1], [0, 900, 7001, 0]]
    carol = [[0, -90, 7000, 0], [0, -89, 32769, -1], [2, -88, 32768, -1], [2, -60, 32770, -1], [0, -59, 32771, -1],
             [0, -50, 7001, 0]]
    then = start - 2 * 86400
    return {
        "series": [[*names, [[start + second, value] for second, value in points]] for *names, points in series],
        "events": {
            user: [[kind, ms + second * 1000, event, first, -1] for kind, second, event, first in events]
            for user, events in (("bob", bob), ("carol", carol))
        },
        "unusual": [["alice", "218695", start + 102, 4, [[2001, ""], [2024, "bob"]]]],
        # Days begin at 16:00 UTC.
        "day": [then - (then + 8 * 3600) % 86400, 1, 1, 2],
    }


def run(name, command, environment, count):
    """Runs one set of tests; gives how many passed and failed."""
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    passed, failed = count(done.stdout)
    if done.returncode != 0 and failed == 0:
        failed = 1
    if passed + failed == 0:
        failed = 1
    print(f"clients: {name}: {passed} passed, {failed} failed", flush=True)
    if failed:
        print(done.stdout, flush=True)
    return passed, failed


def count_unittest(output):
    """Reads the summary of `unittest`; a skipped or half-run set counts as failed."""
    ran = re.search(r"^Ran (\d+) tests?", output, re.M)
    bad = sum(int(n) for n in re.findall(r"(?:failures|errors|skipped|unexpected successes)=(\d+)", output))
    return (int(ran[1]) - bad, bad) if ran else (0, 1)


def count_node(output):
    """Reads the summary of Node's test runner."""
    numbers = {name: int(n) for name, n in re.findall(r"^# (pass|fail|cancelled|skipped|todo) (\d+)$", output, re.M)}
    return numbers.get("pass", 0), sum(n for name, n in numbers.items() if name != "pass")


def main():
    """The servers, the clients, one line at the end."""
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    now = int(time.time())
    start = now - 3600
    TEST.mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="clients-", dir=TEST))
    servers = []
    try:
        # No limit here: the clients together ask more than twenty times a second.
        accounts = [account("main", APP, MAIN, TEMPORARY), account("other", 1400000003, STRANGER)]
        accounts += [account("livekit", LIVEKIT["app"], LIVEKIT["key"]), account("explorer", EXPLORER["app"], EXPLORER)]
        settings = "\n".join(["[limits]", "requests_per_second = 0", *accounts])
        servers.append(Server.with_settings(binary, folder, "main", settings))
        servers.append(Server.with_settings(binary, folder, "default", account("burst", 1400000002, BURST)))
        own = {name: {"app": 1400000100 + n, **key(100 + n)} for n, name in enumerate(LIMITED)}
        accounts = [account(name, one["app"], one) for name, one in own.items()]
        settings = "\n".join(["[limits]", "requests_per_second = 1", *accounts])
        # The clock stands still, so that the second in which one request is allowed never ends.
        servers.append(Server.with_settings(binary, folder, "limited", settings, "--clock", str(now)))
        servers.append(Server(folder, "demo", binary, "demo"))
        settings = "\n".join(["[limits]", "requests_per_second = 0", account("sources", SOURCES["app"], SOURCES["key"])])
        servers.append(Server.with_settings(binary, folder, "sources", settings, "--clock", str(SOURCES["clock"])))
        tell_story(servers[0], start)
        story = {
            "endpoint": servers[0].endpoint, "app": APP, "ingest_token": INGEST_TOKEN, "start": start, "from": start - 200, "to": now + 60,
            "livekit": LIVEKIT, "sources": SOURCES | {"endpoint": servers[4].endpoint}, "main": MAIN, "temporary": TEMPORARY, "explorer": EXPLORER,
            "hostile": HOSTILE, "other_app": 1400000003,
            "default_endpoint": servers[1].endpoint, "burst": {"app": 1400000002, **BURST},
            "limited_endpoint": servers[2].endpoint, "limited": own,
            "demo": str(servers[3].log), "binary": binary, "expected": expected(start),
        }
        (folder / "story.json").write_text(json.dumps(story))
        passed, failed = run_clients(folder, binary)
        if failed:
            for server in servers:
                print(f"--- {server.log.name}\n{server.log.read_text()[-4000:]}")
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


def run_clients(folder, binary):
    """Each client in its own process, with a home of its own and no proxy."""
    passed = failed = 0
    plain = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("TENCENTCLOUD")}
    plain |= {"HOME": str(folder), "STORY": str(folder / "story.json"), "PYTHONDONTWRITEBYTECODE": "1"}
    sets = []
    for edition in ("mainland", "international"):
        python = str(TEST / f"py-{edition}" / "bin" / "python")
        environment = plain | {"EDITION": edition, "NODE_SDK": str(TEST / "node") + "/"}
        files = (("Python SDK", "test_sdk.py"), ("tccli", "test_tccli.py"), ("demo, pasted", "test_demo.py"),
                 ("explorer's samples", "test_explorer.py"))
        for tool, file in files:
            sets.append((f"{tool}, {edition}", [python, "-m", "unittest", "-v", str(HERE / file)], environment, count_unittest))
        node = ["node", "--test", "--test-reporter=tap", str(HERE / "sdk.test.mjs")]
        sets.append((f"Node SDK, {edition}", node, environment, count_node))
    for name, file in (("LiveKit's package", "test_livekit.py"), ("docs/sources.md, pasted", "test_sources.py")):
        python = str(TEST / "py-livekit" / "bin" / "python")
        sets.append((name, [python, "-m", "unittest", "-v", str(HERE / file)], plain, count_unittest))
    snippets = [sys.executable, "-m", "unittest", "-v", str(HERE / "test_stats.py")]
    sets.append(("snippets of docs/stats.md", snippets, plain, count_unittest))
    tls = [sys.executable, "-m", "unittest", "-v", str(HERE / "test_tls.py")]
    sets.append(("openssl", tls, plain | {"BINARY": binary}, count_unittest))
    for name, command, environment, count in sets:
        good, bad = run(name, command, environment, count)
        passed, failed = passed + good, failed + bad
    return passed, failed


if __name__ == "__main__":
    sys.exit(main())
