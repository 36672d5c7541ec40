//! JSON over HTTP under a token that may be rotated, and that may say itself when it ends.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, Url};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::Clock;
use super::end::CallEnd;
use crate::config::Secret;
use crate::dialect::{Pace, retry_after};
use crate::engine::moment::words;
use crate::http::message::until as deadline_in;
use crate::http::{Http, Unanswered, jwt, read_capped};

/// Longest answer that is read, in bytes: a list of sessions may be long.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// A token that ends sooner than this is not used any more.
const TOKEN_LASTS_MIN: Duration = Duration::from_mins(1);
/// Longest time that reading a token may take.
const TOKEN_TIMEOUT_MAX: Duration = Duration::from_secs(2);
/// The token is not, or no longer, the right one.
pub(super) const UNAUTHORIZED: u16 = 401;

/// Whom to ask, with which token and for how long.
pub(super) struct Bearer<'a> {
    pub(super) http: &'a Http,
    pub(super) token: &'a Secret,
    /// How long one call may take.
    pub(super) patience: Duration,
    /// When everything is over.
    pub(super) until: Instant,
    pub(super) clock: &'a Clock,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    /// How long to wait, if it says so.
    pub(super) pause: Option<Duration>,
    /// Its body; none where it is no JSON, or too long.
    pub(super) json: Option<Value>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// It was certainly not sent.
    Unsent(String),
    /// It may have been carried out.
    Lost(String),
}

impl Bearer<'_> {
    /// Asks a question.
    pub(super) async fn get(&self, url: &str) -> Result<Heard, Silence> {
        self.exchange(&Method::GET, url, None).await
    }

    /// Sends something that changes something: once, and once more where a token that was just rotated kept it out.
    pub(super) async fn send(&self, method: &Method, url: &str, body: Option<&Value>) -> Result<Heard, Silence> {
        self.exchange(method, url, body).await
    }

    async fn exchange(&self, method: &Method, url: &str, body: Option<&Value>) -> Result<Heard, Silence> {
        let url = Url::parse(url).map_err(|_| Silence::Unsent("its URL cannot be made".to_owned()))?;
        let heard = self.try_once(method, &url, body).await?;
        // Whoever is kept out did nothing.
        if heard.status == UNAUTHORIZED { self.try_once(method, &url, body).await } else { Ok(heard) }
    }

    async fn try_once(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Heard, Silence> {
        let headers = self.headers(body.is_some()).await.map_err(Silence::Unsent)?;
        let until = self.until.min(deadline_in(self.patience));
        let late = || Silence::Lost("no answer came in time".to_owned());
        let sending = async {
            if *method == Method::GET {
                return self.http.get(url, &headers).await.map_err(|error| Silence::Lost(cause(&error)));
            }
            let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
            self.http.send(method.clone(), url, headers.clone(), body).await.map_err(|error| Silence::of(&error))
        };
        let response = timeout_at(until, sending).await.map_err(|_elapsed| late())??;
        self.hear(response, until).await
    }

    async fn hear(&self, response: Response, until: Instant) -> Result<Heard, Silence> {
        let status = response.status().as_u16();
        let text = |name: &HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let (header, reset) = (text(&RETRY_AFTER).map(str::to_owned), text(&RATE_LIMIT_RESET).map(str::to_owned));
        let body = timeout_at(until, read_capped(response, ANSWER_BYTES_MAX)).await;
        let json: Option<Value> = body.ok().and_then(Result::ok).and_then(|body| serde_json::from_slice(&body).ok());
        let pace = Pace { retry_after: header.as_deref(), rate_limit_reset: reset.as_deref() };
        let pause = retry_after(pace, json.as_ref().unwrap_or(&Value::Null), (self.clock)());
        Ok(Heard { status, pause, json })
    }

    async fn headers(&self, has_body: bool) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::with_capacity(3);
        // Without it the vendor answers with pages and redirects.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(AUTHORIZATION, self.authorization().await?);
        Ok(headers)
    }

    async fn authorization(&self) -> Result<HeaderValue, String> {
        let secret = self.token.clone();
        let named = named(self.token);
        let reading = tokio::time::timeout(TOKEN_TIMEOUT_MAX, spawn_blocking(move || secret.read()));
        let read = reading.await.ok().and_then(Result::ok).ok_or_else(|| format!("reading {named} takes too long"))?;
        let token = read.map_err(|error| format!("{named}: {error}"))?;
        let now = (self.clock)();
        if let Some(ends) = jwt::expiry(token.expose_secret())
            && ends.since(now) < TOKEN_LASTS_MIN
        {
            let when =
                if ends <= now { format!("ended {} ago", words(now.since(ends))) } else { "ends now".to_owned() };
            return Err(format!("the token in {named} {when}: log in to the backend and put the new token there"));
        }
        let text = Zeroizing::new(["Bearer ", jwt::bare(token.expose_secret())].concat());
        let mut value = HeaderValue::from_str(&text).map_err(|_| format!("{named} cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Heard {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Tells whether it says that it went well: a 2xx may say that it did not.
    pub(super) fn says_success(&self) -> bool {
        self.is_success() && self.at("/success") == Some(&Value::Bool(true))
    }

    pub(super) fn at(&self, place: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(place)
    }

    pub(super) fn text(&self, place: &str) -> Option<&str> {
        self.at(place)?.as_str()
    }

    /// Returns the vendor's words for what went wrong, in lower case, to be judged and not to be shown.
    pub(super) fn complaint(&self) -> String {
        let places = ["/error", "/message", "/error/message"];
        places.iter().find_map(|place| self.text(place)).unwrap_or_default().to_lowercase()
    }

    /// Says what came instead of an answer that can be understood.
    pub(super) fn in_words(&self) -> String {
        let status = self.status;
        match &self.json {
            Some(_) => format!("answered {status}"),
            None if (300..400).contains(&status) => format!("answered {status}, a way to somewhere else"),
            None => format!("answered {status} without JSON"),
        }
    }

    /// Tells whether nobody can tell from it what was done: somebody in between answered.
    pub(super) fn is_from_between(&self) -> bool {
        matches!(self.status, 408 | 502 | 504 | 520..=527) || (self.is_success() && self.json.is_none())
    }
}

impl Silence {
    fn of(error: &Unanswered) -> Self {
        match error {
            Unanswered::Unsent(_) => Self::Unsent(cause(error)),
            Unanswered::Lost(_) => Self::Lost(cause(error)),
        }
    }

    /// Says why.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Unsent(why) | Self::Lost(why) => why,
        }
    }

    /// Makes it the end of an act that changes something.
    pub(super) fn into_end(self, who: &str) -> CallEnd {
        match self {
            Self::Unsent(why) => CallEnd::failed(format!("{who} was not asked: {why}")),
            Self::Lost(why) => CallEnd::unknown(format!("{who} was asked, and did not answer: {why}")),
        }
    }
}

/// Names where a secret is read.
pub(super) fn named(secret: &Secret) -> String {
    match secret {
        Secret::File(path) => path.display().to_string(),
        Secret::Env(name) => format!("the variable {name}"),
    }
}

/// Returns the number of a session, which is a number here and a text there.
pub(super) fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

static RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
