// What changes by itself: the Live page and the page of a call that is going on, and what Pause does to them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { visit } from "./dashboard.mjs";
import { APP, chromium, eventually, rollbook, using } from "./harness.mjs";

const ROOM = "main table a[href^='/ui/calls/']";

test("a call that is going on changes on Live and on its page, and Pause holds it still", () =>
  using([rollbook(), chromium()], async (server, browser) => {
    const now = Date.now();
    await server.tell("standup", ["room_created", "alice", now - 60_000], ["joined", "alice", now - 59_000], ["joined", "bob", now - 30_000]);
    const live = await visit(browser, server, { path: () => `/ui/live?app=${APP}`, ready: ROOM });
    const shown = (of) => of.page.locator("main").textContent();
    await live.page.locator(ROOM).first().click();
    const { page } = live;
    await page.waitForURL((url) => url.pathname.startsWith("/ui/calls/"));
    await page.waitForSelector("html[data-ready]", { state: "attached" });
    const watching = await visit(browser, server, { path: () => `/ui/live?app=${APP}`, ready: ROOM });
    let loads = 0;
    for (const one of [page, watching.page]) one.on("load", () => loads++);
    assert.equal(await page.locator("#rows tr[data-user]").count(), 2);
    await server.tell("standup", ["joined", "carol", Date.now()]);
    await eventually("carol in the call", async () => (await page.locator("#rows tr[data-user]").count()) === 3, 30_000);
    await eventually("carol on Live", async () => (await shown(watching)).includes("carol"), 30_000);
    for (const one of [page, watching.page]) await one.locator("#pause").click();
    await server.tell("standup", ["joined", "dave", Date.now()]);
    const third = await visit(browser, server, { path: () => `/ui/live?app=${APP}`, ready: ROOM });
    await eventually("dave, for who looks anew", async () => (await shown(third)).includes("dave"), 30_000);
    assert.equal(await page.locator("#rows tr[data-user]").count(), 3, "the call is held still");
    assert.ok(!(await shown(watching)).includes("dave"), "Live is held still");
    for (const one of [page, watching.page]) await one.locator("#pause").click();
    await eventually("dave in the call", async () => (await page.locator("#rows tr[data-user]").count()) === 4, 30_000);
    await eventually("dave on Live", async () => (await shown(watching)).includes("dave"), 30_000);
    assert.equal(loads, 0, "no page was loaded again");
    for (const one of [live, watching, third]) one.clean();
  }));
