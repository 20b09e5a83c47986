"""Every request line of `docs/sources.md`, run as it stands there; then the vendor's SDK reads the calls that they tell of.
`run.py` starts a server whose clock stands in the evening of the page."""

import json
import os
import pathlib
import subprocess
import unittest
from unittest import mock

from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())["sources"]
PAGE = (pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "sources.md").read_text()
EVENING = 1795370400

# By room: when the call began and ended (seconds of the evening; no end: still running), and its users.
CALLS = {
    "standup": (0, 401, [("alice", 1, 400)]),
    "retro": (100, 160, [("bob", 100, 160)]),
    "live/concert": (0, 400, [("alice", 0, 400), ("bob", 31, 130)]),
    "catchup": (0, 401, [("00380324", 1, 400), ("5b1e77c2", 25, 390)]),
    "ses_TownHall": (0, 401, [("alice", 1, 400)]),
    "lesson-7": (0, 401, [("12121212", 1, 400)]),
    "party": (25, None, [("carol", 25, 390)]),
    "huddle": (1, None, [("alice", 1, 400), ("bob", 25, 390)]),
}


def blocks():
    """What a reader would paste into a shell."""
    return [part.split("```")[0] for part in PAGE.split("```sh\n")[1:]]


class Page(unittest.TestCase):
    """The page is one story, told in its order."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.replies = [cls.paste(block) for block in blocks()]
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=STORY["endpoint"]))
        key = STORY["key"]
        cls.client = trtc_client.TrtcClient(credential.Credential(key["secret_id"], key["secret_key"]), "ap-guangzhou", profile)

    @classmethod
    def paste(cls, block):
        """Runs one block; gives it and the reply."""
        environment = os.environ | {"ROLLBOOK": f"http://{STORY['endpoint']}", "TOKEN": STORY["token"]}
        done = subprocess.run(["bash", "-c", block], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{block}\n{done.stdout}{done.stderr}")
        return block, json.loads(done.stdout)

    def ask(self, action, **asked):
        """One question at the time of the server's clock."""
        request = getattr(models, f"{action}Request")()
        window = {"SdkAppId": STORY["app"], "StartTime": EVENING - 600, "EndTime": STORY["clock"], "PageNumber": 0, "PageSize": 100}
        request.from_json_string(json.dumps(window | asked))
        with mock.patch("time.time", return_value=STORY["clock"]):
            return getattr(self.client, action)(request)

    def test_every_line_is_taken(self):
        self.assertGreater(len(self.replies), 10)
        self.assertEqual(PAGE.count("curl "), len(self.replies))
        for block, reply in self.replies:
            self.assertEqual((reply["refused"], reply["lines"]), (0, []), block)
            lines = sum(line.startswith("{") for line in block.splitlines())
            measured = sum('"kind":"samples"' in line for line in block.splitlines())
            self.assertEqual(reply["new"] + reply["duplicate"], lines - measured, block)
            self.assertEqual(reply.get("samples", 0) > 0, measured > 0, block)
        self.assertEqual(sum(reply["duplicate"] for _, reply in self.replies), 1)
        self.assertEqual(sum(reply.get("samples", 0) for _, reply in self.replies), 2 + 11 + 3)

    def test_the_calls_are_those_that_are_told(self):
        found = {}
        for room in self.ask("DescribeRoomInfo").RoomList:
            users = self.ask("DescribeUserInfo", CommId=room.CommId).UserList
            stays = sorted((u.UserId, u.JoinTs - EVENING, u.LeaveTs - EVENING) for u in users)
            self.assertTrue(all(u.Finished for u in users), room.RoomString)
            end = room.DestroyTime - EVENING if room.IsFinished else None
            self.assertNotIn(room.RoomString, found)
            found[room.RoomString] = (room.CreateTime - EVENING, end, stays)
        self.assertEqual(found, CALLS)

    def test_attributes_are_shown(self):
        rooms = {room.RoomString: room.CommId for room in self.ask("DescribeRoomInfo").RoomList}
        shown = {}
        for room in ("huddle", "standup"):
            for user in self.ask("DescribeUserInfo", CommId=rooms[room]).UserList:
                shown[room, user.UserId] = (user.DeviceType, user.SdkVersion, user.ClientIp)
        self.assertEqual(shown, {
            ("huddle", "alice"): ("Pixel 9", "2.15.0", "203.0.113.9"),
            ("huddle", "bob"): ("", "", ""),
            ("standup", "alice"): ("WebRTC-Linux", "mediasoup-client 3.18", "203.0.113.9"),
        })


if __name__ == "__main__":
    unittest.main()
