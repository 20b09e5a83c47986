// The vendor's Node SDK, unmodified. It signs the host without the port and puts the endpoint's first label
// where the product's name belongs; the server takes both. `run.py` starts the server and tells the story.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const story = JSON.parse(readFileSync(process.env.STORY, "utf8"));
const edition = process.env.EDITION;
const load = createRequire(process.env.NODE_SDK);
const sdk = load(edition === "mainland" ? "tencentcloud-sdk-nodejs" : "tencentcloud-sdk-nodejs-intl-en");
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// A client as the SDK's own examples make it.
function client({ key = story.main, endpoint = story.endpoint, reqMethod = "POST", signMethod = "TC3-HMAC-SHA256" } = {}) {
  if (edition === "international") return international(key, endpoint, reqMethod, signMethod);
  const credential = { secretId: key.secret_id, secretKey: key.secret_key };
  if (key.token) credential.token = key.token;
  const profile = { signMethod, httpProfile: { protocol: "http://", endpoint, reqMethod } };
  return new sdk.trtc.v20190722.Client({ credential, region: "ap-guangzhou", profile });
}

// The international edition takes request objects and callbacks; wrapped here, so that the tests read alike.
function international(key, endpoint, reqMethod, signMethod) {
  const { Credential, ClientProfile, HttpProfile } = sdk.common;
  const { Client, Models } = sdk.trtc.v20190722;
  const profile = new ClientProfile(signMethod, new HttpProfile("http://", endpoint, reqMethod));
  const asker = new Client(new Credential(key.secret_id, key.secret_key, key.token || undefined), "ap-guangzhou", profile);
  const ask = (action, asked, options) =>
    new Promise((resolve, reject) => {
      const request = Object.assign(new Models[`${action}Request`](), asked);
      const done = (error, reply) => (error ? reject(error) : resolve(reply));
      if (options) asker.request(action, request, new Models[`${action}Response`](), options, done);
      else asker[action](request, done);
    });
  const actions = ["RoomInfo", "UserInfo", "CallDetailInfo", "UserEvent", "UnusualEvent", "ScaleInfo"];
  return {
    ...Object.fromEntries(actions.map((name) => [`Describe${name}`, (asked) => ask(`Describe${name}`, asked)])),
    request: (action, asked, options) => ask(action, asked, options),
  };
}

function window(more = {}) {
  return { SdkAppId: story.app, StartTime: story.from, EndTime: story.to, ...more };
}

async function check(asker) {
  const rooms = await asker.DescribeRoomInfo(window());
  assert.equal(rooms.Total, 2);
  assert.match(rooms.RequestId, uuid);
  assert.deepEqual(
    rooms.RoomList.map((r) => [r.RoomString, r.CreateTime, r.IsFinished, r.UserId]),
    [["218695", story.start, false, "alice"], ["lobby_7", story.start - 100, true, "carol"]],
  );
  const users = await asker.DescribeUserInfo(window({ CommId: rooms.RoomList[0].CommId }));
  assert.equal(users.Total, 3);
  assert.match(users.RequestId, uuid);
  assert.deepEqual(
    users.UserList.map((u) => [u.RoomStr, u.UserId, u.JoinTs, u.Finished, u.SdkVersion, u.ClientIp]),
    [
      ["218695", "alice", story.start + 700, false, "", ""],
      ["218695", "bob", story.start + 30, true, "4.3.14", "203.0.113.7"],
      ["218695", "alice", story.start + 1, true, "", ""],
    ],
  );
  const types = { RoomStr: "string", UserId: "string", JoinTs: "number", LeaveTs: "number", DeviceType: "string",
                  SdkVersion: "string", ClientIp: "string", Finished: "boolean" };
  for (const user of users.UserList) {
    assert.deepEqual(Object.fromEntries(Object.keys(types).map((name) => [name, typeof user[name]])), types);
    assert.ok(Number.isInteger(user.JoinTs) && Number.isInteger(user.LeaveTs));
  }
  if (edition === "international") {
    const { Models } = sdk.trtc.v20190722;
    assert.ok(rooms.RoomList.every((room) => room instanceof Models.RoomState));
    assert.ok(users.UserList.every((user) => user instanceof Models.UserInformation));
  }
}

// The other four actions.
async function checkQuality(asker) {
  const { series, events, unusual, day } = story.expected;
  const hour = (more) => ({ SdkAppId: story.app, StartTime: story.start, EndTime: story.start + 3600, ...more });
  const { RoomList } = await asker.DescribeRoomInfo(window({ RoomId: "218695" }));
  const { CommId } = RoomList[0];

  const detail = await asker.DescribeCallDetailInfo(hour({ CommId, DataType: ["all"] }));
  assert.equal(detail.Total, 3);
  assert.deepEqual(
    detail.Data.map((d) => [d.UserId, d.PeerId, d.DataType, d.Content.map((p) => [p.Time, p.Value])]),
    series,
  );
  const happened = await asker.DescribeUserEvent(window({ CommId, UserId: "bob", RoomId: "218695" }));
  assert.deepEqual(happened.Data.map((e) => e.PeerId), ["bob"]);
  assert.deepEqual(happened.Data[0].Content.map((m) => [m.Type, m.Time, m.EventId, m.ParamOne, m.ParamTwo]), events.bob);

  const bore = await asker.DescribeUnusualEvent(hour());
  assert.equal(bore.Total, 1);
  assert.deepEqual(
    bore.AbnormalExperienceList.map((x) => [x.UserId, x.RoomId, x.EventTime, x.ExperienceId,
                                            x.AbnormalEventList.map((e) => [e.AbnormalEventId, e.PeerId])]),
    unusual,
  );
  const scale = await asker.DescribeScaleInfo(hour({ StartTime: story.start - 3 * 86400 }));
  const oldest = scale.ScaleList.at(-1);
  assert.deepEqual([oldest.Time, oldest.RoomNumbers, oldest.UserNumber, oldest.UserCount], day);
  for (const reply of [detail, happened, bore, scale]) assert.match(reply.RequestId, uuid);
  if (edition === "international") {
    const { Models } = sdk.trtc.v20190722;
    assert.ok(detail.Data.every((row) => row instanceof Models.QualityData && row.Content[0] instanceof Models.TimeValue));
    assert.ok(happened.Data[0] instanceof Models.EventList && happened.Data[0].Content[0] instanceof Models.EventMessage);
    assert.ok(bore.AbnormalExperienceList[0] instanceof Models.AbnormalExperience);
  }
}

async function refused(code, ask) {
  const error = await ask().then(() => assert.fail(`not refused with ${code}`), (error) => error);
  assert.equal(error.code, code, String(error));
  assert.match(error.requestId, uuid);
  return error;
}

test("JSON", () => check(client()));
test("GET", () => check(client({ reqMethod: "GET" })));
test("form, HmacSHA1", () => check(client({ signMethod: "HmacSHA1" })));
test("form, HmacSHA256", () => check(client({ signMethod: "HmacSHA256" })));
test("GET, HmacSHA256", () => check(client({ signMethod: "HmacSHA256", reqMethod: "GET" })));
test("temporary token", () => check(client({ key: story.temporary })));

test("metrics, events and figures, JSON", () => checkQuality(client()));
test("metrics, events and figures, GET", () => checkQuality(client({ reqMethod: "GET" })));

test("arrays in every shape", async () => {
  const { RoomList } = await client().DescribeRoomInfo(window());
  for (const asker of [client(), client({ reqMethod: "GET" }), client({ signMethod: "HmacSHA1" })]) {
    const reply = await asker.DescribeUserInfo(window({ CommId: RoomList[0].CommId, UserIds: ["nobody", "bob"] }));
    assert.deepEqual(reply.UserList.map((u) => u.UserId), ["bob"]);
  }
});

test("multipart", async () => {
  const { RoomList } = await client().DescribeRoomInfo(window());
  const asked = { CommId: RoomList[0].CommId, SdkAppId: String(story.app), StartTime: String(story.from), EndTime: String(story.to) };
  const reply = await client().request("DescribeUserInfo", asked, { multipart: true });
  assert.deepEqual(reply.UserList.map((u) => u.UserId), ["alice", "bob", "alice"]);
});

test("wrong key", async () => {
  const wrong = client({ key: { ...story.main, secret_key: "notTheSecret" } });
  const error = await refused("AuthFailure.SignatureFailure", () => wrong.DescribeRoomInfo(window()));
  assert.match(error.traceId, uuid, "the trace id comes back for the SDK's exception");
});

test("wrong parameter", () =>
  refused("InvalidParameter.PageSizeOversize", () => client().DescribeRoomInfo(window({ PageNumber: 0, PageSize: 101 }))));

test("unknown parameter", () =>
  refused("UnknownParameter", () => client().DescribeRoomInfo(window({ Foo: "bar" }))));

test("rate limit", async () => {
  const own = story.limited[`node-${edition}`];
  const asker = client({ key: own, endpoint: story.limited_endpoint });
  assert.equal((await asker.DescribeRoomInfo(window({ SdkAppId: own.app }))).Total, 0);
  await refused("RequestLimitExceeded", () => asker.DescribeRoomInfo(window({ SdkAppId: own.app })));
});
