// For everybody: axe-core finds nothing, in light and dark and on a small screen, and nothing is wider than the screen.

import { strict as assert } from "node:assert";

import { AXE, order, signIn } from "./browser.js";
import { DOWN, SCAN } from "./gateway.js";
import { pageTest, setStage } from "./stage.js";
import { TOKEN } from "./watchdog.js";

const NAMES = ["apple", "a-session-with-a-very-long-name-that-goes-on-0123456789-and-on", "scan", "down"];
const stage = setStage({
  token: TOKEN,
  targets: NAMES.map((name) => (name === "down" ? { name, mode: "approve", hooks: ["restart", "reset"] } : { name, qrPage: true })),
  first: (gateway) => {
    gateway.set("scan", SCAN);
    gateway.set("down", DOWN);
  },
});

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const WAYS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "360 px": { colorScheme: "light", viewport: { width: 360, height: 740 } },
  "360 px, dark": { colorScheme: "dark", viewport: { width: 360, height: 740 } },
};

async function check(page, what) {
  // What just came in is still fading.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  // Through the protocol, not as a script of the page: its policy forbids those.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 5).map((node) => `  ${node.target}: ${node.any[0]?.message ?? node.html}`).join("\n")}`);
  assert.deepEqual(told, [], what);
  const [wide, screen] = await page.evaluate(() => [document.scrollingElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= screen, `${what} is ${wide} px wide on a screen of ${screen} px`);
}

for (const [way, options] of Object.entries(WAYS)) {
  pageTest(stage, `axe-core finds nothing: ${way}`, { ...options, reducedMotion: "reduce", expected: ["400"] }, async ({ page, watchdog }) => {
    await watchdog.believes("down", "failing");
    await page.goto(`${watchdog.url}/sign-in`);
    await check(page, "the page to sign in");
    await page.goto(watchdog.url);
    await page.locator('[data-handoff="scan"]').waitFor();
    await page.locator('[data-proposal="down"]').waitFor();
    for (const details of await page.locator("details").all()) await details.evaluate((element) => { element.open = true; });
    await check(page, "the first page");
    await page.goto(`${watchdog.url}/targets/down`);
    await check(page, "a session that is down");
    await page.goto(`${watchdog.url}/targets/scan`);
    await check(page, "a session that waits for a scan");
    await page.goto(`${watchdog.url}/sign-in?next=/targets/down/order/reset`);
    await signIn(page, TOKEN);
    await page.waitForURL(/order\/reset$/);
    await check(page, "the form of a reset");
    await order(page, "reset", { confirm: "wrong" });
    await page.getByRole("alert").waitFor();
    await check(page, "a form that was refused");
  });
}

pageTest(stage, "dark is dark, and light is light", {}, async ({ page, watchdog }) => {
  await page.goto(watchdog.url);
  const light = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765);
  await page.emulateMedia({ colorScheme: "light" });
  assert.ok(await light() > 0.9);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.ok(await light() < 0.2);
});

pageTest(stage, "what is touched is large enough for a finger", { viewport: { width: 360, height: 740 }, hasTouch: true }, async ({ page, watchdog }) => {
  for (const path of ["/", "/targets/down", "/sign-in"]) {
    await page.goto(watchdog.url + path);
    const small = await page.locator("a:visible, button:visible, select:visible, summary:visible, input:not([type=hidden]):visible").evaluateAll((elements) =>
      // A link in the middle of a sentence is as high as its line.
      elements.filter((element) => !element.closest("p:not(.crumb):not(.brand):not(.field), li li, .skip, footer li"))
        .map((element) => [element.innerText || element.id, Math.round(element.getBoundingClientRect().height)])
        .filter(([, height]) => 0 < height && height < 40));
    assert.deepEqual(small, [], path);
  }
});
