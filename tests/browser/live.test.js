// An open page stays true by itself: rows change where they are, and a stream that breaks comes back.

import { strict as assert } from "node:assert";

import { order } from "./browser.js";
import { eventually } from "./eventually.js";
import { CONNECTING, DOWN, WELL } from "./gateway.js";
import { pageTest, setStage } from "./stage.js";

const stage = setStage({ targets: ["apple", "berry", "cherry"].map((name) => ({ name })) });

/** Opens the first page, waits until it is live, and marks it: a page that was loaded anew has lost the mark. */
async function openLive(page, url) {
  await page.goto(url);
  await page.locator('#live[data-live="on"]').waitFor();
  await page.evaluate(() => { window.mark = "still the same page"; });
}

const isSame = (page) => page.evaluate(() => window.mark === "still the same page");
const names = (page) => page.locator("#rows tr").evaluateAll((rows) => rows.map((row) => row.dataset.target));

pageTest(stage, "a session turns bad and well again in its row, without a reload", {}, async ({ page, watchdog, gateway }) => {
  await watchdog.believes("cherry", "healthy");
  await openLive(page, watchdog.url);
  await page.evaluate(() => {
    window.announced = [];
    const said = document.getElementById("said");
    new MutationObserver(() => { if (said.textContent) window.announced.push(said.textContent); })
      .observe(said, { childList: true, characterData: true, subtree: true });
  });
  gateway.set("cherry", DOWN);
  await page.locator('tr[data-target="cherry"][data-verdict="failing"]').waitFor();
  await eventually("it comes first", async () => (await names(page))[0] === "cherry");
  assert.deepEqual(await names(page), ["cherry", "apple", "berry"]);
  await eventually("the heading counts it", async () => (await page.locator("h1").innerText()) === "1 of 3 sessions failing");
  assert.match(await page.title(), /1/);
  assert.match(await page.locator("#happened").innerText(), /cherry unreachable/);
  gateway.set("cherry", WELL);
  await page.locator('tr[data-target="cherry"][data-verdict="healthy"]').waitFor();
  await eventually("it goes back", async () => (await names(page)).join() === "apple,berry,cherry");
  // Read out once each, and nothing of what else changed.
  const announced = await page.evaluate(() => window.announced);
  assert.deepEqual(announced, ["cherry is failing", "cherry is not failing any more"]);
  assert.equal(await page.locator("#said").getAttribute("aria-live"), "polite");
  assert.ok(await isSame(page), "the page was loaded anew");
});

pageTest(stage, "the page of a session is live too, and keeps what is open and where the keyboard is", {}, async ({ page, watchdog, gateway }) => {
  gateway.set("berry", DOWN);
  await watchdog.believes("berry", "failing");
  await openLive(page, `${watchdog.url}/targets/berry`);
  const samples = page.locator("#incidents-h + ul details, section[aria-labelledby=incidents-h] details").first();
  await samples.locator("summary").focus();
  await page.keyboard.press("Enter");
  assert.ok(await samples.evaluate((details) => details.open));
  gateway.set("berry", WELL);
  await page.locator('#session[data-verdict="healthy"]').waitFor();
  assert.ok(await samples.evaluate((details) => details.open), "it was closed");
  assert.ok(await samples.locator("summary").evaluate((summary) => summary === document.activeElement), "the keyboard is elsewhere");
  assert.ok(await isSame(page), "the page was loaded anew");
});

pageTest(stage, "what is typed into the filter stays while rows change", {}, async ({ page, watchdog, gateway }) => {
  gateway.set("apple", WELL);
  await watchdog.believes("apple", "healthy");
  await openLive(page, watchdog.url);
  await page.getByLabel("Name contains").fill("apple");
  gateway.set("apple", CONNECTING);
  await page.locator('tr[data-target="apple"][data-verdict="failing"]').waitFor();
  gateway.set("apple", WELL);
  assert.equal(await page.getByLabel("Name contains").inputValue(), "apple");
  assert.equal(await page.locator("#rows tr:visible").count(), 1);
  assert.ok(await page.getByLabel("Name contains").evaluate((field) => field === document.activeElement));
});

pageTest(stage, "a watchdog that begins anew is found again, and what was missed is seen", { expected: ["ERR_", "Failed to load"] }, async ({ page, watchdog, gateway }) => {
  await watchdog.believes("apple", "healthy");
  await openLive(page, watchdog.url);
  await watchdog.end();
  await page.locator('#live[data-live="off"]').waitFor();
  assert.match(await page.locator("#live").innerText(), /reconnecting/);
  gateway.set("apple", DOWN);
  await watchdog.again();
  await page.locator('#live[data-live="on"]').waitFor({ timeout: 20_000 });
  await page.locator('tr[data-target="apple"][data-verdict="failing"]').waitFor();
  assert.ok(await isSame(page), "the page was loaded anew");
  gateway.set("apple", WELL);
});

const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Marks something to be copied, and the part as it is now. */
const mark = (page, what) => page.evaluate((what) => {
  document.getSelection().selectAllChildren(document.querySelector(what));
  document.getElementById("session").dataset.old = "yes";
}, what);
const isOld = (page) => page.locator("#session").evaluate((session) => session.dataset.old === "yes");

/** Marks a part that stays as it was: a poll a second tells something new of it. A verdict that changes meanwhile may end that once. */
const stays = (page) => eventually("what was marked stays", async () => {
  await mark(page, "#explain-h");
  await wait(3000);
  return isOld(page);
}, 20_000);

pageTest(stage, "what is marked to be copied stays for a while, and no verdict waits for it", {}, async ({ page, watchdog, gateway }) => {
  gateway.set("berry", WELL);
  await watchdog.believes("berry", "healthy");
  await openLive(page, `${watchdog.url}/targets/berry`);
  await stays(page);
  gateway.set("berry", DOWN);
  await page.locator('#session[data-verdict="failing"]').waitFor();
  assert.ok(!await isOld(page));
  // Something marked elsewhere holds nothing.
  await mark(page, ".brand");
  await eventually("it goes on", async () => !await isOld(page));
  gateway.set("berry", WELL);
});

pageTest(stage, "what is marked is not held for longer than half a minute", {}, async ({ page, watchdog, gateway }) => {
  gateway.set("berry", WELL);
  await watchdog.believes("berry", "healthy");
  await page.clock.install();
  await openLive(page, `${watchdog.url}/targets/berry`);
  await stays(page);
  await page.clock.fastForward(31_000);
  await eventually("it goes on", async () => !await isOld(page));
});

pageTest(stage, "a row that turns while the page is loaded anew is not forgotten", {}, async ({ page, watchdog, gateway }) => {
  gateway.set("apple", DOWN);
  await watchdog.believes("apple", "failing");
  // Of a page that was filtered the rest is fetched: here it comes late, and is old.
  await page.route(`${watchdog.url}/`, async (route) => {
    const response = await route.fetch();
    gateway.set("apple", WELL);
    await watchdog.believes("apple", "healthy");
    // What is well changes no more.
    await wait(5000);
    await route.fulfill({ response });
  });
  await page.goto(`${watchdog.url}/?q=appl`);
  await page.locator('tr[data-target="cherry"]').waitFor({ state: "attached", timeout: 20_000 });
  await page.locator('tr[data-target="apple"][data-verdict="healthy"]').waitFor();
});

/** Chromium without a window shows every page at the same time; what a page does when it is hidden is told to it here. */
const hide = (page, hidden) => page.evaluate((hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);

pageTest(stage, "of seven tabs the last one still gets an order through", {}, async ({ page, context, watchdog }) => {
  const tabs = [page];
  for (let count = 1; count < 7; count += 1) {
    await hide(tabs.at(-1), true).catch(() => {});
    tabs.push(await context.newPage());
    await openLive(tabs.at(-1), count % 2 ? watchdog.url : `${watchdog.url}/targets/cherry`);
  }
  const last = tabs.at(-1);
  await last.goto(`${watchdog.url}/targets/cherry/order/pause`);
  await order(last, "pause");
  await last.waitForURL(/\/targets\/cherry\?note=/);
  await last.locator("#banners").getByText("Paused by Ana").waitFor();
  // A tab that is looked at again has what it missed.
  await hide(tabs[1], false);
  await tabs[1].locator('#live[data-live="on"]').waitFor();
  await tabs[1].locator('tr[data-target="cherry"]').getByText("paused").waitFor();
  await last.getByRole("link", { name: "Resume" }).first().click();
  await order(last, "resume");
  await tabs[1].locator('tr[data-target="cherry"]').getByText("paused").waitFor({ state: "detached" });
});

pageTest(stage, "a hidden tab tells in its title what fails, to the minute", {}, async ({ page, watchdog, gateway }) => {
  gateway.set("apple", WELL);
  await watchdog.believes("apple", "healthy");
  await page.clock.install();
  await openLive(page, watchdog.url);
  await hide(page, true);
  gateway.set("apple", DOWN);
  await watchdog.believes("apple", "failing");
  await page.clock.runFor(61_000);
  await eventually("the title tells it", async () => (await page.title()).includes("failing"));
  assert.equal(await page.locator('tr[data-target="apple"]').getAttribute("data-verdict"), "healthy", "the rest waits");
  await hide(page, false);
  await page.locator('tr[data-target="apple"][data-verdict="failing"]').waitFor();
  gateway.set("apple", WELL);
});
