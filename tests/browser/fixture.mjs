// Fourteen days of calls that are the same every time, for the tests of pages and for their pictures: the server's
// clock stands at `CLOCK`, and every event and measurement has its fixed time before it.

import assert from "node:assert/strict";

import { APP, rollbook } from "./harness.mjs";

/** 2026-11-25 14:00:00 UTC: what the server takes for now. */
export const CLOCK = 1_795_615_200;
/** The moment of a clock time of that day. */
export const at = (text) => {
  const [hours, minutes, seconds = 0] = text.split(":").map(Number);
  return CLOCK - 14 * 3_600 + hours * 3_600 + minutes * 60 + seconds;
};

/** What people could call themselves to do harm, or to look odd. */
export const HOSTILE_ROOM = "<img src=x onerror=alert(1)>";
export const HOSTILE_USERS = [
  "<script>alert(1)</script>", "\"><svg onload=alert(1)>", "\u202Etfel ot thgir", "שלום עולם", "👩‍👩‍👧‍👦🏳️‍🌈", "'; DROP TABLE users; --", "../../ui/logout",
  "javascript:alert(1)", "%2e%2e%2f&amp;", "x".repeat(500),
];
export const CROWD = 2_000;

const SAMPLE_S = 5;

// A number from 0 to 1 that depends on its arguments only.
function chance(...parts) {
  let hash = 2_166_136_261;
  for (const letter of parts.join(" ")) hash = Math.imul(hash ^ letter.codePointAt(0), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

const round = (value) => Math.round(value * 10) / 10;

// What a user's device and line are like: who, on what, since when. `poor` are stretches of [from, to, what is bad];
// from `silent` on nothing is heard of a stay that nobody ended.
const REVIEW = [
  { user: "alice", device: "MacBook Pro", sdk: "5.2.0", sends: true, stays: [["12:50:04", "13:50:20"]], poor: [["13:10", "13:17", "up"]] },
  { user: "bob", device: "Windows 11", sdk: "5.2.0", sends: true, stays: [["12:50:41", "13:50:12"]] },
  { user: "chen", device: "Pixel 8", sdk: "4.3.14", stays: [["12:51:10", "13:49:58"]], poor: [["12:58", "13:02", "down"], ["13:24", "13:29", "down"], ["13:40", "13:42", "down"]], fair: "loss" },
  { user: "dara", device: "macOS", sdk: "5.1.3", sends: true, stays: [["12:50:52", "13:20:10", "network_switch"], ["13:20:25", "13:50:03"]], poor: [["13:18", "13:20", "down"]] },
  { user: "hana", device: "Xiaomi 14", sdk: "4.3.14", stays: [["12:54:30", "13:06:12"], ["13:31:00", "13:49:40"]] },
  { user: "ivan", device: "iPad Air", sdk: "4.3.12", stays: [["12:55:00", null]], silent: "13:35:20" },
  { user: "李娜", device: "Huawei Mate 60", sdk: "4.3.14", stays: [["12:51:33", "13:50:01"]] },
  { user: "maria", device: "Chrome 148", sdk: "Chrome 148.0.0.0", stays: [["12:52:08", "13:45:30"]] },
  { user: "omar", device: "Ubuntu", sdk: "Firefox 151.0", stays: [["12:53:20", null], ["13:22:05", "13:50:06"]], silent: "13:16:40" },
  { user: "priya", device: "iPhone 16", sdk: "5.2.0", stays: [["12:56:45", "13:33:18", "timeout"]] },
  { user: "sven", device: "ThinkPad X1", sdk: "5.1.3", stays: [["12:51:59", "13:49:51"]], poor: [["13:34", "13:39", "cpu"]] },
  { user: "yuki", device: "iPhone 15", sdk: "5.2.0", stays: [["12:50:30", "13:50:09"]], fair: "delay" },
];

function event(kind, room, user, second, more = {}) {
  return { kind, room, user, at_ms: second * 1_000, ...more };
}

function attributes({ device, sdk }, place) {
  return { device, sdk_version: sdk, client_ip: `203.0.113.${10 + place}`, role: place < 2 ? "anchor" : "audience" };
}

// One user's events and measurements in a room.
function* person(room, one, place, everybody) {
  for (const [from, to, reason = "normal"] of one.stays) {
    yield event("joined", room, one.user, at(from), { attrs: attributes(one, place) });
    if (to) yield event("left", room, one.user, at(to), { reason, reason_raw: reason.toUpperCase() });
    if (place < 4) yield event("media", room, one.user, at(from) + 3, { media: { track: "audio", on: true } });
    const until = at(to ?? one.silent ?? "13:50:20");
    yield* measured(room, one, everybody, at(from) + 5, until);
  }
  if (one.sends) yield event("media", room, one.user, at("12:51:30"), { media: { track: "video", on: true } });
  if (one.user === "bob") {
    yield event("media", room, one.user, at("13:26:10"), { media: { track: "audio", on: false } });
    yield event("media", room, one.user, at("13:33:50"), { media: { track: "audio", on: true } });
    yield event("media", room, one.user, at("13:41"), { media: { track: "video", on: false } });
  }
  if (one.user === "alice") {
    yield event("media", room, one.user, at("13:05"), { media: { track: "screen", on: true } });
    yield event("media", room, one.user, at("13:32:40"), { media: { track: "screen", on: false } });
  }
}

const isIn = (one, what, second) => (one.poor ?? []).some(([from, to, bad]) => bad === what && at(from) <= second && second < at(to));

function* measured(room, one, everybody, from, until) {
  const times = [];
  for (let second = from; second < until; second += SAMPLE_S) times.push(second);
  if (times.length === 0) return;
  const column = (what, value) => times.map((second) => round(value(second, chance(room, one.user, what, second))));
  const line = (peer, values) => ({ kind: "samples", room, user: one.user, ...(peer && { peer }), at_ms: times.map((second) => second * 1_000), values });
  const busy = (second) => isIn(one, "cpu", second);
  const up = (second) => isIn(one, "up", second);
  const values = {
    rtt: column("rtt", (second, c) => (one.fair === "delay" ? 230 : 40) + 25 * c + (up(second) || isIn(one, "down", second) ? 120 : 0)),
    appCpu: column("app", (second, c) => (busy(second) ? 88 : 18) + 9 * c),
    sysCpu: column("sys", (second, c) => (busy(second) ? 95.5 : 31) + 4 * c),
    aBit: column("a", (_, c) => 30_000 + 4_000 * c),
    aLoss: column("al", (second, c) => (up(second) ? 4 + 8 * c : 0.4 * c)),
  };
  if (one.sends) {
    Object.assign(values, {
      bigvBit: column("v", (second, c) => (up(second) ? 380_000 : 1_250_000) + 180_000 * c),
      bigvCapFps: column("cap", (_, c) => 23.5 + c),
      bigvEncFps: column("enc", (second, c) => (up(second) ? 16 : 23) + c),
      bigvLoss: column("vl", (second, c) => (up(second) ? 6 + 9 * c : 0.5 * c)),
    });
  }
  yield line("", values);
  for (const peer of everybody.filter(({ sends, user }) => sends && user !== one.user)) {
    const bad = (second) => isIn(peer, "up", second) || isIn(one, "down", second);
    const usual = one.fair === "loss" ? 1.9 : 0;
    yield line(peer.user, {
      aBit: column(`${peer.user} a`, (_, c) => 30_000 + 4_000 * c),
      bigvBit: column(`${peer.user} v`, (second, c) => (bad(second) ? 360_000 : 1_240_000) + 180_000 * c),
      bigvDecFps: column(`${peer.user} fps`, (second, c) => (busy(second) ? 6 + 3 * c : bad(second) ? 11 + 4 * c : 23 + c)),
      aLoss: column(`${peer.user} al`, (second, c) => (bad(second) ? 3 + 9 * c : usual / 2 + 0.5 * c)),
      bigvLoss: column(`${peer.user} vl`, (second, c) => (bad(second) ? 5 + 10 * c : usual + 0.6 * c)),
      bigvBlock: column(`${peer.user} block`, (second, c) => (busy(second) ? 500 + 500 * c : bad(second) && c > 0.5 ? 700 * c : 0)),
      aBlock: column(`${peer.user} stutter`, (second, c) => (bad(second) && c > 0.7 ? 150 + 200 * c : 0)),
    });
  }
}

// The call that most tests and pictures are of: an hour in which some had it good and some did not.
function* review() {
  yield event("room_created", "review", "alice", at("12:50:03"));
  for (const [place, one] of REVIEW.entries()) yield* person("review", one, place, REVIEW);
  yield { kind: "room_destroyed", room: "review", at_ms: at("13:50:21") * 1_000 };
}

// A call that is going on.
function* running() {
  const people = ["nora", "otto", "pia", "quinn", "rosa"].map((user, place) => ({
    user, device: ["Pixel 8", "Windows 11", "iPhone 16", "macOS", "Chrome 148"][place], sdk: "5.2.0", sends: place === 0,
    stays: [[`13:52:${10 + 7 * place}`, null]], poor: place === 2 ? [["13:56", "14:00", "down"]] : [],
  }));
  yield event("room_created", "standup", "nora", at("13:52:09"));
  for (const [place, one] of people.entries()) {
    yield event("joined", "standup", one.user, at(one.stays[0][0]), { attrs: attributes(one, place) });
    yield* measured("standup", one, people, at(one.stays[0][0]) + 5, CLOCK);
  }
}

function* hostile() {
  for (const [place, user] of HOSTILE_USERS.entries()) {
    yield event("joined", HOSTILE_ROOM, user, at("11:00") - 2 * 86_400 + 20 * place, { attrs: { device: "<b>bold</b>", sdk_version: "\"'><i>", role: "anchor" } });
    yield event("left", HOSTILE_ROOM, user, at("11:30") - 2 * 86_400 + 10 * place, { reason: "unknown", reason_raw: "<u>why</u>" });
  }
  yield { kind: "room_destroyed", room: HOSTILE_ROOM, at_ms: (at("11:40") - 2 * 86_400) * 1_000 };
}

// The crowd comes within ten minutes and goes within five.
function* keynote() {
  yield event("room_created", "keynote", "host", at("12:00"));
  for (let place = 0; place < CROWD; place++) {
    const user = place === 0 ? "host" : `guest-${String(place).padStart(4, "0")}`;
    yield event("joined", "keynote", user, at("12:00:02") + Math.floor(600 * (place / CROWD)), { attrs: { terminal: String(1 + (place % 4)) } });
    yield event("left", "keynote", user, at("12:40") + Math.floor(300 * chance("leaves", place)), { reason: "normal" });
  }
  yield { kind: "room_destroyed", room: "keynote", at_ms: at("12:46") * 1_000 };
}

// What was on the days before, so that there is something to look back at.
function* past() {
  const names = ["alice", "bob", "chen", "dara", "hana", "ivan", "李娜", "maria", "omar", "priya", "sven", "yuki"];
  for (let day = 13; day >= 1; day--) {
    const calls = 2 + Math.floor(4 * chance("calls", day));
    for (let call = 0; call < calls; call++) {
      const room = ["review", "sales", "support", "class-7", "218695", "interview"][(day + call) % 6];
      const begin = CLOCK - day * 86_400 - 6 * 3_600 + call * 5_400;
      const length = 600 + Math.floor(1_500 * chance("length", day, call));
      const users = names.filter((name) => chance(name, day, call) < 0.5);
      yield event("room_created", room, users[0] ?? "alice", begin);
      for (const [place, user] of users.entries()) {
        const one = { ...REVIEW.find((other) => other.user === user), poor: [] };
        yield event("joined", room, user, begin + 4 + 11 * place, { attrs: attributes(one, place) });
        yield* measured(room, one, [], begin + 10 + 11 * place, begin + Math.min(length, 300));
        yield event("left", room, user, begin + length - 3 * place, { reason: "normal" });
      }
      yield { kind: "room_destroyed", room, at_ms: (begin + length + 1) * 1_000 };
    }
  }
}

/** A server that knows all of that. Its `calls` are the ids by room. */
export const fixture = () => async () => {
  const server = await rollbook({ clock: CLOCK })();
  try {
    for (const part of [past, hostile, keynote, review, running]) await server.feed([...part()]);
    const rooms = [HOSTILE_ROOM, "keynote", "review", "standup"];
    const calls = Object.fromEntries(await Promise.all(rooms.map(async (room) => [room, await newest(server, room)])));
    return { ...server, calls };
  } catch (error) {
    await server.stop();
    throw error;
  }
};

// The newest call of a room, as a part of an address.
async function newest(server, room) {
  const list = await (await fetch(`${server.origin}/ui/calls?${new URLSearchParams({ app: APP, q: room, from: CLOCK - 7 * 86_400 })}`)).text();
  const [, segment] = /href="\/ui\/calls\/([^"?]+)"/.exec(list) ?? [];
  assert.ok(segment, `no call of ${room} in ${list}`);
  return segment;
}
