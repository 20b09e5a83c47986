"""The explorer's samples, run as they are pasted: only the two words that stand for the key are replaced. Each must give
what the explorer's own request gives. `run.py` starts the server and tells the story."""

import json
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())
ENDPOINT = f"http://{STORY['endpoint']}"
NODE_MODULES = str(pathlib.Path(os.environ["NODE_SDK"]) / "node_modules")
HOSTILE = STORY["hostile"]
TRANSPORTS = [(sign, method) for sign in ("TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256") for method in ("POST", "GET")]


def prepare(action, params, key=STORY["main"], sign="TC3-HMAC-SHA256", method="POST"):
    """What the explorer makes of these fields, with a key that is stored on the server."""
    fields = {"action": action, "params": params, "key": key["secret_id"], "sign": sign, "method": method}
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Origin": ENDPOINT}
    request = urllib.request.Request(f"{ENDPOINT}/ui/explorer/prepare", json.dumps(fields).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)


def send(prepared):
    """The very bytes that the explorer prepared, as its page sends them."""
    body = prepared["body"].encode() if prepared["method"] == "POST" else None
    headers = dict(prepared["headers"])
    request = urllib.request.Request(ENDPOINT + prepared["target"], body, headers, method=prepared["method"])
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)["Response"]


def run(language, prepared, key=STORY["main"]):
    """Pastes a sample; gives what it prints."""
    code = prepared["code"][language]
    code = code.replace("YOUR_SECRET_ID", key["secret_id"]).replace("YOUR_SECRET_KEY", key["secret_key"])
    command, text = {
        "python": ([sys.executable, "-"], code),
        "node": (["node", "-"], code),
        "curl": (["bash", "-c", code], ""),
        "tccli": (["bash", "-c", code], ""),
    }[language]
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "NODE_PATH": NODE_MODULES, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (code, done.stdout, done.stderr)
    answer = json.loads(done.stdout)
    return answer.get("Response", answer)


class Samples(unittest.TestCase):
    """Python, Node, curl and tccli."""

    maxDiff = None

    def check(self, language, action, params, **more):
        key = more.get("key", STORY["main"])
        prepared = prepare(action, params, **more)
        self.assertEqual(prepared["problems"], [])
        expected, answer = send(prepared), run(language, prepared, key)
        for one in (expected, answer):
            self.assertRegex(one.pop("RequestId"), r"^[0-9a-f-]{36}$")
        self.assertEqual(answer, expected)
        return answer

    def window(self, **more):
        return {"SdkAppId": STORY["app"], "StartTime": STORY["from"], "EndTime": STORY["to"], **more}

    def every_transport(self, language, transports):
        for sign, method in transports:
            with self.subTest(sign=sign, method=method):
                rooms = self.check(language, "DescribeRoomInfo", self.window(RoomId="lobby_7"), sign=sign, method=method)
                self.assertEqual([room["RoomString"] for room in rooms["RoomList"]], ["lobby_7"])
                comm_id = send(prepare("DescribeRoomInfo", self.window(RoomId="218695")))["RoomList"][0]["CommId"]
                asked = self.window(CommId=comm_id, UserIds=["bob", "nobody"], PageNumber=0, PageSize=6)
                users = self.check(language, "DescribeUserInfo", asked, sign=sign, method=method)
                self.assertEqual([user["UserId"] for user in users["UserList"]], ["bob"])

    def hostile(self, language):
        """Values that try to get out of their literals come back as they were."""
        for room in HOSTILE:
            with self.subTest(room=room):
                key = STORY["explorer"]
                asked = self.window(SdkAppId=key["app"], RoomId=room)
                rooms = self.check(language, "DescribeRoomInfo", asked, key=key)
                self.assertEqual([one["RoomString"] for one in rooms["RoomList"]], [room])

    def old_name(self, language):
        """SDKs have no old names; their samples ask for the new one, whose reply is the same."""
        asked = self.window(SdkAppId=str(STORY["app"]), RoomId="lobby_7")
        rooms = self.check(language, "DescribeRoomInformation", asked)
        self.assertEqual([room["RoomString"] for room in rooms["RoomList"]], ["lobby_7"])

    def test_python(self):
        self.every_transport("python", TRANSPORTS)

    def test_python_hostile(self):
        self.hostile("python")

    def test_python_old_name(self):
        self.old_name("python")

    def test_node(self):
        self.every_transport("node", TRANSPORTS)

    def test_node_hostile(self):
        self.hostile("node")

    def test_node_old_name(self):
        self.old_name("node")

    def test_curl(self):
        self.every_transport("curl", TRANSPORTS)

    def test_curl_hostile(self):
        self.hostile("curl")

    def test_curl_old_name(self):
        self.old_name("curl")

    def test_tccli(self):
        self.every_transport("tccli", TRANSPORTS[:1])

    def test_tccli_hostile(self):
        self.hostile("tccli")

    def test_tccli_old_name(self):
        self.old_name("tccli")

    def test_another_site_may_not_prepare(self):
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Origin": "http://elsewhere.example"}
        request = urllib.request.Request(f"{ENDPOINT}/ui/explorer/prepare", b'{"action": "DescribeRoomInfo"}', headers)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=20)
        self.assertEqual(refused.exception.code, 403)


if __name__ == "__main__":
    unittest.main()
