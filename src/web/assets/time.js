// The one time model of a page: what is shown of a span, and where the cursor is. Lanes, charts and lists listen.

/** @typedef {{from: number, to: number, a: number, b: number, cursor: number | null}} View seconds since 1970 */

export class TimeModel {
  /** @param {number} from @param {number} to the whole span */
  constructor(from, to) {
    this.from = from;
    this.to = Math.max(to, from + 1);
    const query = new URLSearchParams(location.search);
    const read = (name, fallback) => (query.has(name) ? Number(query.get(name)) || fallback : fallback);
    this.a = Math.max(this.from, Math.min(read("from", this.from), this.to - 1));
    this.b = Math.min(this.to, Math.max(read("to", this.to), this.a + 1));
    this.cursor = query.has("t") ? read("t", null) : null;
    /** Whether the cursor stays when the pointer leaves. */
    this.isPinned = this.cursor !== null;
    this.listeners = new Set();
    this.pending = new Set();
  }

  /** Calls `listen(what)` once a frame in which something of `what` changed: "zoom" or "cursor". */
  onChange(listen) {
    this.listeners.add(listen);
  }

  #tell(what) {
    if (this.pending.size === 0) {
      requestAnimationFrame(() => {
        const told = this.pending;
        this.pending = new Set();
        for (const listen of this.listeners) listen(told);
      });
    }
    this.pending.add(what);
  }

  /** Shows only this part; `push` makes it a step that the browser's back button undoes. */
  zoom(a, b, push = true) {
    const width = Math.max(b - a, 10);
    this.a = Math.max(this.from, Math.min(Math.round(a), this.to - 10));
    this.b = Math.min(this.to, Math.round(this.a + width));
    this.#keep(push);
    this.#tell("zoom");
  }

  /** The span has a later end now; who sees the end goes on to see it. */
  grow(to) {
    if (to <= this.to) return this.#tell("zoom");
    if (this.b === this.to) this.b = to;
    this.to = to;
    this.#tell("zoom");
  }

  reset() {
    this.zoom(this.from, this.to);
  }

  /** Moves the cursor, or takes it away. */
  point(at) {
    this.cursor = at === null ? null : Math.max(this.a, Math.min(Math.round(at), this.b));
    this.#tell("cursor");
  }

  /** Puts the cursor somewhere and into the address, so that it can be passed on; what is not shown comes into view. */
  pin(at) {
    const second = Math.max(this.from, Math.min(Math.round(at), this.to));
    this.isPinned = true;
    this.cursor = second;
    if (second < this.a || second > this.b) {
      const width = this.b - this.a;
      const from = Math.max(this.from, Math.min(second - width / 2, this.to - width));
      this.zoom(from, from + width, false);
      return;
    }
    this.#keep(false);
    this.#tell("cursor");
  }

  unpin() {
    this.isPinned = false;
    this.cursor = null;
    this.#keep(false);
    this.#tell("cursor");
  }

  #keep(push) {
    const url = new URL(location.href);
    const set = (name, value, plain) => (plain ? url.searchParams.delete(name) : url.searchParams.set(name, String(value)));
    set("from", this.a, this.a === this.from);
    set("to", this.b, this.b === this.to);
    set("t", this.cursor, !this.isPinned);
    history[push ? "pushState" : "replaceState"](null, "", url);
  }
}

const STEPS = [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

/** Minutes from UTC, as the server shows times. */
export const zoneMinutes = () => Number(document.documentElement.dataset.minutes) || 0;

/** `13:16:06` in the page's zone. */
export const clock = (second) => new Date((second + zoneMinutes() * 60) * 1000).toISOString().slice(11, 19);

/** Round moments between two seconds, at most some eight of them, or as many as there is room for. */
export function ticks(a, b, width = 1000) {
  const most = Math.max(2, Math.min(8, Math.floor(width / 72)));
  const step = STEPS.find((one) => (b - a) / one <= most) ?? 604800;
  const shift = zoneMinutes() * 60;
  const marks = [];
  for (let at = Math.ceil((a + shift) / step) * step - shift; at <= b; at += step) {
    marks.push({ at, text: step < 60 ? clock(at) : clock(at).slice(0, 5) });
  }
  return marks;
}
