// The call page: lanes, charts and events on one time axis, with one cursor and one zoom.

import { isWriting } from "./app.js";
import { follow, pausing, renew } from "./live.js";
import { Plot } from "./plot.js";
import { TimeModel, clock, ticks } from "./time.js";

const SVG = "http://www.w3.org/2000/svg";
const box = document.querySelector(".lanes[data-from]");
const charts = document.querySelector("#charts");
function start() {
  const time = new TimeModel(Number(box.dataset.from), Number(box.dataset.to));
  const line = document.createElement("div");
  line.className = "cursor";
  line.hidden = true;
  document.querySelector(".who").append(line);
  const strip = () => box.querySelector("tr.axis td").getBoundingClientRect();
  let geometry = null;
  const measure = () => {
    const place = strip();
    const home = document.querySelector(".who").getBoundingClientRect();
    geometry = { left: place.left, width: place.width, home: home.left };
  };
  addEventListener("resize", () => { measure(); showZoom(); });
  measure();
  const secondAt = (clientX) => time.a + ((clientX - geometry.left) / geometry.width) * (time.b - time.a);
  const xOf = (second) => geometry.left - geometry.home + ((second - time.a) / (time.b - time.a)) * geometry.width;

  const showZoom = () => {
    for (const svg of box.querySelectorAll("svg.lane")) {
      svg.setAttribute("viewBox", `${time.a - time.from} 0 ${time.b - time.a} 100`);
    }
    const axis = box.querySelector("svg.ticks");
    axis.replaceChildren(...ticks(time.a, time.b).map(({ at, text }) => {
      const label = document.createElementNS(SVG, "text");
      label.setAttribute("x", `${((at - time.a) / (time.b - time.a)) * 100}%`);
      label.setAttribute("y", "13");
      label.textContent = text;
      return label;
    }));
    showWindow(time);
    loadCharts(time);
    showCursor();
  };
  const showCursor = () => {
    line.hidden = time.cursor === null;
    if (time.cursor !== null) line.style.left = `${xOf(time.cursor)}px`;
    showValues(time);
  };
  time.onChange((what) => {
    if (what.has("zoom")) showZoom();
    else showCursor();
  });
  listen(time, secondAt, measure);
  addEventListener("popstate", () => location.reload());
  showZoom();
  const pause = document.querySelector("#pause");
  if (pause) pausing(pause, follow(pause.dataset.call, async () => {
    const page = await renew([".title h1", ".title .facts", "tr.map", "#rows", ".events ol"]);
    time.grow(Number(page.querySelector(".lanes")?.dataset.to ?? time.to));
  }));
  requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.ready = "1"; }));
}

/** The part of the minimap that is shown. */
function showWindow(time) {
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

function listen(time, secondAt, measure) {
  const who = document.querySelector(".who");
  let drag = null;
  const inside = (event) => event.target.closest("td.strip, canvas, tr.axis td, tr.map td");
  who.addEventListener("pointermove", (event) => {
    if (inside(event)) time.point(secondAt(event.clientX));
    else if (drag === null) time.point(null);
  });
  who.addEventListener("pointerdown", (event) => {
    if (!inside(event)) return;
    measure();
    drag = secondAt(event.clientX);
  });
  addEventListener("pointerup", (event) => {
    if (drag === null) return;
    const end = secondAt(event.clientX);
    if (Math.abs(end - drag) > (time.b - time.a) / 100) time.zoom(Math.min(drag, end), Math.max(drag, end));
    else { time.point(end); time.pin(); }
    drag = null;
  });
  who.addEventListener("dblclick", (event) => { if (inside(event)) time.reset(); });
  document.querySelector(".events")?.addEventListener("click", (event) => {
    const item = event.target.closest("li[data-at]");
    if (item) { time.point(Number(item.dataset.at)); time.pin(); }
  });
  addEventListener("keydown", (event) => key(event, time));
}

function key(event, time) {
  if (isWriting(event)) return;
  const width = time.b - time.a;
  const step = event.shiftKey ? 60 : 2;
  const at = time.cursor ?? (time.a + time.b) / 2;
  const keys = {
    "0": () => time.reset(),
    "+": () => time.zoom(at - width / 4, at + width / 4),
    "-": () => time.zoom(at - width, at + width),
    ArrowLeft: () => { time.point(at - step); time.pin(); },
    ArrowRight: () => { time.point(at + step); time.pin(); },
    "[": () => jump(time, at, -1),
    "]": () => jump(time, at, 1),
    j: () => row(1),
    k: () => row(-1),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

/** To the event before or behind the cursor. */
function jump(time, at, way) {
  const all = [...document.querySelectorAll(".events li[data-at]")].map((item) => Number(item.dataset.at));
  const next = way > 0 ? all.find((one) => one > at) : all.findLast((one) => one < at);
  if (next === undefined) return;
  time.point(next);
  time.pin();
}

/** Chooses the next or previous user. */
function row(way) {
  const links = [...box.querySelectorAll("a.user")];
  const here = links.indexOf(document.activeElement);
  links[Math.max(0, Math.min(links.length - 1, here + way))]?.focus();
}

let plots = null;
let asked = 0;

async function loadCharts(time) {
  if (!charts) return;
  const turn = ++asked;
  const url = new URL(charts.dataset.src, location.href);
  url.searchParams.set("from", String(time.a));
  url.searchParams.set("to", String(time.b));
  url.searchParams.set("px", String(Math.max(60, Math.round(charts.clientWidth / 2))));
  const reply = await fetch(url);
  if (!reply.ok || turn !== asked) return;
  const data = await reply.json();
  plots ??= data.charts.map((chart) => make(chart, data));
  charts.querySelector(".state")?.remove();
  for (const { plot } of plots) plot.draw(data, time);
  charts.dataset.drawn = "1";
  showValues(time);
}

function make(chart, data) {
  const row = document.createElement("div");
  row.className = "chart";
  const gutter = document.createElement("div");
  const title = document.createElement("h3");
  title.textContent = chart.name;
  const unit = document.createElement("small");
  unit.textContent = ` ${chart.unit}`;
  title.append(unit);
  gutter.append(title);
  const values = [];
  chart.lines.forEach((line, index) => {
    if (!data.users.some((user) => user.lines[line.key])) return;
    const label = document.createElement("p");
    label.className = `s s${(index % 4) + 1}`;
    const name = document.createElement("span");
    name.textContent = line.name;
    const value = document.createElement("b");
    value.textContent = "–";
    label.append(name, value);
    gutter.append(label);
    values.push({ line, value });
  });
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${chart.name}, ${chart.unit}`);
  row.append(gutter, canvas);
  charts.append(row);
  return { plot: new Plot(canvas, chart), values };
}

function showValues(time) {
  for (const { plot, values } of plots ?? []) {
    for (const { line, value } of values) {
      const number = time.cursor === null ? null : plot.valueAt(line, 0, time.cursor);
      value.textContent = number === null ? "–" : number.toLocaleString("en", { maximumFractionDigits: 1 });
    }
  }
  const label = document.querySelector("#at");
  if (label) label.textContent = time.cursor === null ? "" : clock(time.cursor);
}

if (box) start();
