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
  return {
    DescribeRoomInfo: (asked) => ask("DescribeRoomInfo", asked),
    DescribeUserInfo: (asked) => ask("DescribeUserInfo", asked),
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
