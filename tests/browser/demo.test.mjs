// The demo as somebody starts it: what goes on in its calls is seen without a reload, and Pause holds it still.

import assert from "node:assert/strict";
import { test } from "node:test";

import { visit } from "./dashboard.mjs";
import { chromium, demo, eventually, using } from "./harness.mjs";

const SEEN_MS = 45_000;
const live = { path: () => "/ui/live", ready: "#rooms tr[data-key]" };

// What Live says of its running calls: the text of each room's row.
const rows = (page) =>
  page.locator("#rooms tr[data-key]").evaluateAll((all) => Object.fromEntries(all.map((row) => [row.dataset.key, row.textContent])));

// What the page of a call says: who is in it with their lanes, and what happened.
const call = (page) => page.evaluate(() => [document.querySelector("#rows").innerHTML, document.querySelector(".events ol").textContent]);

const whole = (page) => page.locator("main").innerHTML();
const differs = (before, after) => before.some((part, place) => part !== after[place]);
const differ = (before, after) => before.every((part, place) => part !== after[place]);

test("the demo's calls change on Live and on their pages by themselves, and Pause holds them still", () =>
  using([demo(), chromium()], async (server, browser) => {
    const watching = await visit(browser, server, live);
    const first = await rows(watching.page);
    assert.ok(Object.keys(first).length >= 3, `${Object.keys(first)}`);
    const changed = await eventually("a room that changes on Live", async () => {
      const now = await rows(watching.page);
      return Object.keys(now).find((key) => first[key] && first[key] !== now[key]);
    }, SEEN_MS);
    const path = () => `/ui/calls/${changed}`;
    const of = await visit(browser, server, { path, ready: "html[data-ready] #rows tr[data-user]" });
    let loads = 0;
    for (const { page } of [watching, of]) page.on("load", () => loads++);
    const start = await call(of.page);
    await eventually("the lanes and the events of that call", async () => differ(start, await call(of.page)), SEEN_MS);

    // What the page has asked for already comes after it is to stand still.
    const again = (request) => request.resourceType() === "fetch" && request.url() === of.page.url();
    await of.page.route((url) => String(url) === of.page.url(), async (route) => {
      await new Promise((done) => setTimeout(done, 1_000));
      await route.continue();
    });
    await of.page.waitForRequest(again, { timeout: SEEN_MS });
    for (const { page } of [of, watching]) await page.locator("#pause").click();
    const held = await Promise.all([watching, of].map(({ page }) => whole(page)));
    const third = await visit(browser, server, { path, ready: "html[data-ready] #rows tr[data-user]" });
    for (let time = 0; time < 2; time++) {
      const before = await call(third.page);
      await eventually("the call, for who does not pause", async () => differs(before, await call(third.page)), SEEN_MS);
    }
    assert.deepEqual(await Promise.all([watching, of].map(({ page }) => whole(page))), held, "both pages are held still");

    const [still, stillCall] = [await rows(watching.page), await call(of.page)];
    for (const { page } of [watching, of]) await page.locator("#pause").click();
    await eventually("Live goes on", async () => JSON.stringify(await rows(watching.page)) !== JSON.stringify(still), SEEN_MS);
    await eventually("the call goes on", async () => differs(stillCall, await call(of.page)), SEEN_MS);
    assert.equal(loads, 0, "no page was loaded again");
    for (const one of [watching, of, third]) one.clean();
  }));
