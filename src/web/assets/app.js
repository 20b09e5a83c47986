// What every page does: tells the server the browser's time zone, and listens to single keys.

const root = document.documentElement;

// The server writes times, so it must know the distance to UTC. The page is right from the next request on.
const minutes = -new Date().getTimezoneOffset();
if (root.dataset.tz === "browser" && root.dataset.minutes !== String(minutes)) {
  document.cookie = `tzo=${minutes}; path=/ui; max-age=31536000; samesite=lax`;
  if (!sessionStorage.zoneTold) {
    sessionStorage.zoneTold = "1";
    location.reload();
  }
}

/** Whether somebody is writing, so that keys are text. */
export const isWriting = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);

const PLACES = { l: "/ui/live", c: "/ui/calls", u: "/ui/users", t: "/ui/trends", e: "/ui/explorer" };
let going = false;

addEventListener("keydown", (event) => {
  if (isWriting(event)) return;
  if (going && PLACES[event.key]) location.href = PLACES[event.key];
  going = event.key === "g";
  if (event.key === "/") {
    event.preventDefault();
    document.querySelector(".search input")?.focus();
  }
});

addEventListener("click", (event) => {
  const menu = document.querySelector("details.menu[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});

// What scrolls is reached by the keyboard, as long as it scrolls.
const reach = () => {
  for (const one of document.querySelectorAll(".scroll, .events ol")) {
    const scrolls = one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight;
    if (scrolls) one.tabIndex = 0;
    else one.removeAttribute("tabindex");
  }
};
addEventListener("resize", reach);
reach();
