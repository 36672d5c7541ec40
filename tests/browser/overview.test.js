// The first page: every session, the worst first, found by name and by keyboard.

import { strict as assert } from "node:assert";

import { CONNECTING, DOWN } from "./gateway.js";
import { pageTest, setStage } from "./stage.js";

const stage = setStage({
  targets: ["apple", "broken", "cherry", "dim"].map((name) => ({ name })),
  first: (gateway) => {
    gateway.set("broken", DOWN);
    gateway.set("dim", CONNECTING);
  },
});

const shown = (page) => page.locator("#rows tr[data-target]:visible").evaluateAll((rows) => rows.map((row) => row.dataset.target));

async function settled({ watchdog }) {
  await Promise.all([
    watchdog.believes("apple", "healthy"), watchdog.believes("cherry", "healthy"),
    watchdog.believes("broken", "failing"), watchdog.believes("dim", "failing"),
  ]);
}

pageTest(stage, "every session is there with its verdict, the worst first", {}, async ({ page, watchdog }) => {
  await settled({ watchdog });
  await page.goto(watchdog.url);
  assert.deepEqual(await shown(page), ["broken", "dim", "apple", "cherry"]);
  assert.equal(await page.locator("h1").innerText(), "2 of 4 sessions failing");
  const row = page.locator('tr[data-target="broken"]');
  assert.equal(await row.getAttribute("data-verdict"), "failing");
  // A word, and a sentence of evidence: never colour alone.
  assert.match(await row.innerText(), /failing[\s\S]*unreachable/);
  assert.match(await page.locator('tr[data-target="dim"]').innerText(), /never_ready/);
  assert.match(await page.locator('tr[data-target="apple"]').innerText(), /healthy[\s\S]*connected/);
});

pageTest(stage, "typing filters at once", {}, async ({ page, watchdog }) => {
  await settled({ watchdog });
  await page.goto(watchdog.url);
  await page.getByLabel("Name contains").fill("RR");
  assert.deepEqual(await shown(page), ["cherry"]);
  assert.equal(await page.locator("#shown").innerText(), "1 shown");
  await page.getByLabel("Name contains").fill("zzz");
  assert.deepEqual(await shown(page), []);
  assert.ok(await page.getByText("No session fits").isVisible());
  await page.getByLabel("Name contains").fill("");
  await page.getByLabel("Show").selectOption("failing");
  assert.deepEqual(await shown(page), ["broken", "dim"]);
});

pageTest(stage, "a link to a filtered page filters, and filters live", {}, async ({ page, watchdog }) => {
  await settled({ watchdog });
  await page.goto(`${watchdog.url}/?q=e&show=healthy`);
  assert.deepEqual(await shown(page), ["apple", "cherry"]);
  await page.getByLabel("Name contains").fill("");
  await page.getByLabel("Show").selectOption("all");
  await page.locator('tr[data-target="broken"]').waitFor();
  assert.deepEqual(await shown(page), ["broken", "dim", "apple", "cherry"]);
});

pageTest(stage, "the keyboard reaches everything, and is seen", {}, async ({ page, watchdog }) => {
  await settled({ watchdog });
  await page.goto(watchdog.url);
  const where = () => page.evaluate(() => {
    const active = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(active);
    const box = active.getBoundingClientRect();
    return {
      name: active.id || active.getAttribute("href") || active.innerText,
      seen: active.localName === "body" || (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2),
      inside: box.width > 0 && box.right > 0 && box.bottom > 0,
    };
  });
  await page.keyboard.press("Tab");
  assert.equal((await where()).name, "#main");
  assert.ok(await page.locator(".skip").evaluate((link) => link.getBoundingClientRect().left >= 0), "the skip link comes into view");
  await page.keyboard.press("Enter");
  assert.equal((await where()).name, "main");
  const order = [];
  for (let step = 0; step < 60 && order.at(-1) !== ""; step += 1) {
    await page.keyboard.press("Tab");
    const { name, seen, inside } = await where();
    if (name === "main" || order.includes(name)) break;
    assert.ok(seen && inside, `the focus is not seen at ${name}`);
    order.push(name);
  }
  const wanted = ["/order/pause", "q", "show", "/targets/broken", "/targets/dim", "/targets/apple", "/targets/cherry"];
  assert.deepEqual(order.filter((name) => wanted.includes(name)), wanted, `in this order: ${order}`);
});

pageTest(stage, "a row leads to the page of its session, and that one back", {}, async ({ page, watchdog }) => {
  await settled({ watchdog });
  await page.goto(watchdog.url);
  await page.locator('tr[data-target="broken"] th a').click();
  await page.waitForURL(`${watchdog.url}/targets/broken`);
  assert.match(await page.locator("h1").innerText(), /^broken/);
  for (const heading of ["In plain words", "What may be done", "Findings", "Incidents", "Attempts", "Timeline", "Log signals"]) {
    assert.ok(await page.getByRole("heading", { name: heading, exact: true }).isVisible(), heading);
  }
  await page.getByRole("link", { name: "All sessions" }).click();
  await page.waitForURL(`${watchdog.url}/`);
});
