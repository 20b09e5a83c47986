"""The vendor's command line, unmodified, as a person would type it. `run.py` starts the server."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())
EDITION = os.environ["EDITION"]
TCCLI = str(pathlib.Path(sys.executable).parent / "tccli")
WINDOW = ["--StartTime", str(STORY["from"]), "--EndTime", str(STORY["to"])]


def tccli(action, *arguments, key=STORY["main"], endpoint=STORY["endpoint"]):
    """Runs `tccli trtc ACTION …`."""
    command = [sys.executable, TCCLI, "trtc", action, "--endpoint", f"http://{endpoint}", "--region", "ap-guangzhou"]
    command += ["--secretId", key["secret_id"], "--secretKey", key["secret_key"]]
    command += ["--token", key["token"]] if key["token"] else []
    return subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


class Tccli(unittest.TestCase):
    """Questions and refusals."""

    def answer(self, *arguments, **options):
        done = tccli(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refused(self, code, *arguments, **options):
        done = tccli(*arguments, **options)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stderr, rf"code:{re.escape(code)} message:.+ requestId:[0-9a-f]{{8}}-[0-9a-f-]{{27}}")

    def users(self, key):
        app = ["--SdkAppId", str(STORY["app"])]
        rooms = self.answer("DescribeRoomInfo", *app, *WINDOW, key=key)
        self.assertEqual([r["RoomString"] for r in rooms["RoomList"]], ["218695", "lobby_7"])
        self.assertEqual(rooms["Total"], 2)
        users = self.answer("DescribeUserInfo", "--CommId", rooms["RoomList"][0]["CommId"], *app, *WINDOW, key=key)
        self.assertEqual([u["UserId"] for u in users["UserList"]], ["alice", "bob", "alice"])
        self.assertEqual([u["Finished"] for u in users["UserList"]], [False, True, True])
        self.assertEqual(users["UserList"][1]["SdkVersion"], "4.3.14")
        self.assertEqual(users["Total"], 3)
        return rooms["RoomList"][0]["CommId"]

    def test_questions(self):
        comm_id = self.users(STORY["main"])
        named = self.answer("DescribeUserInfo", "--CommId", comm_id, "--SdkAppId", str(STORY["app"]), *WINDOW, "--UserIds", '["bob"]')
        self.assertEqual([u["UserId"] for u in named["UserList"]], ["bob"])

    def test_quality(self):
        """The other four actions."""
        app = ["--SdkAppId", str(STORY["app"])]
        hour = ["--StartTime", str(STORY["start"]), "--EndTime", str(STORY["start"] + 3600)]
        expected = STORY["expected"]
        rooms = self.answer("DescribeRoomInfo", *app, *WINDOW, "--RoomId", "218695")
        call = ["--CommId", rooms["RoomList"][0]["CommId"], *app]

        detail = self.answer("DescribeCallDetailInfo", *call, *hour, "--DataType", '["all"]')
        shown = [[d["UserId"], d["PeerId"], d["DataType"], [[p["Time"], p["Value"]] for p in d["Content"]]] for d in detail["Data"]]
        self.assertEqual((detail["Total"], shown), (3, expected["series"]))

        events = self.answer("DescribeUserEvent", *call, *WINDOW, "--UserId", "bob", "--RoomId", "218695")
        names = ("Type", "Time", "EventId", "ParamOne", "ParamTwo")
        shown = [[line[name] for name in names] for line in events["Data"][0]["Content"]]
        self.assertEqual((events["Data"][0]["PeerId"], shown), ("bob", expected["events"]["bob"]))

        unusual = self.answer("DescribeUnusualEvent", *app, *hour)
        shown = [[x["UserId"], x["RoomId"], x["EventTime"], x["ExperienceId"],
                  [[e["AbnormalEventId"], e["PeerId"]] for e in x["AbnormalEventList"]]] for x in unusual["AbnormalExperienceList"]]
        self.assertEqual((unusual["Total"], shown), (1, expected["unusual"]))

        scale = self.answer("DescribeScaleInfo", *app, "--StartTime", str(STORY["start"] - 3 * 86400), "--EndTime", str(STORY["to"]))
        oldest = scale["ScaleList"][-1]
        self.assertEqual([oldest[name] for name in ("Time", "RoomNumbers", "UserNumber", "UserCount")], expected["day"])

    def test_temporary_token(self):
        self.users(STORY["temporary"])

    def test_wrong_key(self):
        wrong = STORY["main"] | {"secret_key": "notTheSecret"}
        self.refused("AuthFailure.SignatureFailure", "DescribeRoomInfo", "--SdkAppId", str(STORY["app"]), *WINDOW, key=wrong)

    def test_wrong_parameter(self):
        arguments = ["--SdkAppId", str(STORY["app"]), *WINDOW, "--PageNumber", "0", "--PageSize", "101"]
        self.refused("InvalidParameter.PageSizeOversize", "DescribeRoomInfo", *arguments)

    def test_rate_limit(self):
        own = STORY["limited"][f"tccli-{EDITION}"]
        arguments = ["DescribeRoomInfo", "--SdkAppId", str(own["app"]), *WINDOW]
        self.assertEqual(self.answer(*arguments, key=own, endpoint=STORY["limited_endpoint"])["Total"], 0)
        self.refused("RequestLimitExceeded", *arguments, key=own, endpoint=STORY["limited_endpoint"])


if __name__ == "__main__":
    unittest.main()
