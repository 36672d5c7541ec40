// What a person orders with buttons: each order is asked once more on a page of its own, and is carried out once.

import { strict as assert } from "node:assert";

import { order, signIn } from "./browser.js";
import { eventually } from "./eventually.js";
import { DOWN, WELL } from "./gateway.js";
import { pageTest, setStage } from "./stage.js";
import { TOKEN } from "./watchdog.js";

const stage = setStage({
  token: TOKEN,
  targets: [
    { name: "shop", mode: "approve", hooks: ["restart"] },
    { name: "desk", mode: "approve", hooks: ["restart", "reset"] },
    { name: "idle" },
  ],
});

const flash = (page) => page.locator("#flash").innerText();
const alert = (page) => page.getByRole("alert").innerText();

/** Goes to a page that needs somebody who is signed in, and comes there signed in. */
async function goSignedIn(page, watchdog, path) {
  await page.goto(`${watchdog.url}/sign-in?next=${encodeURIComponent(path)}`);
  await signIn(page, TOKEN);
  await page.waitForURL(`${watchdog.url}${path}`);
}

pageTest(stage, "a proposed restart is approved, carried out once, and closes the incident", {}, async ({ page, watchdog, gateway }) => {
  await watchdog.believes("shop", "healthy");
  gateway.onHook((name) => gateway.set(name, WELL));
  await page.goto(watchdog.url);
  gateway.set("shop", DOWN);
  await page.getByRole("link", { name: /Approve restart of shop/ }).click();
  // Who is not signed in is asked for the token first, and then comes back.
  await signIn(page, TOKEN);
  await page.waitForURL(/\/targets\/shop\/order\/approve\?attempt=/);
  assert.equal(await page.getByLabel("Your name").inputValue(), "Ana");
  assert.deepEqual(gateway.hooks("shop"), [], "looking at it changes nothing");
  await order(page, "approve");
  await page.waitForURL(/\/targets\/shop\?note=/);
  assert.match(await flash(page), /^released: \w+ begins as soon as its guards let it$/);
  const attempt = page.locator("[data-attempt]").first();
  await attempt.waitFor();
  await eventually("it ends well", async () => /released by Ana/.test(await attempt.innerText()) && (await watchdog.api("incidents?open=true")).incidents.length === 0);
  await attempt.locator("summary").click();
  assert.match(await attempt.locator(".steps").innerText(), /run .*done/);
  assert.deepEqual([gateway.hooks("shop"), gateway.calls("shop")], [["restart"], ["restart"]], "it was called once");
  await page.locator('#session[data-verdict="healthy"]').waitFor();
});

pageTest(stage, "one session is paused and resumed", {}, async ({ page, watchdog }) => {
  await goSignedIn(page, watchdog, "/targets/idle");
  await page.getByRole("link", { name: "Pause" }).click();
  await order(page, "pause", { for: "2h", reason: "moving <b>house</b>" });
  await page.waitForURL(/\/targets\/idle\?note=/);
  await flash(page);
  const banner = page.locator("#banners .banner");
  await banner.waitFor();
  assert.match(await banner.innerText(), /Paused by Ana until .*moving <b>house<\/b>/, "words of people are shown as they are");
  const { care } = await watchdog.api("targets/idle");
  assert.equal(care.pause.who, "Ana");
  await page.getByRole("link", { name: "Resume" }).first().click();
  await order(page, "resume");
  await page.waitForURL(/\/targets\/idle\?note=/);
  await banner.waitFor({ state: "detached" });
});

pageTest(stage, "all sessions are paused and resumed", {}, async ({ page, watchdog }) => {
  await goSignedIn(page, watchdog, "/");
  await page.getByRole("link", { name: /Pause all/ }).click();
  await order(page, "pause");
  await page.locator("#banners").getByText("All sessions are paused").waitFor();
  assert.match(await page.locator("#banners").innerText(), /until they are resumed: browser test/);
  await page.locator("#banners").getByRole("link", { name: "Resume all" }).click();
  await order(page, "resume");
  await page.locator("#flash").waitFor();
  await page.locator("#banners .banner").waitFor({ state: "detached" });
});

pageTest(stage, "what destroys a session asks for its name", { expected: ["400"] }, async ({ page, watchdog, gateway }) => {
  await watchdog.believes("desk", "healthy");
  gateway.onHook(() => {});
  await goSignedIn(page, watchdog, "/targets/desk");
  await page.getByRole("link", { name: /^Reset/ }).click();
  assert.match(await page.locator("main").innerText(), /Type desk to destroy its session/);
  await order(page, "reset", { confirm: "shop", reason: "typed wrongly" });
  assert.match(await alert(page), /Nothing was ordered.*type its name, desk/);
  assert.equal(await page.locator('[name="reason"]').inputValue(), "typed wrongly", "what was typed is kept");
  assert.deepEqual(gateway.hooks("desk"), []);
  await order(page, "reset", { confirm: "desk" });
  await page.waitForURL(/\/targets\/desk\?note=/);
  await eventually("the hook is called", async () => gateway.hooks("desk").length > 0);
  assert.deepEqual([gateway.hooks("desk"), gateway.calls("desk")], [["reset"], ["reset"]]);
});

pageTest(stage, "a form that lacks something says what, and keeps the rest", { expected: ["400"] }, async ({ page, watchdog }) => {
  await goSignedIn(page, watchdog, "/targets/idle/order/pause");
  await order(page, "pause", { for: "a while" });
  assert.match(await alert(page), /Nothing was ordered/);
  assert.equal(await page.locator('[name="for"]').inputValue(), "a while");
  assert.equal(await page.locator('[name="for"]').getAttribute("aria-invalid"), "true");
  // The browser itself asks for what is required, before anything is sent.
  await order(page, "pause", { for: "", reason: "" });
  assert.ok(await page.locator('[name="reason"]').evaluate((field) => field.validity.valueMissing));
  assert.equal((await watchdog.api("targets/idle")).care.pause, null);
});
