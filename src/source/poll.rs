//! One target asked one thing: one GET, bounded in time and size, and what the dialect makes of it.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::endpoints::Token;
use super::history::EVERY;
use super::{Clock, Endpoints};
use crate::config::Unreadable;
use crate::dialect::{Heard, Pace};
use crate::engine::moment::Moment;
use crate::engine::sample::{Failure, Sample};
use crate::engine::watchdog::Ask;
use crate::http::{Http, NoReply, Unread, read_capped};

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
        Self { http, clock }
    }

    /// Asks a target once. Takes as long as the target may take, and a moment for its token.
    pub async fn ask(&self, endpoints: &Endpoints, ask: Ask) -> Result<Sample, Unasked> {
        let url = endpoints.url(ask).ok_or(Unasked::NoEndpoint)?;
        let headers = headers(endpoints.token()).await?;
        let target = endpoints.target();
        let asked = (self.clock)();
        let call = hear(&self.http, url, &headers, target.body_bytes_max);
        let heard = timeout(time_limit(target.timeout, ask), call).await;
        let now = (self.clock)();
        let heard = match heard {
            Ok(Ok(reply)) => reply,
            Ok(Err(NoReply::Theirs(failure))) => Reply::Failed(failure),
            Ok(Err(NoReply::Ours(why))) => return Err(Unasked::Ourselves(why)),
            Err(_elapsed) => Reply::Failed(Failure::Timeout),
        };
        Ok(target.dialect.read(ask, endpoints.route(), now.wall, now.since(asked), heard.as_heard()))
    }
}

/// What a list of what happened brought.
#[derive(Debug)]
pub(super) enum Past {
    /// Its rows by their numbers, the earliest first.
    Rows(Vec<(u64, String)>),
    /// The gateway is asked too often.
    Throttled(Sample),
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
            Reply::Came { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => {
                let (now, heard) = ((self.clock)().wall, reply.as_heard());
                Past::Throttled(target.dialect.read(Ask::Status, endpoints.route(), now, Duration::ZERO, heard))
            }
            Reply::Came { status, body, .. } if status.is_success() => {
                target.dialect.read_history(body).map_or(Past::Unheard, Past::Rows)
            }
            Reply::Came { .. } | Reply::Failed(_) => Past::Unheard,
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

/// What was heard, still with its owner.
enum Reply {
    Came { status: StatusCode, headers: HeaderMap, body: Vec<u8> },
    Failed(Failure),
}

impl Reply {
    fn as_heard(&self) -> Heard<'_> {
        match self {
            Self::Came { status, headers, body } => {
                let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
                let pace = Pace { retry_after: text(&RETRY_AFTER), rate_limit_reset: text(&RATE_LIMIT_RESET) };
                Heard::Reply { status: status.as_u16(), pace, body }
            }
            Self::Failed(failure) => Heard::Failed(*failure),
        }
    }
}

async fn hear(http: &Http, url: &Url, headers: &HeaderMap, bytes_max: usize) -> Result<Reply, NoReply> {
    let mut response = http.get(url, headers).await?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    match read_capped(response, bytes_max).await {
        Ok(body) => Ok(Reply::Came { status, headers, body }),
        // A success is nothing without its body. Any other status speaks for itself: a proxy's long page of error is one.
        Err(Unread::TooLarge(_)) if status.is_success() => Ok(Reply::Failed(Failure::TooLarge)),
        Err(Unread::TooLarge(body)) => Ok(Reply::Came { status, headers, body }),
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
