"""The vendor's Python SDK, unmodified, against the running server: every way it can send a question, and every
kind of refusal as the SDK's own exception. `run.py` starts the server and tells the story."""

import json
import os
import pathlib
import re
import threading
import time
import unittest

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client

STORY = json.loads(pathlib.Path(os.environ["STORY"]).read_text())
EDITION = os.environ["EDITION"]
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def client(key=STORY["main"], endpoint=STORY["endpoint"], method="POST", sign=None, language=None, keep_alive=False):
    """A client as the SDK's own examples make it."""
    http = HttpProfile(protocol="http", endpoint=endpoint, reqMethod=method, keepAlive=keep_alive)
    profile = ClientProfile(signMethod=sign, httpProfile=http) if language is None else ClientProfile(
        signMethod=sign, httpProfile=http, language=language)
    who = credential.Credential(key["secret_id"], key["secret_key"], key["token"] or None)
    return trtc_client.TrtcClient(who, "ap-guangzhou", profile)


def rooms_request(**more):
    """DescribeRoomInfo over the whole story."""
    request = models.DescribeRoomInfoRequest()
    request.from_json_string(json.dumps({"SdkAppId": STORY["app"], "StartTime": STORY["from"], "EndTime": STORY["to"], **more}))
    return request


def users_request(comm_id, **more):
    """DescribeUserInfo over the whole story."""
    request = models.DescribeUserInfoRequest()
    asked = {"CommId": comm_id, "SdkAppId": STORY["app"], "StartTime": STORY["from"], "EndTime": STORY["to"], **more}
    request.from_json_string(json.dumps(asked))
    return request


class Answers(unittest.TestCase):
    """DescribeRoomInfo, then DescribeUserInfo of the newest room, each way the SDK can ask."""

    maxDiff = None

    def check(self, asker):
        start = STORY["start"]
        reply = asker.DescribeRoomInfo(rooms_request())
        self.assertEqual(reply.Total, 2)
        self.assertRegex(reply.RequestId, UUID)
        shown = [(r.RoomString, r.CreateTime, r.IsFinished, r.UserId) for r in reply.RoomList]
        self.assertEqual(shown, [("218695", start, False, "alice"), ("lobby_7", start - 100, True, "carol")])
        self.assertEqual(reply.RoomList[1].DestroyTime, start - 20)
        self.assertLessEqual(abs(reply.RoomList[0].DestroyTime - time.time()), 60)

        reply = asker.DescribeUserInfo(users_request(reply.RoomList[0].CommId))
        self.assertRegex(reply.RequestId, UUID)
        self.check_users(reply)

    def check_users(self, reply):
        start = STORY["start"]
        self.assertEqual(reply.Total, 3)
        shown = [(u.RoomStr, u.UserId, u.JoinTs, u.Finished, u.SdkVersion, u.ClientIp) for u in reply.UserList]
        self.assertEqual(shown, [
            ("218695", "alice", start + 700, False, "", ""),
            ("218695", "bob", start + 30, True, "4.3.14", "203.0.113.7"),
            ("218695", "alice", start + 1, True, "", ""),
        ])
        still_inside, *left = [u.LeaveTs for u in reply.UserList]
        self.assertLessEqual(abs(still_inside - time.time()), 60)
        self.assertEqual(left, [start + 900, start + 600])
        self.assertTrue(all(isinstance(u.DeviceType, str) for u in reply.UserList))

    def test_json(self):
        self.check(client())

    def test_json_keep_alive(self):
        self.check(client(keep_alive=True))

    def test_get(self):
        self.check(client(method="GET"))

    def test_form_hmac_sha1(self):
        self.check(client(sign="HmacSHA1"))

    def test_form_hmac_sha256(self):
        self.check(client(sign="HmacSHA256"))

    def test_get_hmac_sha1(self):
        self.check(client(method="GET", sign="HmacSHA1"))

    def test_get_hmac_sha256(self):
        self.check(client(method="GET", sign="HmacSHA256"))

    def test_unsigned_payload(self):
        asker = client()
        asker.profile.unsignedPayload = True
        self.check(asker)

    def test_temporary_token(self):
        self.check(client(key=STORY["temporary"]))

    def test_temporary_token_in_a_form(self):
        self.check(client(key=STORY["temporary"], sign="HmacSHA256"))

    def test_multipart(self):
        asker = client()
        comm_id = asker.DescribeRoomInfo(rooms_request()).RoomList[0].CommId
        asked = {"CommId": comm_id, "SdkAppId": str(STORY["app"]), "StartTime": str(STORY["from"]),
                 "EndTime": str(STORY["to"]), "UserIds": ["alice", "bob"]}
        reply = asker.call_json("DescribeUserInfo", asked, options={"IsMultipart": True})["Response"]
        model = models.DescribeUserInfoResponse()
        model._deserialize(reply)
        self.check_users(model)

    def test_arrays_in_every_shape(self):
        comm_id = client().DescribeRoomInfo(rooms_request()).RoomList[0].CommId
        for asker in (client(), client(method="GET"), client(sign="HmacSHA1")):
            reply = asker.DescribeUserInfo(users_request(comm_id, UserIds=["bob", "nobody"], PageNumber=0, PageSize=100))
            self.assertEqual([u.UserId for u in reply.UserList], ["bob"])
            self.assertEqual(reply.Total, 1)

    def test_old_names(self):
        reply = client().call_json("DescribeRoomInformation", {
            "SdkAppId": str(STORY["app"]), "StartTime": STORY["from"], "EndTime": STORY["to"], "RoomId": "lobby_7"})["Response"]
        self.assertEqual([r["RoomString"] for r in reply["RoomList"]], ["lobby_7"])
        reply = client().call_json("DescribeUserInformation", {
            "CommId": reply["RoomList"][0]["CommId"], "SdkAppId": str(STORY["app"]),
            "StartTime": STORY["from"], "EndTime": STORY["to"], "PageNumber": "0", "PageSize": "6"})["Response"]
        self.assertEqual([u["UserId"] for u in reply["UserList"]], ["carol"])

    def asked(self, **more):
        return {"SdkAppId": STORY["app"], "StartTime": STORY["start"], "EndTime": STORY["start"] + 3600, **more}

    def typed(self, action, asked, asker=None):
        """Asks with the SDK's own request model; the answer is its own response model."""
        request = getattr(models, f"{action}Request")()
        request.from_json_string(json.dumps(asked))
        reply = getattr(asker or client(), action)(request)
        self.assertIsInstance(reply, getattr(models, f"{action}Response"))
        self.assertRegex(reply.RequestId, UUID)
        return reply

    def comm_id(self, room):
        return client().DescribeRoomInfo(rooms_request(RoomId=room)).RoomList[0].CommId

    def test_call_detail(self):
        comm_id = self.comm_id("218695")
        for asker in (client(), client(method="GET"), client(sign="HmacSHA256")):
            reply = self.typed("DescribeCallDetailInfo", self.asked(CommId=comm_id, DataType=["all"]), asker)
            self.assertEqual((reply.Total, [u.UserId for u in reply.UserList]), (3, ["alice", "bob", "alice"]))
            shown = [[d.UserId, d.PeerId, d.DataType, [[p.Time, p.Value] for p in d.Content]] for d in reply.Data]
            self.assertEqual(shown, STORY["expected"]["series"])
            self.assertTrue(all(isinstance(p.Value, float) and isinstance(p.Time, int) for d in reply.Data for p in d.Content))
        one = self.typed("DescribeCallDetailInfo", self.asked(CommId=comm_id, DataType=["rtt"], UserIds=["alice"]))
        self.assertEqual([(d.UserId, d.DataType) for d in one.Data], [("alice", "rtt")])
        self.assertEqual(self.typed("DescribeCallDetailInfo", self.asked(CommId=comm_id)).Data, [])

    def test_user_event(self):
        for user, room in (("bob", "218695"), ("carol", "lobby_7")):
            asked = self.asked(CommId=self.comm_id(room), UserId=user, RoomId=room, StartTime=STORY["from"])
            reply = self.typed("DescribeUserEvent", asked)
            self.assertEqual([e.PeerId for e in reply.Data], [user])
            shown = [[m.Type, m.Time, m.EventId, m.ParamOne, m.ParamTwo] for m in reply.Data[0].Content]
            self.assertEqual(shown, STORY["expected"]["events"][user])
        asked["UserId"] = "nobody"
        self.assertEqual(self.typed("DescribeUserEvent", asked).Data, [])

    def test_unusual_event(self):
        for more in ({}, {"RoomId": "218695"}):
            reply = self.typed("DescribeUnusualEvent", self.asked(**more))
            self.assertEqual(reply.Total, 1)
            shown = [[x.UserId, x.RoomId, x.EventTime, x.ExperienceId, [[e.AbnormalEventId, e.PeerId] for e in x.AbnormalEventList]]
                     for x in reply.AbnormalExperienceList]
            self.assertEqual(shown, STORY["expected"]["unusual"])
        self.assertEqual(self.typed("DescribeUnusualEvent", self.asked(RoomId="lobby_7")).AbnormalExperienceList, [])

    def test_scale_info(self):
        start = STORY["start"]
        reply = self.typed("DescribeScaleInfo", self.asked(StartTime=start - 3 * 86400))
        self.assertEqual(reply.Total, len(reply.ScaleList))
        oldest = reply.ScaleList[-1]
        self.assertEqual([oldest.Time, oldest.RoomNumbers, oldest.UserNumber, oldest.UserCount], STORY["expected"]["day"])
        # Days begin at 16:00 UTC and are listed when they are over, the newest first.
        self.assertTrue(all((day.Time + 8 * 3600) % 86400 == 0 and day.Time + 86400 <= time.time() for day in reply.ScaleList))
        self.assertEqual([day.Time for day in reply.ScaleList], sorted((day.Time for day in reply.ScaleList), reverse=True))

    def test_old_names_of_the_other_questions(self):
        app, asker = str(STORY["app"]), client()
        ask = lambda action, **more: asker.call_json(action, self.asked(**more))["Response"]
        comm_id = self.comm_id("218695")
        detail = ask("DescribeCallDetail", SdkAppId=app, CommId=comm_id, DataType=["all"])
        self.assertEqual([d["DataType"] for d in detail["Data"]], [names[2] for names in STORY["expected"]["series"]])
        events = asker.call_json("DescribeDetailEvent", {
            "CommId": comm_id, "StartTime": STORY["from"], "EndTime": STORY["to"], "UserId": "bob", "RoomId": "218695"})["Response"]
        self.assertEqual(len(events["Data"][0]["Content"]), len(STORY["expected"]["events"]["bob"]))
        self.assertEqual(ask("DescribeAbnormalEvent", SdkAppId=app)["Total"], 1)
        self.assertGreater(ask("DescribeHistoryScale", SdkAppId=app, StartTime=STORY["start"] - 3 * 86400)["Total"], 0)

    def test_unknown_call_is_empty(self):
        reply = client().DescribeUserInfo(users_request(f"{STORY['app']}_nowhere_{STORY['start']}"))
        self.assertEqual((reply.Total, reply.UserList), (0, []))


class Refusals(unittest.TestCase):
    """Each refusal is the SDK's own exception, with code and RequestId."""

    def refused(self, code, ask):
        with self.assertRaises(TencentCloudSDKException) as caught:
            ask()
        error = caught.exception
        self.assertEqual(error.get_code(), code, error)
        self.assertRegex(error.get_request_id(), UUID)
        self.assertTrue(error.get_message())
        return error

    def test_wrong_key(self):
        wrong = STORY["main"] | {"secret_key": "notTheSecret"}
        for sign, method in ((None, "POST"), (None, "GET"), ("HmacSHA1", "POST"), ("HmacSHA256", "POST")):
            asker = client(key=wrong, sign=sign, method=method)
            self.refused("AuthFailure.SignatureFailure", lambda a=asker: a.DescribeRoomInfo(rooms_request()))

    def test_unknown_key(self):
        unknown = STORY["main"] | {"secret_id": "AKIDnobodyHasThisOne"}
        self.refused("AuthFailure.SecretIdNotFound", lambda: client(key=unknown).DescribeRoomInfo(rooms_request()))

    def test_missing_token(self):
        bare = STORY["temporary"] | {"token": ""}
        self.refused("AuthFailure.TokenFailure", lambda: client(key=bare).DescribeRoomInfo(rooms_request()))

    def test_wrong_parameter(self):
        self.refused("InvalidParameter.PageSizeOversize", lambda: client().DescribeRoomInfo(rooms_request(PageNumber=0, PageSize=101)))

    def test_unknown_parameter(self):
        asked = {"SdkAppId": STORY["app"], "StartTime": STORY["from"], "EndTime": STORY["to"], "Foo": 1}
        self.refused("UnknownParameter", lambda: client().call_json("DescribeRoomInfo", asked))

    def test_wrong_type(self):
        asked = {"SdkAppId": str(STORY["app"]), "StartTime": STORY["from"], "EndTime": STORY["to"]}
        self.refused("InvalidParameter", lambda: client().call_json("DescribeRoomInfo", asked))

    def test_missing_parameter(self):
        self.refused("MissingParameter", lambda: client().call_json("DescribeRoomInfo", {"SdkAppId": STORY["app"]}))

    def test_unknown_action(self):
        self.refused("InvalidAction", lambda: client().call_json("DescribeNothing", {}))

    def test_app_of_another_account(self):
        self.refused("InvalidParameter.SdkAppid", lambda: client().DescribeRoomInfo(rooms_request(SdkAppId=STORY["other_app"])))

    def test_window_too_long(self):
        comm_id = client().DescribeRoomInfo(rooms_request()).RoomList[0].CommId
        asked = users_request(comm_id, StartTime=STORY["to"] - 14401)
        self.refused("InvalidParameter.QueryScaleOversize", lambda: client().DescribeUserInfo(asked))

    def test_rate_limit(self):
        own = STORY["limited"][f"python-{EDITION}"]
        asker = client(key=own, endpoint=STORY["limited_endpoint"], language="en-US")
        self.assertEqual(asker.DescribeRoomInfo(rooms_request(SdkAppId=own["app"])).Total, 0)
        error = self.refused("RequestLimitExceeded", lambda: asker.DescribeRoomInfo(rooms_request(SdkAppId=own["app"])))
        self.assertIn("equals to `2` in a second, which exceeds the frequency limit `1`", error.get_message())

    def test_rate_limit_of_twenty(self):
        """The default limit, by a burst of four threads that lasts until one is refused, or 2,000 requests."""
        codes, stop = [], threading.Event()

        def ask():
            asker = client(key=STORY["burst"], endpoint=STORY["default_endpoint"], keep_alive=True)
            for _ in range(500):
                if stop.is_set():
                    return
                try:
                    asker.DescribeRoomInfo(rooms_request(SdkAppId=STORY["burst"]["app"]))
                except TencentCloudSDKException as error:
                    codes.append((error.get_code(), bool(UUID.match(error.get_request_id() or ""))))
                    stop.set()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIn(("RequestLimitExceeded", True), codes)
        self.assertEqual({code for code, _ in codes}, {"RequestLimitExceeded"})


if __name__ == "__main__":
    unittest.main()
