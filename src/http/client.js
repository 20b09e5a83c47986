// rollbook.watch(peerConnection, {endpoint, token, room, user}) tells a rollbook server how good a call is.
// docs/client.md says how.
(() => {
const BATCH_MS = 1e4, REPLY_MS = 3e4, RETRY_MS = 6e4;
const UNSENT_MAX = 300; // samples
const BODY_MAX = 25000; // characters and a sample: a closing page may have 64 KiB under way
const FAILURES_MAX = 10; // once over

// What the server reads. All else stays here, above all addresses.
const RTP = "kind ssrc mid contentType frameWidth frameHeight framesPerSecond ";
const KEPT = {
  "outbound-rtp": RTP + "active mediaSourceId bytesSent framesEncoded",
  "remote-inbound-rtp": "ssrc localId fractionLost roundTripTime",
  "inbound-rtp": RTP + "trackIdentifier codecId bytesReceived packetsReceived packetsLost framesDecoded " +
    "totalFreezesDuration concealedSamples silentConcealedSamples",
  "media-source": "kind framesPerSecond",
  "candidate-pair": "state nominated selected currentRoundTripTime",
  transport: "selectedCandidatePairId",
  codec: "mimeType clockRate",
};
// Idle pairs and codecs of the usual rates tell nothing.
const tells = ({ type, nominated, selected, clockRate }) =>
  type in KEPT && (type != "candidate-pair" || nominated || selected) && !(clockRate >= 48000);

const said = {};
const warn = (text) => (said[text] ||= !console.warn("rollbook: " + text));

function begin(connection, { endpoint, token, room, user, peer, peers, attributes, interval = 2000 }) {
  if (!connection?.getStats || !endpoint || !token || !room || !user)
    throw "a connection, endpoint, token, room, user are needed";
  const url = endpoint.replace(/\/$/, "") + "/ingest/stats";
  const pc = Math.random().toString(36).slice(2);
  const renews = typeof token == "function";
  let known = renews ? "" : token, isFresh, isTold;
  let unsent = []; // samples as JSON, oldest first
  const ended = new AbortController();
  let latest = 0, failures = 0, retry, timer; // no timer: it is over

  const keep = (samples) => (unsent = samples.slice(-UNSENT_MAX));
  const isDue = () => !retry && unsent.length * interval >= BATCH_MS;

  async function sample() {
    const all = [...(await connection.getStats()).values()].filter(tells);
    if (!all.some(({ type }) => /^(in|out)b/.test(type))) return;
    const newest = Math.max(...all.map(({ timestamp }) => timestamp));
    // Rates of a moment are noise.
    if (newest - latest < interval / 2) return;
    latest = newest;
    // The clock of statistics may stand still while a machine sleeps.
    const now = Date.now(), late = Math.abs(now - newest) > 1000 ? now - newest : 0, from = {};
    const reports = all.map((report) => {
      const { type, timestamp, mid, trackIdentifier: track } = report, kept = {};
      if (timestamp != newest) kept.timestamp = timestamp + late;
      for (const name of ("id type " + KEPT[type]).split(" ")) kept[name] = report[name];
      const name = type == "inbound-rtp" && (typeof peer == "function" ? peer(mid, track) : peers?.[mid] ?? peers?.[track]);
      if (name) from[mid ?? track] = name;
      return kept;
    });
    keep([...unsent, JSON.stringify({ ts: Math.round(newest + late), pc, peers: from, reports })]);
  }

  // Given a token, the request is under way when this returns: a closing page does not wait.
  async function deliver(isLast) {
    if (!unsent.length) return;
    let count = 0, size = 0, status = 0, isGood, text;
    while (count < unsent.length && size < BODY_MAX) size += unsent[count++].length;
    const samples = unsent.splice(0, count);
    try {
      if (!known) [known, isFresh] = [await token(), true];
      const head = { token: known, room, user, peer };
      if (!isTold && attributes !== false) {
        head.userAgent = navigator.userAgent;
        head.attributes = { client_type: "browser", ...attributes };
      }
      const body = JSON.stringify(head).slice(0, -1) + `,"samples":[${samples}]}`;
      if (isLast && !("keepalive" in Request.prototype)) isGood = navigator.sendBeacon(url, body);
      else {
        // What piled up may be more than `keepalive` allows.
        const keepalive = isLast || !failures, signal = AbortSignal.timeout?.(REPLY_MS);
        const reply = await fetch(url, { method: "POST", body, keepalive, signal, credentials: "omit" });
        [status, isGood, text] = [reply.status, reply.ok, await reply.text()];
      }
    } catch {}
    if (isGood) [isTold, isFresh, failures] = [true, false, 0];
    else {
      keep([...samples, ...unsent]);
      if (status == 401 && renews && !isFresh) known = "";
      else if (/^4(?!08|29)/.test(status)) {
        warn(`the server refuses statistics: ${status} ${text}`);
        over();
        unsent = [];
      } else if (++failures > FAILURES_MAX && !timer) unsent = [];
    }
    if (!retry && unsent.length && (failures || !timer || isDue())) {
      retry = setTimeout(send, failures && Math.min(RETRY_MS, 500 * 2 ** failures) * (0.5 + Math.random() / 2));
    }
  }

  function send() {
    retry = clearTimeout(retry);
    deliver();
  }

  // What is here at once, then what can still be learned.
  function last() {
    const flush = () => [deliver(true), deliver(true)];
    flush();
    sample().then(flush, () => {});
  }

  async function tick() {
    if (connection.connectionState == "closed") return stop();
    await sample().catch(warn);
    if (isDue()) send();
  }

  function over() {
    timer = clearInterval(timer);
    ended.abort();
  }

  function stop() {
    if (timer) over(), last();
  }

  timer = setInterval(tick, interval);
  addEventListener("pagehide", last, ended);
  addEventListener("online", send, ended);
  addEventListener("visibilitychange", () => document.hidden && last(), ended);
  tick();
  return { stop };
}

function watch(connection, options) {
  try {
    return begin(connection, options);
  } catch (error) {
    warn(error);
    return { stop() {} };
  }
}

globalThis.rollbook = { watch };
if (typeof module == "object") module.exports = rollbook;
})();
