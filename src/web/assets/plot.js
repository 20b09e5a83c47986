// Line charts on a canvas: least and greatest of each bucket, bands behind, one cursor for all. Colours are read from
// the style when drawing, so another theme is one more drawing.

import { ticks } from "./time.js";

const DASHES = [[], [6, 3], [10, 4], [2, 2]];
const HEIGHT = 104;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A round upper bound for an axis. */
export function nice(most) {
  if (!(most > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((factor) => factor * unit).find((bound) => bound >= most);
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
    const lines = data.users.flatMap((user, place) =>
      chart.lines.map((line, index) => ({ ...user.lines[line.key], index, place })).filter((line) => line.max),
    );
    const most = Math.max(...lines.flatMap((line) => line.max.map((value) => value ?? 0)), 0);
    const top = nice(Math.max(most, chart.bands ? chart.bands[0] : 0));
    const x = (second) => ((second - time.a) / (time.b - time.a)) * width;
    const y = (value) => HEIGHT - 2 - (Math.min(value, top) / top) * (HEIGHT - 16);
    this.#bands(to, width, top, y);
    to.strokeStyle = colour("line");
    to.lineWidth = 1;
    to.setLineDash([]);
    for (const { at } of ticks(time.a, time.b)) {
      to.beginPath();
      to.moveTo(Math.round(x(at)) + 0.5, 0);
      to.lineTo(Math.round(x(at)) + 0.5, HEIGHT);
      to.stroke();
    }
    for (const line of lines) this.#line(to, data, line, x, y);
    this.#labels(to, top, y);
    canvas.dataset.top = String(top);
  }

  #bands(to, width, top, y) {
    const [fair, poor] = this.chart.bands ?? [];
    if (fair === undefined) return;
    const band = (from, until, name, alpha) => {
      if (from >= top) return;
      to.globalAlpha = alpha;
      to.fillStyle = colour(`${name}-fill`);
      to.fillRect(0, y(until), width, y(from) - y(until));
      to.globalAlpha = 1;
    };
    band(fair, Math.min(poor, top), "fair", 0.08);
    band(poor, top, "poor", 0.1);
  }

  #line(to, data, line, x, y) {
    to.strokeStyle = colour(`s${(line.index % 4) + 1}`);
    to.globalAlpha = line.place === 0 ? 1 : 0.75;
    to.lineWidth = 1.4;
    to.setLineDash(line.place === 0 ? DASHES[line.index % 4] : [3, 3]);
    to.beginPath();
    let open = false;
    for (let n = 0; n < line.max.length; n++) {
      if (line.max[n] === null) {
        open = false;
        continue;
      }
      const at = x(data.t0 + (n + 0.5) * data.step);
      to[open ? "lineTo" : "moveTo"](at, y(line.max[n]));
      if (line.min[n] !== line.max[n]) to.lineTo(at, y(line.min[n]));
      open = true;
    }
    to.stroke();
    to.globalAlpha = 1;
    to.setLineDash([]);
  }

  /** On a small ground, since a number over a line cannot be read. */
  #labels(to, top, y) {
    to.font = `12px ${getComputedStyle(this.canvas).fontFamily}`;
    for (const value of [top, top / 2]) {
      const text = value.toLocaleString("en", { maximumFractionDigits: 2 }).replaceAll(",", "\u2009");
      const width = to.measureText(text).width;
      to.fillStyle = colour("surface");
      to.fillRect(2, y(value) - 6, width + 4, 13);
      to.fillStyle = colour("text-3");
      to.fillText(text, 4, y(value) + 5);
    }
  }

  /** The value of a line at a moment, or null. */
  valueAt(line, place, second) {
    const column = this.data?.users[place]?.lines[line.key]?.max;
    const value = column?.[Math.floor((second - this.data.t0) / this.data.step)];
    return value ?? null;
  }
}
