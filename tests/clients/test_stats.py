"""The snippets of docs/stats.md that make tokens for clients, run as they stand there, against the real binary."""

import json
import os
import pathlib
import subprocess
import time
import unittest
import urllib.error
import urllib.request

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())
PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "stats.md").read_text()
ROOM, USER = "218695", "bob"


def snippet(language):
    """The one example under this info string."""
    parts = PAGE.split("\n```")
    found = [part.split("\n", 1)[1] for part in parts[1::2] if part.split("\n", 1)[0] == f"{language} client-token"]
    assert len(found) == 1, found
    return found[0]


def python_token(**more):
    scope = {}
    exec(compile(snippet("python"), "docs/stats.md", "exec"), scope)
    return scope["client_token"](STORY["app"], STORY["ingest_token"], ROOM, USER, **more)


def node_token(*more):
    arguments = json.dumps([STORY["app"], STORY["ingest_token"], ROOM, USER, *more])
    script = f"{snippet('js')}\nprocess.stdout.write(clientToken(...{arguments}));"
    return subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True, timeout=60).stdout


def post(path, token, body):
    """Status and reply."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{STORY['endpoint']}{path}", json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def report(**more):
    objects = [{"type": "outbound-rtp", "kind": "audio", "id": "o", "ssrc": 1, "bytesSent": 1}]
    return {"ts": int(time.time() * 1000), "reports": objects} | more


class TokensOfTheDocuments(unittest.TestCase):
    def check(self, token, expired):
        self.assertEqual(post("/ingest/stats", token, report())[0], 200)
        self.assertEqual(post("/ingest/stats", token, report(room=ROOM, user=USER))[0], 200)
        self.assertEqual(post("/ingest/attributes", token, {"sdk_version": "4.3.14", "at_s": STORY["start"] + 31})[0], 200)
        self.assertEqual(post("/ingest/stats", token, report(user="alice"))[0], 403)
        self.assertEqual(post("/ingest/events", token, report())[0], 401)
        self.assertEqual(post("/ingest/stats", token[:-2], report())[0], 401)
        self.assertEqual(post("/ingest/stats", expired, report())[0], 401)

    def test_python(self):
        self.check(python_token(), python_token(ttl=-3600))

    def test_node(self):
        self.check(node_token(), node_token(-3600))


if __name__ == "__main__":
    unittest.main()
