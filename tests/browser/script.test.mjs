// The script that pages load, in a world of its own: a clock that is turned by hand, a network that answers as it is
// told, a connection that counts. `call.test.mjs` has the same script in a real browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import vm from "node:vm";

const place = new URL("../../src/http/client.js", import.meta.url);
const source = readFileSync(place, "utf8");
const START_MS = 1_795_370_400_000;

// A page that has loaded the script. `answer` has a status for each request, or an error to throw.
class Page {
  now = START_MS;
  timers = new Map();
  numbers = 0;
  sent = [];
  warnings = [];
  events = new EventTarget();
  document = { hidden: false };

  constructor({ answer = () => 200, beacons, hasKeepalive = true } = {}) {
    this.answer = answer;
    const after = (repeats) => (act, ms = 0) => {
      this.timers.set(++this.numbers, { act, at: this.now + ms, every: repeats && ms });
      return this.numbers;
    };
    const clear = (timer) => void this.timers.delete(timer);
    const window = {
      setTimeout: after(false), setInterval: after(true), clearTimeout: clear, clearInterval: clear,
      addEventListener: (...given) => this.events.addEventListener(...given),
      document: this.document, AbortController, AbortSignal: {}, Date: { now: () => this.now },
      Request: hasKeepalive ? class { get keepalive() { return true; } } : class {},
      console: { warn: (text) => void this.warnings.push(text) },
      navigator: {
        userAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/148.0.0.0",
        sendBeacon: (url, body) => this.take({ url, body, isBeacon: true }) && beacons !== false,
      },
      fetch: async (url, options) => {
        this.take({ url, ...options });
        const status = await this.answer(this.sent.at(-1), this.sent.length);
        if (status instanceof Error) throw status;
        return { status, ok: status >= 200 && status < 300, text: async () => (status < 300 ? "" : "why") };
      },
    };
    this.window = vm.createContext(window);
    vm.runInContext(source, window);
    this.rollbook = window.rollbook;
  }

  take(request) {
    return this.sent.push({ ...request, at: this.now - START_MS, told: JSON.parse(request.body) });
  }

  watch(connection, more = {}) {
    const given = { endpoint: "https://calls.example/", token: "t.o.k", room: "r", user: "alice", ...more };
    return this.rollbook.watch(connection, given);
  }

  // Turns the clock; everything that is due happens at its time.
  async pass(ms) {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const [number, next] = [...this.timers].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (!next || next.at > end) break;
      this.now = next.at;
      if (next.every) next.at += next.every;
      else this.timers.delete(number);
      next.act();
      await settle();
    }
    this.now = end;
  }

  say(event) {
    this.events.dispatchEvent(new Event(event));
  }

  samples() {
    return this.sent.flatMap(({ told }) => told.samples);
  }

  // When samples were taken, in seconds, of the requests that were answered well.
  seconds() {
    return [...new Set(this.samples().map(({ ts }) => (ts - START_MS) / 1000))].sort((a, b) => a - b);
  }
}

// Until every promise that can go on has.
const settle = () => new Promise((done) => setImmediate(done));

// A connection with media both ways, whose statistics are as old as the page's clock says, less `age` ms.
class Connection {
  connectionState = "connected";
  streams = 1;
  age = 0;

  constructor(page) {
    this.page = page;
  }

  async getStats() {
    const timestamp = this.page.now - this.age;
    const reports = [
      { type: "outbound-rtp", id: "O1", kind: "video", ssrc: 7, mid: "0", bytesSent: 1000, framesEncoded: 9, encoderImplementation: "libvpx", mediaSourceId: "S1" },
      { type: "remote-inbound-rtp", id: "R1", localId: "O1", fractionLost: 0.01, timestamp: timestamp - 300 },
      { type: "media-source", id: "S1", kind: "video", framesPerSecond: 30 },
      { type: "candidate-pair", id: "P1", nominated: true, state: "succeeded", currentRoundTripTime: 0.04, localCandidateId: "L1" },
      { type: "candidate-pair", id: "P2", nominated: false, state: "failed" },
      { type: "local-candidate", id: "L1", address: "192.0.2.7" },
      { type: "certificate", id: "C1", fingerprint: "AA:BB" },
      { type: "transport", id: "T1", selectedCandidatePairId: "P1", iceLocalUsernameFragment: "frag" },
      { type: "codec", id: "K1", mimeType: "video/VP8", clockRate: 90000 },
      { type: "codec", id: "K2", mimeType: "audio/PCMU", clockRate: 8000 },
    ];
    for (let mid = 1; mid <= this.streams; mid++) {
      reports.push({ type: "inbound-rtp", id: `I${mid}`, kind: "audio", mid: `${mid}`, trackIdentifier: `track-${mid}`, bytesReceived: 5 });
    }
    return new Map(reports.map((report) => [report.id, { timestamp, ...report }]));
  }
}

test("five samples go in one small body that needs no preflight", async () => {
  const page = new Page();
  page.watch(new Connection(page), { peer: "bob" });
  await page.pass(30_000);
  assert.deepEqual(page.sent.map(({ at, told }) => [at, told.samples.length]), [[8_000, 5], [18_000, 5], [28_000, 5]]);
  const [first, second] = page.sent;
  assert.equal(first.url, "https://calls.example/ingest/stats");
  assert.deepEqual([first.method, first.keepalive, first.credentials, first.headers], ["POST", true, "omit", undefined]);
  const { samples, userAgent, attributes, ...head } = first.told;
  const { pc } = samples[0];
  assert.deepEqual(head, { token: "t.o.k", room: "r", user: "alice", peer: "bob" });
  assert.match(pc, /^[a-z0-9]{6,}$/);
  assert.match(userAgent, /Chrome/);
  assert.deepEqual(attributes, { client_type: "browser" });
  assert.deepEqual([second.told.samples[4].pc, second.told.userAgent, second.told.attributes], [pc, undefined, undefined], "once");
  const bytes = page.samples().map((sample) => JSON.stringify(sample).length);
  assert.ok(Math.max(...bytes) < 700, `${bytes[0]} bytes a sample`);
  assert.equal(samples[1].ts, START_MS + 2_000);
});

test("only what the server reads leaves the page", async () => {
  const page = new Page();
  page.watch(new Connection(page));
  await page.pass(10_000);
  const { reports } = page.samples()[0];
  assert.deepEqual(reports.map(({ id }) => id), ["O1", "R1", "S1", "P1", "T1", "K2", "I1"]);
  assert.deepEqual(reports[0], { id: "O1", type: "outbound-rtp", kind: "video", ssrc: 7, mid: "0", bytesSent: 1000, framesEncoded: 9, mediaSourceId: "S1" });
  assert.equal(reports[1].timestamp, START_MS - 300, "a time of its own is kept");
  assert.doesNotMatch(page.sent[0].body, /192\.0\.2\.7|AA:BB|frag|libvpx/);
});

test("whose streams come in is text, a map or a function", async () => {
  const peers = async (options) => {
    const page = new Page();
    const connection = new Connection(page);
    connection.streams = 2;
    page.watch(connection, options);
    await page.pass(10_000);
    return [page.sent[0].told.peer, page.samples()[0].peers];
  };
  assert.deepEqual(await peers({}), [undefined, {}]);
  assert.deepEqual(await peers({ peer: "bob" }), ["bob", {}]);
  assert.deepEqual(await peers({ peers: { 1: "bob", "track-2": "carol" } }), [undefined, { 1: "bob", 2: "carol" }]);
  assert.deepEqual(await peers({ peer: (mid, track) => mid === "2" && `of ${track}` }), [undefined, { 2: "of track-2" }]);
});

test("what is told of the browser can be added to, or left out", async () => {
  const told = async (attributes) => {
    const page = new Page();
    page.watch(new Connection(page), { attributes });
    await page.pass(10_000);
    return [typeof page.sent[0].told.userAgent, page.sent[0].told.attributes];
  };
  assert.deepEqual(await told({ sdk_version: "app 5.1" }), ["string", { client_type: "browser", sdk_version: "app 5.1" }]);
  assert.deepEqual(await told(false), ["undefined", undefined]);
});

test("minutes without a network leave no gap", async () => {
  let isOff = true;
  const page = new Page({ answer: () => (isOff ? new TypeError("offline") : 200) });
  page.watch(new Connection(page));
  await page.pass(300_000);
  const waits = page.sent.map(({ at }, n) => at - (page.sent[n - 1]?.at ?? at)).slice(1);
  assert.ok(waits.length > 5 && waits.length < 16, `${waits}`);
  assert.ok(waits.every((wait) => wait >= 500 && wait <= 60_000) && waits.at(-1) >= 29_000, `${waits}`);
  isOff = false;
  page.sent = [];
  page.say("online");
  await page.pass(10_000);
  assert.deepEqual(page.seconds().slice(0, 150), Array.from({ length: 150 }, (_, n) => 2 * n));
  assert.ok(page.sent.every(({ body }) => body.length < 32_000));
  assert.ok(page.sent.every(({ keepalive }, n) => keepalive === n > 0), "what is sent again is no keepalive");
  assert.deepEqual(page.warnings, []);
});

test("what is not sent is bounded, and the oldest goes first", async () => {
  let isOff = true;
  const page = new Page({ answer: () => (isOff ? new TypeError("offline") : 200) });
  page.watch(new Connection(page));
  await page.pass(3_600_000);
  isOff = false;
  page.sent = [];
  page.say("online");
  await page.pass(10_000);
  assert.equal(page.seconds()[0], 3_600 - 2 * 299);
  assert.ok(page.seconds().length >= 300);
});

test("a refusal for good ends it with one warning, another is tried again", async () => {
  for (const status of [400, 401, 403, 404, 413]) {
    const page = new Page({ answer: () => status });
    page.watch(new Connection(page));
    page.watch(new Connection(page));
    await page.pass(600_000);
    assert.equal(page.sent.length, 2, `${status}`);
    assert.deepEqual(page.warnings, [`rollbook: the server refuses statistics: ${status} why`]);
    assert.equal(page.timers.size, 0);
  }
  for (const status of [408, 429, 500, 503]) {
    const page = new Page({ answer: (_, number) => (number < 4 ? status : 200) });
    page.watch(new Connection(page));
    await page.pass(60_000);
    assert.ok(page.sent.length > 4 && page.warnings.length === 0, `${status}`);
    assert.deepEqual(page.seconds().slice(0, 5), [0, 2, 4, 6, 8]);
  }
});

test("a token that a function gives is renewed when it is refused", async () => {
  let given = 0;
  const page = new Page({ answer: ({ told }, number) => (number < 3 || told.token === "token-2" ? 200 : 401) });
  page.watch(new Connection(page), { token: async () => `token-${++given}` });
  await page.pass(60_000);
  assert.deepEqual([given, page.warnings], [2, []]);
  assert.deepEqual(page.sent.map(({ told }) => told.token.at(-1)).join(""), "1112222");
  assert.equal(page.seconds().length, 30);

  const wrong = new Page({ answer: () => 401 });
  wrong.watch(new Connection(wrong), { token: () => "another" });
  await wrong.pass(600_000);
  assert.deepEqual([wrong.sent.length, wrong.warnings.length], [1, 1], "a fresh token is not renewed");

  let failures = 0;
  const slow = new Page();
  slow.watch(new Connection(slow), { token: async () => (failures++ < 3 ? Promise.reject(new Error("no")) : "token") });
  await slow.pass(60_000);
  assert.deepEqual([failures, slow.seconds()[0], slow.warnings], [4, 0, []]);
});

test("a page that is hidden or closed sends what is there before it is gone", async () => {
  for (const [event, hidden] of [["pagehide", false], ["visibilitychange", true]]) {
    const page = new Page();
    page.watch(new Connection(page));
    await page.pass(3_000);
    page.document.hidden = hidden;
    page.say(event);
    assert.deepEqual([page.sent.length, page.sent[0].keepalive], [1, true], "at once");
    assert.deepEqual(page.seconds(), [0, 2]);
    await page.pass(0);
    assert.deepEqual(page.seconds(), [0, 2, 3], "and the last sample");
  }
  const twice = new Page();
  twice.watch(new Connection(twice));
  await twice.pass(2_200);
  twice.say("pagehide");
  await twice.pass(0);
  assert.deepEqual(twice.seconds(), [0, 2], "an interval that is too short for rates is none");
  const shown = new Page();
  shown.watch(new Connection(shown));
  await shown.pass(3_000);
  shown.say("visibilitychange");
  assert.equal(shown.sent.length, 0, "a page that is shown again has time");
});

test("many samples at the end keep to what a closing page may send", async () => {
  let isOff = true;
  const page = new Page({ answer: () => (isOff ? new TypeError("offline") : 200) });
  page.watch(new Connection(page));
  await page.pass(600_000);
  isOff = false;
  page.sent = [];
  page.say("pagehide");
  const bytes = page.sent.map(({ body }) => body.length);
  assert.equal(bytes.length, 2);
  assert.ok(bytes[0] + bytes[1] < 65_536 && bytes[0] > 20_000, `${bytes}`);
});

test("a browser whose fetch ends with the page uses a beacon", async () => {
  const page = new Page({ hasKeepalive: false });
  page.watch(new Connection(page));
  await page.pass(3_000);
  page.say("pagehide");
  assert.deepEqual(page.sent.map(({ isBeacon, url }) => [isBeacon, url]), [[true, "https://calls.example/ingest/stats"]]);

  const full = new Page({ hasKeepalive: false, beacons: false });
  full.watch(new Connection(full));
  await full.pass(3_000);
  full.say("pagehide");
  await full.pass(10_000);
  assert.deepEqual(full.sent.filter(({ isBeacon }) => !isBeacon)[0].told.samples.length >= 2, true, "what it does not take is kept");
});

test("a closed connection ends it, and so does stop", async () => {
  const page = new Page();
  const connection = new Connection(page);
  page.watch(connection);
  await page.pass(5_000);
  connection.connectionState = "closed";
  await page.pass(60_000);
  assert.deepEqual([page.seconds().slice(0, 3), page.timers.size], [[0, 2, 4], 0]);

  const stopped = new Page();
  const watching = stopped.watch(new Connection(stopped));
  await stopped.pass(5_000);
  watching.stop();
  watching.stop();
  await stopped.pass(60_000);
  stopped.say("pagehide");
  stopped.say("online");
  await stopped.pass(60_000);
  assert.deepEqual([stopped.seconds(), stopped.timers.size], [[0, 2, 4, 5], 0]);

  const dead = new Page({ answer: () => 503 });
  dead.watch(new Connection(dead)).stop();
  await dead.pass(3_600_000);
  assert.ok(dead.sent.length > 5 && dead.sent.length < 15 && dead.timers.size === 0, "it gives up in the end");
});

test("nothing is thrown into the page", async () => {
  const page = new Page();
  const connection = new Connection(page);
  for (const [one, options] of [[undefined, {}], [{}, {}], [connection, { token: "" }], [connection, { endpoint: undefined }]]) {
    page.watch(one, options).stop();
  }
  page.rollbook.watch(connection).stop();
  connection.getStats = async () => Promise.reject(new Error("gone"));
  page.watch(connection);
  const other = new Connection(page);
  page.watch(other, { peer: () => { throw new Error("of the page"); } });
  await page.pass(60_000);
  assert.deepEqual(page.sent, []);
  assert.equal(page.warnings.filter((text) => /are needed/.test(text)).length, 1);
  assert.deepEqual(page.warnings.slice(-2).sort(), ["rollbook: Error: gone", "rollbook: Error: of the page"]);
});

test("statistics whose clock has stood still are put at the right time", async () => {
  const page = new Page();
  const connection = new Connection(page);
  connection.age = 3_600_000;
  page.watch(connection);
  await page.pass(10_000);
  const [sample] = page.samples();
  assert.equal(sample.ts, START_MS);
  assert.equal(sample.reports[1].timestamp, START_MS - 300);
});

test("connections do not collide, and one without media says nothing", async () => {
  const page = new Page();
  page.watch(new Connection(page));
  page.watch(new Connection(page));
  const silent = new Connection(page);
  silent.getStats = async () => new Map([["T1", { id: "T1", type: "transport", timestamp: page.now }]]);
  page.watch(silent);
  await page.pass(10_000);
  assert.equal(new Set(page.samples().map(({ pc }) => pc)).size, 2);
  assert.equal(page.sent.length, 2);
});

test("it loads as a script, as CommonJS and as an ES module, without a page too", async () => {
  assert.equal(typeof new Page().rollbook.watch, "function");
  assert.equal(typeof createRequire(import.meta.url)(place.pathname).watch, "function");
  delete globalThis.rollbook;
  await import(`data:text/javascript,${encodeURIComponent(source)}`);
  assert.equal(typeof globalThis.rollbook.watch, "function");
});
