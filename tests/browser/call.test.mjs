// A call between two users in a real browser, whose page watches both connections. What the vendor's SDK then says
// of it is compared with what the page measured itself. Media takes real time, so these tests wait for it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { APP, chromium, eventually, lossyPath, pages, rollbook, using } from "./harness.mjs";

const WATCHED_MS = 14_500;

// Pages whose policy allows nothing but the script and its server, as far as `rollbook` is known.
const site = {};
const policy = (origin) => `script-src ${origin}; connect-src ${origin}`;
const html = (origin) => `<!doctype html><title>call</title><link rel="icon" href="data:,"><script src="${origin}/client/rollbook.js"></script>`;

// Runs in the page: two connections with a camera and a microphone each, connected with each other over the lossy path
// that the test provides.
async function call() {
  const ends = { alice: new RTCPeerConnection({ bundlePolicy: "max-bundle" }), bob: new RTCPeerConnection({ bundlePolicy: "max-bundle" }) };
  const { alice, bob } = ends;
  const playing = [];
  for (const [place, [from, to]] of [[alice, bob], [bob, alice]].entries()) {
    let isKnown = false;
    from.onicecandidate = async ({ candidate }) => {
      if (isKnown || candidate?.protocol !== "udp" || candidate.address.includes(":")) return;
      isKnown = true;
      const { address, port, sdpMid } = candidate;
      const words = candidate.candidate.split(" ");
      words[5] = await window.portFor(place, address, port);
      to.addIceCandidate({ candidate: words.join(" "), sdpMid });
    };
  }
  for (const end of Object.values(ends)) {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480, frameRate: 20 } });
    for (const track of media.getTracks()) end.addTrack(track, media);
    const shown = document.body.appendChild(document.createElement("video"));
    playing.push(new Promise((done) => Object.assign(shown, { autoplay: true, muted: true, onplaying: done })));
    end.ontrack = ({ streams }) => (shown.srcObject = streams[0]);
  }
  await alice.setLocalDescription();
  await bob.setRemoteDescription(alice.localDescription);
  await bob.setLocalDescription();
  await alice.setRemoteDescription(bob.localDescription);
  await Promise.all(playing);
  window.ends = ends;
}

// Runs in the page: watches both, and takes down what this test needs at the same moments.
function watch({ endpoint, room, tokens, measure = true }) {
  window.measured = { alice: [], bob: [] };
  window.watching = {};
  for (const [user, peer] of [["alice", "bob"], ["bob", "alice"]]) {
    const end = window.ends[user];
    window.watching[user] = rollbook.watch(end, { endpoint, room, user, peer, token: tokens[user] });
    const look = async () => {
      const found = { up: {}, down: {} };
      for (const report of (await end.getStats()).values()) {
        const { type, kind } = report;
        if (type === "outbound-rtp") found.up[kind] = report;
        if (type === "inbound-rtp") found.down[kind] = report;
        if (type === "media-source" && kind === "video") found.up.captured = report.framesPerSecond;
        if (type === "remote-inbound-rtp") found.up[`${kind}Lost`] = report;
      }
      window.measured[user].push(found);
    };
    if (measure) setInterval(look, 2_000), look();
  }
}

// The metrics of neighbouring looks of the page: when the later was, and what came out.
function ofPage(looks, direction) {
  const bytes = direction === "up" ? "bytesSent" : "bytesReceived";
  return looks.slice(1).map((look, place) => {
    const [now, before] = [look[direction], looks[place][direction]];
    const rate = (kind, member) => ((now[kind][member] - before[kind][member]) * 1000) / (now[kind].timestamp - before[kind].timestamp);
    const loss = (kind) => {
      const lost = Math.max(0, now[kind].packetsLost - before[kind].packetsLost);
      const all = lost + now[kind].packetsReceived - before[kind].packetsReceived;
      return all ? (100 * lost) / all : 0;
    };
    const values = { aBit: 8 * rate("audio", bytes), bigvBit: 8 * rate("video", bytes), bigvWidth: now.video.frameWidth, bigvHeight: now.video.frameHeight };
    if (direction === "up") Object.assign(values, { bigvEncFps: rate("video", "framesEncoded"), bigvCapFps: now.captured });
    else Object.assign(values, { bigvDecFps: rate("video", "framesDecoded"), aLoss: loss("audio"), bigvLoss: loss("video") });
    return { before: before.video.timestamp, at: now.video.timestamp, values };
  });
}

const WANTED = {
  up: ["aBit", "bigvBit", "bigvEncFps", "bigvCapFps", "bigvWidth", "bigvHeight", "aLoss", "bigvLoss", "rtt"],
  down: ["aBit", "bigvBit", "bigvDecFps", "bigvWidth", "bigvHeight", "aLoss", "bigvLoss"],
};

// Asks the vendor's SDK for all metrics of a call: `user direction metric` to points.
async function ask(server, room, since) {
  const sdk = server.sdk();
  const window = { SdkAppId: APP, StartTime: Math.floor(since / 1000) - 5, EndTime: Math.floor(Date.now() / 1000) + 5 };
  const { RoomList } = await sdk.DescribeRoomInfo({ ...window, RoomId: room });
  assert.equal(RoomList.length, 1);
  const reply = await sdk.DescribeCallDetailInfo({ ...window, CommId: RoomList[0].CommId, DataType: ["all"] });
  const series = new Map();
  for (const { UserId, PeerId, DataType, Content } of reply.Data) {
    assert.equal(PeerId === "" || PeerId === { alice: "bob", bob: "alice" }[UserId], true, PeerId);
    series.set(`${UserId} ${PeerId ? "down" : "up"} ${DataType}`, Content);
  }
  return { users: reply.UserList, series };
}

// The times of all samples that the page sent for a user, in order, by what is in the requests.
function times(asked, user) {
  const bodies = asked.filter((request) => request.url().endsWith("/ingest/stats")).map((request) => JSON.parse(request.postData()));
  return bodies.filter((body) => body.user === user).flatMap(({ samples }) => samples.map(({ ts }) => ts)).sort((a, b) => a - b);
}

// A room that both have joined.
async function joined(server, room) {
  const now = Date.now();
  await server.tell(room, ["room_created", "alice", now - 2_000], ["joined", "alice", now - 2_000], ["joined", "bob", now - 1_000]);
  return { since: now, tokens: { alice: server.token(room, "alice"), bob: server.token(room, "bob") } };
}

async function started(server, browser, other, path, room) {
  other.site["/call"] = { html: html(server.origin), headers: { "Content-Security-Policy": policy(server.origin) } };
  const { since, tokens } = await joined(server, room);
  const opened = await browser.open(`${other.origin}/call`);
  await opened.page.exposeFunction("portFor", path.portFor);
  await opened.page.evaluate(call);
  return { ...opened, since, tokens };
}

for (const isDurable of [false, true]) {
  test(`the vendor's SDK says of a call what its page measured, ${isDurable ? "on disk" : "in memory"}`, () =>
    using([rollbook({ isDurable }), chromium(), pages(site), lossyPath(20)], async (server, browser, other, path) => {
      const { page, said, asked, since, tokens } = await started(server, browser, other, path, "standup");
      await page.evaluate(watch, { endpoint: server.origin, room: "standup", tokens });
      await page.waitForTimeout(WATCHED_MS);
      await page.evaluate(() => Object.values(window.watching).forEach(({ stop }) => stop()));
      const measured = await page.evaluate(() => window.measured);
      const { users, series } = await eventually("the last sample", async () => {
        const found = await ask(server, "standup", since);
        const last = ["alice", "bob"].every((user) => found.series.get(`${user} up aBit`)?.length >= 6);
        return last && found;
      });
      assert.deepEqual(users.map(({ UserId, DeviceType, SdkVersion }) => [UserId, DeviceType, /^Chrome \d+/.test(SdkVersion)]).sort(), [["alice", "Linux", true], ["bob", "Linux", true]]);
      for (const user of ["alice", "bob"]) compare(user, series, measured[user], times(asked, user));
      assert.deepEqual(said, [], "the console stays empty under a strict policy");
    }));
}

// Checks what the SDK said of a user against what the page measured, point by point and on the whole.
function compare(user, series, looks, sampled) {
  for (const direction of ["up", "down"]) {
    for (const metric of WANTED[direction]) {
      // The other end tells every five seconds what share of the audio it lost.
      const least = direction === "up" && metric === "aLoss" ? 1 : 5;
      const points = series.get(`${user} ${direction} ${metric}`) ?? [];
      assert.ok(points.length >= least, `${user} ${direction} ${metric}: ${points.length} points`);
    }
    // Looks of the page and samples of the script that were taken at the same moment; an interval counts where both its
    // ends were.
    const sample = (at) => sampled.find((ts) => Math.abs(ts - at) <= 60);
    const own = ofPage(looks, direction).filter(({ before, at }) => sample(before) && sample(at));
    assert.ok(own.length >= 4, `${user} ${direction}: ${own.length} intervals to compare`);
    for (const metric of Object.keys(own[0].values)) {
      agree(`${user} ${direction} ${metric}`, series, own.map(({ at, values }) => [sample(at), values[metric]]));
    }
  }
  for (const [metric, kind] of [["aLoss", "audio"], ["bigvLoss", "video"]]) {
    const told = looks.filter(({ up }) => sampled.some((ts) => Math.abs(ts - up.video.timestamp) <= 60)).map(({ up }) => up[`${kind}Lost`]);
    agree(`${user} up ${metric}`, series, told.filter(Boolean).map(({ timestamp, fractionLost }) => [timestamp, 100 * fractionLost]));
  }
}

// Every value of the page, and their mean, within five percent of what the SDK said for that second.
function agree(what, series, values) {
  const said = new Map(series.get(what).map(({ Time, Value }) => [Time, Value]));
  const pairs = values.map(([at, ours]) => [said.get(Math.floor(at / 1000)), ours]);
  const shown = `${what}: ${pairs.map(([theirs, ours]) => `${theirs} for ${ours}`).join(", ")}`;
  const close = (theirs, ours) => Math.abs(theirs - ours) <= 0.05 * Math.abs(ours) + 1e-9;
  const mean = (column) => pairs.reduce((sum, pair) => sum + pair[column], 0) / pairs.length;
  assert.ok(pairs.length > 0 && pairs.every(([theirs, ours]) => theirs !== undefined && close(theirs, ours)), shown);
  assert.ok(close(mean(0), mean(1)), shown);
  assert.ok(mean(1) > 0, `${shown}: nothing flows, or nothing is lost`);
}

test("seconds without a network leave no gap, and a closed page sends its last", () =>
  using([rollbook(), chromium(), pages(site), lossyPath(20)], async (server, browser, other, path) => {
    const { page, context, said, since, tokens } = await started(server, browser, other, path, "train");
    await page.evaluate(watch, { endpoint: server.origin, room: "train", tokens, measure: false });
    const begun = Date.now();
    await page.waitForTimeout(3_000);
    await context.setOffline(true);
    await page.waitForTimeout(9_000);
    assert.equal((await ask(server, "train", since)).series.size, 0, "nothing came yet");
    await context.setOffline(false);
    await page.waitForTimeout(3_500);
    const left = Date.now();
    await page.goto("about:blank");
    const aBit = await eventually("the last sample", async () => {
      const found = (await ask(server, "train", since)).series.get("alice up aBit");
      return found?.at(-1).Time >= Math.floor(left / 1000) - 2 && found;
    });
    const seconds = aBit.map(({ Time }) => Time);
    const steps = seconds.slice(1).map((second, place) => second - seconds[place]);
    assert.ok(steps.every((step) => step >= 1 && step <= 3), `${seconds}`);
    assert.ok(seconds[0] - begun / 1000 <= 3.5 && seconds.length >= 7, `${seconds}`);
    assert.deepEqual(said.filter((line) => !/ERR_INTERNET_DISCONNECTED/.test(line)), []);
  }));

test("a closed tab sends its last", () =>
  using([rollbook(), chromium(), pages(site), lossyPath(20)], async (server, browser, other, path) => {
    const { page, since, tokens } = await started(server, browser, other, path, "tab");
    await page.evaluate(watch, { endpoint: server.origin, room: "tab", tokens, measure: false });
    await page.waitForTimeout(5_000);
    await page.close({ runBeforeUnload: true });
    const { series } = await eventually("what the tab sent", async () => {
      const found = await ask(server, "tab", since);
      return found.series.has("bob down bigvBit") && found;
    });
    assert.ok(series.get("alice up aBit").length >= 2);
  }));

test("a token that is not good is told once", () =>
  using([rollbook(), chromium(), pages(site), lossyPath(20)], async (server, browser, other, path) => {
    const { page, said, asked, since, tokens } = await started(server, browser, other, path, "closed");
    // Bob's token is not alice's.
    await page.evaluate(watch, { endpoint: server.origin, room: "closed", tokens: { ...tokens, alice: tokens.bob }, measure: false });
    await page.waitForTimeout(13_000);
    const users = asked.filter((request) => request.url().endsWith("/ingest/stats")).map((request) => JSON.parse(request.postData()).user);
    assert.equal(users.filter((user) => user === "alice").length, 1, "it is not sent again");
    assert.ok(users.includes("bob"));
    assert.equal(said.filter((line) => /^warning: rollbook: the server refuses statistics: 40[13]/.test(line)).length, 1, `${said}`);
    assert.equal(said.length, 2, `the browser's own line, and ours: ${said}`);
    const { series } = await ask(server, "closed", since);
    assert.ok([...series.keys()].every((key) => key.startsWith("bob ")), `${[...series.keys()]}`);
    assert.ok(series.has("bob up aBit"));
  }));
