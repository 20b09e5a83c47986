"""A Janus of its own: Debian's package with its default settings, on loopback, with what `docs/janus.md` recommends."""

import asyncio
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PACKAGED = pathlib.Path("/etc/janus")
SESSION_TIMEOUT_S = 5


def free_port():
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def configure(folder, name, section, **settings):
    """Sets values in a section of one of the packaged files, whatever it has now."""
    path = folder / f"{name}.jcfg"
    head, opening, rest = re.split(rf"^({section}:[ \t]*\{{[ \t]*)$", path.read_text(), maxsplit=1, flags=re.M)
    body, closing, tail = re.split(r"^(\}[ \t]*)$", rest, maxsplit=1, flags=re.M)
    for key, value in settings.items():
        body = re.sub(rf"^([ \t]*){key}[ \t]*=", rf"#\1{key} =", body, flags=re.M)
        body = f"\n\t{key} = {json.dumps(value)}{body}"
    path.write_text(head + opening + body + closing + tail)


def unwanted(folder, *wanted):
    """The modules of a folder but those that are wanted: each of the others would open ports or log errors."""
    names = {path.name.split(".so")[0] + ".so" for path in pathlib.Path(folder).glob("lib*.so*")}
    return ",".join(sorted(names - {f"libjanus_{name}.so" for name in wanted}))


class Janus:
    """The server. `start` and `kill` may be called in turn; the settings stay."""

    def __init__(self, folder, backend, user, password):
        self.folder, self.log, self.process = folder / "janus", folder / "janus.log", None
        shutil.copytree(PACKAGED, self.folder)
        self.port = free_port()
        packaged = (self.folder / "janus.jcfg").read_text()
        modules = dict(re.findall(r'^\s*(\w+)_folder = "(/[^"]+)"', packaged, flags=re.M))
        configure(self.folder, "janus", "general", server_name="janus-test", session_timeout=SESSION_TIMEOUT_S)
        configure(self.folder, "janus", "plugins", disable=unwanted(modules["plugins"], "videoroom"))
        configure(self.folder, "janus", "transports", disable=unwanted(modules["transports"], "http"))
        configure(self.folder, "janus", "events", broadcast=True, stats_period=1,
                  disable=unwanted(modules["events"], "sampleevh"))
        configure(self.folder, "janus.transport.http", "general", port=self.port, ip="127.0.0.1")
        configure(self.folder, "janus.plugin.videoroom", "general", string_ids=True)
        configure(self.folder, "janus.eventhandler.sampleevh", "general", enabled=True, grouping=True, json="compact",
                  events="sessions,handles,webrtc,media,plugins,transports,core", backend=backend,
                  backend_user=user, backend_pwd=password)

    def start(self):
        """Until its API answers."""
        with self.log.open("ab") as log:
            command = ["janus", "--configs-folder", str(self.folder), "--disable-colors"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        until(self.answers, 20, "Janus answers")

    def answers(self):
        """Whether its API does."""
        if self.process.poll() is not None:
            raise AssertionError(f"Janus ended: {self.process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/janus/info", timeout=5) as reply:
                return json.load(reply)["janus"] == "server_info"
        except (urllib.error.URLError, ConnectionError):
            return False

    def kill(self):
        """Ends it at once, so that it can tell nobody."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait(20)

    def ask(self, path, body=None):
        """One request to its API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/janus{path}", data, headers)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)


def until(holds, seconds, what):
    """Asks again and again until something holds; gives what it gave. What never holds is a failure."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if held := holds():
            return held
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


class Client:
    """One session, kept alive until it vanishes; requests are answered with the plugin's own reply."""

    def __init__(self, janus):
        self.janus = janus
        self.path = f"/{janus.ask('', {'janus': 'create', 'transaction': 'c'})['data']['id']}"
        self.count = 0
        self.keeping = asyncio.create_task(self.keep())

    async def keep(self):
        """Says that it is still there."""
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.janus.ask, self.path, {"janus": "keepalive", "transaction": "k"})

    def vanish(self):
        """Is not heard of any more."""
        self.keeping.cancel()

    async def attach(self):
        """A handle of VideoRoom."""
        body = {"janus": "attach", "plugin": "janus.plugin.videoroom", "transaction": "a"}
        return (await asyncio.to_thread(self.janus.ask, self.path, body))["data"]["id"]

    async def say(self, handle, body, jsep=None):
        """A message to the plugin; its reply, when it has come."""
        self.count += 1
        transaction = f"t{self.count}"
        message = {"janus": "message", "transaction": transaction, "body": body} | ({"jsep": jsep} if jsep else {})
        reply = await asyncio.to_thread(self.janus.ask, f"{self.path}/{handle}", message)
        while reply.get("transaction") != transaction or reply["janus"] == "ack":
            reply = await asyncio.to_thread(self.janus.ask, f"{self.path}?maxev=1")
        data = reply.get("plugindata", {}).get("data", {})
        assert reply["janus"] in ("event", "success") and "error" not in data, reply
        return data, reply.get("jsep")
