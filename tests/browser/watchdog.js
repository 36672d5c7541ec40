// The real watchdog, with a configuration so strict that seconds show everything.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { eventually } from "./eventually.js";

const BINARY = process.env.WA_WATCHDOG_BIN;
const LOG_LINES = 40;

/** The token that orders need, where a test wants one. */
export const TOKEN = "browser-test-token-9f2c1d7e4b";

// Everything that a test makes fail fails on purpose: no storm.
const POLICY = `
[fleet]
storm_targets = 1000

[policy]
poll_every = "1s"
timeout = "900ms"
qr_every = "1s"
settle = "1s"
steady = "2s"

[policy.conflict]
lasts = "2s"

[policy.unreachable]
times_min = 3
lasts = "2s"
clears = 1

[policy.hand_off]
after = "1s"
round = "45s"
window = "90s"
qr_within = "20s"

[policy.never_ready]
lasts = "3s"
reconnects_for = "3s"

[policy.cooldown]
first = "1s"
`;

const FREE_PORT = join(import.meta.dirname, "..", "..", "scripts", "free-port");

/** Writes one target with HTTP hooks at its gateway; a hook that destroys says so. */
function section({ name, url, mode = "observe", hooks = [], qrPage = false, more = "" }) {
  const lines = [`[target.${name}]`, 'dialect = "whatsapp-service"', `url = "${url}"`, `mode = "${mode}"`, `group = "${name}"`];
  if (qrPage) lines.push(`qr_page = "${url}/qr-display"`);
  for (const verb of hooks) {
    if (verb === "reset") lines.push(`[target.${name}.remedy.reset]`, "allow_destructive = true");
    lines.push(`[target.${name}.remedy.${verb}.http]`, `url = "${url}/hook/${verb}"`);
  }
  return [...lines, more].join("\n");
}

/** Starts it; `targets` are { name, url, mode, hooks, qrPage, more }. Without `token` none is needed. */
export async function startWatchdog({ targets, token = null, policy = POLICY, dir = null }) {
  const own = dir === null;
  const place = dir ?? await mkdtemp(join(tmpdir(), "wa-watchdog-browser-"));
  const port = execFileSync(FREE_PORT).toString().trim();
  const url = `http://127.0.0.1:${port}`;
  const tokenFile = join(place, "token");
  if (token !== null) await writeFile(tokenFile, token, { mode: 0o600 });
  const config = join(place, "watchdog.toml");
  const configure = (targets) => writeFile(config, [
    "[server]", `listen = "127.0.0.1:${port}"`, token === null ? "" : `token_file = "${tokenFile}"`,
    "[store]", `path = "${join(place, "ledger.db")}"`, "[recorder]", "enabled = false",
    policy, ...targets.map(section),
  ].join("\n"));
  await configure(targets);

  let child = null;
  let log = [];
  const keep = (text) => { log = [...log, ...text.toString().split("\n").filter(Boolean)].slice(-LOG_LINES); };
  const start = async () => {
    child = spawn(BINARY, ["run", "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    try {
      await eventually("the watchdog is ready", async () => {
        return child.exitCode !== null || (await fetch(`${url}/-/ready`)).ok;
      });
      if (child.exitCode !== null) throw new Error("the watchdog ended at once");
    } catch (error) {
      child.kill("SIGKILL");
      throw new Error(`${error.message}; the watchdog said:\n${log.join("\n")}`);
    }
  };
  const end = async () => {
    if (child === null || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  };
  await start();

  return {
    url,
    get pid() { return child.pid; },
    /** What it logged last. */
    log: () => log.join("\n"),
    api: async (path) => (await fetch(`${url}/api/v1/${path}`)).json(),
    /** Orders refused so far, by reason. */
    denied: async (reason) => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const line = metrics.split("\n").find((text) => text.startsWith(`wa_watchdog_orders_denied_total{reason="${reason}"}`));
      return line === undefined ? NaN : Number(line.split(" ").at(-1));
    },
    /** Waits until a session is believed to be so: healthy, suspect or failing. */
    believes: (name, verdict) => eventually(`${name} is ${verdict}`, async () => {
      const target = await (await fetch(`${url}/api/v1/targets/${name}`)).json();
      return target.verdict?.verdict === verdict;
    }),
    /** Takes a session out of the configuration, which is read anew; there must be no token. */
    forget: async (name) => {
      await configure(targets.filter((target) => target.name !== name));
      const answer = await fetch(`${url}/-/reload`, { method: "POST" });
      if (!answer.ok) throw new Error(`the reload was answered ${answer.status}`);
    },
    end,
    /** Begins anew, on the same port and with the same ledger. */
    again: start,
    stop: async () => {
      await end();
      if (own) await rm(place, { recursive: true, force: true });
    },
  };
}
