// Pictures of pages, in both themes and on a phone, into the folder that is named.

import { join } from "node:path";

import { PAGES, visit } from "./dashboard.mjs";
import { fixture } from "./fixture.mjs";
import { chromium, using } from "./harness.mjs";

const folder = process.argv[2];
const SIZES = [
  { name: "light", theme: "light", width: 1440, height: 900 },
  { name: "dark", theme: "dark", width: 1440, height: 900 },
  { name: "phone", theme: "light", width: 390, height: 844 },
];

await using([fixture(), chromium()], async (server, browser) => {
  for (const row of PAGES.filter(({ picture }) => picture)) {
    for (const { name, ...how } of SIZES) {
      const seen = await visit(browser, server, row, how);
      await row.arrange?.(seen.page);
      await seen.page.screenshot({ path: join(folder, `${row.name}-${name}.png`), animations: "disabled", caret: "hide" });
      seen.clean();
      await seen.close();
    }
  }
});
