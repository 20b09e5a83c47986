"""Who takes part: rollbooks over a cluster, a balancer before them, media servers that report, clients that ask."""

import contextlib
import http.client
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

# pylint: disable=wrong-import-position
from cluster import Process, free_ports
from run import Server, key  # the ones of the client tests
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client

APP, OTHER_APP = 1400000008, 1400000009
KEY = key(8)
TOKEN, OTHER_TOKEN = "token-of-the-cluster-tests", "other-token-of-the-cluster-tests"
DATABASE = "rollbook"
# Longer than a sender waits for any server of these tests that will answer at all.
ANSWER_MAX_S = 60


def settings(cluster, data_dir):
    """A settings file for a cluster."""
    urls = json.dumps(cluster.urls.split(","))
    return f"""data_dir = "{data_dir}"
store = {{ clickhouse = {{ urls = {urls}, database = "{DATABASE}", cluster = "{cluster.name}" }} }}
[limits]
requests_per_second = 0
[[account]]
name = "main"
[[account.key]]
secret_id = "{KEY["secret_id"]}"
secret_key = "{KEY["secret_key"]}"
[[account.app]]
sdk_app_id = {APP}
ingest_token = "{TOKEN}"
[[account.app]]
sdk_app_id = {OTHER_APP}
ingest_token = "{OTHER_TOKEN}"
"""


def write_settings(cluster, name="rollbook"):
    """Writes them beside the cluster; the path."""
    file = cluster.folder / f"{name}.toml"
    file.write_text(settings(cluster, cluster.folder / f"{name}-data"))
    file.chmod(0o600)
    return file


def rollbook(binary, cluster, name="rollbook"):
    """A rollbook over a cluster; `with` ends it."""
    server = Server(cluster.folder, name, binary, "serve", "--config", str(write_settings(cluster, name)))
    server.url = f"http://{server.endpoint}"
    return contextlib.closing(Stopped(server))


class Stopped:
    """A server that `close` kills: nothing it holds is worth waiting for, or it is no store."""

    def __init__(self, server):
        self.server, self.endpoint, self.log = server, server.endpoint, server.log

    def kill(self):
        """Ends it at once."""
        self.server.process.kill()
        self.server.process.wait()

    close = kill


class Balancer(Process):
    """HAProxy with the settings of `deploy/`."""

    def __init__(self, folder, endpoints):
        folder.mkdir()
        front, stats = free_ports(2)
        self.endpoint = f"127.0.0.1:{front}"
        config = HERE.parent.parent / "deploy" / "haproxy.cfg"
        haproxy = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        command = [haproxy, "-f", str(config), "-db"]
        super().__init__("HAProxy", folder, command)
        self.environment = {"LISTEN": self.endpoint, "STATS": f"127.0.0.1:{stats}"}
        self.environment |= {f"ROLLBOOK_{n + 1}": endpoint for n, endpoint in enumerate(endpoints)}

    def answers(self):
        return get(self.endpoint, "/readyz")[0] == 200

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        self.kill()


def get(endpoint, path):
    """Status and body; 0 where nobody answers."""
    connection = http.client.HTTPConnection(endpoint, timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def post(endpoint, lines, token=TOKEN):
    """Posts neutral events; the reply's status, and what it says. 0 where there was no reply."""
    body = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {token}"}
    connection = http.client.HTTPConnection(endpoint, timeout=ANSWER_MAX_S)
    try:
        connection.request("POST", "/ingest/events", body, headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        if reply.status == 200:
            assert json.loads(text)["refused"] == 0, text
        return reply.status, text
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def call_lines(room, start_s, users=3):
    """A call that is over: everybody comes and goes."""
    lines = [{"kind": "room_created", "room": room, "user": "u0", "at_s": start_s}]
    lines += [{"kind": "joined", "room": room, "user": f"u{n}", "at_s": start_s + 1 + n} for n in range(users)]
    lines += [{"kind": "left", "room": room, "user": f"u{n}", "at_s": start_s + 60 + n} for n in range(users)]
    return [*lines, {"kind": "room_destroyed", "room": room, "at_s": start_s + 100}]


def call_rows(start_s, users=3):
    """What DescribeUserInfo must show of it: newest first."""
    return [(f"u{n}", start_s + 1 + n, start_s + 60 + n, True) for n in reversed(range(users))]


class Sender:
    """Media servers that report calls until they are told to stop, and repeat what was not acknowledged."""

    def __init__(self, endpoint, start_s, name="room", threads=3):
        self.endpoint, self.start_s, self.name = endpoint, start_s, name
        self.acknowledged, self.refused, self.unexpected = {}, 0, []
        self.ending, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.report, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(ANSWER_MAX_S + 10)

    def report(self, number):
        """One call after the other; each is posted until it is acknowledged."""
        count = 0
        while not self.ending.is_set():
            room, start_s = f"{self.name}-{number}-{count}", self.start_s + count % 1000
            lines = call_lines(room, start_s)
            while True:
                status, text = post(self.endpoint, lines)
                with self.lock:
                    if status == 200:
                        self.acknowledged[room] = start_s
                        break
                    self.refused += 1
                    if status not in (0, 502, 503):
                        self.unexpected.append((status, text))
                if self.ending.is_set():
                    return
                time.sleep(0.1)
            count += 1

    def seen(self):
        """How many calls were acknowledged so far."""
        with self.lock:
            return len(self.acknowledged)


class Asker:
    """Asks with the vendor's SDK, as applications do."""

    def __init__(self, endpoint, start_s):
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=endpoint, reqTimeout=ANSWER_MAX_S))
        who = credential.Credential(KEY["secret_id"], KEY["secret_key"])
        self.client, self.start_s = trtc_client.TrtcClient(who, "ap-guangzhou", profile), start_s

    def ask(self, action, **asked):
        """One question about the time around the start."""
        request = getattr(models, f"{action}Request")()
        window = {"SdkAppId": APP, "StartTime": self.start_s - 10, "EndTime": self.start_s + 3600}
        request.from_json_string(json.dumps(window | asked))
        return getattr(self.client, action)(request)

    def users(self, room, created_s):
        """Who was in a call, as (user, join, leave, finished)."""
        reply = self.ask("DescribeUserInfo", CommId=f"{APP}_{room}_{created_s}", PageNumber=0, PageSize=100)
        assert reply.Total == len(reply.UserList), reply.to_json_string()
        return [(user.UserId, user.JoinTs, user.LeaveTs, user.Finished) for user in reply.UserList]

    def rooms(self):
        """How many calls there were, page by page."""
        pages = (len(self.ask("DescribeRoomInfo", PageNumber=page, PageSize=100).RoomList) for page in range(100))
        return sum(itertools.takewhile(lambda count: count > 0, pages))

    def error(self, ask, *asked):
        """The code of the error that a question ends in; `None` if it is answered."""
        try:
            ask(*asked)
            return None
        except TencentCloudSDKException as error:
            return error.get_code()


class Questions:
    """Clients that ask the same all the time; what else they got than the one right answer, and how often their connection was cut."""

    def __init__(self, endpoint, start_s, room, threads=2):
        self.right = call_rows(start_s)
        self.answered, self.wrong, self.cut, self.ending = 0, [], 0, threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(Asker(endpoint, start_s), room, start_s), daemon=True) for _ in range(threads)]

    def ask(self, asker, room, start_s):
        """Again and again."""
        while not self.ending.is_set():
            try:
                rows = asker.users(room, start_s)
                if rows != self.right:
                    self.wrong.append(rows)
                self.answered += 1
            except TencentCloudSDKException as error:
                if error.get_code() == "ClientNetworkError":
                    self.cut += 1
                else:
                    self.wrong.append(str(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(ANSWER_MAX_S + 10)


def exported(binary, config, what, app=APP):
    """What `rollbook export` writes, as bytes."""
    command = [binary, "export", what, "--app", str(app), "--config", str(config)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
