// A scan is wanted: a card that nobody overlooks, a clock that runs, a link to where the code is shown, and nothing of the code itself.

import { strict as assert } from "node:assert";

import { eventually } from "./eventually.js";
import { QR_TEXT, SCAN, WELL } from "./gateway.js";
import { pageTest, setStage } from "./stage.js";
import { TOKEN } from "./watchdog.js";

const stage = setStage({
  token: TOKEN,
  targets: [{ name: "shop", qrPage: true }, { name: "desk" }],
  first: (gateway) => gateway.set("desk", SCAN),
});

/** Reads "1:23" as seconds. */
const seconds = (clock) => clock.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);

pageTest(stage, "a wanted scan is a card with a running clock and a link, until it is scanned", {}, async ({ page, watchdog, gateway }) => {
  await watchdog.believes("shop", "healthy");
  await page.goto(watchdog.url);
  await page.locator('#live[data-live="on"]').waitFor();
  gateway.set("shop", SCAN);
  const card = page.locator('[data-handoff="shop"]');
  await card.waitFor();
  const clock = card.locator(".big time");
  const from = await eventually("the clock shows minutes and seconds", async () => {
    const text = await clock.innerText();
    return /^\d+:\d\d$/.test(text) && text;
  });
  await eventually("the clock runs", async () => seconds(await clock.innerText()) < seconds(from));
  const size = await card.locator(".big").evaluate((big) => parseFloat(getComputedStyle(big).fontSize));
  assert.ok(size >= 28, `it is ${size} px high`);
  const link = card.getByRole("link", { name: "Open the QR page of shop" });
  assert.equal(await link.getAttribute("href"), `${gateway.of("shop")}/qr-display`);
  assert.match(await link.getAttribute("rel"), /noopener/);
  gateway.set("shop", WELL);
  await card.waitFor({ state: "detached" });
});

pageTest(stage, "the card is on the session's own page too; without a QR page it says how to name one", {}, async ({ page, watchdog }) => {
  await page.goto(`${watchdog.url}/targets/desk`);
  await page.locator('[data-handoff="desk"]').waitFor();
  assert.match(await page.locator('[data-handoff="desk"]').innerText(), /qr_page/);
});

pageTest(stage, "neither a code nor the token is in any page", {}, async ({ page, watchdog }) => {
  await page.goto(`${watchdog.url}/targets/desk`);
  await page.locator('[data-handoff="desk"]').waitFor();
  for (const path of ["/", "/targets/desk", "/sign-in", "/api/v1/targets", "/api/v1/targets/desk", "/api/v1/incidents", "/metrics", "/live.js"]) {
    const text = await page.evaluate(async (path) => (await fetch(path)).text(), path);
    assert.ok(text.length > 0 && !text.includes(QR_TEXT) && !text.includes(TOKEN), path);
  }
  const policy = await page.evaluate(async () => (await fetch("/")).headers.get("content-security-policy"));
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
});
