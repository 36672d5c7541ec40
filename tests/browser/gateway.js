// A scripted session service, in the form of the dialect whatsapp-service: many sessions on one port, each as the test wants it.

import { once } from "node:events";
import { createServer } from "node:http";

export const WELL = { connected: true, hasQR: false, state: "connected" };
export const SCAN = { connected: false, hasQR: true, state: "qr" };
export const CONNECTING = { connected: false, hasQR: false, state: "connecting" };
/** The proxy before it answers, the service does not. */
export const DOWN = null;

/** What every QR text begins with; it must never appear anywhere but here. */
export const QR_TEXT = "2@SECRETQR";

/** Starts it. Sessions that nobody set are well. */
export async function startGateway() {
  const states = new Map();
  const calls = [];
  let hooked = () => {};

  const json = (response, status, body) => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
    response.end(JSON.stringify(body));
  };
  const routes = {
    status: (session, response) => json(response, 200, session),
    qr: (session, response) => {
      // A live code changes.
      const code = `${QR_TEXT}${Math.floor(Date.now() / 5000)},key,id,adv`;
      json(response, 200, session.hasQR ? { status: "pending", qr: code, expiresIn: "120s" } : { status: "initializing" });
    },
    "qr-display": (_, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<!doctype html><title>QR code</title><h1>Scan me</h1>");
    },
  };

  const server = createServer((request, response) => {
    const [, , name, route, verb] = new URL(request.url, "http://gateway").pathname.split("/");
    request.resume();
    if (request.method === "POST" && route === "hook") {
      calls.push({ name, verb, id: request.headers["webhook-id"] });
      hooked(name, verb);
      return json(response, 200, { success: true });
    }
    const session = states.has(name) ? states.get(name) : WELL;
    if (session === DOWN) return json(response, 503, { error: "unavailable" });
    const answer = request.method === "GET" && routes[route];
    return answer ? answer(session, response) : json(response, 404, { error: "not found" });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    /** Where one session is. */
    of: (name) => `${url}/s/${name}`,
    /** How a session is from now on. */
    set: (name, session) => states.set(name, session),
    /** What a hook does besides being counted. */
    onHook: (what) => { hooked = what; },
    /** The hooks that were called for a session, in order; a repeated call of the same step counts as one. */
    hooks: (name) => [...new Map(calls.filter((call) => call.name === name).map((call) => [call.id, call.verb])).values()],
    /** Every call of a hook for a session, also one that was repeated. */
    calls: (name) => calls.filter((call) => call.name === name).map((call) => call.verb),
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => { server.close(done); });
    },
  };
}
