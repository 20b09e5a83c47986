// The API Explorer, as somebody uses it who learns the API: forms, real requests, signatures, code.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";

import { asked, named, visit } from "./dashboard.mjs";
import { CLOCK, at, fixture } from "./fixture.mjs";
import { APP, KEY, chromium, eventually, using } from "./harness.mjs";

const action = named("explorer-action");

const on = (address, how, steps) => async (browser, server) => {
  const row = typeof address === "function" ? { path: address, ready: action.ready } : address;
  const seen = await visit(browser, server, row, how);
  await steps(seen, server, browser);
  seen.clean();
  await seen.close();
};

// What was sent to the API itself.
const calls = (seen) => seen.asked.filter((request) => new URL(request.url()).pathname === "/");

async function send(seen) {
  const before = calls(seen).length;
  await seen.page.locator("#ask button.primary").click();
  await seen.page.waitForSelector("#response .facts-line");
  const request = await eventually("the request", async () => calls(seen).length > before && calls(seen).at(-1));
  const reply = await request.response();
  return { request, reply, answer: (await reply.json()).Response, headers: await request.allHeaders() };
}

// The signature of a request, worked out here from its bytes and the key.
function signature({ body, host, timestamp, type }) {
  const hash = (text) => createHash("sha256").update(text).digest("hex");
  const mac = (key, text) => createHmac("sha256", key).update(text).digest();
  const date = new Date(timestamp * 1_000).toISOString().slice(0, 10);
  const canonical = `POST\n/\n\ncontent-type:${type}\nhost:${host}\n\ncontent-type;host\n${hash(body)}`;
  const text = `TC3-HMAC-SHA256\n${timestamp}\n${date}/trtc/tc3_request\n${hash(canonical)}`;
  const key = ["trtc", "tc3_request"].reduce(mac, mac(`TC3${KEY.secretKey}`, date));
  return { canonical, text, signature: mac(key, text).toString("hex") };
}

const step = (page, name) =>
  page.locator(`#signature [data-step=${name}]`).evaluate((pre) => {
    const clone = pre.cloneNode(true);
    clone.querySelectorAll(".eol").forEach((mark) => mark.remove());
    return clone.textContent;
  });

async function compare(page, mine) {
  await page.locator(".tabs a[href='#signature']").click();
  await page.locator("textarea[name=mine]").fill(mine);
  await page.locator("button[name=compare]").click();
  return eventually("the verdict", async () => (await page.locator("#verdict").textContent()) || undefined);
}

const TESTS = {
  "a good request is really sent, as it is shown, and answered": on(action, {}, async (seen, server) => {
    const { page } = seen;
    const { request, answer } = await send(seen);
    assert.deepEqual([answer.Total, answer.UserList.length], [6, 6], "a page holds six, and its Total counts them");
    const shown = await page.locator("#request pre").textContent();
    const [head, body] = [shown.slice(0, shown.indexOf("\n\n")), shown.slice(shown.indexOf("\n\n") + 2)];
    assert.equal(request.postData(), body);
    const headers = { ...(await request.allHeaders()), host: new URL(request.url()).host };
    for (const line of head.split("\n").slice(1)) {
      const [name, value] = [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)];
      assert.equal(headers[name.toLowerCase()], value, name);
    }
    assert.match(await page.locator("#response .tree").textContent(), /"UserId": "chen"|"UserId": "omar"/);
    assert.match(await page.locator("#response .tree").textContent(), /2026-11-25 13:50:\d\d/, "times are shown beside the seconds");
    assert.equal(new URL(request.url()).origin, server.origin);
  }),

  "the signature that is shown is the right one": on(action, {}, async (seen) => {
    const { request, headers } = await send(seen);
    const host = new URL(request.url()).host;
    const own = signature({ body: request.postData(), host, timestamp: Number(headers["x-tc-timestamp"]), type: headers["content-type"] });
    assert.equal(await step(seen.page, "canonical"), own.canonical);
    assert.equal(await step(seen.page, "string"), own.text);
    assert.ok((await step(seen.page, "header")).endsWith(`Signature=${own.signature}`));
    assert.equal(headers.authorization, await step(seen.page, "header"));
  }),

  "what is wrong is said while it is typed, and may be sent all the same": on(action, {}, async (seen) => {
    const { page } = seen;
    const field = page.locator("[name='p.StartTime']");
    await field.fill(`${CLOCK - 20_000}`);
    await page.waitForSelector("[name='p.StartTime'][aria-invalid]");
    assert.match((await page.locator("[data-problem]").allTextContents()).join(), /14400|4 h/);
    const { reply, answer } = await send(seen);
    assert.equal(reply.status(), 200);
    assert.equal(answer.Error.Code, "InvalidParameter.QueryScaleOversize");
    assert.match(await page.locator("#response .explain").textContent(), /QueryScaleOversize/);
    await page.locator("#response .explain a[href^='#error-']").click();
    assert.equal(await page.locator("#reference").isVisible(), true);
    await field.fill(`${CLOCK - 3_600}`);
    await page.waitForSelector("[name='p.StartTime']:not([aria-invalid])");
  }),

  "the address is the form": on(action, {}, async ({ page }, server, browser) => {
    await page.locator("[name='p.PageSize']").fill("3");
    await page.locator("[name='p.UserIds']").fill("chen\n李娜");
    await eventually("the address", async () => new URL(page.url()).searchParams.get("p.PageSize") === "3" && page.url().includes("%E6%9D%8E"));
    const url = new URL(page.url());
    const other = await visit(browser, server, { path: () => url.pathname + url.search, ready: action.ready });
    assert.equal(await other.page.locator("[name='p.PageSize']").inputValue(), "3");
    assert.equal(await other.page.locator("[name='p.UserIds']").inputValue(), "chen\n李娜");
    const { answer } = await send(other);
    assert.deepEqual(answer.UserList.map(({ UserId }) => UserId).sort(), ["chen", "李娜"]);
    await other.close();
  }),

  "a signature of one's own is compared": on(action, {}, async (seen) => {
    const { page } = seen;
    const header = await step(page, "header");
    const right = await compare(page, header.split("Signature=")[1]);
    const canonical = await step(page, "canonical");
    await page.locator("#verdict").evaluate((place) => place.replaceChildren());
    const wrong = await compare(page, canonical.replace(/host:.*/, (line) => line.replace(/:\d+$/, "")));
    assert.notEqual(right, wrong);
    assert.match(wrong, /port/i, wrong);
  }),

  "what is copied is the code": on(action, { more: { permissions: ["clipboard-read", "clipboard-write"] } }, async ({ page }) => {
    await page.locator(".tabs a[href='#code']").click();
    for (const language of ["python", "curl"]) {
      await page.locator(`label[for=lang-${language}]`).click();
      const code = page.locator(`pre[data-language=${language}]`);
      const shown = await code.textContent();
      assert.ok(shown.includes(new URL(page.url()).host), "it points at this server");
      await page.locator(".sample:visible .copy").click();
      await eventually("the copy", async () => (await page.evaluate(() => navigator.clipboard.readText())) === shown);
    }
    await page.reload();
    await page.waitForSelector(action.ready, { state: "attached" });
    assert.equal(await page.locator("#lang-curl").isChecked(), true, "the language is remembered");
  }),

  "no secret reaches the browser, none stays there": on(action, {}, async (seen) => {
    const { page, reply } = seen;
    await page.locator("[name=key]").selectOption("typed");
    await page.locator("#ask details summary").first().click();
    await page.locator("[name=secret_id]").fill("AKIDtypedInByHand");
    await page.locator("[name=secret_key]").fill("typed-in-by-hand");
    const { answer } = await send(seen);
    assert.match(answer.Error.Code, /^AuthFailure/);
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, document.cookie]));
    assert.ok(!/typed-in-by-hand|AKIDtypedInByHand/.test(kept), kept);
    const replies = await Promise.all(seen.asked.filter((request) => request.url().includes("/prepare")).map(async (request) => (await request.response()).text()));
    for (const text of [await reply.text(), ...replies]) assert.ok(!text.includes(KEY.secretKey));
  }),

  "what was sent is remembered in this tab": on(action, {}, async (seen) => {
    const { page } = seen;
    await send(seen);
    await page.locator(".tabs a[href='#history']").click();
    assert.equal(await page.locator("#history .sent li").count(), 1);
    assert.match(await page.locator("#history .sent li").textContent(), /DescribeUserInfo 200 \d+ ms.*CommId=/);
    await page.locator("#history .sent a").click();
    await page.waitForSelector(action.ready, { state: "attached" });
    assert.equal(await page.locator("[name='p.SdkAppId']").inputValue(), `${APP}`);
  }),

  "an action is found by what it says": on(named("explorer"), {}, async ({ page }) => {
    await page.locator("#quick").fill("abnormaleventid");
    const shown = await page.locator(".actions li:visible a").allTextContents();
    assert.deepEqual(shown, ["DescribeUnusualEvent", "DescribeAbnormalEvent"]);
  }),

  "every action's example is good": async (browser, server) => {
    const list = await visit(browser, server, named("explorer"));
    const names = await list.page.locator(".actions a").allTextContents();
    await list.close();
    assert.equal(names.length, 12);
    for (const name of names) {
      const seen = await visit(browser, server, { path: () => `/ui/explorer/${name}?${asked(server.calls.review, { "p.UserId": "chen", "p.RoomId": "review", "p.EndTime": at("13:50") })}`, ready: action.ready });
      const { answer } = await send(seen);
      assert.equal(answer.Error, undefined, `${name}: ${JSON.stringify(answer.Error)}`);
      seen.clean();
      await seen.close();
    }
  },

  "without a script the form is sent and the reference is read": on(({ review }) => `/ui/explorer/DescribeUserInfo?${asked(review)}`, { scripts: false }, async ({ page }) => {
    assert.equal(await page.locator("#reference").isVisible(), true);
    assert.ok((await page.locator("#reference tr").count()) > 10);
    await page.locator("#ask button[type=submit]:visible").first().click();
    await page.waitForURL((url) => url.pathname === "/ui/explorer/prepare");
    assert.match(await page.locator("#signature [data-step=header]").textContent(), /^TC3-HMAC-SHA256 Credential=/);
  }),
};

test("the API Explorer", { concurrency: 2 }, (t) =>
  using([fixture(), chromium()], (server, browser) =>
    Promise.all(Object.entries(TESTS).map(([name, steps]) => t.test(name, () => steps(browser, server)))),
  ));
