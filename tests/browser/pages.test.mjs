// What holds of every page, in both themes and on three screens: axe finds nothing, the console is empty, nothing is asked
// of another host, no style or script stands in the page, and everything fits.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PAGES, inline, misfits, violations, visit } from "./dashboard.mjs";
import { fixture } from "./fixture.mjs";
import { chromium, using } from "./harness.mjs";

const WIDTHS = [1440, 1024, 390];

// Opens a page on a wide screen, which becomes narrower.
async function look(server, browser, row, theme) {
  const seen = await visit(browser, server, row, { theme, width: WIDTHS[0] });
  const wrong = (await inline(seen.page, seen.reply)).map((one) => `in the page itself: ${one}`);
  for (const width of WIDTHS) {
    await seen.page.setViewportSize({ width, height: 900 });
    const found = [...(await misfits(seen.page)), ...(await violations(seen.page))];
    wrong.push(...found.map((one) => `${width} px: ${one}`));
  }
  assert.deepEqual(wrong, []);
  seen.clean();
  await seen.close();
}

test("every page, in both themes and on three screens", { concurrency: 2 }, (t) =>
  using([fixture(), chromium()], async (server, browser) => {
    const rows = PAGES.flatMap((row) => ["light", "dark"].map((theme) => [row, theme]));
    await Promise.all(rows.map(([row, theme]) => t.test(`${row.name}, ${theme}`, () => look(server, browser, row, theme))));
  }));
