// What the page of a large fleet costs: its bytes, the time to its first byte, and what open pages cost the watchdog.
//
// Environment: SESSIONS (1000), PAGES (20), SECONDS for each share (60), TURNS_EVERY milliseconds one session turns (1000).

import { readFileSync } from "node:fs";
import { get } from "node:http";

import { DOWN, SCAN, WELL, startGateway } from "./gateway.js";
import { startWatchdog } from "./watchdog.js";

const number = (name, usual) => Number(process.env[name] ?? usual);
const SESSIONS = number("SESSIONS", 1000);
const PAGES = number("PAGES", 20);
const SECONDS = number("SECONDS", 60);
const TURNS_EVERY = number("TURNS_EVERY", 1000);
const TRIES = 20;
// The usual times, but for polls: a large fleet at the pace that examples/load.rs measures.
const POLICY = '[fleet]\nstorm_targets = 1000\n[policy]\npoll_every = "10s"\ntimeout = "5s"\n';
/** Clock ticks in a second, as proc(5) counts them on Linux. */
const TICKS = 100;

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
const round = (value, digits = 1) => Number(value.toFixed(digits));

/** CPU time of a process so far, in seconds. */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function rss(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** Asks once: how long the first byte took, and how many came. */
function ask(url, headers) {
  return new Promise((done, fail) => {
    const begun = performance.now();
    get(url, { headers, agent: false }, (response) => {
      let [first, bytes] = [null, 0];
      response.on("data", (chunk) => { first ??= performance.now() - begun; bytes += chunk.length; });
      response.on("end", () => done({ status: response.statusCode, first, bytes, all: performance.now() - begun }));
    }).on("error", fail);
  });
}

async function asked(url, headers) {
  const answers = [];
  for (let index = 0; index < TRIES; index += 1) answers.push(await ask(url, headers));
  const { status, bytes } = answers.at(-1);
  return `${status}, ${bytes} bytes, first byte after ${round(median(answers.map(({ first }) => first)))} ms, all after ${round(median(answers.map(({ all }) => all)))} ms`;
}

/** An open page: its stream, opened again when the watchdog ends it, as a browser does. */
function openStream(url, counted) {
  let closed = false;
  let request;
  const open = () => {
    request = get(url, { headers: { accept: "text/event-stream", "accept-encoding": "gzip" }, agent: false }, (response) => {
      counted.statuses.add(response.statusCode);
      counted.opened += 1;
      response.on("data", (chunk) => { counted.bytes += chunk.length; });
      response.on("close", () => { if (!closed) setTimeout(open, 2000); });
    });
    request.on("error", () => { if (!closed) setTimeout(open, 2000); });
  };
  open();
  return () => { closed = true; request.destroy(); };
}

async function share(pid, what) {
  const [from, begun] = [cpu(pid), performance.now()];
  await sleep(SECONDS * 1000);
  const percent = 100 * (cpu(pid) - from) / ((performance.now() - begun) / 1000);
  console.log(`${what}: ${round(percent, 2)} % of one CPU, ${round(rss(pid))} MiB`);
  return percent;
}

const gateway = await startGateway();
const names = Array.from({ length: SESSIONS }, (_, index) => `s${String(index).padStart(4, "0")}`);
// One in fifty is down, and one in a hundred waits for a scan.
names.forEach((name, index) => gateway.set(name, index % 50 === 7 ? DOWN : index % 100 === 42 ? SCAN : WELL));
const targets = names.map((name) => ({ name, url: gateway.of(name), hooks: ["restart"], mode: "approve", qrPage: true }));
const watchdog = await startWatchdog({ targets, policy: POLICY });
try {
  const { url, pid } = watchdog;
  console.log(`${SESSIONS} sessions; the evidence of what is down takes some minutes to gather`);
  await sleep(number("SETTLE", 170) * 1000);
  console.log(`page, plain: ${await asked(url, {})}`);
  console.log(`page, gzip: ${await asked(url, { "accept-encoding": "gzip" })}`);
  console.log(`page of one session: ${await asked(`${url}/targets/${names[7]}`, {})}`);

  let turned = 0;
  const turns = setInterval(() => {
    const index = (turned * 53) % SESSIONS;
    gateway.set(names[index], turned % 2 === 0 ? SCAN : WELL);
    turned += 1;
  }, TURNS_EVERY);
  const alone = await share(pid, "polling alone");
  const counted = { bytes: 0, opened: 0, statuses: new Set() };
  const streams = Array.from({ length: PAGES }, () => openStream(`${url}/events?view=fleet`, counted));
  await sleep(3000);
  counted.bytes = 0;
  const open = await share(pid, `with ${PAGES} open pages`);
  console.log(`that is ${round(open / alone, 2)} times; each page was sent ${round(counted.bytes / PAGES / SECONDS / 1024)} KiB a second; answered ${[...counted.statuses]}, opened ${counted.opened} times`);
  streams.forEach((close) => close());
  clearInterval(turns);
} finally {
  await watchdog.stop();
  await gateway.stop();
}
