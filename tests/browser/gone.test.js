// A session that is taken out of the configuration while its page is open.

import { strict as assert } from "node:assert";

import { pageTest, setStage } from "./stage.js";

const stage = setStage({ targets: ["stays", "leaves"].map((name) => ({ name })) });

pageTest(stage, "a session that is watched no more says so, and asks no more", { expected: ["404", "Failed to load"] }, async ({ page, watchdog }) => {
  await watchdog.believes("leaves", "healthy");
  await page.goto(`${watchdog.url}/targets/leaves`);
  await page.locator('#live[data-live="on"]').waitFor();
  await watchdog.forget("leaves");
  await page.locator("#live").getByText("leaves is no longer watched").waitFor();
  assert.match(await page.locator("#banners").innerText(), /leaves is no longer watched\. What is shown here is old\./);
  let asked = 0;
  page.on("request", () => { asked += 1; });
  await new Promise((done) => { setTimeout(done, 3000); });
  assert.equal(asked, 0);
});
