//! One GET of a gateway's list: with its token, within a limit of time and size, understood only where it is a plain success.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::{Clock, Failed};
use crate::config::{Account, Found};
use crate::dialect::{Dialect, Pace, retry_after};
use crate::http::message::read;
use crate::http::{Http, NoReply, Unread, read_capped};

/// Longest time of one call.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes: some thousand sessions with all that a vendor tells of them.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A gateway that is asked for its list.
pub(super) struct Asker<'a> {
    account: &'a Account,
    http: &'a Http,
    clock: &'a Clock,
    headers: HeaderMap,
}

impl<'a> Asker<'a> {
    /// Reads the token anew, and puts it where the dialect has it.
    pub(super) async fn new(
        account: &'a Account,
        dialect: &str,
        http: &'a Http,
        clock: &'a Clock,
    ) -> Result<Self, Failed> {
        let mut headers = HeaderMap::with_capacity(2);
        // Without it Wasender may answer with a page or a redirect.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let dialect = Dialect::builtin(dialect);
        if let (Some(secret), Some(auth)) = (&account.token, dialect.as_ref().and_then(|dialect| dialect.auth())) {
            let ours = |why: String| Failed::NotAsked(why);
            let token = read(secret).await.map_err(|error| ours(error.to_string()))?;
            let text = Zeroizing::new([&auth.prefix, token.expose_secret()].concat());
            let name = HeaderName::from_bytes(auth.header.as_bytes()).map_err(|error| ours(error.to_string()))?;
            let mut value = HeaderValue::from_str(&text).map_err(|error| ours(error.to_string()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self { account, http, clock, headers })
    }

    /// Asks for a path below the base URL. What is not asked for by `T` is not kept: lists carry keys and secrets.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        let url = Url::parse(&format!("{}{path}", self.account.url));
        let url = url.map_err(|error| Failed::NotAsked(error.to_string()))?;
        let too_slow = |_elapsed| Failed::NoAnswer("it takes too long".to_owned());
        timeout(CALL_WITHIN, self.answer(&url)).await.map_err(too_slow)?
    }

    async fn answer<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Failed> {
        let response = self.http.get(url, &self.headers).await.map_err(|why| no_reply(&why))?;
        let status = response.status().as_u16();
        let text = |name: &HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (after, reset) = (text(&RETRY_AFTER), text(&HeaderName::from_static("x-ratelimit-reset")));
        let body = match read_capped(response, ANSWER_BYTES_MAX).await {
            Ok(body) => Zeroizing::new(body),
            Err(Unread::Broken(why)) => return Err(no_reply(&why)),
            Err(Unread::TooLarge(_)) if status == 200 => {
                return Err(Failed::NotUnderstood(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
            }
            Err(Unread::TooLarge(_)) => Zeroizing::default(),
        };
        match status {
            200 => serde_json::from_slice(&body).map_err(|error| Failed::NotUnderstood(why(&error))),
            401 | 403 => Err(Failed::Refused(format!("status {status}"))),
            429 => {
                let pace = Pace { retry_after: after.as_deref(), rate_limit_reset: reset.as_deref() };
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                Err(Failed::Throttled(retry_after(pace, &body, (self.clock)().wall)))
            }
            _ => Err(Failed::Status(status)),
        }
    }
}

/// Makes what a session of this gateway is found as.
pub(super) fn session(account: &Account, dialect: &str, session: String, name: Option<String>) -> Found {
    Found {
        key: session.clone(),
        name: name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| session.clone()),
        url: account.url.clone(),
        dialect: Some(dialect.to_owned()),
        session: Some(session),
        status_path: None,
        container: None,
    }
}

fn no_reply(why: &NoReply) -> Failed {
    match why {
        NoReply::Theirs(failure) => Failed::NoAnswer(failure.to_string()),
        NoReply::Ours(why) => Failed::NotAsked(why.clone()),
    }
}

/// Says where an answer is wrong, and not what stands there: it may be a secret.
fn why(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Data => "it is not the list that was asked for",
        Category::Io | Category::Syntax => "it is not JSON",
        Category::Eof => "it breaks off",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}
