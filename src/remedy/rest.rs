//! Calls of a REST interface by a hook that knows it: one token, answers read to a limit, what passes by itself tried again.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::Clock;
use super::call::with_causes;
use crate::config::Secret;
use crate::dialect::pause_of_header;
use crate::http::message::{read, until as deadline_in};
use crate::http::retry::{may_pass, pause};
use crate::http::{Http, NoReply, Unanswered, read_capped};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How often a question is asked that brings no answer, and an order that was certainly not carried out.
const TRIES_MAX: u32 = 4;
/// Most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Most of what an answer says that is repeated, in characters.
const MESSAGE_CHARS_MAX: usize = 100;

/// The other side said that it is too much, and did nothing.
const TOO_MANY: u16 = 429;

/// Calls one interface for one act.
pub(super) struct Rest<'a> {
    pub(super) http: &'a Http,
    /// Read anew for each try.
    pub(super) token: &'a Secret,
    pub(super) clock: &'a Clock,
    /// Spreads pauses.
    pub(super) key: String,
    /// After it nothing is sent.
    pub(super) until: Instant,
}

/// What is asked or ordered.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    /// JSON, and what it is called.
    pub(super) body: Option<(&'static str, Value)>,
    /// Done twice it is as if it were done once.
    pub(super) is_repeatable: bool,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    /// Null where it is not JSON, or longer than the limit.
    pub(super) body: Value,
    /// What it says of itself in a few words; never holds the token.
    pub(super) message: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// It was certainly not carried out.
    Unsent(String),
    /// It may have been carried out.
    Lost(String),
}

impl Silence {
    pub(super) fn why(self) -> String {
        match self {
            Self::Unsent(why) | Self::Lost(why) => why,
        }
    }
}

impl Said {
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns a text of its body.
    pub(super) fn text(&self, place: &str) -> Option<&str> {
        self.body.pointer(place)?.as_str()
    }
}

impl Rest<'_> {
    /// Asks a question.
    pub(super) async fn get(&self, url: &str) -> Result<Said, Silence> {
        self.ask(&Ask { method: Method::GET, url, body: None, is_repeatable: true }).await
    }

    /// Asks or orders, until there is an answer that does not pass by itself.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Said, Silence> {
        let (mut tries, mut may_be_done) = (1_u32, false);
        loop {
            let (end, asked) = match self.once(ask).await {
                Ok((said, asked)) => {
                    let again = said.status == TOO_MANY || (ask.is_repeatable && may_pass(said.status));
                    if !again {
                        return Ok(said);
                    }
                    (Ok(said), asked)
                }
                Err(Silence::Unsent(why)) => (Err(Silence::Unsent(why)), None),
                Err(Silence::Lost(why)) if ask.is_repeatable => {
                    may_be_done = true;
                    (Err(Silence::Lost(why)), None)
                }
                Err(Silence::Lost(why)) => return Err(Silence::Lost(why)),
            };
            let over =
                TRIES_MAX <= tries || timeout_at(self.until, sleep(pause(&self.key, tries, asked))).await.is_err();
            if over {
                return end.map_err(|silence| if may_be_done { Silence::Lost(silence.why()) } else { silence });
            }
            tries = tries.saturating_add(1);
        }
    }

    /// Waits; false where the time is over before.
    pub(super) async fn wait(&self, span: Duration, until: Instant) -> bool {
        timeout_at(until.min(self.until), sleep(span)).await.is_ok()
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<(Said, Option<Duration>), Silence> {
        let unsent = |why: &str| Silence::Unsent(why.to_owned());
        let url = Url::parse(ask.url).map_err(|_| unsent("its URL is none"))?;
        let token = read(self.token).await.map_err(|error| Silence::Unsent(with_causes(&error)))?;
        let bearer = Zeroizing::new(["Bearer ", token.expose_secret()].concat());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| unsent("the token cannot stand in a header"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, bearer);
        let body = ask.body.as_ref().map_or_else(Vec::new, |(kind, body)| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            body.to_string().into_bytes()
        });
        let until = self.until.min(deadline_in(ANSWER_WITHIN));
        let sending = async {
            if ask.method == Method::GET {
                self.http.get(&url, &headers).await.map_err(|why| Silence::Lost(of_no_reply(&why)))
            } else {
                let sent = self.http.send(ask.method.clone(), &url, headers, body).await;
                sent.map_err(|error| match error {
                    Unanswered::Unsent(why) => Silence::Unsent(of_no_reply(&why)),
                    Unanswered::Lost(why) => Silence::Lost(of_no_reply(&why)),
                })
            }
        };
        let too_late = |_elapsed| Silence::Lost("no answer came in time".to_owned());
        let response = timeout_at(until, sending).await.map_err(too_late)??;
        let status = response.status().as_u16();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|text| pause_of_header(text, (self.clock)()));
        let body = timeout_at(until, read_capped(response, ANSWER_BYTES_MAX)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
        let message = if message.contains(token.expose_secret()) { "" } else { message };
        let message = message.chars().take(MESSAGE_CHARS_MAX).collect();
        Ok((Said { status, body, message }, asked))
    }
}

fn of_no_reply(why: &NoReply) -> String {
    why.to_string()
}
