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

  const RANKS = { all: "0123", unwell: "01", failing: "0", suspect: "1", healthy: "3" };
  const fits = (row) => {
    const name = filter.q.value.trim().toLowerCase(), show = filter.show.value;
    return row.dataset.target.toLowerCase().includes(name) &&
      (show === "waiting" ? "waits" in row.dataset : RANKS[show].includes(row.dataset.rank));
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
    const old = rows.querySelector(`[data-target="${CSS.escape(fresh.dataset.target)}"]`);
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

  const HOLD = 30000;
  let held = null, holdUntil = 0;
  const isMarked = (part) => {
    const selection = document.getSelection();
    return !selection.isCollapsed && selection.getRangeAt(0).intersectsNode(part);
  };
  const putSession = (fresh) => {
    const old = byId("session"), isSame = old.dataset.verdict === fresh.dataset.verdict;
    holdUntil ||= Date.now() + HOLD;
    // Who is about to copy something of it is not disturbed, for a while; a verdict is news.
    if (isSame && isMarked(old) && Date.now() < holdUntil) { held = fresh; return; }
    release();
    turned(fresh.dataset.target, old.dataset.verdict, fresh.dataset.verdict);
    swap(old, fresh);
  };
  const release = () => { held = null; holdUntil = 0; };
  const putHeld = () => { if (held) putSession(held); };
  document.addEventListener("selectionchange", putHeld);

  // === Loading anew ===

  const PARTS = ["head", "banners", "handoffs", "proposals", "happened", "session"];
  const get = async (path) => {
    const answer = await fetch(path, { headers: { accept: "text/html" } });
    if (answer.ok) return new DOMParser().parseFromString(await answer.text(), "text/html");
    throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  };
  const reload = async () => {
    // The whole fleet, whatever is shown of it: the filter is applied here.
    const page = await get(rows ? "/" : location.pathname);
    release();
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
    // What is shown from here on is what that page showed, and so is what comes after it.
    feed = page.getElementById("script").dataset.feed;
    tick();
  };

  // === The stream ===

  let source = null, again = 0, feed = script.dataset.feed, isOver = false;
  const state = (on) => {
    live.dataset.live = on ? "on" : "off";
    live.textContent = on ? "live" : "reconnecting";
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  // The session is not watched any more: what is shown stays as it was, and says so.
  const end = () => {
    close();
    isOver = true;
    const text = `${byId("session").dataset.target} is no longer watched`, note = document.createElement("p");
    note.className = "banner warn";
    note.textContent = `${text}. What is shown here is old.`;
    byId("banners").replaceChildren(note);
    state(false);
    live.textContent = text;
    say(text);
  };
  const anew = async (wait) => {
    close();
    if (wait) await new Promise((done) => { again = setTimeout(done, wait); });
    try {
      await reload();
    } catch (error) {
      state(false);
      if (error.status === 404 && !rows) end();
      else anew(AGAIN);
      return;
    }
    connect();
  };
  const connect = () => {
    close();
    if (document.hidden || isOver) return;
    const own = source = new EventSource(`/events?${feed}`);
    const on = (name, what) => own.addEventListener(name, (event) => { if (own === source) { what(event); tick(); } });
    own.onopen = () => { if (own === source) state(true); };
    own.onerror = () => {
      if (own !== source) return;
      state(false);
      // There was no place, or no watchdog: the page is loaded anew now and then, and the stream is tried again.
      if (own.readyState === EventSource.CLOSED) anew(AGAIN);
    };
    on("row", (event) => { parse(event.data).forEach(putRow); sieve(); });
    on("part", (event) => { for (const part of parse(event.data)) if (byId(part.id)) swap(byId(part.id), part); });
    on("session", (event) => { parse(event.data).forEach(putSession); });
    on("seen", (event) => { feed = `${script.dataset.topic}&after=${event.lastEventId}`; });
    on("resync", () => { anew(0); });
    on("gone", end);
  };
  // A browser opens only six connections to one host, for all of its tabs and for orders too: a page that nobody sees gives its own
  // back, and gets what it missed when it is looked at again. Its title, all that is seen of it, stays true to the minute.
  document.addEventListener("visibilitychange", () => {
    state(false);
    if (document.hidden) close();
    else connect();
  });
  const retitle = async () => {
    if (document.hidden && rows) document.title = (await get("/?show=failing")).getElementById("head").dataset.title;
  };

  if (filter) {
    filter.addEventListener("input", sieve);
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.querySelector("button").hidden = true;
  }
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  state(false);
  // Of a page that was filtered here comes the rest first.
  if (rows && byId("sessions").dataset.all === "false") anew(0);
  else connect();
  tick();
  setInterval(() => { tick(); putHeld(); }, 1000);
  setInterval(() => { retitle().catch(() => {}); }, 60000);
})();
