// Signing in and out, where the pages ask for a password.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inline, misfits, violations, visit } from "./dashboard.mjs";
import { chromium, rollbook, using } from "./harness.mjs";

const PASSWORD = "correct horse battery staple";
const refused = "error: Failed to load resource: the server responded with a status of 401 (Unauthorized)";

async function signIn(page, password) {
  await page.locator("[name=account]").fill("tests");
  await page.locator("[name=password]").fill(password);
  await page.locator("form.sign-in button").click();
}

test("who may see pages", { concurrency: 2 }, (t) =>
  using([rollbook({ password: PASSWORD }), chromium()], (server, browser) =>
    Promise.all([
      ...["light", "dark"].map((theme) =>
        t.test(`the way in, ${theme}`, async () => {
          const seen = await visit(browser, server, "/ui/login", { theme });
          const wrong = await inline(seen.page, seen.reply);
          for (const width of [1440, 390]) {
            await seen.page.setViewportSize({ width, height: 800 });
            wrong.push(...(await misfits(seen.page)), ...(await violations(seen.page)));
          }
          assert.deepEqual(wrong, []);
          seen.clean();
          await seen.close();
        }),
      ),
      t.test("a password leads to the page that was asked for, and out again", async () => {
        const seen = await visit(browser, server, "/ui/calls?q=kept");
        const { page, said, context } = seen;
        assert.equal(new URL(page.url()).pathname, "/ui/login");
        await signIn(page, `${PASSWORD}!`);
        await page.waitForSelector(".trouble");
        assert.deepEqual(await violations(page), []);
        assert.deepEqual(said.splice(0), [refused]);
        await signIn(page, PASSWORD);
        await page.waitForURL((url) => url.pathname === "/ui/calls" && url.searchParams.get("q") === "kept");
        const [session] = (await context.cookies()).filter(({ name }) => name === "rollbook_session");
        assert.deepEqual([session.httpOnly, session.sameSite, session.path], [true, "Strict", "/ui"]);
        await page.locator("details.menu summary").click();
        await page.locator("details.menu form button").click();
        await page.waitForURL((url) => url.pathname === "/ui/login");
        await page.goto(`${server.origin}/ui/calls`);
        assert.equal(new URL(page.url()).pathname, "/ui/login");
        seen.clean();
        await seen.close();
      }),
    ]),
  ));
