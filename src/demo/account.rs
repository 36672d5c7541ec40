//! The wire form of a Wasender account: personal access token on the account's routes, the session's own key on `/api/status`.

use hyper::{Method, StatusCode};
use serde::Serialize;

use super::Tick;
use super::reply::{JSON, Reply};
use super::script::Script;

/// What the account holds in one scene.
#[derive(Debug)]
pub(super) enum Act {
    /// The session, in this state.
    Holds(&'static str),
    /// No session: somebody deleted it.
    Deleted,
}

/// The session's number.
pub(super) const SESSION: &str = "16548";
/// The account's personal access token. Invented, in the form of Laravel Sanctum.
pub(super) const ACCOUNT_TOKEN: &str = "7|token-of-the-scripted-account";
/// The session's own key. Invented, 64 hexadecimal digits.
pub(super) const SESSION_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The secret of the session's webhook. Invented.
const WEBHOOK_SECRET: &str = "0123456789abcdef0123456789abcdef";

const NAME: &str = "scripted shop";
const PHONE: &str = "+15550100";
const CREATED: &str = "2026-01-12T08:30:00Z";

/// One item of the list; the detail says more.
#[derive(Serialize)]
struct Item {
    id: u64,
    name: &'static str,
    phone_number: &'static str,
    status: &'static str,
    account_protection: bool,
    log_messages: bool,
    webhook_url: Option<&'static str>,
    webhook_enabled: bool,
    webhook_events: Option<&'static [&'static str]>,
    created_at: &'static str,
    updated_at: &'static str,
}

/// The detail holds two secrets: whoever reads it must not keep it.
#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    item: Item,
    read_incoming_messages: bool,
    api_key: &'static str,
    webhook_secret: &'static str,
}

#[derive(Serialize)]
struct Success<T> {
    success: bool,
    data: T,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

/// A refusal. The framework's own ones have no `success`.
#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<bool>,
    message: &'a str,
}

/// Answers one request as the script has it. `authorization` is the header as it came.
pub(super) fn answer(
    script: &Script<Act>,
    tick: Tick,
    method: &Method,
    path: &str,
    authorization: Option<&str>,
) -> Reply {
    let token = authorization.and_then(|header| header.strip_prefix("Bearer "));
    let act = script.at(tick.elapsed);
    if method != Method::GET {
        return no_route(path);
    }
    if path == "/api/status" {
        return session_status(act, token);
    }
    let Some(rest) = path.strip_prefix("/api/whatsapp-sessions") else {
        return no_route(path);
    };
    if token != Some(ACCOUNT_TOKEN) {
        return refuse(StatusCode::UNAUTHORIZED, None, "Unauthenticated.");
    }
    match rest.strip_prefix('/') {
        None if rest.is_empty() => success(act.item().into_iter().collect::<Vec<Item>>()),
        Some(id) if !id.is_empty() && !id.contains('/') => session(act, id),
        None | Some(_) => no_route(path),
    }
}

impl Act {
    fn item(&self) -> Option<Item> {
        match self {
            Self::Holds(status) => Some(item(status)),
            Self::Deleted => None,
        }
    }
}

/// The key dies with its session, so a deleted session looks like a wrong key here.
fn session_status(act: &Act, token: Option<&str>) -> Reply {
    match (act, token) {
        (_, None) => refuse(StatusCode::UNAUTHORIZED, Some(false), "API key is required"),
        (Act::Holds(status), Some(SESSION_KEY)) => Reply::json(StatusCode::OK, JSON, &Status { status }),
        (Act::Holds(_) | Act::Deleted, Some(_)) => refuse(StatusCode::UNAUTHORIZED, Some(false), "Invalid API key"),
    }
}

fn session(act: &Act, id: &str) -> Reply {
    match act.item() {
        Some(item) if id == SESSION => success(Detail {
            item,
            read_incoming_messages: false,
            api_key: SESSION_KEY,
            webhook_secret: WEBHOOK_SECRET,
        }),
        None | Some(_) => {
            let message = format!("No query results for model [App\\Models\\WhatsappSession] {id}");
            refuse(StatusCode::NOT_FOUND, None, &message)
        }
    }
}

fn item(status: &'static str) -> Item {
    Item {
        id: SESSION.parse().unwrap_or(0),
        name: NAME,
        phone_number: PHONE,
        status,
        account_protection: true,
        log_messages: true,
        webhook_url: None,
        webhook_enabled: false,
        webhook_events: None,
        created_at: CREATED,
        updated_at: CREATED,
    }
}

fn success<T: Serialize>(data: T) -> Reply {
    Reply::json(StatusCode::OK, JSON, &Success { success: true, data })
}

fn refuse(status: StatusCode, success: Option<bool>, message: &str) -> Reply {
    Reply::json(status, JSON, &Refusal { success, message })
}

/// Laravel's own answer to a route that it does not have.
fn no_route(path: &str) -> Reply {
    let message = format!("The route {} could not be found.", path.trim_start_matches('/'));
    refuse(StatusCode::NOT_FOUND, None, &message)
}
