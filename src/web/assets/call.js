// The call page and the page of a pair: lanes, charts and events on one time axis, with one cursor and one zoom.

import { isWriting } from "./app.js";
import { follow, pausing, renew } from "./live.js";
import { Charts } from "./plot.js";
import { TimeModel, clock, ticks } from "./time.js";

const SVG = "http://www.w3.org/2000/svg";
const EDGE_PX = 7;
const who = document.querySelector(".who");
const box = document.querySelector(".lanes[data-from]");
const events = () => document.querySelector(".events");

function start() {
  const time = new TimeModel(Number(box.dataset.from), Number(box.dataset.to));
  const line = document.createElement("div");
  line.className = "cursor";
  line.hidden = true;
  who.append(line);
  const charts = [...document.querySelectorAll(".charts[data-src]")].map((home) => new Charts(home));
  // Read once, since reading the layout while the pointer moves is slow.
  const geometry = { left: 0, width: 1, home: 0 };
  const measure = () => {
    const pad = `${box.offsetWidth - box.clientWidth}px`;
    for (const { home } of charts) home.style.paddingRight = pad;
    const axis = box.querySelector("tr.axis td").getBoundingClientRect();
    const place = who.getBoundingClientRect();
    Object.assign(geometry, { left: axis.left + scrollX, width: axis.width, home: place.left + scrollX });
    line.style.top = `${axis.top - place.top}px`;
  };
  const secondAt = (x) => time.a + ((x + scrollX - geometry.left) / geometry.width) * (time.b - time.a);
  const xOf = (second) => geometry.left - geometry.home + ((second - time.a) / (time.b - time.a)) * geometry.width;
  const showCursor = () => {
    line.hidden = time.cursor === null || time.cursor < time.a || time.cursor > time.b;
    if (!line.hidden) line.style.left = `${xOf(time.cursor)}px`;
    for (const one of charts) one.showValues(time);
    const label = document.querySelector("#at");
    if (label) label.textContent = time.cursor === null ? "" : clock(time.cursor);
  };
  let listed = listOf(time);
  let listing = 0;
  const showZoom = () => {
    showLanes(time);
    clearTimeout(listing);
    if (listed !== listOf(time)) listing = setTimeout(() => list().then(() => (listed = listOf(time)), () => {}), 250);
    for (const one of charts) one.load(time, showCursor);
    showCursor();
  };
  time.onChange((what) => (what.has("zoom") ? showZoom() : showCursor()));
  addEventListener("resize", () => { measure(); showZoom(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const one of charts) one.draw(time); });
  addEventListener("popstate", () => location.reload());
  measure();
  listen(time, geometry, secondAt, measure);
  const watch = document.querySelector("#filter") ? page(time) : () => {};
  const pause = document.querySelector("#pause");
  if (pause) pausing(pause, follow(pause.dataset.call, async (isStill) => {
    const fresh = await renew([".title h1", ".title .facts", "tr.map", "#rows", ".events"], isStill);
    if (!fresh) return;
    time.grow(Number(fresh.querySelector(".lanes")?.dataset.to ?? time.to));
    watch();
  }));
  const chosen = box.querySelector("tr[aria-selected]");
  if (chosen) box.scrollTop = Math.max(0, chosen.offsetTop - box.querySelector("thead").offsetHeight);
  showZoom();
}

/** What the list of events depends on: the part that is shown. */
const listOf = (time) => (events() ? `${time.a === time.from ? "" : time.a} ${time.b === time.to ? "" : time.b}` : "");

/** Writes the list of events anew, for the part that is shown, from its begin. */
async function list() {
  const url = new URL(location.href);
  url.searchParams.delete("evskip");
  history.replaceState(null, "", url);
  const part = await fragment(`${url.pathname}/events${url.search}`);
  if (url.href === location.href) events().replaceChildren(part);
}

/** The zoom in every lane, on the axis and on the map. */
function showLanes(time) {
  for (const svg of box.querySelectorAll("svg.lane")) {
    svg.setAttribute("viewBox", `${time.a - time.from} 0 ${time.b - time.a} 100`);
  }
  const axis = box.querySelector("svg.ticks");
  axis.replaceChildren(...ticks(time.a, time.b, axis.clientWidth).map(({ at, text }) => {
    const label = document.createElementNS(SVG, "text");
    const share = (at - time.a) / (time.b - time.a);
    label.setAttribute("x", `${share * 100}%`);
    label.setAttribute("y", "13");
    if (share < 0.03) label.setAttribute("text-anchor", "start");
    if (share > 0.97) label.setAttribute("text-anchor", "end");
    label.textContent = text;
    return label;
  }));
  const map = box.querySelector("svg.minimap");
  let frame = map.querySelector("rect");
  if (!frame) {
    frame = document.createElementNS(SVG, "rect");
    frame.setAttribute("class", "window");
    frame.setAttribute("height", "100");
    map.append(frame);
  }
  frame.setAttribute("x", String(time.a - time.from));
  frame.setAttribute("width", String(time.b - time.a));
}

/** What a drag that begins here does: moves or resizes the window of the map, or chooses a part. */
function dragOnMap(time, second, perPx) {
  const edge = EDGE_PX * perPx;
  const { a, b } = time;
  if (Math.abs(second - a) < edge && a > time.from) return (to) => time.zoom(Math.min(to, b - 10), b, false);
  if (Math.abs(second - b) < edge && b < time.to) return (to) => time.zoom(a, Math.max(to, a + 10), false);
  if (second > a && second < b && (a > time.from || b < time.to)) {
    return (to) => {
      const from = Math.max(time.from, Math.min(a + to - second, time.to - (b - a)));
      time.zoom(from, from + (b - a), false);
    };
  }
  return null;
}

function listen(time, geometry, secondAt, measure) {
  const strip = (event) => event.target.closest?.("td.strip, canvas, tr.axis td");
  const map = (event) => event.target.closest?.("tr.map td");
  const perPx = () => (time.to - time.from) / geometry.width;
  const onMap = (event) => time.from + (event.clientX + scrollX - geometry.left) * perPx();
  let drag = null;
  who.addEventListener("pointermove", (event) => {
    if (drag?.move) drag.move(onMap(event));
    else if (strip(event)) time.point(secondAt(event.clientX));
    else if (drag === null && !time.isPinned) time.point(null);
  });
  who.addEventListener("pointerleave", () => { if (drag === null && !time.isPinned) time.point(null); });
  who.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !(strip(event) || map(event))) return;
    event.preventDefault();
    measure();
    const at = map(event) ? onMap : (moved) => secondAt(moved.clientX);
    drag = { at, from: at(event), width: map(event) ? time.to - time.from : time.b - time.a };
    if (map(event)) drag.move = dragOnMap(time, drag.from, perPx());
  });
  addEventListener("pointerup", (event) => {
    if (drag === null) return;
    const { at, from, width, move } = drag;
    drag = null;
    if (move) return time.zoom(time.a, time.b);
    const end = at(event);
    if (Math.abs(end - from) > width / 100) time.zoom(Math.min(from, end), Math.max(from, end));
    else time.pin(end);
  });
  who.addEventListener("dblclick", (event) => { if (strip(event) || map(event)) time.reset(); });
  addEventListener("click", (event) => {
    const item = event.target.closest?.(".events li[data-at]");
    if (item) time.pin(Number(item.dataset.at));
  });
  addEventListener("keydown", (event) => key(event, time));
}

function key(event, time) {
  if (isWriting(event)) return;
  const width = time.b - time.a;
  const step = event.shiftKey ? 60 : 2;
  const at = time.cursor ?? Math.round((time.a + time.b) / 2);
  const keys = {
    "0": () => time.reset(),
    "+": () => time.zoom(at - width / 4, at + width / 4),
    "=": () => time.zoom(at - width / 4, at + width / 4),
    "-": () => time.zoom(at - width, at + width),
    ArrowLeft: () => time.pin(at - step),
    ArrowRight: () => time.pin(at + step),
    Escape: () => time.unpin(),
    "[": () => jump(time, at, -1, moments("li[data-at]")),
    "]": () => jump(time, at, 1, moments("li[data-at]")),
    n: () => jump(time, at, 1, problems(time)),
    j: () => row(1),
    k: () => row(-1),
    d: () => direction(),
  };
  if (!keys[event.key] || (event.key.startsWith("Arrow") && event.target.closest("[role=region]:not(.lanes)"))) return;
  event.preventDefault();
  keys[event.key]();
}

const moments = (which) => [...(events()?.querySelectorAll(which) ?? [])].map((item) => Number(item.dataset.at));

/** When something began to be poor, or went wrong. */
function problems(time) {
  const poor = [...box.querySelectorAll("rect.poor")].map((bar) => time.from + Number(bar.getAttribute("x")));
  return [...poor, ...moments("li[data-problem]")].sort((a, b) => a - b);
}

/** To the moment before or behind the cursor. */
function jump(time, at, way, all) {
  const next = way > 0 ? all.find((one) => one > at) : all.findLast((one) => one < at);
  if (next !== undefined) time.pin(next);
}

/** To the next or previous user. */
function row(way) {
  const links = [...box.querySelectorAll("a.user")];
  const here = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, here + way))]?.focus();
}

function direction() {
  const links = [...document.querySelectorAll("a.dir")];
  const here = links.findIndex((link) => link.hasAttribute("aria-current"));
  links[(here + 1) % links.length]?.click();
}

/** Arrow keys in the matrix: one cell is in the order of Tab, the others are reached from it. */
function walk(event, cell) {
  event.preventDefault();
  const steps = {
    ArrowUp: (at) => at.parentElement.previousElementSibling?.children[at.cellIndex],
    ArrowDown: (at) => at.parentElement.nextElementSibling?.children[at.cellIndex],
    ArrowLeft: (at) => at.previousElementSibling,
    ArrowRight: (at) => at.nextElementSibling,
  };
  // Past cells that nothing is known of.
  let next = steps[event.key](cell.parentElement);
  while (next && !next.querySelector("a")) next = steps[event.key](next);
  const link = next?.querySelector("a");
  if (!link) return;
  cell.tabIndex = -1;
  link.tabIndex = 0;
  link.focus();
}

/** A part of a page, from the server. */
async function fragment(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(String(reply.status));
  const part = document.createElement("template");
  part.innerHTML = await reply.text();
  return part.content;
}

/** Rows that come as they are scrolled to, or typed for. */
function page(time) {
  const rows = () => box.querySelector("#rows");
  const form = document.querySelector("#filter");
  const below = (href) => {
    const url = new URL(href, location.href);
    url.pathname = `${location.pathname}/rows`;
    return url;
  };
  const more = async (link) => {
    if (link.dataset.busy) return;
    link.dataset.busy = "1";
    try {
      link.closest("tr").replaceWith(await fragment(below(link.href)));
      showLanes(time);
      watch();
    } catch {
      // The link still leads to a page of its own.
      delete link.dataset.busy;
    }
  };
  const seen = new IntersectionObserver((found) => {
    for (const { isIntersecting, target } of found) if (isIntersecting) more(target);
  }, { root: box, rootMargin: "200px" });
  const watch = () => {
    seen.disconnect();
    for (const link of rows().querySelectorAll("tr.more a")) seen.observe(link);
  };
  box.addEventListener("click", (event) => {
    const link = event.target.closest("tr.more a");
    if (!link) return;
    event.preventDefault();
    more(link);
  });
  watch();
  let turn = 0;
  const refresh = async () => {
    const mine = ++turn;
    const url = new URL(location.href);
    url.searchParams.delete("skip");
    for (const name of ["q", "sort"]) {
      if (form.elements[name].value) url.searchParams.set(name, form.elements[name].value);
      else url.searchParams.delete(name);
    }
    history.replaceState(null, "", url);
    const part = await fragment(below(url.href));
    if (mine !== turn) return;
    rows().replaceChildren(part);
    box.scrollTop = 0;
    showLanes(time);
    watch();
  };
  let typing = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(refresh, event.target.name === "q" ? 150 : 0);
  });
  form.querySelector("button").hidden = true;
  form.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
  return watch;
}

/** Links on the page carry on what a script has put into the address since. */
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!who || !link || link.dataset.own !== undefined || !link.pathname.startsWith(location.pathname)) return;
  const [url, here] = [new URL(link.href), new URL(location.href)];
  for (const name of ["from", "to", "t", "q", "sort"]) {
    url.searchParams.delete(name);
    if (here.searchParams.has(name)) url.searchParams.set(name, here.searchParams.get(name));
  }
  link.href = url.href;
}, true);

if (box) start();
else if (who) addEventListener("keydown", (event) => {
  const cell = event.target.closest?.(".matrix td a");
  if (cell && event.key.startsWith("Arrow")) walk(event, cell);
  else if (!isWriting(event) && event.key === "d") direction();
});
requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.ready = "1"; }));
