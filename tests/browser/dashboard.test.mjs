// What people do on pages: point, drag, press keys, choose. One server for all of it; each test has a page of its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { named, violations, visit } from "./dashboard.mjs";
import { chromium, eventually, using } from "./harness.mjs";
import { CLOCK, CROWD, HOSTILE_ROOM, HOSTILE_USERS, at, fixture } from "./fixture.mjs";

const FROM = at("12:50:03");
const TO = at("13:50:21");

// Opens, tests, and looks whether all was quiet.
const on = (address, how, steps) => async (browser, server) => {
  const seen = await visit(browser, server, address, how);
  await steps(seen, server, browser);
  seen.clean();
  await seen.close();
};
const call = named("call");

// Second after `FROM` to where on the screen it is, over the lanes.
async function place(page, second) {
  const axis = await page.locator(".lanes tr.axis td").boundingBox();
  const row = await page.locator("#rows tr td.strip").nth(2).boundingBox();
  const [, , width] = (await page.locator("svg.lane").first().getAttribute("viewBox")).split(" ").map(Number);
  const from = Number((await page.locator("svg.lane").first().getAttribute("viewBox")).split(" ")[0]) + FROM;
  return { x: axis.x + ((second - from) / width) * axis.width, y: row.y + row.height / 2 };
}

async function point(page, second) {
  const { x, y } = await place(page, second);
  await page.mouse.move(x, y);
}

async function drag(page, from, to) {
  await point(page, from);
  await page.mouse.down();
  const { x, y } = await place(page, to);
  await page.mouse.move(x, y, { steps: 4 });
  await page.mouse.up();
}

const query = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const viewBox = (page) => page.locator("svg.lane").first().getAttribute("viewBox");
const cursorX = async (page) => (await page.locator(".cursor").boundingBox())?.x;
const clock = (second) => new Date(second * 1_000).toISOString().slice(11, 19);

// How many points of each canvas are painted, and in how many colours.
const painted = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set();
      let points = 0;
      for (let n = 0; n < data.length; n += 4) {
        if (data[n + 3] === 0) continue;
        points++;
        if (data[n + 3] === 255) colours.add((data[n] << 16) | (data[n + 1] << 8) | data[n + 2]);
      }
      return { points, colours: [...colours].slice(0, 400) };
    }),
  );

// The newest data that the charts were drawn from.
async function drawn(seen) {
  const asked = seen.asked.filter((request) => request.url().includes("/ui/data/call/")).at(-1);
  return (await asked.response()).json();
}

const TESTS = {
  "lanes and charts are painted in both themes": async (browser, server) => {
    const inks = [];
    for (const theme of ["light", "dark"]) {
      const seen = await visit(browser, server, call, { theme });
      const canvases = await painted(seen.page);
      assert.equal(canvases.length, 5);
      for (const { points, colours } of canvases) assert.ok(points > 500 && colours.length >= 2, `${theme}: ${points} points`);
      inks.push(canvases.flatMap(({ colours }) => colours));
      const bars = await seen.page.locator("svg.lane rect.poor, svg.lane rect.fair, svg.lane rect.good").count();
      assert.ok(bars > 24, `${bars} bars`);
      seen.clean();
      await seen.close();
    }
    const [light, dark] = inks;
    assert.ok(light.some((colour) => !dark.includes(colour)), "the charts have the theme's colours");
  },

  "one cursor goes through lanes and charts, and the values beside are those of the data": on(call, { height: 1500 }, async (seen) => {
    const { page } = seen;
    const data = await drawn(seen);
    for (const second of [at("13:12:30"), at("13:28:00")]) {
      await point(page, second);
      await eventually("the cursor", async () => (await page.locator("#at").textContent()) !== "");
      await page.mouse.down();
      await page.mouse.up();
      await eventually("the address", async () => Math.abs(Number(query(page).t) - second) <= 8);
      const t = Number(query(page).t);
      await eventually("the clock", async () => (await page.locator("#at").textContent()).includes(clock(t)));
      const { x } = await place(page, t);
      assert.ok(Math.abs((await cursorX(page)) - x) <= 2);
      const line = await page.locator(".cursor").boundingBox();
      const lane = await page.locator("svg.lane").first().boundingBox();
      const last = await page.locator("canvas").last().boundingBox();
      assert.ok(line.y <= lane.y && line.y + line.height >= last.y + last.height - 1, "it crosses all lanes and charts");
      const shown = (await page.locator("#charts .chart p b").allTextContents()).map((text) => text.replace(/\s/g, ""));
      const bucket = Math.floor((t - data.t0) / data.step);
      const lines = data.charts.flatMap((chart) => chart.lines).map(({ key }) => data.users[0].lines[key]).filter(Boolean);
      const expected = lines.map(({ max }) => (max[bucket] === null ? "–" : max[bucket].toLocaleString("en", { maximumFractionDigits: 1, useGrouping: false })));
      assert.deepEqual(shown, expected);
      assert.ok(shown.filter((text) => text !== "–").length >= 4, `${shown}`);
    }
    // Over a chart it is the same cursor.
    const chart = await page.locator("canvas").nth(1).boundingBox();
    await page.mouse.move(chart.x + chart.width / 2, chart.y + 50);
    await eventually("the cursor over the chart", async () => Math.abs((await cursorX(page)) - chart.x - chart.width / 2) <= 2);
  }),

  "dragging zooms lanes, axis and charts, and the address says so": on(call, {}, async (seen) => {
    const { page } = seen;
    const [before, ticks] = [await viewBox(page), await page.locator("svg.ticks text").allTextContents()];
    await drag(page, at("13:08"), at("13:20"));
    const { from, to } = await eventually("the address", async () => query(page).from && query(page));
    assert.ok(Math.abs(from - at("13:08")) <= 8 && Math.abs(to - at("13:20")) <= 8, `${from} ${to}`);
    await eventually("the zoom", async () => (await viewBox(page)) !== before);
    assert.equal(await viewBox(page), `${from - FROM} 0 ${to - from} 100`);
    assert.notDeepEqual(await page.locator("svg.ticks text").allTextContents(), ticks);
    const data = await eventually("charts of this part", async () => {
      const found = await drawn(seen);
      return found.t0 === Number(from) && found;
    });
    assert.ok(Math.abs(data.t0 + data.n * data.step - to) <= data.step);
  }),

  "reloading, and the address in another browser, show the same": on(call, {}, async ({ page }, server, browser) => {
    await drag(page, at("13:08"), at("13:20"));
    await eventually("the zoom", async () => query(page).from);
    const { x, y } = await place(page, at("13:14"));
    await page.mouse.click(x, y);
    await eventually("the cursor", async () => query(page).t);
    const look = async (of) => ({
      box: await viewBox(of), ticks: await of.locator("svg.ticks text").allTextContents(), at: await of.locator("#at").textContent(),
      values: await of.locator("#charts b").allTextContents(),
    });
    const hasValues = (of) => of.waitForFunction(() => document.querySelector("#charts[data-drawn] b")?.textContent !== "–");
    await eventually("the values", async () => (await page.locator("#at").textContent()).includes(":14:"));
    const shown = await look(page);
    await page.reload();
    await page.waitForSelector(call.ready, { state: "attached" });
    await hasValues(page);
    assert.deepEqual(await look(page), shown);
    const url = new URL(page.url());
    const other = await visit(browser, server, { path: () => url.pathname + url.search, ready: call.ready });
    await hasValues(other.page);
    assert.deepEqual(await look(other.page), shown);
    await other.close();
  }),

  "the browser's back button undoes a zoom": on(call, {}, async ({ page }) => {
    const before = await viewBox(page);
    await drag(page, at("13:08"), at("13:20"));
    await eventually("the zoom", async () => (await viewBox(page)) !== before);
    await page.goBack();
    await eventually("the whole call", async () => (await viewBox(page).catch(() => "")) === before);
    assert.equal(query(page).from, undefined);
  }),

  "0 shows the whole call, + and - zoom about the cursor": on(call, {}, async ({ page }) => {
    const before = await viewBox(page);
    const changed = async (from) => eventually("another zoom", async () => (await viewBox(page)) !== from && viewBox(page));
    await page.keyboard.press("+");
    const half = await changed(before);
    assert.ok(Math.abs(Number(half.split(" ")[2]) - (TO - FROM) / 2) <= 2, half);
    await page.keyboard.press("+");
    const quarter = await changed(half);
    await page.keyboard.press("-");
    await changed(quarter);
    await page.keyboard.press("0");
    await eventually("the whole call", async () => (await viewBox(page)) === before);
    assert.equal(query(page).from, undefined);
  }),

  "] and [ go from event to event": on(call, {}, async ({ page }) => {
    const events = await page.locator(".events li[data-at]").evaluateAll((items) => items.map((item) => Number(item.dataset.at)));
    assert.deepEqual(events, [...events].sort((a, b) => a - b));
    await point(page, at("13:19"));
    await page.mouse.down();
    await page.mouse.up();
    const start = Number(await eventually("the cursor", async () => query(page).t));
    const later = events.filter((event) => event > start);
    await page.keyboard.press("]");
    await eventually("the next event", async () => Number(query(page).t) === later[0]);
    await page.keyboard.press("]");
    const second = later.find((event) => event > later[0]);
    await eventually("the one after", async () => Number(query(page).t) === second);
    await page.keyboard.press("[");
    await eventually("the one before", async () => Number(query(page).t) === events.findLast((event) => event < second));
    assert.equal(await page.locator(".cursor").isVisible(), true);
  }),

  "an event that is chosen is where the cursor is": on(call, {}, async ({ page }) => {
    const item = page.locator(".events li[data-at]").nth(20);
    const second = Number(await item.getAttribute("data-at"));
    await item.click();
    await eventually("the cursor", async () => Number(query(page).t) === second);
    const { x } = await place(page, second);
    await eventually("the line", async () => Math.abs((await cursorX(page)) - x) <= 2);
  }),

  "arrows move the cursor by a sample, with Shift by a minute": on(call, {}, async ({ page }) => {
    await page.keyboard.press("ArrowRight");
    const first = Number(await eventually("the cursor", async () => query(page).t));
    await page.keyboard.press("ArrowRight");
    await eventually("a step", async () => Number(query(page).t) === first + 2);
    await page.keyboard.press("Shift+ArrowLeft");
    await eventually("a minute", async () => Number(query(page).t) === first + 2 - 60);
  }),

  "j and k go through the users, Enter chooses one": on(call, {}, async ({ page }) => {
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    const names = await page.locator("#rows a.user").allTextContents();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    assert.equal(await focused(), names[1]);
    await page.keyboard.press("k");
    assert.equal(await focused(), names[0]);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("u") === names[1]);
    await page.waitForSelector(call.ready, { state: "attached" });
    assert.equal(await page.locator("tr[aria-selected] a.user").textContent(), names[1]);
    assert.ok((await page.locator("#charts").getAttribute("data-src")).includes(`u=${encodeURIComponent(names[1])}`));
  }),

  "/ goes to the search, where letters are letters; g c goes to the calls": on(call, {}, async ({ page }) => {
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.matches(".search input")), true);
    await page.keyboard.type("jk0gc");
    assert.equal(await page.locator(".search input").inputValue(), "jk0gc");
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("g");
    await page.keyboard.press("c");
    await page.waitForURL((url) => url.pathname === "/ui/calls");
  }),

  "the minimap shows which part is shown": on(call, {}, async ({ page }) => {
    const frame = () => page.locator("svg.minimap rect.window").evaluate((rect) => ["x", "width"].map((name) => Number(rect.getAttribute(name))));
    assert.deepEqual(await frame(), [0, TO - FROM]);
    await drag(page, at("13:10"), at("13:30"));
    const { from, to } = await eventually("the zoom", async () => query(page).from && query(page));
    await eventually("the frame", async () => (await frame())[0] === from - FROM);
    assert.deepEqual(await frame(), [from - FROM, to - from]);
  }),

  "a filter leaves whom it names, and an order is kept": on(call, {}, async ({ page }) => {
    await page.locator(".who input[name=q]").fill("ha");
    await page.locator(".who input[name=q]").press("Enter");
    await page.waitForURL((url) => url.searchParams.get("q") === "ha");
    const names = () => page.locator("#rows a.user").allTextContents();
    await eventually("whom it names", async () => `${await names()}` === "hana");
    await page.locator(".who input[name=q]").fill("");
    await page.locator(".who select[name=sort]").selectOption("join");
    await page.waitForURL((url) => url.searchParams.get("sort") === "join");
    await eventually("all, by their joins", async () => `${(await names()).slice(0, 3)}` === "alice,yuki,bob");
  }),

  "the worst come first": on(call, {}, async ({ page }) => {
    const scores = await page.locator("#rows td.number").allTextContents();
    const numbers = scores.filter((text) => text !== "–").map(Number);
    assert.ok(numbers.length >= 10 && numbers[0] < 5, `${scores}`);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  }),

  "the table says what the lanes say, and how it is known": on(named("call-table"), {}, async ({ page }) => {
    assert.equal(await page.locator("table tbody tr").count(), 15, "a row for each stay");
    const inferred = await page.locator("td.inferred").allTextContents();
    assert.ok(inferred.length >= 2 && inferred.every((text) => /\d\d:\d\d:\d\d \(.+\)/.test(text)), `${inferred}`);
  }),

  "an inferred end looks different in the lanes": on(call, {}, async ({ page }) => {
    const row = (user) => page.locator(`tr[data-user=${user}]`);
    const spans = (user, what) => row(user).locator(`svg.lane ${what}`).evaluateAll((all) => all.map((one) => ["x", "width"].map((name) => Number(one.getAttribute(name)))));
    // From the last sign, a stretch of ten seconds, to the leave that nobody told.
    for (const [user, from, to] of [["ivan", at("13:35:20"), TO], ["omar", at("13:16:40"), at("13:22:05")]]) {
      const [[x, width], ...more] = await spans(user, "rect.gap");
      assert.equal(more.length, 0);
      assert.ok(Math.abs(FROM + x - from) <= 10 && FROM + x + width === to, `${user}: ${FROM + x} to ${FROM + x + width}`);
      const bars = await spans(user, "rect.good, rect.fair, rect.poor");
      assert.ok(bars.every(([at, wide]) => at + wide <= x || at >= x + width), `${user}: nothing hides the hatching`);
      assert.equal(await row(user).locator("svg.lane path.ring").count(), 1);
      assert.match(await row(user).locator("th").textContent(), /inferred: .+\), last sign \d\d:\d\d:\d\d/);
      assert.match(await row(user).locator("rect.gap title").textContent(), /inferred/);
    }
    assert.equal(await row("bob").locator("svg.lane .gap, svg.lane .ring").count(), 0, "a leave that was seen");
    assert.equal(await row("priya").locator("svg.lane path.ring.problem").count(), 1, "a leave by timeout");
    for (const key of ["gap", "ring", "open"]) assert.equal(await page.locator(`.legend .key.${key}`).isVisible(), true);
  }),

  "hatching, rings and heights are there in both themes and in forced colours": async (browser, server) => {
    for (const how of [{}, { theme: "dark" }, { more: { forcedColors: "active" } }, { theme: "dark", more: { forcedColors: "active" } }]) {
      const seen = await visit(browser, server, call, how);
      const inks = await seen.page.evaluate(() => {
        const style = (selector) => getComputedStyle(document.querySelector(selector));
        const surface = style("section.panel.who").backgroundColor;
        return [surface, style(".lane .hatch").stroke, style(".lane .ring").stroke, style(".lane .gap").stroke, style(".lane .good").fill, style(".lane .poor").fill];
      });
      const [surface, ...others] = inks;
      assert.ok(others.every((ink) => ink !== surface && ink !== "none"), `${JSON.stringify(how)}: ${inks}`);
      for (const { points, colours } of await painted(seen.page)) assert.ok(points > 500 && colours.length >= 2, JSON.stringify(how));
      seen.clean();
      await seen.close();
    }
  },

  "who is still in the call has a bar that fades, and the row says so": on(named("call-running"), {}, async ({ page }) => {
    assert.equal(await page.locator("#rows svg.lane g[mask='url(#fade)']").count(), 5);
    assert.equal(await page.locator("mask#fade").count(), 1);
    assert.match(await page.locator("tr[data-user=nora] th").textContent(), /still in call/);
    const end = await page.locator("tr[data-user=nora] svg.lane").evaluate((lane) => lane.querySelectorAll("path.ring, rect.gap").length);
    assert.equal(end, 0);
  }),

  "lines join reports and break where the user was out; states are in each chart that they explain": async (browser, server) => {
    const open = (rest) => visit(browser, server, { path: ({ review }) => `/ui/calls/${review}?${rest}`, ready: call.ready });
    const states = (data, user) => data.users.find((one) => one.user === user).states;
    const seen = await open(`u=dara&from=${at("13:18:30")}&to=${at("13:22")}`);
    const data = await drawn(seen);
    assert.ok(data.step < 5 && data.gap === 60, "deep enough for buckets without a report");
    assert.deepEqual(states(data, "dara").map(({ kind, from, to }) => [kind, from, to]), [["out", at("13:20:10"), at("13:20:25")]]);
    // In which columns of the chart of the round trip there is ink of its line.
    const inked = await seen.page.evaluate(() => {
      const canvas = document.querySelectorAll("#charts canvas")[2];
      const probe = document.body.appendChild(document.createElement("i"));
      probe.style.color = "var(--s1)";
      const wanted = getComputedStyle(probe).color.match(/\d+/g).map(Number);
      probe.remove();
      const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const is = (x, y) => wanted.every((part, n) => Math.abs(data[4 * (y * width + x) + n] - part) < 60) && data[4 * (y * width + x) + 3] > 60;
      return Array.from({ length: width }, (_, x) => Array.from({ length: height - 30 }, (_, y) => y).some((y) => is(x, y)));
    });
    const share = (from, to) => {
      const place = (second) => Math.round(((second - at("13:18:30")) / (at("13:22") - at("13:18:30"))) * inked.length);
      const part = inked.slice(place(from), place(to));
      return part.filter(Boolean).length / part.length;
    };
    assert.ok(share(at("13:18:40"), at("13:20")) > 0.9, `joined: ${share(at("13:18:40"), at("13:20"))}`);
    assert.ok(share(at("13:20:12"), at("13:20:24")) < 0.1, `out: ${share(at("13:20:12"), at("13:20:24"))}`);
    assert.match(await seen.page.locator("#charts canvas").nth(2).getAttribute("aria-label"), /dara.*; reconnecting 15 s/);
    seen.clean();
    await seen.close();
    const both = await open("u=bob,sven,omar");
    const all = await drawn(both);
    assert.deepEqual(all.charts.map(({ kinds }) => kinds.includes("lost") && kinds.includes("out")), [true, true, true, true, true]);
    assert.deepEqual(all.charts.filter(({ kinds }) => kinds.includes("muted")).map(({ key }) => key), ["bitrate"]);
    assert.deepEqual(all.charts.filter(({ kinds }) => kinds.includes("no_video")).map(({ key }) => key), ["bitrate", "frames"]);
    assert.deepEqual(states(all, "bob").map(({ kind }) => kind), ["muted", "no_video"]);
    assert.ok(states(all, "sven").length > 0 && states(all, "sven").every(({ kind }) => kind === "busy"));
    assert.deepEqual(states(all, "omar").map(({ kind }) => kind), ["lost"]);
    both.clean();
    await both.close();
  },

  "the list of events follows the zoom and says so": on(call, {}, async ({ page }) => {
    const seconds = () => page.locator(".events li[data-at]").evaluateAll((items) => items.map((item) => Number(item.dataset.at)));
    const before = await seconds();
    await drag(page, at("13:18"), at("13:24"));
    const { from, to } = await eventually("the zoom", async () => query(page).from && query(page));
    await eventually("fewer events", async () => (await seconds()).length < before.length);
    assert.deepEqual(await seconds(), before.filter((second) => Number(from) <= second && second <= Number(to)));
    assert.match(await page.locator(".events .narrowed").textContent(), /^Only 13:1\d:\d\d to 13:2\d:\d\d, the part that is looked at\./);
    await page.keyboard.press("0");
    await eventually("all events", async () => (await seconds()).length === before.length);
    assert.equal(await page.locator(".events .narrowed").count(), 0);
    await drag(page, at("13:18"), at("13:24"));
    await eventually("the zoom again", async () => (await page.locator(".events .narrowed").count()) === 1);
    await page.locator(".narrowed a").click();
    await page.waitForURL((url) => !url.searchParams.has("from"));
    assert.deepEqual(await seconds(), before);
  }),

  "the day under the pointer is shown in every chart of Trends, arrows go from day to day": on(named("trends"), { height: 1_100 }, async ({ page }) => {
    const outputs = () => page.locator(".trends output").allTextContents();
    const bars = await page.locator(".trends .bars").nth(2).boundingBox();
    const day = (n) => ({ x: bars.x + (bars.width * (n + 0.5)) / 7, y: bars.y + 20 });
    await page.mouse.move(day(2).x, day(2).y);
    await eventually("the day", async () => (await outputs())[0].startsWith("2026-11-21 · "));
    const told = await outputs();
    assert.equal(told.length, 6);
    assert.ok(told.every((text) => text.startsWith("2026-11-21 · ")) && /good \d+\.\d %/.test(told[5]), `${told}`);
    assert.equal(await page.locator(".trends g.on").count(), 6);
    await page.mouse.move(day(6).x, day(6).y);
    await eventually("today", async () => (await outputs())[0].endsWith("(so far)"));
    await page.mouse.move(10, 10);
    await eventually("nothing", async () => (await page.locator(".trends g.on").count()) === 0);
    await page.locator(".trends").focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await eventually("the day before", async () => (await outputs())[3].startsWith("2026-11-24 · "));
  }),

  "what is counted of days appears by itself, and a split has changes": async (browser, server) => {
    const from = CLOCK - 2 * 86_400;
    const seen = await visit(browser, server, { path: () => `/ui/trends?from=${from}&to=${CLOCK}`, ready: "main .bars" });
    const { page } = seen;
    await eventually("all days", async () => (await page.locator("[data-counting]").count()) === 0, 60_000);
    assert.equal(await page.getByText("being counted").count(), 0);
    assert.equal(await page.locator("#daily tbody tr").count(), 3);
    await page.locator("#split a.tab").nth(1).click();
    await page.waitForURL((url) => url.searchParams.get("split") === "device");
    const cells = await page.locator("#split tbody tr").first().locator("td").allTextContents();
    assert.match(cells[2], /^[+−±]\d+\.\d$/, `${cells}`);
    seen.clean();
    await seen.close();
    const bare = await visit(browser, server, { path: () => `/ui/trends?from=${from}&to=${CLOCK}` }, { scripts: false });
    assert.equal(await bare.page.locator("#daily td.dim").count(), 0, "without scripts what is known is there at once");
    await bare.close();
  },

  "another zone shifts every time on the page": on(call, {}, async ({ page }) => {
    const times = () => page.locator(".facts time, .events time").allTextContents();
    const [before, ticks] = [await times(), await page.locator("svg.ticks text").allTextContents()];
    await page.locator("details.menu summary").click();
    await page.getByRole("link", { name: "UTC+08:00" }).click();
    await page.waitForSelector("html[data-tz=cst][data-ready] #charts[data-drawn]", { state: "attached" });
    const shift = (text) => `${String((Number(text.slice(0, 2)) + 8) % 24).padStart(2, "0")}${text.slice(2)}`;
    assert.deepEqual(await times(), before.map(shift));
    assert.deepEqual(await page.locator("svg.ticks text").allTextContents(), ticks.map(shift));
  }),

  "the browser's own zone is learnt": on(call, { tz: "browser", timezoneId: "Asia/Kolkata" }, async ({ page }) => {
    await page.waitForSelector("html[data-minutes='330'][data-ready]", { state: "attached" });
    assert.equal(await page.locator(".facts time").first().textContent(), "18:20:03");
    assert.match(await page.locator(".menu .offset").textContent(), /\+05:30/);
  }),

  "another theme is another look at once": on(call, {}, async ({ page }) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    assert.equal(await ground(), "rgb(245, 247, 250)");
    await page.locator("details.menu summary").click();
    await page.locator("details.menu a[href*='theme=dark']").click();
    await page.waitForSelector("html[data-theme=dark][data-ready] #charts[data-drawn]", { state: "attached" });
    assert.equal(await ground(), "rgb(14, 19, 25)");
    for (const { points } of await painted(page)) assert.ok(points > 500);
  }),

  "an address can say language and zone": on({ path: ({ review }) => `/ui/calls/${review}?lang=zh&tz=cst`, ready: call.ready }, {}, async ({ page }) => {
    assert.match(await page.locator("html").getAttribute("lang"), /^zh/);
    assert.equal(await page.locator(".facts time").first().textContent(), "20:50:03");
    assert.match(await page.locator("h1").textContent(), /房间/);
    assert.deepEqual(await violations(page), []);
  }),

  "what people call themselves is text": on(named("call-hostile"), {}, async ({ page }, server) => {
    assert.deepEqual((await page.locator("#rows a.user").allTextContents()).sort(), [...HOSTILE_USERS].sort());
    assert.equal(await page.locator("h1 bdi").textContent(), HOSTILE_ROOM);
    assert.equal(await page.locator("main img, main b b, main i, main u, main script").count(), 0);
    const links = await page.locator("#rows a.user").evaluateAll((all) => all.map((link) => [link.textContent, new URL(link.href)]).map(([text, url]) => [text, url.origin, decodeURIComponent(url.searchParams.get("u"))]));
    for (const [text, origin, user] of links) assert.deepEqual([origin, user], [server.origin, text]);
  }),

  "a call of two thousand opens as fast as one of ten": on(named("call-crowd"), {}, async ({ page }) => {
    assert.ok((await page.locator(".facts").textContent()).replace(/[\s,]/g, "").includes(`${CROWD}`));
    assert.ok((await page.locator("#rows tr[data-user]").count()) <= 100);
    assert.ok((await page.evaluate(() => document.querySelectorAll("*").length)) < 6_000);
  }),

  "two thousand users come as they are scrolled to": on(named("call-crowd"), {}, async ({ page }) => {
    const count = () => page.locator("#rows tr[data-user]").count();
    await eventually("all of them", async () => {
      await page.locator(".lanes").evaluate((lanes) => { lanes.scrollTop = lanes.scrollHeight; });
      return (await count()) === CROWD;
    }, 60_000);
    const names = await page.locator("#rows a.user").allTextContents();
    assert.equal(new Set(names).size, CROWD, "each of them once");
    await page.locator(".who input[name=q]").fill("guest-1234");
    await eventually("the one that is searched for", async () => (await count()) === 1);
  }),

  "the matrix says who heard whom badly, and leads to the pair": on(named("call-matrix"), {}, async ({ page }) => {
    const cell = page.locator(".matrix td a").first();
    await cell.focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await cell.evaluate((one) => one === document.activeElement), false, "arrows walk");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname.includes("/e2e/"));
    await page.waitForSelector(named("pair").ready, { state: "attached" });
    for (const { points } of await painted(page)) assert.ok(points > 300);
  }),

  "n goes from problem to problem, d turns the direction, z the zone, ? shows the keys": on(call, {}, async ({ page }) => {
    await page.keyboard.press("n");
    await eventually("a problem", async () => query(page).t !== undefined);
    await page.keyboard.press("Shift+?");
    assert.equal(await page.locator("#help").isVisible(), true);
    await page.keyboard.press("Escape");
    await page.keyboard.press("d");
    await page.waitForURL((url) => url.searchParams.has("dir"));
    await page.waitForSelector(call.ready, { state: "attached" });
    await page.keyboard.press("z");
    await page.waitForSelector("html[data-tz=cst][data-ready]", { state: "attached" });
  }),

  "without scripts: lists, facts, lanes with ticks, table": async (browser, server) => {
    const bare = { scripts: false };
    const list = await visit(browser, server, named("calls"), bare);
    assert.ok((await list.page.locator("table.calls tbody tr").count()) >= 4);
    await list.page.getByRole("link", { name: "review" }).first().click();
    const { page } = list;
    await page.waitForURL((url) => url.pathname.startsWith("/ui/calls/"));
    assert.equal(await page.locator(".facts time").first().textContent(), "12:50:03");
    assert.ok((await page.locator("svg.ticks text").allTextContents()).includes("13:10"));
    assert.equal(await page.locator("#rows tr[data-user] svg.lane").count(), 12);
    assert.ok((await page.locator("svg.lane rect.poor").count()) > 0);
    await page.locator(".who a[href*='view=table']").first().click();
    assert.equal(await page.locator("table tbody tr").count(), 15);
    await page.locator("details.menu summary").click();
    await page.locator("details.menu a[href*='theme=dark']").click();
    await page.waitForSelector("html[data-theme=dark]", { state: "attached" });
    assert.equal(await page.locator("table tbody tr").count(), 15, "a theme is chosen without a script too");
    list.clean();
    await list.close();
  },

  "on paper there is what is to read, dark on light": on(call, { theme: "dark" }, async ({ page }) => {
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator(".top").isVisible(), false);
    assert.equal(await page.locator("h1").isVisible(), true);
    const [ink, ground] = await page.evaluate(() => [document.querySelector("h1"), document.documentElement].map((one, n) => getComputedStyle(one)[n ? "backgroundColor" : "color"]));
    assert.equal(ground, "rgb(255, 255, 255)");
    assert.ok(ink.match(/\d+/g).every((part) => part < 100), `ink ${ink}`);
    assert.ok((await page.pdf()).length > 10_000);
  }),

  "on a phone lanes and charts use the width": on(call, { width: 390, height: 844, more: { hasTouch: true, isMobile: true } }, async ({ page }) => {
    const { width } = await page.locator("svg.lane").first().boundingBox();
    assert.ok(width >= 140, `a lane is ${width} px wide`);
    const chart = await page.locator("canvas").first().boundingBox();
    assert.ok(chart.width >= 300, `a chart is ${chart.width} px wide`);
    await page.locator("#rows a.user").first().tap();
    await page.waitForURL((url) => url.searchParams.has("u"));
  }),

  "what calls are chosen by fits into one line of a small laptop": on(named("calls"), { width: 1280, height: 720 }, async ({ page }) => {
    const bottom = async (part) => {
      const { y, height } = await page.locator(`form.filters ${part}`).boundingBox();
      return Math.round(y + height);
    };
    assert.equal(await bottom("button"), await bottom("input[name=q]"));
  }),

  "the budgets of a browser hold": on(call, {}, async ({ page }) => {
    const seen = await page.evaluate(async () => {
      const entries = (type) => new Promise((done) => {
        new PerformanceObserver((list) => done(list.getEntries())).observe({ type, buffered: true });
        setTimeout(() => done([]), 300);
      });
      const long = await entries("longtask");
      const paints = await entries("largest-contentful-paint");
      const sizes = performance.getEntriesByType("resource").map(({ transferSize }) => transferSize);
      return {
        nodes: document.querySelectorAll("*").length, longest: Math.max(0, ...long.map(({ duration }) => duration)), paint: paints.at(-1)?.startTime,
        bytes: sizes.reduce((sum, size) => sum + size, performance.getEntriesByType("navigation")[0].transferSize),
      };
    });
    assert.ok(seen.nodes < 6_000 && seen.longest < 400 && seen.paint < 3_000 && seen.bytes < 120_000, JSON.stringify(seen));
  }),

  "a call that is not there is told, and leads on": on(named("not-found"), {}, async ({ page }) => {
    await page.locator(".state a.button").click();
    await page.waitForURL((url) => url.pathname === "/ui/calls");
  }),

  "the keyboard reaches everything, the content first": on(named("calls"), {}, async ({ page }) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)), true);
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, "solid", "the focus is seen");
  }),
};

test("what people do on pages", { concurrency: 2 }, (t) =>
  using([fixture(), chromium()], (server, browser) =>
    Promise.all(Object.entries(TESTS).map(([name, steps]) => t.test(name, () => steps(browser, server)))),
  ));
