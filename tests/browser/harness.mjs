// What the tests in a real browser share: the real binary on a port of its own, Debian's Chromium, a web server for
// pages of another origin, and the vendor's Node SDK to ask with. `run` names the files with tests.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const INSTALLED = join(ROOT, ".test");
const BINARY = process.env.ROLLBOOK;

/** What drives the browser, and what looks at its pages. */
export const installed = createRequire(join(INSTALLED, "browser/"));

export const APP = 1400000001;
export const INGEST_TOKEN = "token-of-the-browser-tests";
export const KEY = { secretId: "AKIDbrowserTestsbrowserTests0000000001", secretKey: "secretOfTheBrowserTests000000001" };
const SETTINGS = `
[limits]
requests_per_second = 0
[[account]]
name = "tests"
[[account.key]]
secret_id = "${KEY.secretId}"
secret_key = "${KEY.secretKey}"
[[account.app]]
sdk_app_id = ${APP}
ingest_token = "${INGEST_TOKEN}"
`;

// How long one test may take, its servers and browser included.
const TEST_MS_MAX = 240_000;

// Runs `test` with what has been started by `start` functions, and ends all of that, whatever happens.
export async function using(starts, test) {
  const running = [];
  let timer;
  try {
    for (const start of starts) running.push(await start());
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${TEST_MS_MAX} ms`)), TEST_MS_MAX);
    });
    await Promise.race([test(...running), late]);
  } catch (error) {
    for (const { log } of running) if (log?.length) console.error(log.slice(-40).join("\n"));
    throw error;
  } finally {
    clearTimeout(timer);
    for (const one of running.reverse()) await one.stop();
  }
}

// `rollbook serve`, in memory or with a data directory of its own; where its clock stands still, at which second; where
// its pages ask for one, the password of the account `tests`.
export const rollbook = ({ isDurable = false, clock, password } = {}) => async () => {
  const folder = mkdtempSync(join(INSTALLED, "browser-"));
  const config = join(folder, "rollbook.toml");
  const door = password ? `[ui]\npassword_file = ${JSON.stringify(join(folder, "passwords"))}\n` : "";
  writeFileSync(config, door + SETTINGS, { mode: 0o600 });
  if (password) execFileSync(BINARY, ["keys", "ui-password", "--config", config, "--account", "tests"], { input: `${password}\n`, cwd: folder });
  const where = isDurable ? ["--data-dir", join(folder, "data")] : ["--memory"];
  if (clock) where.push("--clock", `${clock}`);
  const flags = ["serve", "--config", config, "--listen", "127.0.0.1:0", "--log-format", "json", ...where];
  const server = spawn(BINARY, flags, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(server, "exit");
  const log = [];
  const address = await new Promise((resolve, reject) => {
    createInterface(server.stderr).on("line", (line) => {
      log.push(line);
      const [, found] = /"address":"([^"]+)"/.exec(line.includes('"listening"') ? line : "") ?? [];
      if (found) resolve(found);
    });
    ended.then(() => {
      rmSync(folder, { recursive: true });
      reject(new Error(`the server did not start:\n${log.join("\n")}`));
    });
  });
  const post = async (path, body) => {
    const headers = { Authorization: `Bearer ${INGEST_TOKEN}` };
    const reply = await fetch(address + path, { method: "POST", headers, body });
    const text = await reply.text();
    assert.equal(reply.status, 200, text);
    return JSON.parse(text);
  };
  return {
    origin: address,
    log,
    // Neutral events: each a kind, a user, and when, in milliseconds.
    tell: (room, ...events) =>
      post("/ingest/events", events.map(([kind, user, at_ms]) => JSON.stringify({ kind, room, user, at_ms })).join("\n")),
    // Whole lines of neutral events and measurements, all of which have to be taken.
    feed: async (lines) => {
      const { refused, lines: why } = await post("/ingest/events", lines.map((line) => JSON.stringify(line)).join("\n"));
      assert.equal(refused, 0, JSON.stringify(why));
    },
    // A token that is good for this user's statistics.
    token: (room, user, ...more) => {
      const asked = ["keys", "client-token", "--config", config, "--app", `${APP}`, "--room", room, "--user", user, ...more];
      return execFileSync(BINARY, asked, { cwd: folder, encoding: "utf8" }).trim();
    },
    // The vendor's client.
    sdk: () => {
      const { trtc } = createRequire(join(INSTALLED, "node/"))("tencentcloud-sdk-nodejs");
      const httpProfile = { protocol: "http://", endpoint: new URL(address).host };
      return new trtc.v20190722.Client({ credential: KEY, region: "ap-guangzhou", profile: { httpProfile } });
    },
    stop: async () => {
      server.kill("SIGTERM");
      await ended;
    },
  };
};

// `rollbook demo`: a server in memory whose calls go on by themselves.
export const demo = () => async () => {
  const server = spawn(BINARY, ["demo", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(server, "exit");
  const log = [];
  const origin = await new Promise((resolve, reject) => {
    createInterface(server.stderr).on("line", (line) => {
      log.push(line);
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
      if (found) resolve(found);
    });
    ended.then(() => reject(new Error(`the demo did not start:\n${log.join("\n")}`)));
  });
  return {
    origin,
    log,
    stop: async () => {
      server.kill("SIGTERM");
      await ended;
    },
  };
};

// Debian's Chromium, whose camera shows a test picture and whose microphone beeps.
export const chromium = () => async () => {
  const { chromium } = installed("playwright-core");
  const args = [
    "--headless=new", "--allow-loopback-in-peer-connection", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ];
  const chromiumSandbox = process.getuid() !== 0;
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args, chromiumSandbox });
  return {
    // A page at an address, in a context of its own; `said` is what its console said, `asked` what it asked for.
    open: async (url, { options, prepare = () => {} } = {}) => {
      const context = await browser.newContext(options);
      await prepare(context);
      const page = await context.newPage();
      const said = [], asked = [];
      page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => said.push(`thrown: ${error}`));
      page.on("request", (request) => asked.push(request));
      const reply = await page.goto(url);
      return { page, context, said, asked, reply };
    },
    stop: () => browser.close(),
  };
};

// A web server of another origin: paths to `{html, headers}`.
export const pages = (site) => async () => {
  const server = createServer((request, reply) => {
    const page = site[request.url];
    if (!page) return reply.writeHead(request.url === "/favicon.ico" ? 204 : 404).end();
    reply.writeHead(200, { "Content-Type": "text/html; charset=utf-8", ...page.headers }).end(page.html);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // A secure context, which cameras need.
    origin: `http://localhost:${server.address().port}`,
    site,
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
};

// A path between two ends on which one packet of media in `every` is lost.
export const lossyPath = (every) => async () => {
  const ends = [0, 1].map(() => ({ socket: createSocket("udp4"), real: undefined, media: 0 }));
  for (const [place, end] of ends.entries()) {
    const other = ends[1 - place];
    // What comes in place of one end was sent by the other, and goes on as if from the other.
    end.socket.on("message", (packet) => {
      const isMedia = packet[0] >= 128 && packet[0] < 192 && (packet[1] < 192 || packet[1] > 223);
      if (end.real && !(isMedia && ++end.media % every === 0)) other.socket.send(packet, end.real.port, end.real.address);
    });
    end.socket.bind();
    await once(end.socket, "listening");
  }
  return {
    // A port that stands for what an end listens on.
    portFor: (place, address, port) => {
      ends[place].real = { address, port };
      return ends[place].socket.address().port;
    },
    stop: () => ends.forEach(({ socket }) => socket.close()),
  };
};

// Asks again until `ask` gives something, for at most `ms`.
export async function eventually(what, ask, ms = 15_000) {
  for (const end = Date.now() + ms; ; ) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
