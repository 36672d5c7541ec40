//! Where announcements go.

use super::http_call::{TIMEOUT, TIMEOUT_DEFAULT, TRIES, TRIES_DEFAULT};
use super::nearest::nearest;
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Notifier, placeholder, secret, unit, url};

/// Most places to tell.
const NOTIFIERS_MAX: usize = 16;
/// Most patterns of events of one of them.
const EVENTS_MAX: usize = 32;
/// What stands for every event.
const ALL: &str = "*";
/// What the types of events begin with.
const KINDS: [&str; 9] = ["incident", "remedy", "scan", "person", "service", "storm", "network", "command", "ledger"];

/// Takes everything that is told.
pub(super) fn take(root: &mut Section, scope: &mut Scope<'_>) -> Vec<Notifier> {
    let Some(mut section) = root.take_section(scope.report, "notify") else { return Vec::new() };
    let items = section.take_all();
    if NOTIFIERS_MAX < items.len() {
        let what = format!("has {} places to tell, more than {NOTIFIERS_MAX}", items.len());
        scope.report.refuse(&section.at, &section.key, what, "tell one of them, and let it tell the others");
        return Vec::new();
    }
    items.into_iter().filter_map(|(name, item)| notifier(name, item, scope)).collect()
}

fn notifier(name: String, item: Item, scope: &mut Scope<'_>) -> Option<Notifier> {
    let is_named = unit::is_name(&name);
    if !is_named {
        let hint = "name it with 1 to 32 letters, digits, '_' or '-', as in [notify.ops]";
        item.refuse(scope.report, "is not a name", hint);
    }
    let mut section = item.section(scope.report)?;
    let hint = "write whom to tell, as in url = \"https://hooks.example/wa\"";
    let url = section.need(scope.report, "url", hint).and_then(|item| plain_url(&item, scope.report));
    let hint = "write which events it gets, as in events = [\"incident.*\", \"scan.*\", \"remedy.*\"], or \"*\"";
    let events = section.need(scope.report, "events", hint).and_then(|item| events(&item, scope.report, hint));
    let signing = secret::take_signing(&mut section, scope);
    let token = secret::take(&mut section, scope, &secret::TOKEN);
    let report = &mut *scope.report;
    let timeout = section.take("timeout").map_or(Some(TIMEOUT_DEFAULT), |item| item.span(report, TIMEOUT));
    let tries_max = section.take("tries").map_or(Some(TRIES_DEFAULT), |item| item.count(report, TRIES));
    section.finish_with(report, elsewhere);
    let notifier =
        Notifier { name, url: url?, events: events?, signing, token, timeout: timeout?, tries_max: tries_max? };
    is_named.then_some(notifier)
}

fn plain_url(item: &Item, report: &mut Report) -> Option<String> {
    if placeholder::is_in(item.text(report)?) {
        item.refuse(report, "has a placeholder", "write the URL as it is: the event is in the body");
        return None;
    }
    url::read(item, report).map(String::from)
}

fn events(item: &Item, report: &mut Report, hint: &str) -> Option<Vec<String>> {
    let items = item.words(report, hint)?;
    if items.is_empty() || EVENTS_MAX < items.len() {
        item.refuse(report, format!("has {} events", items.len()), format!("write 1 to {EVENTS_MAX}, or \"*\""));
        return None;
    }
    // Each is read, so that every problem is told.
    let read: Vec<Option<String>> = items.iter().map(|item| event(item, report)).collect();
    read.into_iter().collect()
}

fn event(item: &Item, report: &mut Report) -> Option<String> {
    let text = item.text(report)?.trim();
    let (kind, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if text == ALL || (KINDS.contains(&kind) && (rest == ALL || is_word(rest))) {
        return Some(text.to_owned());
    }
    let hint = match nearest(kind, KINDS) {
        Some(meant) => format!("did you mean \"{meant}.*\"?"),
        None => format!("known here: {}, or \"*\" for all", KINDS.map(|kind| format!("\"{kind}.*\"")).join(", ")),
    };
    item.wrong(report, "an event", &hint);
    None
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "token" | "secret" => {
            "a token is read from token_file or token_env, a signing secret from secret_file or secret_env"
        }
        "body" | "template" => "the body is the event, in the form of Standard Webhooks",
        "retries" | "retry" => "write tries = 5, how often one event is tried",
        _ => return None,
    };
    Some(hint.to_owned())
}
