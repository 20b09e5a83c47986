// The explorer: asks the server to prepare what the form says, sends those very bytes, and shows what comes back.
// Rules, signatures and code are the server's; nothing of them is repeated here.

const $ = (selector, inside = document) => inside.querySelector(selector);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

const page = $(".explorer");
const form = $("#ask");
const words = $("#words")?.dataset ?? {};
const WAIT_MS = 300;
const HISTORY_MAX = 50;
const SECRETS = new Set(["secret_id", "secret_key", "token", "timestamp", "key", "at", "nonce", "mine", "action", "language"]);

/** An element with properties and children. */
function el(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What only works with a script is there now; what is only for those without is gone.
const reveal = (inside) => all("[data-js]", inside).forEach((one) => (one.hidden = false));

// Quick search: the list of actions, as one types.

const quick = $("#quick");
quick?.addEventListener("input", () => {
  const asked = quick.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of all(".actions li")) item.hidden = !asked.every((word) => item.dataset.words.includes(word));
});

// What the form says.

function pairs() {
  return [...new FormData(form)].filter(([name, value]) => typeof value === "string" && value !== "" && name !== "language");
}

/** The address that fills the form like this; there is no secret in it. */
function link() {
  const query = new URLSearchParams();
  const here = new URLSearchParams(location.search);
  for (const name of ["lang", "tz"]) if (here.has(name)) query.append(name, here.get(name));
  for (const [name, value] of pairs()) {
    if (SECRETS.has(name)) continue;
    const entries = form.elements[name]?.tagName === "TEXTAREA" ? value.split(/\r?\n/).filter(Boolean) : [value];
    for (const entry of entries) query.append(name, entry);
  }
  return `/ui/explorer/${page.dataset.action}?${query}`;
}

async function prepare(more = {}) {
  const body = new URLSearchParams(pairs().filter(([name]) => name !== "mine" || more.compare));
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  const reply = await fetch(form.getAttribute("action"), { method: "POST", headers: { accept: "application/json" }, body });
  if (!reply.ok) throw new Error(`${words.failed}: ${reply.status}`);
  return reply.json();
}

// What the server says to it.

function fill(selector, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const place = $(selector);
  place.replaceChildren(template.content);
  reveal(place);
}

function showProblems(problems) {
  const wrong = new Set(problems.flatMap((problem) => problem.fields));
  for (const place of all("[data-problem]", form)) {
    const said = problems.filter((problem) => problem.fields.at(-1) === place.dataset.problem);
    place.replaceChildren(...said.map((one) =>
      el("span", {}, "⚠ ", ...marked(one.message), " ", el("a", { href: `#error-${one.code}` }, ...breakable(one.code)))));
  }
  for (const field of all("[name^='p.']", form)) {
    if (wrong.has(field.name.slice(2))) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

function show(prepared) {
  showProblems(prepared.problems);
  for (const place of all("[data-read]", form)) place.textContent = prepared.read[place.dataset.read] ?? "";
  fill("#request .content", prepared.panels.request);
  fill("#signature .content", prepared.panels.signature);
  fill("#code .content", prepared.panels.code);
  chooseLanguage(localStorage.language);
}

let asked = 0;

async function refresh() {
  const turn = ++asked;
  try {
    const prepared = await prepare();
    if (turn === asked) show(prepared);
  } catch {
    // The next change tries again; a Send says what is wrong.
  }
}

// Send.

async function send() {
  const content = $("#response .content");
  select("response");
  content.replaceChildren(el("p", { className: "dim" }, words.sending));
  const began = Date.now();
  try {
    asked++;
    const prepared = await prepare();
    show(prepared);
    const headers = prepared.headers.filter(([name]) => name !== "Host");
    const isPost = prepared.method === "POST";
    const start = performance.now();
    const reply = await fetch(prepared.target, {
      method: prepared.method, headers, body: isPost ? prepared.body : undefined, credentials: "omit", cache: "no-store",
    });
    const text = await reply.text();
    const took = performance.now() - start;
    showReply(reply, text, took);
    remember({ at: began, status: reply.status, code: codeOf(text), ms: Math.round(took), link: link() });
  } catch (error) {
    content.replaceChildren(el("p", { className: "trouble" }, `${words.failed} (${error.message})`));
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const codeOf = (text) => parse(text)?.Response?.Error?.Code ?? "";

function showReply(reply, text, took) {
  const answer = parse(text)?.Response;
  const error = answer?.Error;
  const bytes = new TextEncoder().encode(text).length;
  const list = answer && Object.values(answer).find(Array.isArray);
  const facts = [`${took.toFixed(1)} ms`, bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`];
  if (list) facts.push(`${list.length} ${words.records}`);
  const tree = el("pre", { className: "tree", tabIndex: 0 }, ...(answer ? node(parse(text), "", 0) : [text]));
  const raw = el("pre", { hidden: true, tabIndex: 0 }, text);
  const toggle = el("button", { type: "button" }, words.raw);
  toggle.addEventListener("click", () => {
    [tree.hidden, raw.hidden] = [!tree.hidden, !raw.hidden];
    toggle.textContent = tree.hidden ? words.tree : words.raw;
  });
  const bar = el("p", { className: "facts-line" },
    el("span", { className: error ? "badge poor" : "badge good" }, String(reply.status)),
    el("span", { className: "dim" }, facts.join(" · ")), toggle, copyButton(() => text));
  const parts = [bar];
  if (error) parts.push(explain(error));
  if (answer?.RequestId) {
    parts.push(el("p", { className: "dim" }, "RequestId ", el("code", {}, answer.RequestId), " ", copyButton(() => answer.RequestId)));
  }
  $("#response .content").replaceChildren(...parts, tree, raw);
}

/** A sentence in which backticks mark names. */
const marked = (text) => text.split("`").map((part, at) => (at % 2 ? el("code", {}, part) : part));

/** A code, which may break behind its dots. */
const breakable = (code) => code.split(/(?<=\.)/).flatMap((part) => [part, el("wbr")]);

/** An error: its code, the rule behind it, and a way to the field that it names. */
function explain(error) {
  const row = document.getElementById(`error-${error.Code}`);
  const box = el("div", { className: "explain" }, el("p", { className: "trouble" }, el("b", {}, ...breakable(error.Code)), " ", ...marked(error.Message)));
  if (row) box.append(el("p", {}, row.lastElementChild.textContent, " ", el("a", { href: `#${row.id}` }, words.rule)));
  for (const [, name] of error.Message.matchAll(/`([A-Za-z]+)/g)) {
    const field = form.elements[`p.${name}`];
    if (!field) continue;
    field.setAttribute("aria-invalid", "true");
    const to = el("a", { href: `#${field.id}` }, name);
    to.addEventListener("click", () => setTimeout(() => field.focus()));
    box.append(to, " ");
  }
  return box;
}

const TIMES = new Set((page?.dataset.times ?? "").split(" ").filter(Boolean));

/** When a second was, in the page's zone. What is too large for one is milliseconds. */
function when(time) {
  const second = time > 2e11 ? Math.floor(time / 1000) : time;
  const { tz, minutes } = document.documentElement.dataset;
  const shift = tz === "browser" ? -new Date(second * 1000).getTimezoneOffset() : Number(minutes) || 0;
  return new Date((second + shift * 60) * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** JSON as nodes: objects and lists fold. */
function node(value, key, depth) {
  const indent = "  ".repeat(depth);
  const name = key === "" ? [indent] : [indent, el("span", { className: "k" }, JSON.stringify(key)), ": "];
  if (value === null || typeof value !== "object") {
    const kind = typeof value === "string" ? "t" : "n";
    const parts = [...name, el("span", { className: kind }, JSON.stringify(value))];
    if (TIMES.has(key) && value > 1e8 && value < 2e14) parts.push("   ", el("small", { className: "dim" }, when(value)));
    return parts;
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return [...name, isList ? "[]" : "{}"];
  const summary = el("summary", {}, ...name, isList ? "[" : "{", el("small", { className: "dim fold" }, ` ${entries.length} `));
  const inside = el("div");
  entries.forEach(([one, child], at) => {
    inside.append(...node(child, isList ? "" : one, depth + 1), at + 1 < entries.length ? "," : "");
    if (!(inside.lastElementChild instanceof HTMLDetailsElement) || inside.lastChild.nodeType === 3) inside.append("\n");
  });
  return [el("details", { open: true }, summary, inside), `${indent}${isList ? "]" : "}"}`];
}

// Copying. The marks of line ends are no part of what is copied.

function copyButton(text) {
  const button = el("button", { type: "button", className: "copy" }, words.copy);
  button.addEventListener("click", () => copy(button, text(), words.copied));
  return button;
}

async function copy(button, text, done) {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else {
    // Without TLS there is no clipboard to write to, only a selection to copy.
    const area = el("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  const before = button.textContent;
  button.textContent = done;
  setTimeout(() => (button.textContent = before), 1500);
}

function exact(pre) {
  const clone = pre.cloneNode(true);
  all(".eol", clone).forEach((mark) => mark.remove());
  return clone.textContent;
}

// History: what was sent in this tab, without keys.

function history() {
  return parse(sessionStorage.explorer ?? "[]") ?? [];
}

function remember(entry) {
  sessionStorage.explorer = JSON.stringify([entry, ...history()].slice(0, HISTORY_MAX));
  showHistory();
}

function showHistory() {
  const entries = history();
  if (entries.length === 0) return;
  const rows = entries.map((entry) => {
    const [path, query] = entry.link.split("?");
    const shown = new URLSearchParams(query);
    const given = [...shown].filter(([name]) => name.startsWith("p.")).map(([name, value]) => `${name.slice(2)}=${value}`);
    return el("li", {},
      el("time", {}, when(entry.at).slice(11)), " ",
      el("a", { href: entry.link }, decodeURIComponent(path.split("/").at(-1))), " ",
      el("span", { className: entry.code ? "poor" : "good" }, entry.code || String(entry.status)), ` ${entry.ms} ms`,
      el("div", { className: "dim clip" }, given.join("  ")));
  });
  $("#history .content").replaceChildren(el("ol", { className: "sent" }, ...rows));
}

// Tabs.

function select(id) {
  for (const panel of all(".result")) panel.hidden = panel.id !== id;
  for (const tab of all(".tabs a")) {
    if (tab.hash === `#${id}`) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
}

function chooseLanguage(id) {
  const choice = id && document.getElementById(`lang-${id}`);
  if (choice) choice.checked = true;
}

function toTarget(hash) {
  const target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
  const panel = target && target.closest(".result");
  if (!panel) return;
  select(panel.id);
  if (target !== panel) target.scrollIntoView({ block: "center" });
}

if (form) {
  reveal(document);
  all("[data-plain]").forEach((one) => (one.hidden = true));
  page.classList.add("tabbed");
  select("response");
  toTarget(location.hash);
  showHistory();
  refresh();

  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      window.history.replaceState(null, "", link() + location.hash);
      refresh();
    }, WAIT_MS);
  });
  // A list that is pasted on one line becomes one entry a line.
  form.addEventListener("paste", (event) => {
    const area = event.target;
    if (area.tagName !== "TEXTAREA") return;
    const text = event.clipboardData.getData("text").trim();
    if (!/[,;\t\n]/.test(text) && !text.startsWith("[")) return;
    event.preventDefault();
    const list = parse(text);
    const entries = Array.isArray(list) ? list.map(String) : text.split(/[,;\t\r\n]+/).map((one) => one.trim());
    area.setRangeText(entries.filter(Boolean).join("\n"), area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (event.submitter?.name !== "compare") return send();
    try {
      const compared = await prepare({ compare: "1" });
      fill("#verdict", compared.verdict?.html ?? "");
    } catch (error) {
      $("#verdict").textContent = error.message;
    }
  });
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      send();
    }
  });
  addEventListener("hashchange", () => toTarget(location.hash));
  addEventListener("click", (event) => {
    const tab = event.target.closest?.(".tabs a");
    const button = event.target.closest?.("[data-copy]");
    if (tab) {
      event.preventDefault();
      select(tab.hash.slice(1));
    } else if (event.target.closest?.("a[href^='#error-']")) toTarget(event.target.closest("a").hash);
    else if (button) copy(button, exact($("pre", button.closest("li, .sample"))), button.dataset.done);
    else if (event.target.matches?.("[data-link]")) copy(event.target, location.origin + link(), event.target.dataset.done);
  });
  addEventListener("change", (event) => {
    if (event.target.name === "language") localStorage.language = event.target.value;
  });
}
