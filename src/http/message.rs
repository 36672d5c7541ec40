//! A message that changes something: sent under one id, signed, its answer read to a limit.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::sign::{BadKey, Key, signature};
use super::{Http, NoReply, Unanswered, read_capped};
use crate::config::{Secret, Signing, Unreadable};
use crate::dialect::pause_of_header;
use crate::engine::moment::Wall;
use crate::engine::sample::Failure;

/// Most of an answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longest time that reading a secret may take.
const SECRET_TIMEOUT_MAX: Duration = Duration::from_secs(2);

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const WEBHOOK_ID: &str = "webhook-id";
const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// A message. Sent again it keeps its id, and gets a new time and a new signature.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: &'a Url,
    /// Under which it is done once; without a dot.
    pub id: &'a str,
    /// JSON, or nothing.
    pub body: &'a [u8],
    /// Sent as `Authorization: Bearer`; read anew each time.
    pub token: Option<&'a Secret>,
    /// Signs it; read anew each time.
    pub signing: Option<&'a Signing>,
    /// How long it may take.
    pub timeout: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its status.
    pub status: u16,
    /// How long to wait before the next try, if it says so.
    pub retry_after: Option<Duration>,
    /// Its body; none where it broke off or is longer than [`ANSWER_BYTES_MAX`].
    pub body: Option<Vec<u8>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// The token or the key cannot be read; nothing was sent.
    #[error("a secret cannot be read")]
    Secret(#[source] Unreadable),
    /// Reading a secret took too long; nothing was sent.
    #[error("reading a secret takes too long")]
    SlowSecret,
    /// The secret signs nothing; nothing was sent.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// It cannot stand in a header; nothing was sent.
    #[error("the {0} cannot stand in a header")]
    Header(&'static str),
    /// It was sent, or could not be.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

impl Undelivered {
    /// Tells whether nothing was sent for certain.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Secret(_) | Self::SlowSecret | Self::Key(_) | Self::Header(_) => true,
            Self::Unanswered(Unanswered::Unsent(_)) => true,
            Self::Unanswered(Unanswered::Lost(_)) => false,
        }
    }
}

impl Http {
    /// Sends a message once.
    pub async fn deliver(&self, message: &Message<'_>, now: Wall) -> Result<Heard, Undelivered> {
        let headers = headers(message, now).await?;
        let until = until(message.timeout);
        let sending = self.send(message.method.clone(), message.url, headers, message.body.to_vec());
        let too_late = |_elapsed| Unanswered::Lost(NoReply::Theirs(Failure::Timeout));
        let response = timeout_at(until, sending).await.map_err(too_late)??;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| pause_of_header(text, now));
        let body = timeout_at(until, read_capped(response, ANSWER_BYTES_MAX)).await;
        Ok(Heard { status, retry_after, body: body.ok().and_then(Result::ok) })
    }
}

async fn headers(message: &Message<'_>, now: Wall) -> Result<HeaderMap, Undelivered> {
    let unix_secs = now.millis().div_euclid(1000);
    let mut headers = HeaderMap::with_capacity(7);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if !message.body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let id = HeaderValue::from_str(message.id).map_err(|_| Undelivered::Header("id"))?;
    headers.insert(IDEMPOTENCY_KEY, id.clone());
    headers.insert(WEBHOOK_ID, id);
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(unix_secs));
    if let Some(signing) = message.signing {
        let mut keys = vec![Key::parse(&read(&signing.secret).await?)?];
        if let Some(previous) = &signing.previous {
            keys.push(Key::parse(&read(previous).await?)?);
        }
        let signature = signature(&keys, message.id, unix_secs, message.body);
        let signature = HeaderValue::from_str(&signature).map_err(|_| Undelivered::Header("signature"))?;
        headers.insert(WEBHOOK_SIGNATURE, signature);
    }
    if let Some(token) = message.token {
        let text = Zeroizing::new(["Bearer ", read(token).await?.expose_secret()].concat());
        let mut value = HeaderValue::from_str(&text).map_err(|_| Undelivered::Header("token"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Reads a secret, within a limit of time.
pub async fn read(secret: &Secret) -> Result<SecretString, Undelivered> {
    let secret = secret.clone();
    let reading = timeout(SECRET_TIMEOUT_MAX, spawn_blocking(move || secret.read()));
    // A thread that ended without an answer is as good as one that never answers.
    let read = reading.await.ok().and_then(Result::ok).ok_or(Undelivered::SlowSecret)?;
    read.map_err(Undelivered::Secret)
}

/// Returns when a span that begins now ends, on the clock of the runtime.
#[must_use]
pub fn until(span: Duration) -> Instant {
    sleep(span).deadline()
}
