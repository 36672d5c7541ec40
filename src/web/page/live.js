// Keeps an open page live. Without it everything works too, and loads itself anew every 15 s.
"use strict";
(() => {
  const script = document.getElementById("script");
  const byId = (id) => document.getElementById(id);
  const live = byId("live"), said = byId("said"), rows = byId("rows"), filter = byId("filter");
  const skew = Date.parse(script.dataset.now) - Date.now() || 0;
  const AGAIN = 15000;

  // === Times ===

  const span = (s) => {
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (d) return h ? `${d} d ${h} h` : `${d} d`;
    if (h) return m ? `${h} h ${m} min` : `${h} h`;
    return m ? `${m} min` : `${s} s`;
  };
  const left = (s) => {
    const two = (n) => String(n).padStart(2, "0");
    const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
    return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
  };
  const tick = () => {
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time[data-ago], time[data-left]")) {
      const at = Date.parse(time.dateTime), counts = "left" in time.dataset;
      const text = counts ? left(Math.max(0, Math.ceil((at - now) / 1000))) : time.dataset.ago + span(Math.max(0, Math.floor((now - at) / 1000)));
      time.hidden = false;
      if (!time.title && time.textContent) time.title = time.textContent + " UTC";
      if (time.textContent !== text) time.textContent = text;
    }
  };

  // === Replacing what changed ===

  const parse = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return [...template.content.children];
  };
  // Where the keyboard is, in words that also fit what comes in its place.
  const focused = (within) => {
    const active = document.activeElement;
    if (!active || !within.contains(active)) return null;
    if (active.id) return `#${CSS.escape(active.id)}`;
    if (active.localName === "summary") return `#${CSS.escape(active.parentElement.id)} > summary`;
    return active.hasAttribute("href") ? `[href="${CSS.escape(active.getAttribute("href"))}"]` : null;
  };
  const swap = (old, fresh) => {
    const open = [...old.querySelectorAll("details[open]")].map((details) => details.id);
    const where = focused(old);
    old.replaceWith(fresh);
    for (const id of open) if (id && byId(id)) byId(id).open = true;
    if (where) fresh.querySelector(where)?.focus({ preventScroll: true });
    if (fresh.dataset.title) document.title = fresh.dataset.title;
  };
  const say = (text) => { said.textContent = text; };
  const turned = (name, before, now) => {
    if (before === now) return;
    if (now === "failing") say(`${name} is failing`);
    else if (before === "failing") say(`${name} is not failing any more`);
  };

  // === The sessions ===

  const fits = (row) => {
    const name = filter.q.value.trim().toLowerCase(), show = filter.show.value, rank = row.dataset.rank;
    return row.dataset.target.toLowerCase().includes(name) && (show === "all" || (show === "unwell" && rank < 2) ||
      (show === "failing" && rank === "0") || (show === "waiting" && "waits" in row.dataset) || (show === "healthy" && rank === "3"));
  };
  const sieve = () => {
    let shown = 0;
    for (const row of rows.children) shown += !(row.hidden = !fits(row));
    byId("shown").textContent = `${shown} shown`;
    byId("none").hidden = shown > 0;
  };
  const isBefore = (one, other) => one.dataset.rank < other.dataset.rank ||
    (one.dataset.rank === other.dataset.rank && one.dataset.target < other.dataset.target);
  const putRow = (fresh) => {
    const old = byId(fresh.id);
    fresh.hidden = !fits(fresh);
    if (old) {
      turned(fresh.dataset.target, old.dataset.verdict, fresh.dataset.verdict);
      const stays = old.dataset.rank === fresh.dataset.rank;
      if (!stays) fresh.classList.add("fresh");
      swap(old, fresh);
      if (stays) return;
    }
    const where = focused(fresh);
    rows.insertBefore(fresh, [...rows.children].find((row) => row !== fresh && isBefore(fresh, row)) || null);
    if (where) fresh.querySelector(where)?.focus({ preventScroll: true });
  };

  // === One session ===

  let held = null;
  const putSession = (fresh) => {
    // Who is about to copy something is not disturbed.
    if (!document.getSelection().isCollapsed) { held = fresh; return; }
    held = null;
    const old = byId("session");
    turned(fresh.dataset.target, old.dataset.verdict, fresh.dataset.verdict);
    swap(old, fresh);
  };
  document.addEventListener("selectionchange", () => { if (held) putSession(held); });

  // === Loading anew ===

  const PARTS = ["head", "banners", "handoffs", "proposals", "happened", "session"];
  const reload = async () => {
    // The whole fleet, whatever is shown of it: the filter is applied here.
    const answer = await fetch(rows ? "/" : location.pathname, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of PARTS) {
      const [old, fresh] = [byId(id), page.getElementById(id)];
      if (old && fresh && !(id !== "session" && old.closest("#session"))) swap(old, fresh);
    }
    if (rows) {
      const where = focused(rows);
      rows.replaceChildren(...page.getElementById("rows").children);
      if (where) rows.querySelector(where)?.focus({ preventScroll: true });
      sieve();
    }
    tick();
  };

  // === The stream ===

  const state = (on) => {
    live.dataset.live = on ? "on" : "off";
    live.textContent = on ? "live" : "reconnecting";
  };
  const connect = (stream) => {
    const source = new EventSource(`/events?${stream}`);
    const on = (name, what) => source.addEventListener(name, (event) => { what(event); tick(); });
    source.onopen = () => state(true);
    source.onerror = () => {
      state(false);
      if (source.readyState !== EventSource.CLOSED) return;
      // There was no place, or no watchdog: the page is loaded anew now and then, and the stream is tried again.
      setTimeout(() => { reload().catch(() => {}).finally(() => connect(script.dataset.view)); }, AGAIN);
    };
    on("row", (event) => { parse(event.data).forEach(putRow); sieve(); });
    on("part", (event) => { for (const part of parse(event.data)) if (byId(part.id)) swap(byId(part.id), part); });
    on("session", (event) => { parse(event.data).forEach(putSession); });
    on("resync", () => { reload().catch(() => state(false)); });
    on("seen", () => {});
    addEventListener("pagehide", () => source.close(), { once: true });
  };

  if (filter) {
    filter.addEventListener("input", sieve);
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.querySelector("button").hidden = true;
    if (byId("sessions").dataset.all === "false") reload().catch(() => {});
  }
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  state(false);
  connect(script.dataset.stream);
  tick();
  setInterval(tick, 1000);
})();
