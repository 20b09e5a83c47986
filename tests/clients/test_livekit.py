"""LiveKit's own Python package, unmodified, makes webhooks; the running server takes them, and the vendor's SDK reads the
call that they tell of. `run.py` starts the server."""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import time
import unittest
import urllib.error
import urllib.request

import jwt
from google.protobuf.json_format import MessageToJson
from livekit import api
from livekit.protocol.models import DisconnectReason, ParticipantInfo, Room, TrackInfo, TrackSource, TrackType
from livekit.protocol.webhook import WebhookEvent
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())
LIVEKIT = STORY["livekit"]
START = STORY["start"]
SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "payloads" / "livekit"

# The ways in which the package writes a message; the server takes each.
SPELLINGS = [{}, {"preserving_proto_field_name": True}, {"use_integers_for_enums": True, "indent": None}]


def digest(body):
    """What the claim `sha256` holds."""
    return base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()


def sign(body, key=LIVEKIT["api_key"], secret=LIVEKIT["api_secret"], minutes=5):
    """A token for this body as the package makes it; good for so long from now."""
    return api.AccessToken(key, secret).with_sha256(digest(body)).with_ttl(datetime.timedelta(minutes=minutes)).to_jwt()


def post(body, token):
    """Status and body of the reply."""
    headers = {"Content-Type": "application/webhook+json"} | ({"Authorization": token} if token else {})
    request = urllib.request.Request(f"http://{STORY['endpoint']}/ingest/livekit", body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def message(name, at, room, **more):
    """One event of a room."""
    identified = f"{name} {at} {room} {more}".encode()
    of_room = Room(sid=f"RM_{room}", name=room, creation_time=START, creation_time_ms=START * 1000 + 250)
    return WebhookEvent(event=name, id=f"EV_{hashlib.sha256(identified).hexdigest()[:12]}", created_at=at, room=of_room, **more)


def participant(user, joined, **more):
    """A participant who came in then."""
    return ParticipantInfo(sid=f"PA_{user}", identity=user, name=user.title(), joined_at=joined, joined_at_ms=joined * 1000 + 700, **more)


def events(room):
    """A call: alice and bob and an agent; alice's connection is lost. Of carol only the leave came."""
    alice, bob = participant("alice", START + 5), participant("bob", START + 30)
    camera = TrackInfo(sid="TR_1", type=TrackType.VIDEO, source=TrackSource.CAMERA)
    gone = {"user": "alice", "joined": START + 5, "disconnect_reason": DisconnectReason.CONNECTION_TIMEOUT}
    return [
        message("room_started", START, room),
        message("participant_joined", START + 6, room, participant=alice),
        message("track_published", START + 7, room, participant=ParticipantInfo(sid="PA_alice", identity="alice"), track=camera),
        message("participant_joined", START + 31, room, participant=bob),
        message("participant_joined", START + 41, room, participant=participant("agent", START + 40, kind=ParticipantInfo.Kind.AGENT)),
        message("participant_connection_aborted", START + 60, room, participant=participant("dave", START + 50)),
        message("participant_left", START + 90, room, participant=participant(**gone)),
        message("participant_left", START + 100, room, participant=participant("carol", START + 70, disconnect_reason=DisconnectReason.CLIENT_INITIATED)),
        message("room_finished", START + 200, room),
    ]


class Webhooks(unittest.TestCase):
    """From the package's message to the SDK's typed reply."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        key = LIVEKIT["key"]
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=STORY["endpoint"]))
        cls.client = trtc_client.TrtcClient(credential.Credential(key["secret_id"], key["secret_key"]), "ap-guangzhou", profile)

    def rooms(self, room):
        """The calls of one room, by the SDK."""
        request = models.DescribeRoomInfoRequest()
        request.from_json_string(json.dumps({"SdkAppId": LIVEKIT["app"], "RoomId": room, "StartTime": STORY["from"], "EndTime": STORY["to"]}))
        return self.client.DescribeRoomInfo(request).RoomList

    def users(self, comm_id):
        """The users of one call, by the SDK."""
        request = models.DescribeUserInfoRequest()
        request.from_json_string(json.dumps({"SdkAppId": LIVEKIT["app"], "CommId": comm_id, "StartTime": STORY["from"], "EndTime": STORY["to"]}))
        return self.client.DescribeUserInfo(request).UserList

    def check(self, room, bodies):
        for body in bodies:
            self.assertEqual(post(body, sign(body)), (200, '{"code":0}'), body)
        shown = [(r.RoomString, r.CreateTime, r.DestroyTime, r.IsFinished) for r in self.rooms(room)]
        self.assertEqual(shown, [(room, START, START + 200, True)])
        users = self.users(f"{LIVEKIT['app']}_{room}_{START}")
        shown = sorted((u.UserId, u.JoinTs - START, u.LeaveTs - START, u.Finished) for u in users)
        self.assertEqual(shown, [("agent", 40, 200, True), ("alice", 5, 90, True), ("bob", 30, 200, True), ("carol", 70, 100, True)])

    def test_every_spelling(self):
        for number, spelling in enumerate(SPELLINGS):
            room = f"spelling-{number}"
            self.check(room, [MessageToJson(event, **spelling) for event in events(room)])

    def test_reversed_and_twice(self):
        bodies = [MessageToJson(event) for event in reversed(events("reversed"))]
        self.check("reversed", bodies + bodies)

    def test_bearer(self):
        body = MessageToJson(message("room_started", START, "bearer"))
        self.assertEqual(post(body, f"Bearer {sign(body)}"), (200, '{"code":0}'))
        self.assertEqual([r.IsFinished for r in self.rooms("bearer")], [False])

    def test_tampered(self):
        body = MessageToJson(message("room_started", START, "tampered"))
        now = int(time.time())
        claims = {"iss": LIVEKIT["api_key"], "nbf": now, "exp": now + 300, "sha256": digest(body)}
        early = jwt.encode(claims | {"nbf": now + 3600, "exp": now + 7200}, LIVEKIT["api_secret"], "HS256")
        for what, token, status, words in [
            ("another body", sign(body + " "), 401, "sha256 is not that of this body"),
            ("another secret", sign(body, secret="not-the-secret"), 401, "signature does not match"),
            ("another key", sign(body, key="APIofNobody"), 404, "no application has the livekit.api_key"),
            ("expired", sign(body, minutes=-2), 401, "has expired"),
            ("not yet", early, 401, "not good yet"),
            ("no algorithm", jwt.encode(claims, None, "none"), 401, "not HS256"),
            ("another algorithm", jwt.encode(claims, LIVEKIT["api_secret"], "HS384"), 401, "not HS256"),
            ("no token", None, 401, "Authorization is missing"),
        ]:
            found, said = post(body, token)
            self.assertEqual(found, status, (what, said))
            self.assertIn(words, said, what)
        self.assertEqual(self.rooms("tampered"), [])


class Samples(unittest.TestCase):
    """The recorded deliveries that the other tests give are such as the package itself takes."""

    def test_receiver(self):
        keys = json.loads((SAMPLES / "keys.json").read_text())
        taken, refused = 0, 0
        for line in (SAMPLES / "deliveries.ndjson").read_text().splitlines():
            delivery = json.loads(line)
            ago = abs(datetime.timedelta(seconds=time.time() - delivery["arrival_ms"] / 1000))
            receiver = api.WebhookReceiver(api.TokenVerifier(keys["api_key"], keys["api_secret"], leeway=ago))
            try:
                event = receiver.receive(delivery["body"], delivery["headers"]["Authorization"])
                self.assertEqual(event.id, json.loads(delivery["body"])["id"])
                taken += 1
            except Exception:  # pylint: disable=broad-exception-caught
                self.assertIn("must be refused", delivery.get("note", ""))
                refused += 1
        self.assertEqual((taken, refused), (16, 2))


if __name__ == "__main__":
    unittest.main()
