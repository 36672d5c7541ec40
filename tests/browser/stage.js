// What every file of tests plays on: a browser, a gateway, and a watchdog that watches it.

import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";

import { openPage, startBrowser } from "./browser.js";
import { startGateway } from "./gateway.js";
import { startWatchdog } from "./watchdog.js";

const WITHIN = 40_000;

/**
 * Sets a stage for the tests of a file. `targets` are those of the watchdog without their addresses; `first` sets the gateway up
 * before it is watched.
 */
export function setStage({ targets, token = null, first = () => {} }) {
  const stage = {};
  before(async () => {
    stage.gateway = await startGateway();
    await first(stage.gateway);
    const addressed = targets.map((target) => ({ ...target, url: stage.gateway.of(target.name) }));
    const browser = startBrowser().then((started) => { stage.browser = started; });
    const watchdog = startWatchdog({ targets: addressed, token }).then((started) => { stage.watchdog = started; });
    await Promise.allSettled([browser, watchdog]);
    await Promise.all([browser, watchdog]);
  });
  after(async () => {
    await Promise.allSettled([stage.browser?.close(), stage.watchdog?.stop()]);
    await stage.gateway?.stop();
  });
  return stage;
}

/**
 * A test with a page of its own, which must not have done anything wrong in the end. `options` are those of the context, and
 * `expected`: the faults that the test provokes.
 */
export function pageTest(stage, name, options, play) {
  test(name, { timeout: WITHIN }, async () => {
    const opened = await openPage(stage.browser, stage.watchdog.url, options);
    try {
      await play({ ...stage, ...opened });
      assert.deepEqual(opened.faults, [], "what the page must never do");
    } catch (error) {
      error.message += `\nthe page ${opened.page.url()} said:\n${await said(opened.page)}\nthe watchdog said:\n${stage.watchdog.log()}`;
      throw error;
    } finally {
      await opened.context.close();
    }
  });
}

async function said(page) {
  const text = await page.locator("main").innerText({ timeout: 1000 }).catch(() => "nothing");
  return text.slice(0, 1500);
}
