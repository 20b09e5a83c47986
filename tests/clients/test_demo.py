"""What a newcomer does: start the demo, paste the lines it prints. `run.py` starts it."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())
PRINTED = pathlib.Path(STORY["demo"]).read_text().splitlines()

# The API page's own example.
EXAMPLE = [
    {"RoomStr": "218695", "UserId": "user1_54816741", "JoinTs": 1590065777, "LeaveTs": 1590067658,
     "Finished": True, "DeviceType": "", "SdkVersion": "4.3.14", "ClientIp": "10.4.1.13"},
    {"RoomStr": "218695", "UserId": "user2_2107025", "JoinTs": 1590065700, "LeaveTs": 1590067693,
     "Finished": True, "DeviceType": "", "SdkVersion": "4.3.14", "ClientIp": "10.4.1.13"},
]


class Demo(unittest.TestCase):
    """Every printed line works as pasted."""

    maxDiff = None

    def paste(self, *words):
        """Pastes the printed lines that have these words; there is at least one."""
        lines = [line for line in PRINTED if all(word in line for word in words)]
        self.assertTrue(lines, PRINTED)
        tools = [str(pathlib.Path(sys.executable).parent), str(pathlib.Path(STORY["binary"]).parent), os.environ["PATH"]]
        for line in lines:
            done = subprocess.run(["bash", "-c", line], env=os.environ | {"PATH": ":".join(tools)}, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, (line, done.stderr))
            yield json.loads(done.stdout)

    def check(self, answer):
        self.assertEqual((answer["Total"], answer["UserList"]), (2, EXAMPLE))

    def test_curl(self):
        for answer in self.paste("curl ", "DescribeUserInfo"):
            self.check(answer["Response"])

    def test_tccli(self):
        for answer in self.paste("tccli trtc DescribeUserInfo"):
            self.check(answer)

    def test_rollbook_call(self):
        for answer in self.paste("rollbook call DescribeUserInfo"):
            self.check(answer["Response"])

    def test_recent_calls(self):
        for answer in self.paste("rollbook call DescribeRoomInfo"):
            self.assertGreater(answer["Response"]["Total"], 0)

    def test_key(self):
        for name in ("SecretId:  AKID", "SecretKey: "):
            self.assertEqual(sum(line.startswith(name) for line in PRINTED), 1, PRINTED)


if __name__ == "__main__":
    unittest.main()
