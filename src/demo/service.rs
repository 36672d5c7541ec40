//! The wire form of the small session services around whatsapp-web.js and Baileys (port 3001, no credentials): the Baileys
//! build, which adds `state`, and richer builds of it, which add `lastMessageAt` and `lastDisconnectReason`.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Serialize;

use super::Tick;
use super::reply::{JSON_UTF8, Reply};
use super::script::Script;
use crate::engine::Wall;

/// What the service does in one scene.
#[derive(Debug)]
pub(super) enum Act {
    /// It answers, and shows this.
    Shows(Session),
    /// It is down, and the proxy before it says so.
    DownBehindProxy,
    /// It takes the question and never answers.
    Hangs,
}

/// What the service shows of its session.
#[derive(Debug)]
pub(super) struct Session {
    /// Linked and usable.
    pub(super) connected: bool,
    /// A QR code is shown.
    pub(super) has_qr: bool,
    /// Its own word for it.
    pub(super) state: &'static str,
    /// Why the connection ended last, where the build says so.
    pub(super) last_disconnect: Option<&'static str>,
    /// A message passes every so many seconds, where the build says so.
    pub(super) message_every_secs: Option<u32>,
}

/// A live code changes at least every 60 s (Baileys); here more often, so that it is soon seen to live.
const QR_CHANGES_EVERY_SECS: u64 = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    connected: bool,
    #[serde(rename = "hasQR")]
    has_qr: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_at: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_disconnect_reason: Option<&'static str>,
    timestamp: Wall,
}

#[derive(Serialize)]
struct Health {
    /// The literal `ok`, whatever the session is like.
    status: &'static str,
    whatsapp: HealthOfSession,
    timestamp: Wall,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthOfSession {
    ready: bool,
    #[serde(rename = "hasQR")]
    has_qr: bool,
    connection_state: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Qr {
    Connected {
        authenticated: bool,
        message: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    Pending {
        qr: String,
        expires_in: &'static str,
    },
    Initializing {
        message: &'static str,
    },
}

/// Answers one request as the script has it.
pub(super) fn answer(script: &Script<Act>, tick: Tick, method: &Method, path: &str) -> Reply {
    match script.at(tick.elapsed) {
        Act::Shows(session) => session.answer(tick, method, path),
        Act::DownBehindProxy => Reply::page(
            StatusCode::SERVICE_UNAVAILABLE,
            "<html><head><title>503 Service Unavailable</title></head><body><h1>503 Service Unavailable</h1></body></html>"
                .to_owned(),
        ),
        Act::Hangs => Reply::Never,
    }
}

impl Session {
    fn answer(&self, tick: Tick, method: &Method, path: &str) -> Reply {
        if method != Method::GET {
            return nothing_there();
        }
        match path {
            "/status" => ok(&self.status(tick)),
            "/health" => ok(&self.health(tick)),
            "/qr" => ok(&self.qr(tick.elapsed)),
            "/qr-display" => Reply::page(StatusCode::OK, self.qr_page(tick.elapsed)),
            _ => nothing_there(),
        }
    }

    fn status(&self, tick: Tick) -> Status {
        Status {
            connected: self.connected,
            has_qr: self.has_qr,
            state: self.state,
            last_message_at: self.message_every_secs.map(|every| last_message(tick, every)),
            last_disconnect_reason: self.last_disconnect,
            timestamp: tick.now.wall,
        }
    }

    fn health(&self, tick: Tick) -> Health {
        let whatsapp = HealthOfSession { ready: self.connected, has_qr: self.has_qr, connection_state: self.state };
        Health { status: "ok", whatsapp, timestamp: tick.now.wall }
    }

    fn qr(&self, elapsed: Duration) -> Qr {
        if self.connected {
            return Qr::Connected { authenticated: true, message: "WhatsApp is connected" };
        }
        if self.has_qr {
            return Qr::Pending { qr: qr_text(elapsed), expires_in: "120s" };
        }
        Qr::Initializing { message: "No QR code yet" }
    }

    /// The picture is a placeholder: nobody shall be able to scan a code of the demo.
    fn qr_page(&self, elapsed: Duration) -> String {
        if self.connected {
            return page("", "<h1>Connected!</h1>");
        }
        if self.has_qr {
            let round = qr_round(elapsed);
            let picture = format!(
                "<img alt=\"QR\" src=\"data:image/svg+xml;utf8,&lt;svg xmlns='http://www.w3.org/2000/svg' width='200' \
                 height='200'&gt;&lt;text x='20' y='100'&gt;demo code {round}&lt;/text&gt;&lt;/svg&gt;\">"
            );
            return page("<meta http-equiv=\"refresh\" content=\"5\">", &picture);
        }
        page("<meta http-equiv=\"refresh\" content=\"3\">", "<h1>Initializing...</h1>")
    }
}

fn ok(body: &impl Serialize) -> Reply {
    Reply::json(StatusCode::OK, JSON_UTF8, body)
}

/// Express answers an unknown route with a page.
fn nothing_there() -> Reply {
    Reply::page(StatusCode::NOT_FOUND, page("<title>Error</title>", "<pre>Cannot find this route</pre>"))
}

fn page(head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">{head}</head>\n<body>{body}</body>\n</html>\n"
    )
}

fn qr_round(elapsed: Duration) -> u64 {
    elapsed.as_secs().div_euclid(QR_CHANGES_EVERY_SECS)
}

fn qr_text(elapsed: Duration) -> String {
    format!("2@DEMO{:04}NOTACODE,key,id,adv", qr_round(elapsed))
}

/// Messages pass at whole multiples of `every_secs` since the start.
fn last_message(tick: Tick, every_secs: u32) -> Wall {
    let into = tick.elapsed.as_secs().checked_rem(u64::from(every_secs)).unwrap_or(0);
    let into = Duration::from_secs(into).saturating_add(Duration::from_nanos(u64::from(tick.elapsed.subsec_nanos())));
    let back = i64::try_from(into.as_millis()).unwrap_or(0);
    Wall::from_millis(tick.now.wall.millis().saturating_sub(back))
}
