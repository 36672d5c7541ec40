// Debian's Chromium, and pages of it that report everything that is wrong with them.

import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

// Installed outside of the source tree: scripts/check-page says where.
const require = createRequire(join(process.env.BROWSER_TOOLS, "package.json"));
const { chromium } = require("playwright-core");

/** The text of axe-core, to be run inside a page. */
export const AXE = require("axe-core").source;

/** Starts the browser. */
export function startBrowser() {
  const executablePath = execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();
  // Chromium does not run as root with its sandbox. It only ever sees our own pages here.
  const args = ["--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"];
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid() !== 0, args });
}

/**
 * Opens a page in a context of its own. Everything that a page of ours must never do is noted in `faults`: errors in its
 * console, breaches of its own policy, requests to anybody else. `expected` are the failures that a test provokes.
 */
export async function openPage(browser, origin, options = {}) {
  const { expected = [], ...context_options } = options;
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...context_options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const faults = [];
  const note = (fault) => { if (!expected.some((known) => fault.includes(known))) faults.push(fault); };
  page.on("console", (message) => { if (message.type() === "error") note(`console: ${message.text()}`); });
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== origin) note(`request to ${url.origin}`);
  });
  return { context, page, faults };
}

/** Signs in; the page ends where the sign-in leads to. */
export async function signIn(page, token, who = "Ana") {
  await page.getByLabel("Your name").fill(who);
  await page.getByLabel("Token").fill(token);
  await page.locator('form[data-order="sign-in"] button').click();
}

/** Fills in what every order asks, and sends it. */
export async function order(page, verb, fields = {}) {
  const form = page.locator(`form[data-order="${verb}"]`);
  const given = { who: "Ana", reason: "browser test", ...fields };
  for (const [name, value] of Object.entries(given)) await form.locator(`[name="${name}"]`).fill(value);
  await form.locator("button").click();
}
