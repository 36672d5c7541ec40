//! What the gateway itself says: status, QR page, version, a session that it does not know.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::time::timeout;

use super::Patient;
use super::finding::Line;
use crate::cli::probe::{ask_all, tell};
use crate::driver::clock;
use crate::engine::sample::{Failure, Reply, SessionState};
use crate::engine::{Ask, Sample};
use crate::http::Http;
use crate::source::{Endpoints, Poller};

/// How long a page may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Where another route of the same gateway may answer.
const OTHER_ROUTES: [&str; 2] = ["/health", "/"];

pub(super) async fn lines(patient: &Patient<'_>) -> Vec<Line> {
    let poller = Poller::new(patient.http.clone(), clock::machine());
    let heard = ask_all(&poller, &Endpoints::of(Arc::clone(&patient.target))).await;
    let (mut lines, first) = match heard {
        Ok(heard) => {
            let lines = heard.iter().map(|(ask, sample)| line(*ask, sample)).collect();
            (lines, heard.into_iter().next().map(|(_, sample)| sample))
        }
        Err(error) => {
            let advice = "mend the configuration: wa-watchdog check says more";
            (vec![Line::ill("status", error.to_string(), advice)], None)
        }
    };
    lines.push(stale(patient, first.as_ref()).await);
    lines.push(version(patient, first.as_ref()));
    lines.push(qr_page(patient).await);
    lines
}

fn line(ask: Ask, sample: &Sample) -> Line {
    let check = match ask {
        Ask::Status => "status",
        Ask::Deep => "deep probe",
        Ask::Qr => "QR endpoint",
    };
    let said = tell(ask, sample).iter().map(|line| line.trim()).collect::<Vec<_>>().join("; ");
    let seen = said.strip_prefix(check).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&said).to_owned();
    let state = sample.answer().map(|answer| answer.state);
    let is_failed =
        matches!(sample, Sample::Deep(crate::engine::sample::Deep::Failed(_) | crate::engine::sample::Deep::TimedOut));
    match (ask, state) {
        (Ask::Status, Some(SessionState::Connected)) => Line::well(check, seen),
        (Ask::Status, Some(SessionState::NeedsScan)) => {
            Line::ill(check, seen, "scan the code: WhatsApp on the phone, Settings, Linked Devices, Link a Device")
        }
        (Ask::Status, Some(_)) => Line::ill(check, seen, "wa-watchdog explain says what is believed, and what is due"),
        (Ask::Status, None) => Line::ill(check, seen, "see that the service runs and that url and token are right"),
        (Ask::Deep, _) if is_failed => {
            Line::ill(check, seen, "it says connected and cannot do anything: restart the service")
        }
        (Ask::Deep | Ask::Qr, _) => Line::well(check, seen),
    }
}

/// Tells a session that is gone from a gateway that is.
async fn stale(patient: &Patient<'_>, status: Option<&Sample>) -> Line {
    const CHECK: &str = "session id";
    match status {
        Some(Sample::Poll { reply: Reply::Missing(_), .. }) => {}
        Some(Sample::Poll { reply: Reply::Answer(_), .. }) => {
            return Line::well(CHECK, "the gateway knows the session");
        }
        Some(Sample::Poll { reply: Reply::NoAnswer(Failure::UnexpectedStatus(404)), .. }) => {
            let advice = "see whether url and status_path are right, and whether something else answers there";
            return Line::ill(CHECK, "404 for a route that always exists, too", advice);
        }
        Some(_) | None => return Line::blind(CHECK, "the gateway gave no answer about the session"),
    }
    let others = OTHER_ROUTES.map(|path| format!("{}{path}", patient.target.url));
    for other in others.iter().filter_map(|text| Url::parse(text).ok()) {
        if let Ok(status) = status_of(&patient.http, &other).await
            && status < 400
        {
            let seen = format!("404 for the session, and {} answers {status}: the stored id is stale", other.path());
            let advice = "create the session anew, or take the stale id out: wa-watchdog reset does what is configured";
            return Line::ill(CHECK, seen, advice);
        }
    }
    let advice = "see whether url and status_path are right: no other route of it answers either";
    Line::ill(CHECK, "404 for the session", advice)
}

fn version(patient: &Patient<'_>, status: Option<&Sample>) -> Line {
    const CHECK: &str = "version";
    let running = status.and_then(Sample::answer).and_then(|answer| answer.facts.version.clone());
    match (running, &patient.args.newest) {
        (None, _) => Line::blind(CHECK, "the gateway does not say its version"),
        (Some(running), None) => {
            Line::blind(CHECK, format!("{running} runs; name the newest with --newest to compare"))
        }
        (Some(running), Some(newest)) if numbers(running.as_str()) < numbers(newest) => {
            let advice = "update the service: WhatsApp changes, and old libraries stop to work with it";
            Line::ill(CHECK, format!("{running} runs, {newest} is the newest"), advice)
        }
        (Some(running), Some(newest)) => Line::well(CHECK, format!("{running} runs, {newest} is the newest")),
    }
}

/// The numbers of a version in their order, without what stands after them (`1.34.2-alpha.1`).
fn numbers(version: &str) -> Vec<u64> {
    let core = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    core.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

async fn qr_page(patient: &Patient<'_>) -> Line {
    const CHECK: &str = "QR page";
    let Some(page) = &patient.target.qr_page else {
        return Line::blind(CHECK, "no qr_page is configured: a person who must scan has to search for it");
    };
    let advice = "whoever must scan cannot: mend the address in qr_page, or the service behind it";
    let Ok(url) = Url::parse(page) else { return Line::ill(CHECK, "it is no URL", advice) };
    match status_of(&patient.http, &url).await {
        Ok(status) if status < 400 => Line::well(CHECK, format!("{} answers {status}", shown(&url))),
        Ok(status) => Line::ill(CHECK, format!("{} answers {status}", shown(&url)), advice),
        Err(why) => Line::ill(CHECK, format!("{}: {why}", shown(&url)), advice),
    }
}

/// Asks for a page and returns its status alone.
pub(super) async fn status_of(http: &Http, url: &Url) -> Result<u16, String> {
    match timeout(PATIENCE, http.get(url, &HeaderMap::new())).await {
        Ok(Ok(response)) => Ok(response.status().as_u16()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// Shows a URL without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("1.9.2") < numbers("1.34.0"));
        assert!(numbers("v1.34.2-alpha.1") == numbers("1.34.2"));
        assert!(numbers("2.0") < numbers("2.0.1"));
    }

    #[test]
    fn a_url_is_shown_without_its_query() {
        let url: Url = "https://user:pass@h.example:8443/qr?token=s3cret".parse().unwrap();
        assert_eq!(shown(&url), "https://h.example:8443/qr");
    }
}
