// Pictures of the status page: node screenshots.js DIRECTORY
//
// A fleet with a past: what happened in the last day is written into the ledger, what happens now is played by the gateway.

import { execFileSync } from "node:child_process";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openPage, order, startBrowser } from "./browser.js";
import { eventually } from "./eventually.js";
import { CONNECTING, DOWN, SCAN, WELL, startGateway } from "./gateway.js";
import { startWatchdog } from "./watchdog.js";

const HOUR = 3_600_000;
const DIRECTORY = process.argv[2] ?? "tmp/screenshots";

// The usual thresholds: what the pictures say of evidence is what an operator reads. Only polls and closing are quicker.
const POLICY = `
[fleet]
storm_targets = 1000
[policy]
poll_every = "5s"
timeout = "4s"
qr_every = "5s"
settle = "5s"
steady = "20s"
`;

const steps = (name, url) => ["stop", "clear-locks", "start"].map((step) => `
[[target.${name}.remedy.restart.step]]
name = "${step}"
http = { url = "${url}/hook/${step}" }
${step === "start" ? "leaves_running = true" : ""}`).join("");

const FLEET = [
  { name: "berlin-support", mode: "approve", hooks: ["restart", "reset"] },
  { name: "lisbon-shop", mode: "act", qrPage: true, hooks: ["restart", "reset"] },
  { name: "madrid-support", mode: "act", hooks: ["restart"] },
  { name: "paris-shop", mode: "act", hooks: ["restart"] },
  { name: "porto-orders", mode: "act", stepped: true },
  { name: "rome-support", mode: "act", hooks: ["restart"] },
  { name: "vienna-orders", mode: "observe" },
  { name: "zurich-support", mode: "act", hooks: ["restart", "reset"] },
];

/** What happened: hours ago, and for how many minutes. */
const PAST = [
  ["berlin-support", "silent_session", "restart", 20.2, 24, "4 deep probes failed in a row; limit is 2"],
  ["madrid-support", "unreachable", "restart", 17.5, 35, "no answer 9 times in 140 s (newest: 9 × HTTP 502); limit is 3 in 130 s"],
  ["rome-support", "conflict", "restart", 13, 52, "3 conflicts in 8 min; limit is 2 in 10 min"],
  ["zurich-support", "silent_session", "restart", 9.4, 18, "its counter stood still for 41 min, 26 times its usual gap; limit is 20"],
  ["rome-support", "conflict", "restart", 5.5, 28, "2 conflicts in 6 min; limit is 2 in 10 min"],
  ["paris-shop", "unreachable", "restart", 2.2, 12, "no answer 9 times in 132 s (newest: 9 × time-out); limit is 3 in 130 s"],
];

/** Writes the past into a ledger that nobody has open. */
function remember(path) {
  const now = Date.now();
  const iso = (at) => new Date(at).toISOString();
  const entries = FLEET.map(({ name }) => ({ at: now - 27 * HOUR, target: name, kind: "state_changed", from: null, to: "connected", word: "connected" }));
  PAST.forEach(([target, pattern, remedy, hours, minutes, sentence], index) => {
    const incident = index + 1;
    const [opened, closed] = [now - hours * HOUR, now - hours * HOUR + minutes * 60_000];
    const attempt = Math.floor(opened + 1000).toString(16).padStart(11, "0");
    const samples = [{ at: iso(opened - 60_000), seen: sentence.includes("502") ? "HTTP 502" : "connected" }];
    const step = { attempt, incident, step: "run", act: "do" };
    entries.push(
      { at: opened, target, kind: "incident_opened", incident, pattern, remedy, evidence: { sentence, samples } },
      { at: opened + 1000, target, kind: "intended", attempt, incident, pattern, remedy, destroys: false, plan: 1, reason: sentence, by: null },
      { at: opened + 1000, target, kind: "step_started", ...step, retry: 0 },
      { at: opened + 9000, target, kind: "step_ended", ...step, end: { outcome: "done", note: null, world: null } },
      { at: opened + 9000, target, kind: "run_ended", attempt, incident, end: "done", spent: true, note: null },
      { at: closed, target, kind: "verified", attempt, incident, outcome: "helped", note: null },
      { at: closed, target, kind: "incident_closed", incident, pattern, opened: iso(opened), how: "recovered" },
    );
  });
  const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
  const rows = entries.sort((one, other) => one.at - other.at).map(({ at, target, ...fact }) => {
    const body = JSON.stringify({ at: iso(at), target, ...fact });
    return `INSERT INTO ledger (at_ms, target, kind, incident, body) VALUES (${Math.floor(at)}, ${quoted(target)}, ${quoted(fact.kind)}, ${fact.incident ?? "NULL"}, ${quoted(body)});`;
  });
  execFileSync("sqlite3", ["-bail", path], { input: `BEGIN;\nDELETE FROM ledger;\n${rows.join("\n")}\nCOMMIT;\n` });
}

async function picture(browser, url, name, { path = "/", colorScheme = "light", width = 1280, height = 900, fullPage = false, prepare = async () => {} } = {}) {
  const { page, context, faults } = await openPage(browser, new URL(url).origin, { colorScheme, viewport: { width, height }, reducedMotion: "reduce" });
  await page.goto(url + path);
  await page.locator('#live[data-live="on"]').waitFor();
  await prepare(page);
  await page.screenshot({ path: join(DIRECTORY, `${name}.png`), fullPage });
  await context.close();
  if (faults.length > 0) throw new Error(faults.join("\n"));
  console.log(`${name}.png`);
}

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function small(browser) {
  const gateway = await startGateway();
  const dir = await mkdtemp(join(tmpdir(), "wa-watchdog-pictures-"));
  const targets = FLEET.map((target) => {
    const url = gateway.of(target.name);
    return { ...target, url, more: target.stepped ? steps(target.name, url) : "" };
  });
  const watchdog = await startWatchdog({ targets, policy: POLICY, dir });
  try {
    await watchdog.end();
    remember(join(dir, "ledger.db"));
    await watchdog.again();
    await Promise.all(FLEET.map(({ name }) => watchdog.believes(name, "healthy")));
    gateway.onHook((name, verb) => { if (verb === "start") gateway.set(name, WELL); });
    gateway.set("porto-orders", DOWN);
    gateway.set("berlin-support", DOWN);
    await sleep(80_000);
    gateway.set("lisbon-shop", SCAN);
    await sleep(30_000);
    gateway.set("vienna-orders", CONNECTING);
    await sleep(22_000);
    const visit = await openPage(browser, watchdog.url);
    await visit.page.goto(`${watchdog.url}/targets/madrid-support/order/pause`);
    await order(visit.page, "pause", { reason: "new number on Monday", for: "8h" });
    await visit.page.locator("#flash").waitFor();
    await visit.context.close();
    await eventually("a restart was carried out", () => gateway.hooks("porto-orders").includes("start"), 60_000);
    await eventually("the restart is asked for", async () => (await watchdog.api("targets/berlin-support")).care.proposal !== null, 60_000);
    await sleep(8000);
    const steps = async (page) => {
      for (const details of await page.locator("#attempts-h ~ ul details, section[aria-labelledby=attempts-h] details").all()) await details.evaluate((element) => { element.open = true; });
    };
    const url = watchdog.url;
    await picture(browser, url, "light");
    await picture(browser, url, "light-whole", { fullPage: true });
    await picture(browser, url, "dark", { colorScheme: "dark" });
    await picture(browser, url, "360", { width: 360, height: 800 });
    await picture(browser, url, "360-whole", { width: 360, height: 800, fullPage: true });
    await picture(browser, url, "hand-off", { path: "/targets/lisbon-shop" });
    await picture(browser, url, "hand-off-360", { path: "/targets/lisbon-shop", width: 360, height: 800 });
    await eventually("the incident closes", async () => (await watchdog.api("incidents?target=porto-orders&open=true")).incidents.length === 0, 90_000);
    await picture(browser, url, "incident", { path: "/targets/porto-orders", prepare: steps, fullPage: true });
    await picture(browser, url, "incident-dark", { path: "/targets/porto-orders", prepare: steps, fullPage: true, colorScheme: "dark" });
    await picture(browser, url, "proposal", { path: "/targets/berlin-support", fullPage: true });
    const plain = await openPage(browser, url, { expected: ["400"] });
    await plain.page.goto(`${url}/targets/berlin-support/order/reset`);
    await order(plain.page, "reset", { confirm: "berlin" });
    await plain.page.getByRole("alert").waitFor();
    await plain.page.screenshot({ path: join(DIRECTORY, "order.png") });
    await plain.context.close();
  } finally {
    await watchdog.stop();
    await gateway.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function large(browser) {
  const gateway = await startGateway();
  const names = Array.from({ length: 1000 }, (_, index) => `tenant-${String(index).padStart(4, "0")}`);
  names.forEach((name, index) => gateway.set(name, index % 50 === 7 ? DOWN : index % 100 === 42 ? SCAN : WELL));
  const policy = POLICY.replace('poll_every = "5s"', 'poll_every = "10s"');
  const watchdog = await startWatchdog({ targets: names.map((name) => ({ name, url: gateway.of(name), qrPage: true })), policy });
  try {
    await eventually("twenty are failing", async () => (await watchdog.api("status")).fleet.failing === 20, 240_000);
    await picture(browser, watchdog.url, "1000");
    await picture(browser, watchdog.url, "1000-filtered", { prepare: (page) => page.getByLabel("Name contains").fill("042") });
  } finally {
    await watchdog.stop();
    await gateway.stop();
  }
}

await mkdir(DIRECTORY, { recursive: true });
const browser = await startBrowser();
try {
  if (process.env.LARGE === undefined) await small(browser);
  if (process.env.SMALL === undefined) await large(browser);
} finally {
  await browser.close();
}
