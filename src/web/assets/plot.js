// Line charts on a canvas: least and greatest of each bucket, bands behind, one cursor for all. Colours are read from
// the style when drawing, so another theme is one more drawing.

import { ticks } from "./time.js";

/** Of the lines of a chart; where several users are compared, of the users. */
const DASHES = [[], [6, 3], [12, 4], [2, 3], [8, 3, 2, 3], [1, 4]];
const HEIGHT = 104;
const HEAD = 16;
/** Strips of states: their height where they have a name, and how much of a chart all of them take at most. */
const STRIP = 14;
const STRIPS_MAX = 58;

/** A colour of the style as the canvas takes it, for the theme that `of` has. */
const inks = new Map();
const colour = (of, name) => {
  if (!inks.has(name)) {
    of.style.color = `var(--${name})`;
    inks.set(name, getComputedStyle(of).color);
  }
  return inks.get(name);
};
const shown = (number) => number.toLocaleString("en", { maximumFractionDigits: 1 }).replaceAll(",", "\u2009");

/** A round upper bound for an axis. */
export function nice(most) {
  if (!(most > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * unit).find((bound) => bound >= most * 0.999);
}

const make = (tag, className = "", text = "") => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
};

/** The charts of one home, of what its address gives. */
export class Charts {
  constructor(home) {
    this.home = home;
    this.rows = null;
    this.data = null;
    this.turn = 0;
  }

  /** Asks for what is shown and draws it. */
  async load(time, then) {
    const turn = ++this.turn;
    const url = new URL(this.home.dataset.src, location.href);
    const room = this.rows?.[0]?.plot.canvas.clientWidth ?? this.home.clientWidth;
    for (const [name, value] of [["from", time.a], ["to", time.b], ["px", Math.max(60, Math.round(room / 2))]]) {
      url.searchParams.set(name, String(value));
    }
    const reply = await fetch(url).catch(() => null);
    if (turn !== this.turn) return;
    if (!reply?.ok) {
      const state = this.home.querySelector(".state");
      if (state) state.textContent = this.home.dataset.failed;
      return;
    }
    this.data = await reply.json();
    for (const state of this.home.querySelectorAll(".state, noscript")) state.remove();
    this.rows ??= this.data.charts.filter((chart) => chart.lines.length).map((chart) => this.#make(chart));
    this.draw(time);
    this.home.dataset.drawn = "1";
    then();
  }

  draw(time) {
    if (!this.data) return;
    inks.clear();
    for (const { chart, plot } of this.rows) {
      plot.canvas.setAttribute("aria-label", this.data.users.map((user) => user.told[chart.key]).join(". "));
      plot.draw(this.data, time);
    }
  }

  #make(chart) {
    const row = make("div", "chart");
    const gutter = make("div");
    const title = make("h3", "", chart.name);
    title.append(make("small", "", ` ${chart.unit}`));
    gutter.append(title);
    const values = [];
    for (const line of chart.lines) {
      if (!this.data.users.some((user) => user.lines[line.key])) continue;
      const label = make("p", `s s${line.place + 1}`);
      const value = make("b", "", "–");
      label.append(make("span", "", line.name), value);
      gutter.append(label);
      values.push({ line, value });
    }
    if (values.length === 0) gutter.append(make("p", "dim", "–"));
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    row.append(gutter, canvas);
    this.home.append(row);
    return { chart, plot: new Plot(canvas, chart), values };
  }

  /** The values at the cursor, of all users in their order. */
  showValues(time) {
    for (const { plot, values } of this.rows ?? []) {
      for (const { line, value } of values) {
        const numbers = this.data.users.map((_, place) => (time.cursor === null ? null : plot.valueAt(line, place, time.cursor)));
        value.textContent = numbers.map((number) => (number === null ? "–" : shown(number))).join(" · ");
      }
    }
  }
}

export class Plot {
  /** @param {HTMLCanvasElement} canvas @param {object} chart as the server describes it */
  constructor(canvas, chart) {
    this.canvas = canvas;
    this.chart = chart;
    this.data = null;
  }

  /** @param {object} data columns of all users @param {import("./time.js").TimeModel} time */
  draw(data, time) {
    this.data = data;
    const { canvas, chart } = this;
    const width = canvas.clientWidth;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    const to = canvas.getContext("2d");
    to.scale(ratio, ratio);
    to.clearRect(0, 0, width, HEIGHT);
    to.font = `12px ${getComputedStyle(canvas).fontFamily}`;
    const lines = data.users.flatMap((user, place) =>
      chart.lines.map((line) => ({ ...user.lines[line.key], index: line.place, place })).filter((line) => line.max),
    );
    const most = lines.reduce((all, line) => line.max.reduce((some, value) => Math.max(some, value ?? 0), all), 0);
    const top = nice(Math.max(most, chart.bands ? chart.bands[0][0] : 0));
    const x = (second) => ((second - time.a) / (time.b - time.a)) * width;
    const y = (value) => HEIGHT - 2 - (Math.min(value, top) / top) * (HEIGHT - HEAD);
    this.#bands(to, width, top, y);
    this.#grid(to, time, x, y, top, width);
    const names = this.#states(to, data, x, width);
    for (const line of lines) this.#line(to, data, line, x, y);
    for (const [name, left, middle] of names) this.#label(to, name, left, middle, "text-2");
    this.#labels(to, top, y, width);
    canvas.dataset.top = String(top);
  }

  #grid(to, time, x, y, top, width) {
    to.strokeStyle = this.#ink("line");
    to.lineWidth = 1;
    to.setLineDash([]);
    to.beginPath();
    for (const { at } of ticks(time.a, time.b, width)) {
      to.moveTo(Math.round(x(at)) + 0.5, 0);
      to.lineTo(Math.round(x(at)) + 0.5, HEIGHT);
    }
    for (const value of [top, top / 2]) {
      to.moveTo(0, Math.round(y(value)) + 0.5);
      to.lineTo(width, Math.round(y(value)) + 0.5);
    }
    to.stroke();
  }

  #bands(to, width, top, y) {
    const bands = this.chart.bands ?? [];
    bands.forEach(([from, name], place) => {
      if (from >= top) return;
      const until = Math.min(bands[place + 1]?.[0] ?? top, top);
      const kind = place === 0 ? "fair" : "poor";
      to.globalAlpha = place === 0 ? 0.08 : 0.1;
      to.fillStyle = this.#ink(`${kind}-fill`);
      to.fillRect(0, y(until), width, y(from) - y(until));
      to.globalAlpha = 1;
      to.strokeStyle = this.#ink(`${kind}-fill`);
      to.lineWidth = 1;
      to.setLineDash([1, 3]);
      to.beginPath();
      to.moveTo(0, Math.round(y(from)) + 0.5);
      to.lineTo(width, Math.round(y(from)) + 0.5);
      to.stroke();
      to.setLineDash([]);
    });
  }

  #line(to, data, line, x, y) {
    to.strokeStyle = this.#ink(`s${line.index + 1}`);
    to.lineWidth = 1.4;
    to.setLineDash(DASHES[(data.users.length > 1 ? line.place : line.index) % DASHES.length]);
    to.beginPath();
    let last = null;
    for (let n = 0; n < line.max.length; n++) {
      if (line.max[n] === null) continue;
      const at = x(data.t0 + (n + 0.5) * data.step);
      const joins = last !== null && !this.#isBroken(line.place, last, n);
      to[joins ? "lineTo" : "moveTo"](at, y(line.max[n]));
      if (line.min[n] !== line.max[n]) to.lineTo(at, y(line.min[n]));
      last = n;
    }
    to.stroke();
    to.setLineDash([]);
  }

  /** Whether nothing is known between two buckets: the user was out, or silent for longer than reports are apart. */
  #isBroken(place, before, after) {
    const { t0, step, gap, users } = this.data;
    if (after - before === 1) return false;
    const [from, to] = [t0 + before * step, t0 + (after + 1) * step];
    return (after - before) * step > gap || users[place].states.some((state) => state.kind === "out" && state.from < to && state.to > from);
  }

  #ink(name) {
    return colour(this.canvas, name);
  }

  /** What a user's microphone, camera, device and line were, in strips behind the lines, with names where there is room. */
  #states(to, data, x, width) {
    const { kinds } = this.chart;
    const all = data.users.flatMap(({ user, states }) =>
      states.filter(({ kind }) => kinds.includes(kind)).map((state) => ({ ...state, name: data.users.length > 1 ? `${state.name} · ${user}` : state.name })),
    );
    // Each in the lowest strip that is free at that time.
    const last = [];
    for (const state of all.sort((one, other) => one.from - other.from)) {
      const free = last.findIndex((before) => before.to <= state.from);
      state.strip = free < 0 ? last.length : free;
      if (last[state.strip]) last[state.strip].next = state.from;
      last[state.strip] = state;
    }
    const height = Math.min(STRIP, STRIPS_MAX / Math.max(1, last.length));
    const names = [];
    for (const { from, to: until, name, strip, kind, next } of all) {
      const [left, right] = [Math.max(0, x(from)), Math.min(width, x(until))];
      if (right <= left) continue;
      const top = HEIGHT - 1 - (strip + 1) * (height + 1);
      to.fillStyle = this.#ink("sunken");
      to.fillRect(left, top, right - left, height);
      to.strokeStyle = this.#ink(kind === "out" || kind === "lost" ? "poor-fill" : "edge");
      to.strokeRect(left + 0.5, top + 0.5, Math.max(1, right - left - 1), Math.max(1, height - 1));
      // Beside it, where the strip is too short for its name.
      const wide = to.measureText(name).width + 6;
      const at = wide <= right - left ? left : right;
      const room = at === left ? right : Math.min(width, next === undefined ? width : x(next));
      if (height === STRIP && at + wide <= room) names.push([name, at + 1, top + 7]);
    }
    return names;
  }

  /** On a small ground, since a number over a line cannot be read. */
  #labels(to, top, y, width) {
    for (const value of [top, top / 2]) this.#label(to, shown(value), 2, Math.max(8, y(value)), "text-3");
    (this.chart.bands ?? []).forEach(([from, name], place) => {
      const text = `${name} ≥ ${shown(from)}`;
      if (from < top) this.#label(to, text, width - to.measureText(text).width - 6, Math.max(8, y(from) - 8), place === 0 ? "fair" : "poor");
    });
  }

  #label(to, text, left, middle, ink) {
    to.globalAlpha = 0.85;
    to.fillStyle = this.#ink("surface");
    to.fillRect(left, middle - 6, to.measureText(text).width + 4, 12);
    to.globalAlpha = 1;
    to.fillStyle = this.#ink(ink);
    to.fillText(text, left + 2, middle + 4);
  }

  /** The value of a line at a moment, or of the last report before it, or null. */
  valueAt(line, place, second) {
    const column = this.data?.users[place]?.lines[line.key]?.max;
    if (!column) return null;
    const here = Math.floor((second - this.data.t0) / this.data.step);
    for (let n = here; n >= 0; n--) if (column[n] != null) return n === here || !this.#isBroken(place, n, here) ? column[n] : null;
    return null;
  }
}
