//! Which client may order anything: this machine's, or whoever holds the token; never a foreign web page.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::uri::Authority;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use crate::config::Secret;
use crate::engine::moment::Wall;

use super::reply::{Answer, problem};
use super::{Desk, WRONG_TOKENS_MAX};

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Denial {
    /// The listener can be reached from other machines, and there is no token.
    Reachable,
    /// The request is not addressed to loopback: a name that somebody pointed at it (DNS rebinding), or a proxy.
    ForeignHost,
    /// A web page of another origin sent it.
    ForeignPage,
    /// It carries no token.
    NoToken,
    /// It carries another token.
    WrongToken,
    /// A page's form came without the mark that this page was given, or with another.
    NoFormToken,
    /// Too many came without the token in this second.
    TooMany,
    /// The token to compare with cannot be read.
    Unreadable,
}

/// How many orders were not taken, by reason, since the start. Cheap to clone: all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Denials(Arc<[AtomicU64; Denial::ALL.len()]>);

/// Counts those without the token in the current second.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<(i64, u32)>);

/// Lets a request pass that may order something; answers every other.
///
/// The right token always passes, however many wrong ones come: nobody can lock the operator out.
pub(super) async fn admit(desk: &Desk, headers: &HeaderMap) -> Result<(), Answer> {
    let refused = |denial| refusal(desk.denied(denial));
    let Some(secret) = admit_from(desk, headers).map_err(refused)? else { return Ok(()) };
    let given = bearer(headers).ok_or(Denial::NoToken).map_err(refused)?;
    compare(given, secret).await.map(drop).map_err(refused)
}

/// Lets a request pass that comes from where orders may come from; returns the token that it must then show, if there is one.
pub(super) fn admit_from(desk: &Desk, headers: &HeaderMap) -> Result<Option<Secret>, Denial> {
    let token = desk.state.token.borrow().clone();
    may_order(desk.loopback_only, token.is_some(), headers).map(|()| token)
}

/// Compares a token with the one in force, which it returns.
pub(super) async fn compare(given: &str, secret: Secret) -> Result<SecretString, Denial> {
    let expected = read(secret).await.ok_or(Denial::Unreadable)?;
    if is_same(given.as_bytes(), expected.expose_secret().as_bytes()) { Ok(expected) } else { Err(Denial::WrongToken) }
}

fn refusal(denial: Denial) -> Answer {
    let mut answer = problem(denial.status(), denial.what(), denial.hint());
    if let Some((name, value)) = denial.header() {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

impl Denials {
    /// Returns how many there were for each reason, by the word that metrics use.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        Denial::ALL
            .into_iter()
            .zip(self.0.iter())
            .map(|(why, count)| (why.as_str(), count.load(Ordering::Relaxed)))
            .collect()
    }

    fn count(&self, denial: Denial) {
        for (_, count) in Denial::ALL.iter().zip(self.0.iter()).filter(|(why, _)| **why == denial) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Gate {
    /// Tells whether one more may be told that it has not the token.
    pub(super) fn lets_pass(&self, now: Wall) -> bool {
        let second = now.millis().div_euclid(1000);
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let so_far = if counted.0 == second { counted.1 } else { 0 };
        *counted = (second, so_far.saturating_add(1));
        so_far < WRONG_TOKENS_MAX
    }
}

impl Desk {
    /// Counts a denial; returns the one to tell, for those without the token are told only so often why.
    pub(super) fn denied(&self, denial: Denial) -> Denial {
        let told = match denial {
            Denial::NoToken | Denial::WrongToken | Denial::NoFormToken if !self.gate.lets_pass(self.now()) => {
                Denial::TooMany
            }
            Denial::NoToken | Denial::WrongToken | Denial::NoFormToken => {
                tracing::warn!(why = denial.as_str(), "an order or a sign-in was not taken");
                denial
            }
            Denial::Reachable | Denial::ForeignHost | Denial::ForeignPage | Denial::TooMany | Denial::Unreadable => {
                denial
            }
        };
        self.state.denials.count(told);
        told
    }
}

/// Reads the token anew, off the runtime's own threads: it may have been rotated, and a disk may be slow.
pub(super) async fn read(secret: Secret) -> Option<SecretString> {
    let why = match tokio::task::spawn_blocking(move || secret.read()).await {
        Ok(Ok(token)) => return Some(token),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(why, "the token for orders cannot be read, so none is taken");
    None
}

/// Compares in a time that depends on what was given alone.
pub(super) fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let same_length = given.len().to_le_bytes().ct_eq(&expected.len().to_le_bytes());
    let pairs = given.iter().zip(expected.iter().cycle());
    let same_bytes = pairs.fold(Choice::from(1), |same, (given, expected)| same & given.ct_eq(expected));
    (same_length & same_bytes).into()
}

/// Returns the token of a request that carries exactly one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = given.next().filter(|_| given.next().is_none())?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Tells whether a request comes from where orders may come from.
///
/// Without a token only this machine may order. No web page may that a person on this machine happens to have open: a browser
/// names the page in `Origin` and `Sec-Fetch-Site`, and `Host` names what the page believes to talk to.
fn may_order(loopback_only: bool, has_token: bool, headers: &HeaderMap) -> Result<(), Denial> {
    if !loopback_only && !has_token {
        return Err(Denial::Reachable);
    }
    let host = text(headers, &HOST).filter(|host| !loopback_only || is_loopback(host)).ok_or(Denial::ForeignHost)?;
    let own_pages = [format!("http://{host}"), format!("https://{host}")];
    let is_own = |origin: &str| own_pages.iter().any(|own| own == origin);
    let origin_fits = !headers.contains_key(ORIGIN) || text(headers, &ORIGIN).is_some_and(is_own);
    let site = HeaderName::from_static("sec-fetch-site");
    let site_fits = !headers.contains_key(&site) || matches!(text(headers, &site), Some("same-origin" | "none"));
    if origin_fits && site_fits { Ok(()) } else { Err(Denial::ForeignPage) }
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

impl Denial {
    const ALL: [Self; 8] = [
        Self::Reachable,
        Self::ForeignHost,
        Self::ForeignPage,
        Self::NoToken,
        Self::WrongToken,
        Self::NoFormToken,
        Self::TooMany,
        Self::Unreadable,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::ForeignHost => "foreign_host",
            Self::ForeignPage => "foreign_page",
            Self::NoToken => "no_token",
            Self::WrongToken => "wrong_token",
            Self::NoFormToken => "no_form_token",
            Self::TooMany => "too_many",
            Self::Unreadable => "unreadable_token",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Reachable | Self::ForeignHost | Self::ForeignPage | Self::NoFormToken => StatusCode::FORBIDDEN,
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreadable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn header(self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::NoToken => Some((WWW_AUTHENTICATE, r#"Bearer realm="wa-watchdog""#)),
            Self::WrongToken => Some((WWW_AUTHENTICATE, r#"Bearer realm="wa-watchdog", error="invalid_token""#)),
            Self::TooMany => Some((RETRY_AFTER, "1")),
            Self::Reachable | Self::ForeignHost | Self::ForeignPage | Self::NoFormToken | Self::Unreadable => None,
        }
    }

    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Reachable => {
                "orders are not taken on an address that other machines can reach, as long as there is no token"
            }
            Self::ForeignHost => "orders are taken only if they are addressed to loopback",
            Self::ForeignPage => "orders are not taken from a page of another origin",
            Self::NoToken => "orders are taken only with the token",
            Self::WrongToken => "this is not the token",
            Self::NoFormToken => "this form was not made by this watchdog, or not for you, or before it started anew",
            Self::TooMany => "too many orders without the right token came in this second",
            Self::Unreadable => "the token for orders cannot be read, so none is taken",
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Reachable => "name a token with token_file in the section server, or let it listen on 127.0.0.1",
            Self::ForeignHost => "use 127.0.0.1, [::1] or localhost as host; a proxy must send such a Host too",
            Self::ForeignPage => "order from the status page itself, or with a command line client",
            Self::NoToken => "send it as `Authorization: Bearer TOKEN`; on the command line with --token-file",
            Self::WrongToken => "use the one that token_file of the section server holds; it is read at each order",
            Self::NoFormToken => "look at what it says, and send it once more",
            Self::TooMany => "wait a second",
            Self::Unreadable => "see the watchdog's log for the cause, and mend token_file of the section server",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_token_an_order_is_taken_from_this_machine_only() {
        let local: [&[(&str, &str)]; 6] = [
            &[("host", "127.0.0.1:9877")],
            &[("host", "localhost:9877")],
            &[("host", "LOCALHOST")],
            &[("host", "[::1]:9877")],
            &[("host", "127.0.0.1:9877"), ("origin", "http://127.0.0.1:9877"), ("sec-fetch-site", "same-origin")],
            &[("host", "127.0.0.1:9877"), ("sec-fetch-site", "none")],
        ];
        for headers in local {
            assert_eq!(may_order(true, false, &map(headers)), Ok(()), "{headers:?}");
            assert_eq!(may_order(false, false, &map(headers)), Err(Denial::Reachable), "{headers:?}");
        }
    }

    #[test]
    fn an_order_from_elsewhere_is_refused() {
        let host = ("host", "127.0.0.1:9877");
        let foreign: [(&[(&str, &str)], Denial); 10] = [
            (&[], Denial::ForeignHost),
            (&[("host", "evil.example:9877")], Denial::ForeignHost),
            (&[("host", "evil.example:9877"), ("origin", "http://evil.example:9877")], Denial::ForeignHost),
            (&[("host", "localhost.evil.example")], Denial::ForeignHost),
            (&[("host", "192.0.2.7:9877")], Denial::ForeignHost),
            (&[host, ("origin", "https://evil.example")], Denial::ForeignPage),
            (&[host, ("origin", "null")], Denial::ForeignPage),
            (&[host, ("origin", "http://127.0.0.1:3000")], Denial::ForeignPage),
            (&[host, ("sec-fetch-site", "cross-site")], Denial::ForeignPage),
            (&[host, ("sec-fetch-site", "same-site")], Denial::ForeignPage),
        ];
        for (headers, denial) in foreign {
            assert_eq!(may_order(true, false, &map(headers)), Err(denial), "{headers:?}");
            assert_eq!(may_order(true, true, &map(headers)), Err(denial), "a token changes nothing: {headers:?}");
        }
    }

    #[test]
    fn with_a_token_other_machines_may_order_and_foreign_pages_still_may_not() {
        let host = ("host", "watch.example");
        for headers in [&[host][..], &[host, ("origin", "https://watch.example")]] {
            assert_eq!(may_order(false, true, &map(headers)), Ok(()), "{headers:?}");
        }
        assert_eq!(may_order(false, true, &map(&[])), Err(Denial::ForeignHost));
        let headers = [host, ("origin", "https://evil.example")];
        assert_eq!(may_order(false, true, &map(&headers)), Err(Denial::ForeignPage));
    }

    #[test]
    fn a_token_is_the_same_only_from_its_first_to_its_last_byte() {
        assert!(is_same(b"s3cret", b"s3cret"));
        for wrong in ["", "s", "s3cre", "s3cres", "t3cret", "s3crett", "s3crets3cret", "S3CRET"] {
            assert!(!is_same(wrong.as_bytes(), b"s3cret"), "{wrong}");
        }
    }

    #[test]
    fn a_bearer_token_is_read_from_one_header() {
        let of = |headers: &[(&str, &str)]| bearer(&map(headers)).map(str::to_owned);
        assert_eq!(of(&[("authorization", "Bearer abc")]).as_deref(), Some("abc"));
        assert_eq!(of(&[("authorization", "bearer  abc ")]).as_deref(), Some("abc"));
        for wrong in ["abc", "Basic abc", "Bearer ", "Bearer"] {
            assert_eq!(of(&[("authorization", wrong)]), None, "{wrong}");
        }
        let mut twice = map(&[("authorization", "Bearer abc")]);
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        assert_eq!(bearer(&twice), None);
    }

    #[test]
    fn a_gate_opens_anew_each_second() {
        let gate = Gate::default();
        let passed = |millis| (0..20).filter(|_| gate.lets_pass(Wall::from_millis(millis))).count();
        let most = usize::try_from(WRONG_TOKENS_MAX).unwrap();
        assert_eq!([passed(5000), passed(5999), passed(6000)], [most, 0, most]);
    }

    #[test]
    fn every_reason_is_counted_from_zero() {
        let denials = Denials::default();
        denials.count(Denial::WrongToken);
        let counts = denials.counts();
        assert_eq!((counts.len(), counts["wrong_token"], counts["no_token"]), (Denial::ALL.len(), 1, 0));
    }

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }
}
