//! What a client may order, and which client may.

use std::net::IpAddr;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::uri::Authority;
use hyper::{StatusCode, body::Bytes};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::reply::{Answer, json, problem, problems};
use super::{BODY_BYTES_MAX, BODY_WITHIN, Desk, RELOAD_WITHIN, ReloadOrder};

/// Why an order is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The listener can be reached from other machines.
    Reachable,
    /// The request is not addressed to loopback: a name that somebody pointed at it (DNS rebinding), or a proxy.
    ForeignHost,
    /// A web page of another origin sent it.
    ForeignPage,
}

/// Orders a reload and waits for what comes of it.
pub(super) async fn reload(desk: &Desk, headers: &HeaderMap, body: Incoming) -> Answer {
    if let Err(refusal) = may_order(desk.loopback_only, headers) {
        return problem(StatusCode::FORBIDDEN, refusal.what(), refusal.hint());
    }
    if let Err(answer) = read_body(body).await {
        return answer;
    }
    let (answer, answered) = oneshot::channel();
    match desk.state.reload.try_send(ReloadOrder { answer }) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return unavailable("a reload is running already", "ask again when it has ended"),
        Err(TrySendError::Closed(_)) => return unavailable("the watchdog is stopping", "ask again when it runs"),
    }
    match timeout(RELOAD_WITHIN, answered).await {
        Ok(Ok(Ok(done))) => json(StatusCode::OK, &done),
        Ok(Ok(Err(found))) => problems(
            StatusCode::BAD_REQUEST,
            "the configuration was not taken; the one before is still in force",
            "mend what `problems` says, then reload again",
            &found,
        ),
        Ok(Err(_)) => unavailable("the reload was given up", "see the watchdog's log"),
        Err(_) => unavailable("the reload takes too long", "see the watchdog's log for how it ends"),
    }
}

fn unavailable(error: &str, hint: &str) -> Answer {
    problem(StatusCode::SERVICE_UNAVAILABLE, error, hint)
}

/// Reads a body to its limits.
async fn read_body(body: Incoming) -> Result<Bytes, Answer> {
    let too_large = || {
        let error = format!("the body is longer than {BODY_BYTES_MAX} bytes");
        problem(StatusCode::PAYLOAD_TOO_LARGE, &error, "this route needs no body")
    };
    // A length that is announced is refused before anything is read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| BODY_BYTES_MAX < announced) {
        return Err(too_large());
    }
    match timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "the body is broken", "this route needs no body")),
        Err(_) => {
            Err(problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", "this route needs no body"))
        }
    }
}

/// Tells whether a request may order anything. Without operator tokens only this machine may, and no web page that a person
/// on this machine happens to have open: a browser names the page in `Origin` and `Sec-Fetch-Site`, and `Host` names what the
/// page believes to talk to.
fn may_order(loopback_only: bool, headers: &HeaderMap) -> Result<(), Refusal> {
    if !loopback_only {
        return Err(Refusal::Reachable);
    }
    let host = text(headers, &HOST).filter(|host| is_loopback(host)).ok_or(Refusal::ForeignHost)?;
    let own_page = format!("http://{host}");
    let origin_fits = !headers.contains_key(ORIGIN) || text(headers, &ORIGIN) == Some(&own_page);
    let site = HeaderName::from_static("sec-fetch-site");
    let site_fits = !headers.contains_key(&site) || matches!(text(headers, &site), Some("same-origin" | "none"));
    if origin_fits && site_fits { Ok(()) } else { Err(Refusal::ForeignPage) }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| name.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

impl Refusal {
    fn what(self) -> &'static str {
        match self {
            Self::Reachable => "orders are not taken on an address that other machines can reach",
            Self::ForeignHost => "orders are taken only if they are addressed to loopback",
            Self::ForeignPage => "orders are not taken from a page of another origin",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Reachable => "send SIGHUP to the watchdog, or let it listen on 127.0.0.1",
            Self::ForeignHost => "use 127.0.0.1, [::1] or localhost as host, or send SIGHUP to the watchdog",
            Self::ForeignPage => "use a command line client, or send SIGHUP to the watchdog",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_taken_from_this_machine_only() {
        let local: [&[(&str, &str)]; 6] = [
            &[("host", "127.0.0.1:9877")],
            &[("host", "localhost:9877")],
            &[("host", "LOCALHOST")],
            &[("host", "[::1]:9877")],
            &[("host", "127.0.0.1:9877"), ("origin", "http://127.0.0.1:9877"), ("sec-fetch-site", "same-origin")],
            &[("host", "127.0.0.1:9877"), ("sec-fetch-site", "none")],
        ];
        for headers in local {
            assert_eq!(may_order(true, &map(headers)), Ok(()), "{headers:?}");
            assert_eq!(may_order(false, &map(headers)), Err(Refusal::Reachable), "{headers:?}");
        }
    }

    #[test]
    fn an_order_from_elsewhere_is_refused() {
        let host = ("host", "127.0.0.1:9877");
        let foreign: [(&[(&str, &str)], Refusal); 10] = [
            (&[], Refusal::ForeignHost),
            (&[("host", "evil.example:9877")], Refusal::ForeignHost),
            (&[("host", "evil.example:9877"), ("origin", "http://evil.example:9877")], Refusal::ForeignHost),
            (&[("host", "localhost.evil.example")], Refusal::ForeignHost),
            (&[("host", "192.0.2.7:9877")], Refusal::ForeignHost),
            (&[host, ("origin", "https://evil.example")], Refusal::ForeignPage),
            (&[host, ("origin", "null")], Refusal::ForeignPage),
            (&[host, ("origin", "http://127.0.0.1:3000")], Refusal::ForeignPage),
            (&[host, ("sec-fetch-site", "cross-site")], Refusal::ForeignPage),
            (&[host, ("sec-fetch-site", "same-site")], Refusal::ForeignPage),
        ];
        for (headers, refusal) in foreign {
            assert_eq!(may_order(true, &map(headers)), Err(refusal), "{headers:?}");
        }
    }

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }
}
