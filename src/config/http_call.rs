//! A URL to call.

use std::fs::File;
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::node::Value;
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{HttpCall, HttpPoll, Retry, json, secret, url};

/// The methods, the one by default first.
const METHODS: [&str; 5] = ["POST", "PUT", "PATCH", "DELETE", "GET"];
/// The one that carries no body.
const GET: &str = "GET";
/// How long one try may take.
pub(super) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_mins(5);
pub(super) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(15);
/// How often it is tried in all.
pub(super) const TRIES: RangeInclusive<u32> = 1..=10;
pub(super) const TRIES_DEFAULT: u32 = 5;
/// Statuses that may mean success.
const STATUS: RangeInclusive<u32> = 200..=599;
const STATUSES_MAX: usize = 16;
/// Says that work was begun.
const ACCEPTED: u16 = 202;
/// How often it is asked whether work is done.
const POLL_EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);
const POLL_EVERY_DEFAULT: Duration = Duration::from_secs(5);
/// How long in all. With the time of one try it is shorter than any line of steps.
const POLL_WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(20);
const POLL_WITHIN_DEFAULT: Duration = Duration::from_mins(2);
/// Longest file of certificates, in bytes.
const CA_BYTES_MAX: u64 = 1 << 20;
/// What every certificate begins with.
const CA_BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Reads a URL to call.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<HttpCall> {
    let mut section = item.section(scope.report)?;
    let hint = "write whom to call, as in url = \"https://hooks.example/restart/${target}\"";
    let url = section.need(scope.report, "url", hint).and_then(|item| url::read_template(&item, scope.report));
    let method = method(&mut section, scope.report);
    let token = secret::take(&mut section, scope, &secret::TOKEN);
    let signing = secret::take_signing(&mut section, scope);
    let report = &mut *scope.report;
    let body = section.take("body");
    if let (Some(item), Some(GET)) = (&body, method) {
        item.refuse(report, "stands beside method GET, which has no body", "take it out, or use another method");
    }
    let body = body.map_or(Some(None), |item| json::body(&item, report).map(Some));
    let expect_status = section.take("expect_status").map_or(Some(Vec::new()), |item| statuses(&item, report));
    let expect_json = section
        .take("expect_json")
        .map_or(Some(std::collections::BTreeMap::new()), |item| json::expected(item, report));
    let timeout = section.take("timeout").map_or(Some(TIMEOUT_DEFAULT), |item| item.span(report, TIMEOUT));
    let tries_max = section.take("tries").map_or(Some(TRIES_DEFAULT), |item| item.count(report, TRIES));
    let only_unsent = section.take("only_unsent").map_or(Some(false), |item| item.flag(report));
    let poll_item = section.peek("poll");
    let poll = section.take("poll").map_or(Some(None), |item| poll(item, report).map(Some));
    if let (Some(item), Some(statuses)) = (poll_item, &expect_status)
        && !statuses.is_empty()
        && !statuses.contains(&ACCEPTED)
    {
        item.refuse(report, "waits for a 202, which expect_status does not name", "add 202 to expect_status");
    }
    let ca_file = section.take("ca_file").map_or(Some(None), |item| ca_file(&item, scope).map(Some));
    section.finish_with(scope.report, elsewhere);
    Some(HttpCall {
        method: method?.to_owned(),
        url: url?,
        token,
        body: body?,
        signing,
        expect_status: expect_status?,
        expect_json: expect_json?,
        timeout: timeout?,
        retry: Retry { only_unsent: only_unsent?, tries_max: tries_max? },
        poll: poll?,
        ca_file: ca_file?,
    })
}

fn method(section: &mut Section, report: &mut Report) -> Option<&'static str> {
    let Some(item) = section.take("method") else { return METHODS.first().copied() };
    let known = |word: &str| METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(word));
    item.word(report, known, "a method", &format!("known here: {}", METHODS.join(", ")))
}

/// Reads one status, or a list of them.
fn statuses(item: &Item, report: &mut Report) -> Option<Vec<u16>> {
    let items = match &item.node.value {
        Value::List(list) => list.iter().map(|node| Item { key: item.key.clone(), node: node.clone() }).collect(),
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_) => {
            vec![item.clone()]
        }
    };
    if items.is_empty() || STATUSES_MAX < items.len() {
        let hint = format!("write 1 to {STATUSES_MAX}, or leave the key out: then every 2xx is good");
        item.refuse(report, format!("has {} statuses", items.len()), hint);
        return None;
    }
    // Each is read, so that every problem is told.
    let read: Vec<Option<u32>> = items.iter().map(|item| item.count(report, STATUS)).collect();
    read.into_iter().map(|status| u16::try_from(status?).ok()).collect()
}

fn poll(item: Item, report: &mut Report) -> Option<HttpPoll> {
    let mut section = item.section(report)?;
    let hint = "write where to ask whether the work is done";
    let url = section.need(report, "url", hint).and_then(|item| url::read_template(&item, report));
    let hint = "write what means that the work is done, as in expect_json = { \"/state\" = \"done\" }";
    let expect_json = section.need(report, "expect_json", hint).and_then(|item| json::expected(item, report));
    let every_item = section.peek("every").or_else(|| section.peek("within"));
    let every = section.take("every").map_or(Some(POLL_EVERY_DEFAULT), |item| item.span(report, POLL_EVERY));
    let within = section.take("within").map_or(Some(POLL_WITHIN_DEFAULT), |item| item.span(report, POLL_WITHIN));
    section.finish(report);
    let poll = HttpPoll { url: url?, expect_json: expect_json?, every: every?, within: within? };
    if let Some(item) = every_item
        && poll.within < poll.every
    {
        item.refuse(report, "is asked less often than once in the time it has", "make every shorter than within");
        return None;
    }
    Some(poll)
}

/// Reads the name of a file of certificates.
pub(super) fn ca_file(item: &Item, scope: &mut Scope<'_>) -> Option<PathBuf> {
    let path = scope.base_dir.join(item.text(scope.report)?);
    let mut text = Vec::new();
    // Whatever opens a pipe waits for its writer.
    let read = path.metadata().and_then(|metadata| {
        if metadata.is_file() {
            File::open(&path)?.take(CA_BYTES_MAX).read_to_end(&mut text)?;
        }
        Ok(())
    });
    let why = match read {
        Err(error) => format!("cannot be read: {error}"),
        Ok(()) if !String::from_utf8_lossy(&text).contains(CA_BEGIN) => "holds no certificate".to_owned(),
        Ok(()) => return Some(path),
    };
    let hint = "name a PEM file of certificates; a relative path begins at the folder of the configuration";
    item.refuse(scope.report, why, hint);
    None
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "token" | "secret" | "api_key" | "authorization" | "headers" => {
            "a token is read from token_file or token_env, a signing secret from secret_file or secret_env"
        }
        "insecure" | "insecure_skip_verify" | "verify" => "certificates are always checked; name your own in ca_file",
        "retries" | "retry" => "write tries = 5, how often it is tried in all",
        _ => return None,
    };
    Some(hint.to_owned())
}
