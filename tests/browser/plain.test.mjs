// Every page in a browser that runs no scripts: what is there to read is there, what can be done can be done, and nothing
// that would need a script offers itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PAGES, named, visit } from "./dashboard.mjs";
import { CLOCK, CROWD, HOSTILE_USERS, fixture } from "./fixture.mjs";
import { APP, chromium, rollbook, using } from "./harness.mjs";

const PASSWORD = "correct horse battery staple";
const bare = { scripts: false };

// What each page must say without scripts: `[what, least]` for what can be counted, and a part of its heading.
const READ = {
  calls: { h1: "Calls", some: [["table.calls tbody tr", 20], ["table.calls tbody a", 20], ["table.calls svg.lane rect", 20], ["form.filters button", 1]] },
  "calls-empty": { h1: "Calls", some: [[".state p", 1]] },
  "calls-user": { h1: "Calls", some: [["table.calls tbody tr", 1], ["p.note a", 1]] },
  "calls-wrong": { h1: "Calls", some: [[".state .trouble", 1]] },
  call: { h1: "review", some: [[".facts dd", 6], ["svg.ticks text", 5], ["#rows tr[data-user] svg.lane", 12], [".events li time", 30], [".finding a", 1]] },
  "call-table": { h1: "review", some: [["table tbody tr", 15], ["td.inferred", 2]] },
  "call-matrix": { h1: "review", some: [[".matrix td a", 10]] },
  pair: { h1: "", some: [[".stages li", 4]] },
  live: { h1: "Live", some: [["#summary dd", 5], ["#rooms tr", 1], ["#happened li", 5], ["#history svg path", 3], ["#refresh", 1]] },
  trends: { h1: "Trends", some: [["table tbody tr", 13], [".bars", 1]] },
  users: { h1: "Users", some: [["table.users tbody tr", 40], ["form.filters button", 1]] },
  user: { h1: "chen", some: [[".facts dd", 4], [".days tbody tr", 14], ["table tbody a", 20]] },
  "user-hostile": { h1: HOSTILE_USERS.at(-1).slice(0, 40), some: [[".facts dd", 4]] },
  "call-running": { h1: "standup", some: [["#rows tr[data-user] svg.lane", 5], [".badge.running", 1]] },
  "call-crowd": { h1: "keynote", some: [["#rows tr[data-user]", 40], ["tr.more a", 1]] },
  "call-hostile": { h1: "<img src=x", some: [["#rows tr[data-user]", HOSTILE_USERS.length]] },
  explorer: { h1: "", some: [[".actions a", 12]] },
  "explorer-action": { h1: "DescribeUserInfo", some: [["#request pre", 1], ["#signature h3", 5], ["#code .samples label", 11], ["#reference tbody tr", 20], [".param", 6]] },
  search: { h1: "", some: [["main a", 1]] },
  "not-found": { h1: "", some: [[".state a.button", 1]] },
};

// What can be seen and would do nothing: buttons and fields without a form, places that only a script fills, links to nowhere.
const dead = (page) =>
  page.evaluate(() => {
    const seen = (one) => one.checkVisibility({ visibilityProperty: true });
    const found = [];
    for (const one of document.querySelectorAll("button, input, select, textarea")) {
      const acts = one.form?.matches("[method=dialog]") === false && one.type !== "button";
      if (seen(one) && !acts && one.name !== "language") found.push(one.outerHTML);
    }
    for (const one of document.querySelectorAll("canvas, .wait, [data-js], [data-clip], [aria-busy]")) if (seen(one)) found.push(one.outerHTML);
    for (const one of document.querySelectorAll("a")) {
      const href = one.getAttribute("href") ?? "";
      if (href === "" || (href.startsWith("#") && !document.getElementById(href.slice(1)))) found.push(one.outerHTML);
    }
    return found.map((text) => text.slice(0, 160));
  });

// The links of a page that can be seen, three of each kind: of a kind are those whose paths and keys are alike.
async function links(page) {
  const all = await page.locator("a[href]:not([href^='#']):visible").evaluateAll((some) => some.map((link) => new URL(link.getAttribute("href"), location.href).href));
  const kinds = new Map();
  for (const href of all) {
    const url = new URL(href);
    const [, , part, , below] = url.pathname.split("/");
    const kind = [part, below, ...url.searchParams.keys()].join(" ");
    kinds.set(kind, [...(kinds.get(kind) ?? []), url.pathname + url.search]);
  }
  return [...kinds.values()].flatMap((some) => some.slice(0, 3));
}

async function read(server, browser, row, known) {
  const seen = await visit(browser, server, row, bare);
  const { page } = seen;
  const { h1, some } = READ[row.name];
  assert.ok((await page.locator("h1").first().textContent()).includes(h1), row.name);
  assert.equal(await page.locator("h1").count(), 1);
  for (const [what, least] of some) {
    let count = await page.locator(what).count();
    // What is counted behind a page is there when it is asked for again.
    for (let again = 0; again < 20 && count < least; again += 1) {
      await page.waitForTimeout(250);
      await page.reload();
      count = await page.locator(what).count();
    }
    assert.ok(count >= least, `${what}: ${count}`);
    assert.equal(await page.locator(what).first().isVisible(), true, what);
  }
  assert.deepEqual(await dead(page), []);
  for (const path of await links(page)) {
    if (known.has(path)) continue;
    known.add(path);
    const reply = await fetch(server.origin + path, { redirect: "manual", headers: { Accept: "text/html" } });
    await reply.arrayBuffer();
    assert.ok([200, 303].includes(reply.status), `${path}: ${reply.status}`);
  }
  seen.clean();
  await seen.close();
}

// What is done with forms and links alone.
const DONE = {
  "the search leads to a call, a user and an action": async (browser, server) => {
    const { page, close } = await visit(browser, server, named("calls"), bare);
    const ask = async (text) => {
      await page.locator(".search input").fill(text);
      await page.locator(".search input").press("Enter");
      await page.waitForURL((url) => url.pathname !== "/ui/search" || url.searchParams.get("q") === text);
      return new URL(page.url()).pathname;
    };
    assert.equal(await ask(decodeURIComponent(server.calls.review)), `/ui/calls/${server.calls.review}`);
    assert.equal(await ask("DescribeRoomInfo"), "/ui/explorer/DescribeRoomInfo");
    await ask("review");
    await page.locator("main a[href^='/ui/calls/']").first().click();
    assert.match(await page.locator("h1").textContent(), /review/);
    await close();
  },
  "calls, users and days are chosen by their forms": async (browser, server) => {
    const { page, close } = await visit(browser, server, named("calls"), bare);
    await page.locator("[name=q]").last().fill("keynote");
    await page.locator("form.filters button").click();
    assert.equal(await page.locator("table.calls tbody tr").count(), 1);
    const asked = () => new URL(page.url()).searchParams;
    assert.equal(Number(asked().get("from")), CLOCK - 7 * 86_400);
    await page.locator("form.filters [name=q]").fill("chen");
    await page.locator("[name=since]").fill(new Date((CLOCK - 4 * 86_400 + 7) * 1_000).toISOString().slice(0, 19));
    await page.locator("[name=state]").selectOption("ended");
    await page.locator("[name=minusers]").fill("2");
    await page.locator("form.filters button").click();
    assert.deepEqual([asked().get("from"), asked().get("q"), asked().get("since")], [String(CLOCK - 4 * 86_400 + 7), "chen", null]);
    assert.match(await page.locator("p.note").textContent(), /chen/);
    const some = await page.locator("table.calls tbody tr").count();
    assert.ok(some >= 1, `${some} calls`);
    await page.getByRole("link", { name: "14 days" }).click();
    await page.waitForURL((url) => Number(url.searchParams.get("to")) - Number(url.searchParams.get("from")) === 14 * 86_400);
    assert.equal(await page.locator("[name=minusers]").inputValue(), "2", "a window keeps the filters");
    assert.ok((await page.locator("table.calls tbody tr").count()) > some);
    await page.goto(`${server.origin}/ui/users?app=${APP}`);
    await page.locator("form.filters [name=q]").fill("guest-19");
    await page.locator("form.filters button").click();
    assert.match(await page.locator("table.users tbody tr").first().textContent(), /guest-19/);
    await page.goto(`${server.origin}/ui/trends?app=${APP}`);
    await page.locator("form select").last().selectOption({ index: 0 });
    await page.locator("form.filters button").click();
    assert.equal(new URL(page.url()).pathname, "/ui/trends");
    assert.ok((await page.locator("table tbody tr").count()) >= 1);
    await close();
  },
  "all users of a large call are a link away each": async (browser, server) => {
    const { page, close } = await visit(browser, server, named("call-crowd"), bare);
    assert.ok((await page.locator(".facts").textContent()).replace(/[\s,]/g, "").includes(`${CROWD}`));
    const first = await page.locator("#rows a.user").first().textContent();
    await page.locator("tr.more a").click();
    await page.waitForURL((url) => url.searchParams.has("skip"));
    assert.notEqual(await page.locator("#rows a.user").first().textContent(), first);
    await close();
  },
  "a request is signed by the form of the explorer": async (browser, server) => {
    const { page, close } = await visit(browser, server, named("explorer-action"), bare);
    await page.locator("#ask [name='p.PageSize'], #ask [name=PageSize]").first().fill("17");
    await page.locator("#ask [data-send]").click();
    await page.waitForURL((url) => url.pathname === "/ui/explorer/prepare");
    assert.match(await page.locator("#request pre").first().textContent(), /"PageSize":17/);
    assert.match(await page.locator("#signature").textContent(), /TC3-HMAC-SHA256 Credential=/);
    await page.locator("#code label", { hasText: "curl" }).click();
    assert.equal(await page.locator("#code pre[data-language=curl]").isVisible(), true);
    await close();
  },
};

test("without scripts", { concurrency: 2 }, (t) =>
  using([fixture(), chromium()], async (server, browser) => {
    assert.deepEqual(Object.keys(READ).sort(), PAGES.map(({ name }) => name).sort(), "every page is read");
    const known = new Set();
    await Promise.all([
      ...PAGES.map((row) => t.test(`${row.name} can be read`, () => read(server, browser, row, known))),
      ...Object.entries(DONE).map(([name, steps]) => t.test(name, () => steps(browser, server))),
    ]);
  }));

test("without scripts one signs in, and out", () =>
  using([rollbook({ password: PASSWORD }), chromium()], async (server, browser) => {
    const { page, context, close } = await visit(browser, server, "/ui/calls?q=kept", bare);
    assert.equal(new URL(page.url()).pathname, "/ui/login");
    assert.deepEqual(await dead(page), []);
    await page.locator("[name=account]").fill("tests");
    await page.locator("[name=password]").fill(PASSWORD);
    await page.locator("form.sign-in button").click();
    await page.waitForURL((url) => url.pathname === "/ui/calls" && url.searchParams.get("q") === "kept");
    assert.equal((await context.cookies()).some(({ name }) => name === "rollbook_session"), true);
    await page.locator("details.menu summary").click();
    await page.locator("details.menu form button").click();
    await page.waitForURL((url) => url.pathname === "/ui/login");
    await close();
  }));
