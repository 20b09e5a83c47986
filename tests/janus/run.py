"""A real Janus tells a real rollbook of a call, and the vendor's Python SDK reads it.

    .test/py-janus/bin/python tests/janus/run.py target/debug/rollbook

Alice sends sound and picture, Bob gets them and is kicked, Carol vanishes, and Janus is killed while Alice is
inside. Signalling goes over loopback. Janus takes no loopback address for media, so these go between addresses of this
machine's own, and leave it no more. `install` in this folder brings what it needs. The last line is `N passed, N failed`.
"""

import asyncio
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
TEST = HERE.parent.parent / ".test"
sys.path.insert(0, str(HERE.parent / "clients"))

# pylint: disable=wrong-import-position
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from run import Server, key  # the one of the client tests
from server import SESSION_TIMEOUT_S, Client, Janus, until
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client

APP, ROOM = 1400000007, "clinic-7"
KEY = key(7)
STEP_MAX_S = 60
USER, PASSWORD = "janus", "password-of-janus"
SETTINGS = f"""
[limits]
requests_per_second = 0
[[account]]
[[account.key]]
secret_id = "{KEY["secret_id"]}"
secret_key = "{KEY["secret_key"]}"
[[account.app]]
sdk_app_id = {APP}
janus = {{ user = "{USER}", password = "{PASSWORD}" }}
"""


class Asker:
    """Asks with the vendor's SDK."""

    def __init__(self, endpoint):
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=endpoint))
        who = credential.Credential(KEY["secret_id"], KEY["secret_key"])
        self.client, self.start = trtc_client.TrtcClient(who, "ap-guangzhou", profile), int(time.time()) - 5

    def ask(self, action, **asked):
        """One question about the time since this began."""
        request = getattr(models, f"{action}Request")()
        window = {"SdkAppId": APP, "StartTime": self.start, "EndTime": int(time.time()) + 5}
        request.from_json_string(json.dumps(window | asked))
        return getattr(self.client, action)(request)

    def call(self):
        """The one call."""
        rooms = self.ask("DescribeRoomInfo", RoomId=ROOM)
        assert rooms.Total <= 1, rooms.to_json_string()
        return rooms.RoomList[0] if rooms.Total else None

    def users(self):
        """Those of the call, by name."""
        call = self.call()
        users = self.ask("DescribeUserInfo", CommId=call.CommId, PageNumber=0, PageSize=100).UserList if call else []
        named = {user.UserId: user for user in users}
        assert len(named) == len(users), f"one stay of each: {[user.to_json_string() for user in users]}"
        return named

    def points(self, user):
        """What was measured of a user: by peer and metric, the values in order of time."""
        asked = {"CommId": self.call().CommId, "UserIds": [user], "DataType": ["all"], "PageNumber": 0, "PageSize": 6}
        data = self.ask("DescribeCallDetailInfo", **asked).Data or []
        return {(one.PeerId, one.DataType): [point.Value for point in one.Content] for one in data}

    def events(self, user):
        """The numbers of a user's events."""
        call = self.call()
        asked = {"CommId": call.CommId, "UserId": user, "RoomId": ROOM}
        told = self.ask("DescribeUserEvent", **asked).Data or []
        return [event.EventId for user in told for event in user.Content]


def description(connection):
    """A connection's own, with one fingerprint: Janus takes the last, and knows SHA-256 only."""
    lines = connection.localDescription.sdp.splitlines(keepends=True)
    sdp = "".join(line for line in lines if not line.startswith("a=fingerprint:") or line.startswith("a=fingerprint:sha-256"))
    return {"type": connection.localDescription.type, "sdp": sdp}


async def publish(client, user):
    """Joins and sends sound and picture."""
    connection, handle = RTCPeerConnection(), await client.attach()
    await client.say(handle, {"request": "join", "ptype": "publisher", "room": ROOM, "id": user, "display": user.title()})
    connection.addTrack(AudioStreamTrack())
    connection.addTrack(VideoStreamTrack())
    await connection.setLocalDescription(await connection.createOffer())
    _, answer = await client.say(handle, {"request": "publish"}, description(connection))
    await connection.setRemoteDescription(RTCSessionDescription(**answer))
    while True:
        known, _ = await client.say(handle, {"request": "listparticipants", "room": ROOM})
        if any(one["id"] == user and one["publisher"] for one in known["participants"]):
            return connection
        await asyncio.sleep(0.1)


async def subscribe(client, feed):
    """Gets what somebody sends."""
    connection, handle = RTCPeerConnection(), await client.attach()
    asked = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{"feed": feed}]}
    _, offer = await client.say(handle, asked)
    await connection.setRemoteDescription(RTCSessionDescription(**offer))
    await connection.setLocalDescription(await connection.createAnswer())
    await client.say(handle, {"request": "start"}, description(connection))
    return connection


async def join(client, user):
    """Joins and sends nothing."""
    await client.say(await client.attach(), {"request": "join", "ptype": "publisher", "room": ROOM, "id": user})


async def sent_bytes(connection):
    """What a connection has sent so far, by kind, and when that was counted."""
    report = (await connection.getStats()).values()
    return time.monotonic(), {one.kind: one.bytesSent for one in report if one.type == "outbound-rtp"}


async def soon(holds, seconds, what):
    """`until`, beside the media."""
    return await asyncio.to_thread(until, holds, seconds, what)


class Story:
    """What happens, step by step; each is a test and the next needs it."""

    def __init__(self, janus, asker):
        self.janus, self.asker, self.open = janus, asker, []
        self.alice = self.control = self.sender = None

    async def a_call_is_reported(self):
        """A room, and three who join; two of them with media."""
        self.control = Client(self.janus)
        await self.control.say(await self.control.attach(), {"request": "create", "room": ROOM, "audiolevel_ext": True})
        self.alice, bob, carol = Client(self.janus), Client(self.janus), Client(self.janus)
        self.sender = await publish(self.alice, "alice")
        self.open.append(self.sender)
        await join(bob, "bob")
        self.open.append(await subscribe(bob, "alice"))
        await join(carol, "carol")
        carol.vanish()
        await soon(lambda: len(self.asker.users()) == 3, 10, "three users")
        users = self.asker.users()
        assert {user.ClientIp for user in users.values()} == {"127.0.0.1"}, users
        assert not any(user.Finished for user in users.values())
        assert not self.asker.call().IsFinished

    async def what_is_measured_is_read(self):
        """Bit rates and losses of both directions, and they are those of the sender."""
        begun, before = await sent_bytes(self.sender)
        wanted = {("", "aBit"), ("", "bigvBit"), ("", "aLoss"), ("", "bigvLoss")}
        await soon(lambda: all(len(self.asker.points("alice").get(one, [])) >= 5 for one in wanted), 30, "what alice sends")
        down = {("alice", metric) for _, metric in wanted}
        await soon(lambda: all(len(self.asker.points("bob").get(one, [])) >= 3 for one in down), 30, "what bob gets")
        ended, after = await sent_bytes(self.sender)
        sent, got = self.asker.points("alice"), self.asker.points("bob")
        for kind, metric in (("audio", "aBit"), ("video", "bigvBit")):
            own = (after[kind] - before[kind]) * 8 / (ended - begun)
            for name, values in (("sent", sent["", metric]), ("got", got["alice", metric])):
                middle = sorted(values)[len(values) // 2]
                assert own * 0.7 < middle < own * 1.3, f"{kind} {name}: {values}, the sender says {own}"
        for values in (sent["", "aLoss"], sent["", "bigvLoss"], got["alice", "aLoss"]):
            assert all(0 <= value < 5 for value in values), values
        assert ("", "aBit") not in got, "bob sends nothing"

    async def who_is_kicked_has_left(self):
        """There is no other word of it."""
        handle = await self.control.attach()
        await self.control.say(handle, {"request": "kick", "room": ROOM, "id": "bob"})
        bob = await soon(lambda: (bob := self.asker.users()["bob"]).Finished and bob, 10, "bob is out")
        assert bob.JoinTs <= bob.LeaveTs <= time.time() + 1

    async def who_vanishes_has_left_when_the_session_ends(self):
        """Its timeout is the only sign."""
        carol = await soon(lambda: (carol := self.asker.users()["carol"]).Finished and carol, SESSION_TIMEOUT_S + 15, "carol is out")
        assert carol.LeaveTs - carol.JoinTs >= SESSION_TIMEOUT_S - 1, carol.to_json_string()
        assert not self.asker.users()["alice"].Finished

    async def events_are_read(self):
        """Coming (7000), sound (32768) and picture (32769), going (7001)."""
        events = {user: sorted(self.asker.events(user)) for user in ("alice", "bob", "carol")}
        assert events == {"alice": [7000, 32768, 32769], "bob": [7000, 7001], "carol": [7000, 7001]}, events

    async def a_restart_ends_what_was_open(self):
        """At its own last sign, which is long before."""
        self.alice.vanish()
        self.control.vanish()
        published = time.time()
        self.janus.kill()
        self.janus.start()
        alice = await soon(lambda: (alice := self.asker.users()["alice"]).Finished and alice, 20, "alice is out")
        call = self.asker.call()
        assert call.IsFinished, call.to_json_string()
        # She joined and sent at once; everything after that was measured, and said nothing of her.
        assert 0 <= alice.LeaveTs - alice.JoinTs <= 3, alice.to_json_string()
        assert alice.LeaveTs < published - 2, alice.to_json_string()


async def tell(janus, asker):
    """Runs the steps; how many were run and whether the last one failed."""
    story = Story(janus, asker)
    steps = [step for name, step in vars(Story).items() if not name.startswith("_")]
    passed = 0
    try:
        for step in steps:
            await asyncio.wait_for(step(story), STEP_MAX_S)
            passed += 1
            print(f"janus: {step.__name__.replace('_', ' ')}: ok", flush=True)
    except Exception:  # pylint: disable=broad-except
        print(f"janus: {step.__name__.replace('_', ' ')}: FAILED\n{traceback.format_exc()}", flush=True)
    for connection in story.open:
        await connection.close()
    return passed, len(steps) - passed


def main():
    """A rollbook, a Janus that reports to it, and the story."""
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="janus-", dir=TEST))
    rollbook = janus = None
    try:
        rollbook = Server.with_settings(binary, folder, "rollbook", SETTINGS)
        janus = Janus(folder, f"http://{rollbook.endpoint}/ingest/janus/{APP}", USER, PASSWORD)
        janus.start()
        passed, failed = asyncio.run(tell(janus, Asker(rollbook.endpoint)))
        if failed:
            print(f"--- janus\n{janus.log.read_text()[-4000:]}\n--- rollbook\n{rollbook.log.read_text()[-4000:]}")
    finally:
        if janus:
            janus.kill()
        if rollbook:
            rollbook.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
