// Live: what happens now comes over one stream, part by part. Nothing moves under the pointer, and Pause holds all still.

const RETRY_MS = 15000;
const SAY_MS = 60000;

/**
 * Listens while the page can be seen. `tell(event)` gets each message of that type.
 * @returns {{stop: () => void, start: () => void}}
 */
export function listen(source, type, tell, state = () => {}) {
  let stream = null;
  let timer = 0;
  let wanted = false;
  const close = () => {
    stream?.close();
    stream = null;
    clearTimeout(timer);
  };
  const open = () => {
    close();
    if (!wanted || document.hidden) return;
    stream = new EventSource(source);
    stream.addEventListener("open", () => state(true));
    stream.addEventListener(type, (event) => tell(JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      state(false);
      // The browser comes again by itself, unless it was turned away.
      if (stream?.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
    });
  };
  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  return {
    start: () => { wanted = true; open(); },
    stop: () => { wanted = false; close(); },
  };
}

/**
 * Follows a call that runs: `refresh()` is asked to bring the page up to date, one at a time, every two seconds at most.
 * @param {string} commId
 * @param {(isStill: () => boolean) => Promise<void>} refresh which asks once more before it changes the page
 */
export function follow(commId, refresh) {
  let busy = false;
  let again = false;
  let over = false;
  let still = false;
  const run = async () => {
    if (still) return;
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    await refresh(() => still).catch(() => {});
    if (over) line.stop();
    setTimeout(() => {
      busy = false;
      if (again) run();
    }, 2000);
  };
  const source = `/ui/live/stream?call=${encodeURIComponent(commId)}`;
  const line = listen(source, "call", (told) => { over = told.over; run(); });
  line.start();
  // What was asked for before, or is to be asked for in a moment, must not change a page that stands still.
  return {
    start() { still = false; line.start(); },
    stop() { still = true; again = false; line.stop(); },
  };
}

/**
 * Asks for this page again and puts the new parts in the place of the old ones; the new page, or nothing if the old one is to
 * stand still by now.
 * @param {string[]} parts selectors
 * @param {() => boolean} [isStill]
 */
export async function renew(parts, isStill = () => false) {
  const reply = await fetch(location.href);
  if (!reply.ok) throw new Error(reply.statusText);
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  if (isStill()) return undefined;
  const user = document.activeElement?.closest("tr[data-user]")?.dataset.user;
  for (const selector of parts) {
    const fresh = page.querySelector(selector);
    if (fresh) document.querySelector(selector)?.replaceWith(document.adoptNode(fresh));
  }
  if (user !== undefined) [...document.querySelectorAll("tr[data-user]")].find((row) => row.dataset.user === user)?.querySelector("a")?.focus();
  return page;
}

/** Makes a button hold a line still, and say so. */
export function pausing(button, line, told = () => {}) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const still = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(still));
    told(still);
    if (still) line.stop(); else line.start();
  });
}

const panel = document.querySelector("section.now[data-src]");
if (panel) start(panel);

function start(panel) {
  const part = (id) => document.getElementById(id);
  const [table, list, chip, pause, state] = ["rooms", "happened", "changes", "pause", "state"].map(part);
  const place = table.closest("section");
  let order = [...table.rows].map((row) => row.dataset.key);
  let waiting = { rows: new Map(), order: null };
  let paused = false;
  let said = Date.now();

  const markup = (text, inside) => {
    const box = document.createElement(inside);
    box.innerHTML = text;
    return box.firstElementChild;
  };
  const held = () => place.matches(":hover") && matchMedia("(hover: hover)").matches || table.contains(document.activeElement);
  const apply = () => {
    const rows = new Map([...table.rows].map((row) => [row.dataset.key, row]));
    for (const [key, text] of waiting.rows) {
      const fresh = markup(text, "tbody");
      if (fresh) { rows.get(key)?.replaceWith(fresh); rows.set(key, fresh); }
    }
    if (waiting.order) {
      order = waiting.order;
      table.replaceChildren(...order.map((key) => rows.get(key)).filter(Boolean));
    }
    waiting = { rows: new Map(), order: null };
    chip.hidden = true;
  };
  const offer = () => {
    const moved = waiting.order ? waiting.order.filter((key, index) => order[index] !== key) : [];
    const count = new Set([...waiting.rows.keys(), ...moved]).size;
    if (count === 0 && !waiting.order) return;
    if (!held()) return apply();
    chip.textContent = `${count} ${panel.dataset.changes}`;
    chip.hidden = false;
  };
  const tell = (told) => {
    if ("at" in told) part("at").textContent = told.at;
    if ("summary" in told) part("summary").innerHTML = told.summary;
    if ("said" in told && Date.now() - said >= SAY_MS) {
      part("said").textContent = told.said;
      said = Date.now();
    }
    if ("history" in told) {
      const open = panel.querySelector("details.twin")?.open;
      if (!part("history").contains(document.activeElement)) {
        part("history").innerHTML = told.history;
        if (open) panel.querySelector("details.twin").open = true;
      }
    }
    if ("note" in told) part("note").innerHTML = told.note;
    if ("happened" in told && !list.matches(":hover") && !list.contains(document.activeElement)) list.innerHTML = told.happened;
    for (const [key, text] of Object.entries(told.rows ?? {})) waiting.rows.set(key, text);
    if (told.order) waiting.order = told.order;
    offer();
    document.documentElement.dataset.live = String(Number(document.documentElement.dataset.live ?? 0) + 1);
  };
  const say = (text) => { state.textContent = text; state.hidden = text === ""; };
  const line = listen(panel.dataset.src, "message", tell, (up) => { if (!paused) say(up ? "" : panel.dataset.lost); });

  pausing(pause, line, (still) => {
    paused = still;
    say(still ? panel.dataset.paused : "");
  });
  part("refresh").hidden = true;
  chip.addEventListener("click", apply);
  place.addEventListener("pointerleave", () => { if (!chip.hidden && !held()) apply(); });
  table.addEventListener("focusout", () => setTimeout(() => { if (!chip.hidden && !held()) apply(); }));
  line.start();
}
