// Without JavaScript everything works too; the page loads itself anew now and then.

import { strict as assert } from "node:assert";

import { order, signIn } from "./browser.js";
import { DOWN } from "./gateway.js";
import { pageTest, setStage } from "./stage.js";
import { TOKEN } from "./watchdog.js";

const stage = setStage({
  token: TOKEN,
  targets: ["shop", "other"].map((name) => ({ name })),
  first: (gateway) => gateway.set("other", DOWN),
});
const plain = { javaScriptEnabled: false };

pageTest(stage, "without a script: a session is paused and resumed", plain, async ({ page, watchdog }) => {
  await page.goto(`${watchdog.url}/`);
  await page.getByRole("link", { name: "shop", exact: true }).click();
  await page.getByRole("link", { name: "Pause" }).click();
  await signIn(page, TOKEN);
  await order(page, "pause", { for: "30min" });
  assert.match(await page.locator("#flash").innerText(), /^paused: it watches and tells, and does nothing$/);
  assert.match(await page.locator("#banners").innerText(), /Paused by Ana until/);
  assert.equal((await watchdog.api("targets/shop")).care.pause.who, "Ana");
  await page.getByRole("link", { name: "Resume" }).first().click();
  await order(page, "resume");
  await page.locator("#flash").waitFor();
  assert.equal(await page.locator("#banners .banner").count(), 0);
  assert.equal((await watchdog.api("targets/shop")).care.pause, null);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
});

pageTest(stage, "without a script: the page loads itself anew, and forms do not", plain, async ({ page, watchdog }) => {
  const refresh = () => page.locator('meta[http-equiv="refresh"]').count();
  for (const path of ["/", "/targets/shop"]) {
    await page.goto(watchdog.url + path);
    assert.equal(await refresh(), 1, path);
  }
  // Nobody loses what was typed.
  await page.goto(`${watchdog.url}/sign-in`);
  assert.equal(await refresh(), 0);
});

pageTest(stage, "without a script: filtered by a form, with a link to keep", plain, async ({ page, watchdog }) => {
  await watchdog.believes("other", "failing");
  await page.goto(`${watchdog.url}/`);
  const names = () => page.locator("#rows tr").evaluateAll((rows) => rows.map((row) => row.dataset.target));
  assert.deepEqual(await names(), ["other", "shop"]);
  await page.getByLabel("Name contains").fill("SHO");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/\?q=SHO&show=all$/);
  assert.deepEqual(await names(), ["shop"]);
  await page.getByLabel("Name contains").fill("");
  await page.getByLabel("Show").selectOption("failing");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/show=failing/);
  assert.deepEqual(await names(), ["other"]);
});
