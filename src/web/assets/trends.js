// Trends: the day under the pointer is shown in every chart, and what is being counted comes as it is known.

import { renew } from "./live.js";

const AGAIN_MS = 1000;
const home = () => document.querySelector(".trends");
let shown = -1;

/** Shows a day in every chart: its place, and its numbers beside the name of the chart. */
function show(day) {
  shown = day;
  for (const chart of home().querySelectorAll(".chart")) {
    const places = chart.querySelectorAll(".bars > g");
    const output = chart.querySelector("output");
    if (output) output.textContent = places[day]?.querySelector("title").textContent ?? "";
    places.forEach((place, n) => place.classList.toggle("on", n === day));
  }
}

const days = () => home().querySelector(".bars").querySelectorAll("g").length;

function listen() {
  document.addEventListener("pointermove", (event) => {
    const bars = event.target.closest?.(".trends .bars");
    if (!bars && shown < 0) return;
    const { left, width } = (bars ?? home()).getBoundingClientRect();
    const day = bars ? Math.floor(((event.clientX - left) / width) * days()) : -1;
    if (day !== shown) show(day);
  });
  document.addEventListener("keydown", (event) => {
    if (!event.target.closest?.(".trends")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") show(-1);
    if (!step) return;
    event.preventDefault();
    const last = days() - 1;
    show(shown < 0 ? last : Math.max(0, Math.min(last, shown + step)));
  });
}

/** Asks for the page again as long as days are being counted. */
async function count() {
  while (document.querySelector("[data-counting]")) {
    await new Promise((done) => setTimeout(done, AGAIN_MS));
    // Nothing moves under who is reading a table by the keyboard.
    if (document.hidden || document.activeElement?.closest("#daily, #split")) continue;
    const isFocused = document.activeElement === home();
    await renew(["#trends", "#daily", "#split"]).catch(() => {});
    if (isFocused) home().focus();
    if (shown >= 0) show(shown);
  }
}

if (home()) {
  listen();
  count();
}
