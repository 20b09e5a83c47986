"""The real binary as a process of these tests, what it is asked, and what it is told."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

APP, OTHER_APP = 1400000041, 1400000042
SECRET_ID, SECRET_KEY = "AKIDfaultTestsfaultTests00000001", "secretOfTheFaultTests00000000001"
TOKEN, CALLBACK_KEY = "token-of-the-fault-tests", "KeyOfTheFaultTests1"
API_KEY, API_SECRET = "APIfaultTests", "secretOfTheLiveKitServer-faults-0123456789"
JANUS = ("janus", "password-of-janus")
DAY_S = 86400
# A midnight in UTC.
MIDNIGHT_S = 1_795_392_000
# What is left of a server that was killed and cannot be copied: its socket for commands.
SOCKET = shutil.ignore_patterns("control")
# Longer than any answer takes that comes at all, on a machine that has much else to do.
ANSWER_MAX_S = 60

SETTINGS = f"""retention_days = 4
[limits]
requests_per_second = 0
[[account]]
[[account.key]]
secret_id = "{SECRET_ID}"
secret_key = "{SECRET_KEY}"
[[account.app]]
sdk_app_id = {APP}
ingest_token = "{TOKEN}"
trtc_callback_key = "{CALLBACK_KEY}"
livekit = {{ api_key = "{API_KEY}", api_secret = "{API_SECRET}" }}
janus = {{ user = "{JANUS[0]}", password = "{JANUS[1]}" }}
"""


class Died(Exception):
    """The server ended before it listened."""


class Directory:
    """A folder with settings and a data directory, and the servers over it, one after the other."""

    # Where a file is damaged the engine may panic; that is caught, and told as an error.
    may_panic = False

    def __init__(self, binary, folder, settings=SETTINGS):
        self.binary, self.folder = binary, folder
        folder.mkdir(exist_ok=True)
        self.data, self.log, self.config = folder / "data", folder / "log", folder / "rollbook.toml"
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.write(settings)

    def write(self, settings):
        """Other settings."""
        self.config.write_text(settings)
        self.config.chmod(0o600)

    def command(self, *arguments, shim=None, code=0):
        """Runs a command to its end; what it printed, if it ended as it should, else what it said."""
        command = [self.binary, *arguments, "--config", str(self.config), "--data-dir", str(self.data)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False, cwd=self.folder,
                              env=shim.environment() if shim else None)
        said = done.stderr.decode()
        assert self.may_panic or "panicked" not in said, said
        assert done.returncode == code, f"{' '.join(arguments)}: {done.returncode}\n{said}"
        return done.stdout.decode() if code == 0 else said

    def export(self, what, app=APP):
        """What `rollbook export` writes, as texts."""
        return self.command("export", what, "--app", str(app)).splitlines()

    def check(self):
        """`rollbook check` finds nothing wrong."""
        self.command("check")

    def spawn(self, *flags, shim=None, files=None, address="127.0.0.1:0"):
        """Starts a server and does not wait for it. `files`: how many it may open."""
        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        command = [self.binary, "serve", "--config", str(self.config), "--data-dir", str(self.data), "--listen", address, *flags]
        with self.log.open("wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, preexec_fn=limit,
                                    env=shim.environment() if shim else None)

    def serve(self, *flags, **surroundings):
        """A server that listens."""
        return Server(self, self.spawn(*flags, **surroundings))

    def said(self):
        """What the last server logged."""
        return self.log.read_text(errors="replace")


class Server:
    """A server that runs; `with` kills it at the latest, and looks whether it has panicked."""

    def __init__(self, directory, process):
        self.directory, self.process = directory, process
        until = time.monotonic() + ANSWER_MAX_S
        while (endpoint := self.listens()) is None:
            if process.poll() is not None and self.listens() is None:
                raise Died(directory.said())
            if time.monotonic() > until:
                self.kill()
                raise AssertionError(f"it does not listen:\n{directory.said()}")
            time.sleep(0.005)
        self.endpoint = endpoint

    def listens(self):
        """The address that it says it listens on."""
        for line in self.directory.said().splitlines():
            if '"listening"' in line:
                return json.loads(line)["address"].removeprefix("http://")
        return None

    def kill(self):
        """SIGKILL."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks it to end, as an operator would."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(ANSWER_MAX_S)
        assert code == 0, f"{code}\n{self.directory.said()}"

    def memory(self, field="VmHWM"):
        """The most memory it ever had, or has (`VmRSS`), in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        said = self.directory.said()
        assert self.directory.may_panic or "panicked" not in said, said

    def connection(self):
        """A connection of its own."""
        return http.client.HTTPConnection(self.endpoint, timeout=ANSWER_MAX_S)

    def get(self, path):
        """Status and body; 0 where there is no reply."""
        return said(self.connection(), "GET", path)

    def post(self, lines, connection=None):
        """Posts neutral events; the status, and what is said of them. 0 where there is no reply."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return said(connection or self.connection(), "POST", "/ingest/events", body_of(lines), headers)

    def deliver(self, delivery):
        """Posts a delivery of `deliveries`."""
        path, headers, body = delivery
        return said(self.connection(), "POST", path, body, headers)

    def ask(self, now_s, action, connection=None, **asked):
        """The `Response` of a signed question; `None` where there is none."""
        body = json.dumps({"SdkAppId": APP} | asked).encode()
        status, text = said(connection or self.connection(), "POST", "/", body, signed(self.endpoint, action, body, now_s))
        return json.loads(text)["Response"] if status == 200 else None

    def users(self, now_s, call, connection=None):
        """Who was in a call, as (user, join, leave, finished); an error's code; `None` where there is no answer."""
        room, start_s = call
        reply = self.ask(now_s, "DescribeUserInfo", connection, CommId=f"{APP}_{room}_{start_s}", StartTime=start_s - 60,
                         EndTime=start_s + 3600, PageNumber=0, PageSize=100)
        if reply is None or "Error" in reply:
            return reply and reply["Error"]["Code"]
        return [(user["UserId"], user["JoinTs"], user["LeaveTs"], user["Finished"]) for user in reply["UserList"]]


def said(connection, method, path, body=None, headers=None):
    """Status and text of a reply; 0 and why where there is none. Only a connection that had one is used again."""
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return 0, repr(error)


def body_of(lines):
    """Neutral events as a body."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def signed(host, action, body, now_s):
    """The headers of a request with the vendor's signature of version 3."""
    date = time.strftime("%Y-%m-%d", time.gmtime(now_s))
    digest = hashlib.sha256(body).hexdigest()
    names = "content-type;host"
    canonical = f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\n{names}\n{digest}"
    scope = f"{date}/trtc/tc3_request"
    text = f"TC3-HMAC-SHA256\n{int(now_s)}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("TC3" + SECRET_KEY).encode()
    for part in (date, "trtc", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "Authorization": f"TC3-HMAC-SHA256 Credential={SECRET_ID}/{scope}, SignedHeaders={names}, Signature={signature}",
        "Content-Type": "application/json", "Host": host, "X-TC-Action": action, "X-TC-Version": "2019-07-22",
        "X-TC-Region": "ap-guangzhou", "X-TC-Timestamp": str(int(now_s)),
    }


def call_lines(call, users=2):
    """A call that is over: everybody comes and goes."""
    room, start_s = call
    lines = [{"kind": "room_created", "room": room, "user": "u0", "at_s": start_s}]
    lines += [{"kind": "joined", "room": room, "user": f"u{n}", "at_s": start_s + 1 + n} for n in range(users)]
    lines += [{"kind": "left", "room": room, "user": f"u{n}", "at_s": start_s + 60 + n} for n in range(users)]
    return [*lines, {"kind": "room_destroyed", "room": room, "at_s": start_s + 100}]


def call_rows(call, users=2):
    """What DescribeUserInfo must show of it: newest first."""
    return [(f"u{n}", call[1] + 1 + n, call[1] + 60 + n, True) for n in reversed(range(users))]


def measured(call, user="u0"):
    """Measurements of a user during it."""
    room, start_s = call
    return {"kind": "samples", "room": room, "user": user, "connection": "PC_0", "at_ms": [(start_s + n) * 1000 for n in (10, 12, 14)],
            "values": {"rtt": [39, 40.5, start_s % 100]}}


def deliveries(name, now_s):
    """One delivery of each source, as it signs them: (path, headers, body) by source."""
    ms = now_s * 1000
    trtc = json.dumps({"EventGroupId": 1, "EventType": 103, "CallbackTs": ms, "EventInfo": {
        "RoomId": name, "EventTs": now_s, "EventMsTs": ms, "UserId": "t", "Role": 20, "TerminalType": 1, "UserType": 3, "Reason": 1}}).encode()
    sign = base64.b64encode(hmac.new(CALLBACK_KEY.encode(), trtc, hashlib.sha256).digest()).decode()
    livekit = json.dumps({"event": "participant_joined", "id": f"EV_{name}", "createdAt": str(now_s),
                          "room": {"sid": f"RM_{name}", "name": f"{name}-lk", "creationTime": str(now_s)},
                          "participant": {"sid": f"PA_{name}", "identity": "l", "joinedAt": str(now_s), "state": "ACTIVE"}}).encode()
    janus = json.dumps([{"emitter": "j", "type": 64, "subtype": 0, "timestamp": ms * 1000, "session_id": 1, "handle_id": 2, "event": {
        "plugin": "janus.plugin.videoroom", "data": {"event": "joined", "room": f"{name}-j", "id": "j", "display": "j"}}}]).encode()
    token = jwt({"iss": API_KEY, "nbf": now_s - 5, "iat": now_s - 5, "exp": now_s + 300,
                 "sha256": base64.b64encode(hashlib.sha256(livekit).digest()).decode()})
    basic = base64.b64encode(":".join(JANUS).encode()).decode()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    events = body_of([{"kind": "joined", "room": f"{name}-e", "user": "e", "at_s": now_s}])
    attributes = json.dumps({"room": f"{name}-e", "user": "e", "at_ms": ms, "sdk_version": "1.2.3"}).encode()
    return {
        "trtc": ("/ingest/trtc", {"Content-Type": "application/json", "SdkAppId": str(APP), "Sign": sign}, trtc),
        "livekit": ("/ingest/livekit", {"Content-Type": "application/webhook+json", "Authorization": token}, livekit),
        "janus": (f"/ingest/janus/{APP}", {"Authorization": f"Basic {basic}"}, janus),
        "events": ("/ingest/events", bearer, events),
        "attributes": ("/ingest/attributes", bearer, attributes),
    }


def jwt(claims):
    """A token as LiveKit makes it."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    head = b".".join((part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()), part(json.dumps(claims).encode())))
    return (head + b"." + part(hmac.new(API_SECRET.encode(), head, hashlib.sha256).digest())).decode()


def number_of(name, default):
    """A number from the environment."""
    return int(os.environ.get(name) or default)
