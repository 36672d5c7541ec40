//! One target asked one thing: one GET, bounded in time and size, and what the dialect makes of it.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::endpoints::Token;
use super::history::EVERY;
use super::witness::Witnesses;
use super::{Clock, Endpoints};
use crate::config::Unreadable;
use crate::dialect::Doubt;
use crate::engine::moment::Moment;
use crate::engine::sample::{Failure, Sample};
use crate::engine::watchdog::Ask;
use crate::http::{Http, NoReply, Unread, read_capped};
use crate::recording::{Call, Came, Raw};

/// A deep probe waits for a page or a phone behind the service, so it may take this many times as long as a status poll ...
const DEEP_PATIENCE: u32 = 3;

/// ... but no longer than this, unless a status poll may.
const DEEP_TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// Longest time that reading a token may take.
const TOKEN_TIMEOUT_MAX: Duration = Duration::from_secs(2);

/// Asks targets. Cheap to clone.
///
/// A call follows no redirect, and logs neither body nor token nor URL.
#[derive(Clone)]
pub struct Poller {
    http: Http,
    clock: Clock,
    witnesses: Witnesses,
}

/// What came of asking a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What it means.
    pub sample: Sample,
    /// What came.
    pub raw: Raw,
}

/// Why a target was not asked, or was asked in vain by our own fault. It says nothing about the target: no sample comes of it.
#[derive(Debug, thiserror::Error)]
pub enum Unasked {
    /// The dialect has no such endpoint for this target.
    #[error("the dialect has no such endpoint, or the target does not name the session that it needs")]
    NoEndpoint,
    /// The token cannot be read.
    #[error("the token cannot be read")]
    NoToken(#[source] Unreadable),
    /// Reading the token took too long.
    #[error("reading the token takes too long")]
    SlowToken,
    /// The token cannot stand in a header.
    #[error("the token holds characters that no header can hold")]
    BadToken(#[source] InvalidHeaderValue),
    /// The watchdog itself ran short of something.
    #[error("the watchdog itself cannot ask: {0}")]
    Ourselves(String),
}

impl Poller {
    /// Makes a poller that measures with this clock.
    #[must_use]
    pub fn new(http: Http, clock: Clock) -> Self {
        Self { http, clock, witnesses: Witnesses::default() }
    }

    /// Asks a target once. Takes as long as the target may take, as long again where its answer is in doubt, and a moment for its
    /// token.
    pub async fn ask(&self, endpoints: &Endpoints, ask: Ask) -> Result<Seen, Unasked> {
        let url = endpoints.url(ask).ok_or(Unasked::NoEndpoint)?;
        let headers = headers(endpoints.token()).await?;
        let target = endpoints.target();
        let asked = (self.clock)();
        let call = hear(&self.http, url, &headers, target.body_bytes_max);
        let heard = timeout(time_limit(target.timeout, ask), call).await;
        let now = (self.clock)();
        let came = match heard {
            Ok(Ok(reply)) => reply,
            Ok(Err(NoReply::Theirs(failure))) => Came::Failed(failure),
            Ok(Err(NoReply::Ours(why))) => return Err(Unasked::Ourselves(why)),
            Err(_elapsed) => Came::Failed(Failure::Timeout),
        };
        let latency = now.since(asked);
        let sample = target.dialect.read(ask, endpoints.route(), now.wall, latency, came.heard());
        let (sample, checked) = self.settle(endpoints, sample, &came).await;
        Ok(Seen { sample, raw: Raw::Asked(ask, Call { latency, came, checked }) })
    }

    /// Asks somebody else whether what came can be true, where that is in doubt and somebody knows.
    async fn settle(&self, endpoints: &Endpoints, sample: Sample, came: &Came) -> (Sample, Option<Came>) {
        let target = endpoints.target();
        let Sample::Poll { reply, latency } = sample else { return (sample, None) };
        let as_it_is = |reply| (Sample::Poll { reply, latency }, None);
        let Some(doubt) = target.dialect.doubt(endpoints.route(), &reply, came.heard()) else { return as_it_is(reply) };
        let Some((url, token)) = endpoints.witness(&doubt) else { return as_it_is(reply) };
        // A token that cannot be read settles nothing.
        let Ok(headers) = headers(token).await else { return as_it_is(reply) };
        let call = async {
            match timeout(target.timeout, hear(&self.http, &url, &headers, target.body_bytes_max)).await {
                Ok(Ok(came)) => Ok(came),
                Ok(Err(NoReply::Theirs(failure))) => Ok(Came::Failed(failure)),
                Ok(Err(NoReply::Ours(_))) => Err(()),
                Err(_elapsed) => Ok(Came::Failed(Failure::Timeout)),
            }
        };
        let checked = match doubt {
            // The same for every session of the gateway.
            Doubt::KnownGood { .. } => {
                // Whoever asks it just now may have more patience.
                let answer = self.witnesses.answer(&url, || (self.clock)(), call);
                timeout(target.timeout, answer).await.unwrap_or(Ok(Came::Failed(Failure::Timeout)))
            }
            Doubt::Vendor { .. } => call.await,
        };
        let Ok(checked) = checked else { return as_it_is(reply) };
        let reply = doubt.settle(reply, (self.clock)().wall, checked.heard());
        (Sample::Poll { reply, latency }, Some(checked))
    }
}

/// What a list of what happened brought.
#[derive(Debug)]
pub(super) enum Past {
    /// Its rows by their numbers, the earliest first.
    Rows(Vec<(u64, String)>),
    /// The gateway is asked too often.
    Throttled(Box<Seen>),
    /// It was not heard, which says nothing: whoever does not answer is told by the polls.
    Unheard,
}

impl Poller {
    /// Asks for the list of what happened to the session.
    pub(super) async fn past(&self, endpoints: &Endpoints) -> Past {
        let (Some(url), Ok(headers)) = (endpoints.history(), headers(endpoints.token()).await) else {
            return Past::Unheard;
        };
        let target = endpoints.target();
        let call = hear(&self.http, url, &headers, target.body_bytes_max);
        let Ok(Ok(reply)) = timeout(target.timeout.min(EVERY), call).await else { return Past::Unheard };
        match &reply {
            Came::Reply { status: 429, .. } => {
                let (now, latency) = ((self.clock)().wall, Duration::ZERO);
                let sample = target.dialect.read(Ask::Status, endpoints.route(), now, latency, reply.heard());
                let raw = Raw::Asked(Ask::Status, Call { latency, came: reply, checked: None });
                Past::Throttled(Box::new(Seen { sample, raw }))
            }
            Came::Reply { status: 200..=299, body, .. } => {
                target.dialect.read_history(body).map_or(Past::Unheard, Past::Rows)
            }
            Came::Reply { .. } | Came::Failed(_) => Past::Unheard,
        }
    }

    /// Returns the present moment.
    pub(super) fn now(&self) -> Moment {
        (self.clock)()
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").finish_non_exhaustive()
    }
}

async fn hear(http: &Http, url: &Url, headers: &HeaderMap, bytes_max: usize) -> Result<Came, NoReply> {
    let mut response = http.get(url, headers).await?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let reply = |body| {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (retry_after, rate_limit_reset) = (text(&RETRY_AFTER), text(&RATE_LIMIT_RESET));
        Came::Reply { status: status.as_u16(), retry_after, rate_limit_reset, body }
    };
    match read_capped(response, bytes_max).await {
        Ok(body) => Ok(reply(body)),
        // A success is nothing without its body. Any other status speaks for itself: a proxy's long page of error is one.
        Err(Unread::TooLarge(_)) if status.is_success() => Ok(Came::Failed(Failure::TooLarge)),
        Err(Unread::TooLarge(body)) => Ok(reply(body)),
        Err(Unread::Broken(why)) => Err(why),
    }
}

fn time_limit(status_timeout: Duration, ask: Ask) -> Duration {
    match ask {
        Ask::Status | Ask::Qr => status_timeout,
        Ask::Deep => status_timeout.saturating_mul(DEEP_PATIENCE).min(DEEP_TIMEOUT_MAX).max(status_timeout),
    }
}

/// Returns the headers to send. `Accept` is always among them: without it Wasender may answer with pages and redirects.
async fn headers(token: Option<&Token>) -> Result<HeaderMap, Unasked> {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        headers.insert(token.header.clone(), token_value(token).await?);
    }
    Ok(headers)
}

async fn token_value(token: &Token) -> Result<HeaderValue, Unasked> {
    let secret = token.secret.clone();
    let reading = timeout(TOKEN_TIMEOUT_MAX, spawn_blocking(move || secret.read()));
    let read = reading.await.map_err(|_elapsed| Unasked::SlowToken)?;
    let read = read.map_err(|_stopped| Unasked::Ourselves("the thread that reads tokens ended".to_owned()))?;
    let secret = read.map_err(Unasked::NoToken)?;
    let text = Zeroizing::new([&token.prefix, secret.expose_secret()].concat());
    let mut value = HeaderValue::from_str(&text).map_err(Unasked::BadToken)?;
    value.set_sensitive(true);
    Ok(value)
}

static RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_probe_may_take_longer_but_not_for_ever() {
        let limit = |secs, ask| time_limit(Duration::from_secs(secs), ask).as_secs();
        assert_eq!([limit(5, Ask::Status), limit(5, Ask::Qr), limit(5, Ask::Deep)], [5, 5, 15]);
        assert_eq!([limit(20, Ask::Deep), limit(60, Ask::Deep)], [30, 60]);
    }
}
