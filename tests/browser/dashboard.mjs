// What the tests of the dashboard and its pictures share: the list of pages, how one is visited as somebody with a
// theme, a language, a zone and a screen, and what must hold of every page that is open.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { CLOCK, HOSTILE_ROOM, HOSTILE_USERS } from "./fixture.mjs";
import { APP, installed } from "./harness.mjs";

const DRAWN = "html[data-ready] #charts[data-drawn]";

const PREPARED = ".explorer.tabbed #signature [data-step=header]";

/** The parameters of a question about a call of the fixture, as the explorer's address has them. */
export const asked = (call, more = {}) => {
  const comm = decodeURIComponent(call);
  const given = { "p.CommId": comm, "p.SdkAppId": APP, "p.StartTime": Number(comm.split("_").at(-1)), "p.EndTime": CLOCK, ...more };
  return new URLSearchParams(given);
};

// Every page: its name, its address, what there is once it is ready. `picture` is made of it, `status` is not 200.
export const PAGES = [
  { name: "calls", path: () => `/ui/calls?app=${APP}&from=${CLOCK - 7 * 86_400}`, ready: "table.calls tbody a", picture: true },
  { name: "calls-empty", path: () => "/ui/calls?q=nobody-was-here", ready: ".state" },
  { name: "calls-user", path: () => `/ui/calls?app=${APP}&q=chen&from=${CLOCK - 7 * 86_400}&maxscore=4.9&state=ended`, ready: "table.calls tbody svg.lane" },
  { name: "calls-wrong", path: () => "/ui/calls?since=yesterday", ready: ".trouble" },
  { name: "call", path: ({ review }) => `/ui/calls/${review}`, ready: DRAWN, picture: true },
  { name: "call-table", path: ({ review }) => `/ui/calls/${review}?view=table`, ready: "td.inferred", picture: true },
  { name: "call-matrix", path: ({ review }) => `/ui/calls/${review}?view=matrix`, ready: "html[data-ready] .matrix td a", picture: true },
  { name: "pair", path: ({ review }) => `/ui/calls/${review}/e2e/alice/chen`, ready: "html[data-ready] .charts[data-drawn]", picture: true },
  { name: "live", path: () => `/ui/live?app=${APP}`, ready: "main table a[href^='/ui/calls/']", picture: true },
  { name: "trends", path: () => `/ui/trends?app=${APP}&to=${CLOCK}`, ready: "html[data-ready] body:not(:has([data-counting])) main .bars", picture: true },
  { name: "users", path: () => `/ui/users?app=${APP}`, ready: "main table tbody a", picture: true },
  { name: "user", path: () => `/ui/users/${APP}/chen`, ready: "main .days tbody tr", picture: true },
  { name: "user-hostile", path: () => `/ui/users/${APP}?${new URLSearchParams({ user: HOSTILE_USERS.at(-1) })}`, ready: "main h1" },
  { name: "call-running", path: ({ standup }) => `/ui/calls/${standup}?u=pia`, ready: DRAWN },
  { name: "call-crowd", path: ({ keynote }) => `/ui/calls/${keynote}`, ready: "html[data-ready] #rows tr" },
  { name: "call-hostile", path: (calls) => `/ui/calls/${calls[HOSTILE_ROOM]}`, ready: "html[data-ready] #rows tr" },
  { name: "explorer", path: () => "/ui/explorer", ready: ".actions a" },
  {
    name: "explorer-action", path: ({ review }) => `/ui/explorer/DescribeUserInfo?${asked(review)}`, ready: PREPARED, picture: true,
    arrange: async (page) => {
      await page.keyboard.press("Control+Enter");
      await page.waitForSelector("#response .facts-line");
    },
  },
  { name: "search", path: () => "/ui/search?q=review", ready: "main a" },
  { name: "not-found", path: () => "/ui/calls/1_2_3", ready: ".state", status: 404 },
];

/** The page of a name. */
export const named = (name) => PAGES.find((page) => page.name === name);

// Opens a page of `server` and waits until it is ready. `address` is a row of `PAGES`, or a path. What its console says
// beside what it must say of a status, and what it asks of others, is found by `seen.clean()`.
export async function visit(browser, server, address, how = {}) {
  const { theme = "light", width = 1440, height = 900, lang = "en", tz = "utc", timezoneId = "UTC", scripts = true, more = {} } = how;
  const row = typeof address === "string" ? { path: () => address } : address;
  const foreign = [];
  const prepare = async (context) => {
    const { hostname } = new URL(server.origin);
    const cookies = { theme, lang, tz, tzo: "0" };
    await context.addCookies(Object.entries(cookies).map(([name, value]) => ({ name, value, domain: hostname, path: "/ui" })));
    await context.route((url) => url.origin !== server.origin, (route) => {
      foreign.push(route.request().url());
      return route.abort();
    });
  };
  const options = { viewport: { width, height }, timezoneId, javaScriptEnabled: scripts, locale: "en-US", reducedMotion: "reduce", ...more };
  const opened = await browser.open(server.origin + row.path(server.calls), { options, prepare });
  const { page, context, said, reply } = opened;
  page.on("dialog", (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  const status = row.status ?? 200;
  assert.equal(reply.status(), status, `${page.url()}`);
  if (row.ready && scripts) await page.waitForSelector(row.ready, { state: "attached" });
  const expected = status === 200 ? [] : [`error: Failed to load resource: the server responded with a status of ${status} (Not Found)`];
  return {
    ...opened,
    close: () => context.close(),
    clean: () => {
      assert.deepEqual(said, expected, "the console stays empty");
      assert.deepEqual(foreign, [], "nothing is asked of another host");
    },
  };
}

const axe = readFileSync(installed.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What axe-core finds on a page that is open, by WCAG 2.0 to 2.2, levels A and AA. */
export async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async (values) => {
    const { violations } = await window.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.slice(0, 5).map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
  }, TAGS);
}

/** What the server wrote that a strict policy forbids: styles and scripts in the page itself. */
export async function inline(page, reply) {
  const text = await reply.text();
  return page.evaluate((html) => {
    const written = new DOMParser().parseFromString(html, "text/html");
    const forbidden = [...written.querySelectorAll("[style], style, script:not([src]), [href^='javascript:' i], [src^='data:' i]")];
    const handlers = [...written.querySelectorAll("*")].filter((one) => [...one.attributes].some(({ name }) => name.startsWith("on")));
    return [...forbidden, ...handlers].map((one) => one.outerHTML.slice(0, 120));
  }, text);
}

/** What does not fit: text under 12 px, and a page that is wider than the screen. */
export const misfits = (page) =>
  page.evaluate(() => {
    const found = [];
    const { scrollWidth } = document.documentElement;
    if (scrollWidth > innerWidth) {
      const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1);
      found.push(`${scrollWidth} px wide: ${wide.slice(0, 5).map((one) => `${one.tagName}.${one.className?.baseVal ?? one.className}`)}`);
    }
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const { parentElement, data } = walk.currentNode;
      if (data.trim() && parseFloat(getComputedStyle(parentElement).fontSize) < 11.99) found.push(`small: ${data.trim().slice(0, 40)}`);
    }
    return found;
  });
