// Who may not order anything: without the token, with a wrong one, and any web page from elsewhere.

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before } from "node:test";

import { order, signIn } from "./browser.js";
import { eventually } from "./eventually.js";
import { pageTest, setStage } from "./stage.js";
import { TOKEN } from "./watchdog.js";

const stage = setStage({ token: TOKEN, targets: [{ name: "shop", mode: "act", hooks: ["restart"] }] });

/** A web page of somebody else. It is served by a port of its own; what is asked of it says which form it sends. */
let foreign;
before(async () => {
  foreign = createServer((request, response) => {
    const to = new URL(request.url, "http://foreign").searchParams.get("to");
    const fields = { token: "guess", who: "Mallory", reason: "evil", force: "true" };
    const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><title>Elsewhere</title><form method="post" action="${to}">${inputs}</form>`);
  });
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
});
after(() => {
  foreign.closeAllConnections();
  foreign.close();
});

const isUntouched = async ({ watchdog, gateway }) => {
  assert.deepEqual(gateway.hooks("shop"), []);
  assert.equal((await watchdog.api("targets/shop")).care.pause, null);
  assert.deepEqual((await watchdog.api("attempts")).attempts, []);
};

async function enter(page, watchdog) {
  await page.goto(`${watchdog.url}/sign-in`);
  await signIn(page, TOKEN);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
}

const mark = (page) => page.locator('main form input[name="token"]').inputValue();

/** Sends a request from within a page, as its own script would. */
const send = (page, path, headers, body) =>
  page.evaluate(async ([path, headers, body]) => (await fetch(path, { method: "POST", headers, body, redirect: "manual" })).status, [path, headers, body]);
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const JSON_BODY = { "content-type": "application/json" };

pageTest(stage, "who is not signed in is asked to, and nothing is done", { expected: ["401"] }, async ({ page, watchdog, gateway }) => {
  await watchdog.believes("shop", "healthy");
  const before = await watchdog.denied("no_token");
  await page.goto(`${watchdog.url}/targets/shop/order/restart`);
  assert.match(page.url(), /\/sign-in\?next=/);
  assert.equal(await send(page, "/targets/shop/order/restart", FORM, "who=Ana&reason=test"), 401);
  assert.equal(await watchdog.denied("no_token"), before + 1);
  await isUntouched({ watchdog, gateway });
});

pageTest(stage, "the API takes no notice of the cookie", { expected: ["401"] }, async ({ page, context, watchdog, gateway }) => {
  await enter(page, watchdog);
  assert.equal((await context.cookies()).filter(({ httpOnly, sameSite }) => httpOnly && sameSite === "Strict").length, 1);
  assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the cookie");
  const body = JSON.stringify({ who: "Ana", reason: "test" });
  assert.equal(await send(page, "/api/v1/targets/shop/restart", JSON_BODY, body), 401);
  assert.equal(await send(page, "/api/v1/pause", JSON_BODY, body), 401);
  await isUntouched({ watchdog, gateway });
});

pageTest(stage, "a form without its mark, or with that of another, is refused", { expected: ["403", "400"] }, async ({ page, watchdog, gateway }) => {
  await enter(page, watchdog);
  const before = await watchdog.denied("no_form_token");
  await page.goto(`${watchdog.url}/targets/shop/order/pause`);
  const other = await mark(page);
  const sent = (token) => send(page, "/targets/shop/order/restart", FORM, new URLSearchParams({ who: "Ana", reason: "test", token }).toString());
  assert.equal(await sent(""), 403);
  assert.equal(await sent(other), 403);
  assert.equal(await watchdog.denied("no_form_token"), before + 2);
  await isUntouched({ watchdog, gateway });
});

pageTest(stage, "a wrong token signs nobody in, and too many are slowed down", { expected: ["401", "429"] }, async ({ page, context, watchdog }) => {
  await page.goto(`${watchdog.url}/sign-in`);
  await signIn(page, "not-the-token");
  assert.match(await page.getByRole("alert").innerText(), /this is not the token/);
  assert.equal(await page.getByLabel("Token").inputValue(), "", "it is not sent back");
  assert.deepEqual(await context.cookies(), []);
  // Five within a second are told why; of those that come faster some are not.
  const token = await mark(page);
  const tried = () => page.evaluate(async (body) => {
    const tries = Array.from({ length: 13 }, () => fetch("/sign-in", { method: "POST", body: new URLSearchParams(body), redirect: "manual" }));
    return (await Promise.all(tries)).map((answer) => answer.status);
  }, { token, who: "Eve", secret: "guess", next: "/" });
  await eventually("some are told to wait", async () => {
    const statuses = await tried();
    assert.ok(statuses.every((status) => status === 401 || status === 429), `${statuses}`);
    return statuses.includes(429);
  }, 10_000);
  // Whoever has the token is not locked out by those who have it not.
  await signIn(page, TOKEN);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
});

pageTest(stage, "who signs out is out, and the cookie is worth nothing any more", {}, async ({ page, context, watchdog }) => {
  await enter(page, watchdog);
  const kept = await context.cookies();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  assert.deepEqual(await context.cookies(), []);
  await context.addCookies(kept);
  await page.goto(`${watchdog.url}/targets/shop/order/pause`);
  assert.match(page.url(), /\/sign-in\?next=/);
});

pageTest(stage, "a sign-in ends when the watchdog begins anew", { expected: ["Failed to load", "ERR_"] }, async ({ page, watchdog }) => {
  await enter(page, watchdog);
  await page.goto(`${watchdog.url}/targets/shop/order/pause`);
  await watchdog.end();
  await watchdog.again();
  await order(page, "pause");
  assert.match(await page.getByRole("alert").innerText(), /not signed in, or not any more/);
  await page.getByRole("alert").getByRole("link", { name: "Sign in" }).click();
  await page.waitForURL(/\/sign-in\?next=/);
});

// The name makes it another site to the browser, so that it keeps the cookie to itself; another port alone does not: then the
// cookie is sent, and only the watchdog stands in between.
for (const [kind, host] of [["another site", "localhost"], ["another port of this host", "127.0.0.1"]]) {
  pageTest(stage, `a form that ${kind} sends is refused`, { expected: ["request to", "Failed to load", "status of 40"] }, async ({ page, watchdog, gateway }) => {
    await enter(page, watchdog);
    const before = await watchdog.denied("foreign_page");
    const orders = ["/targets/shop/order/restart", "/order/pause", "/api/v1/targets/shop/restart", "/sign-out"];
    for (const [index, path] of orders.entries()) {
      await page.goto(`http://${host}:${foreign.address().port}/?to=${encodeURIComponent(watchdog.url + path)}`);
      const answered = page.waitForResponse((response) => response.url().startsWith(watchdog.url) && response.request().method() === "POST");
      await page.evaluate(() => document.forms[0].submit());
      assert.equal((await answered).status(), 403, path);
      await page.waitForURL(watchdog.url + path);
      assert.equal(await watchdog.denied("foreign_page"), before + index + 1, path);
    }
    await isUntouched({ watchdog, gateway });
    await page.goto(watchdog.url);
    assert.ok(await page.getByRole("button", { name: "Sign out" }).isVisible(), "and nobody was signed out");
  });
}

pageTest(stage, "a script of another site can neither order nor read", { expected: ["request to", "CORS", "Failed to load", "blocked"] }, async ({ page, watchdog, gateway }) => {
  await enter(page, watchdog);
  const before = await watchdog.denied("foreign_page");
  await page.goto(`http://localhost:${foreign.address().port}/?to=x`);
  const outcome = await page.evaluate(async (url) => {
    const attempt = (path, options) => fetch(url + path, { credentials: "include", ...options }).then((answer) => answer.status, () => "refused");
    const body = new URLSearchParams({ who: "Mallory", reason: "evil" });
    const blind = await attempt("/targets/shop/order/restart", { method: "POST", mode: "no-cors", body });
    return [blind, await attempt("/api/v1/targets"), await attempt("/"), await attempt("/api/v1/pause", { method: "POST", body: "{}", headers: { "content-type": "application/json" } })];
  }, watchdog.url);
  // Of what is sent blindly a script learns nothing (0); the rest does not even come about.
  assert.deepEqual(outcome, [0, "refused", "refused", "refused"]);
  assert.equal(await watchdog.denied("foreign_page"), before + 1);
  await isUntouched({ watchdog, gateway });
});

pageTest(stage, "no other page can frame ours", { expected: ["request to", "frame", "Failed to load"] }, async ({ page, watchdog }) => {
  await page.goto(`http://localhost:${foreign.address().port}/?to=x`);
  const refused = page.waitForEvent("console", (message) => message.type() === "error" && message.text().includes("frame-ancestors 'none'"));
  await page.evaluate((url) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = done;
    frame.src = url;
    document.body.append(frame);
  }), watchdog.url);
  assert.ok((await refused).text().includes(watchdog.url), "the browser says which page it does not frame, and why");
  const frame = page.frames().find((other) => other !== page.mainFrame());
  assert.ok(!(await frame.content()).includes("wa-watchdog</a>"), "the page is shown in a frame");
});
