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
# Rooms of these names are asked for by the explorer's samples, each in the literals of its language.
EXPLORER = {"app": 1400000004, **key(5)}
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
            except (urllib.error.URLError, ConnectionError):
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
    """One delivery as the vendor makes it: signed over the raw bytes, tabs and all."""
    ms = second * 1000 + 160
    body = {
        "EventGroupId": 1,
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
    headers |= {"Authorization": f"Bearer {INGEST_TOKEN}-{EXPLORER['app']}"}
    told = [{"kind": kind, "room": room, "user": "u", "at_ms": (start + at) * 1000}
            for room in HOSTILE for kind, at in (("joined", 1), ("left", 9), ("room_destroyed", 10))]
    server.post("/ingest/events", "\n".join(map(json.dumps, told)).encode(), headers)


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
    """Four servers, six clients, one line at the end."""
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    now = int(time.time())
    start = now - 3600
    TEST.mkdir(exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="clients-", dir=TEST))
    servers = []
    try:
        # No limit here: the clients together ask more than twenty times a second.
        accounts = [account("main", APP, MAIN, TEMPORARY), account("other", 1400000003, STRANGER),
                    account("explorer", EXPLORER["app"], EXPLORER)]
        settings = "\n".join(["[limits]", "requests_per_second = 0", *accounts])
        servers.append(Server.with_settings(binary, folder, "main", settings))
        servers.append(Server.with_settings(binary, folder, "default", account("burst", 1400000002, BURST)))
        own = {name: {"app": 1400000100 + n, **key(100 + n)} for n, name in enumerate(LIMITED)}
        accounts = [account(name, one["app"], one) for name, one in own.items()]
        settings = "\n".join(["[limits]", "requests_per_second = 1", *accounts])
        # The clock stands still, so that the second in which one request is allowed never ends.
        servers.append(Server.with_settings(binary, folder, "limited", settings, "--clock", str(now)))
        servers.append(Server(folder, "demo", binary, "demo"))
        tell_story(servers[0], start)
        story = {
            "endpoint": servers[0].endpoint, "app": APP, "start": start, "from": start - 200, "to": now + 60,
            "main": MAIN, "temporary": TEMPORARY, "explorer": EXPLORER, "hostile": HOSTILE, "other_app": 1400000003,
            "default_endpoint": servers[1].endpoint, "burst": {"app": 1400000002, **BURST},
            "limited_endpoint": servers[2].endpoint, "limited": own,
            "demo": str(servers[3].log), "binary": binary,
        }
        (folder / "story.json").write_text(json.dumps(story))
        passed, failed = run_clients(folder)
        if failed:
            for server in servers:
                print(f"--- {server.log.name}\n{server.log.read_text()[-4000:]}")
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


def run_clients(folder):
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
    for name, command, environment, count in sets:
        good, bad = run(name, command, environment, count)
        passed, failed = passed + good, failed + bad
    return passed, failed


if __name__ == "__main__":
    sys.exit(main())
