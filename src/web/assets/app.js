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

/** Whether keys are text, or meant for a dialog, or not wanted. */
export const isWriting = (event) =>
  localStorage.keysOff || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);

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
// Copying: a text, or else the address as it stands.

for (const button of document.querySelectorAll("[data-clip]")) button.hidden = false;

async function clip(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS there is no clipboard to write to, only a selection to copy.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-clip]");
  if (!button) return;
  await clip(button.dataset.clip || location.href);
  const before = button.textContent;
  if (before === button.dataset.done) return;
  button.textContent = button.dataset.done;
  setTimeout(() => (button.textContent = before), 1500);
});

const help = document.querySelector("#help");
const keysOn = document.querySelector("#keys-on");
const opener = document.querySelector("[data-help]");
if (keysOn) {
  keysOn.checked = !localStorage.keysOff;
  keysOn.addEventListener("change", () => {
    if (keysOn.checked) localStorage.removeItem("keysOff");
    else localStorage.keysOff = "1";
  });
}
if (opener) {
  opener.hidden = false;
  opener.addEventListener("click", () => help?.showModal());
}

addEventListener("keydown", (event) => {
  if (isWriting(event)) return;
  if (event.key === "?") help?.showModal();
  if (event.key === "z") {
    const zones = [...document.querySelectorAll(".menu a[href*='tz=']")];
    zones[(zones.findIndex((link) => link.hasAttribute("aria-current")) + 1) % zones.length]?.click();
  }
});
