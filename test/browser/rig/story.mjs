// A story is tests that follow from one another: after the first that fails the
// others are not told, and what was on screen then is kept.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { output } from "./person.mjs";

/** story returns a function like test(); cast() gives who is in it by now. */
export function story(name, cast) {
  let broken;
  return (title, tell) =>
    test(title, { timeout: 240_000 }, async (t) => {
      if (broken) {
        t.skip(`not told: "${broken}" failed`);
        return;
      }
      try {
        await tell(t);
      } catch (e) {
        broken = title;
        await evidence(name, cast());
        throw e;
      }
    });
}

async function evidence(name, { people, site }) {
  mkdirSync(output, { recursive: true });
  for (const p of people.filter((p) => p?.browser)) {
    for (const [i, page] of p.browser.pages().entries()) {
      await page.screenshot({ path: join(output, `failed-${name}-${p.device}-${i}.png`), timeout: 5000 }).catch(() => {});
    }
    if (p.trouble.length > 0) console.error(`${p.device}: ${p.trouble.join("\n  ")}`);
  }
  if (site) writeFileSync(join(output, `failed-${name}-server.log`), site.output);
}
