//! A client of a running watchdog's own API.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::timeout;

use super::site::Misuse;
use crate::http::{Http, read_capped};

/// Longest answer that is read, in bytes: 10 000 targets fit.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// A daemon on the same machine that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(5);
/// An order waits for the ledger's disk; beyond what the watchdog itself waits for it.
const ORDER_PATIENCE: Duration = Duration::from_secs(15);
/// Where a watchdog listens when nobody says.
const URL_DEFAULT: &str = "http://127.0.0.1:9877";

/// Where the running watchdog is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Api {
    /// Base URL of the running watchdog.
    #[arg(
        long,
        help = "Base URL of the running watchdog [default: http://127.0.0.1:9877]",
        env = "WA_WATCHDOG_URL",
        value_name = "URL"
    )]
    url: Option<String>,
}

/// What the watchdog answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

/// What it says of an error.
#[derive(Debug, Deserialize)]
pub(super) struct Complaint {
    pub(super) error: String,
    pub(super) hint: String,
}

impl Api {
    /// Returns the URL that was named, if one was.
    pub(super) fn named(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| !url.is_empty())
    }

    /// Takes this URL where none was named.
    pub(super) fn or(self, url: Option<String>) -> Self {
        let url = self.named().map(str::to_owned).or(url);
        Self { url }
    }

    /// Gets a text.
    pub(super) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let (url, http) = (self.full(path)?, Http::new()?);
        let headers = HeaderMap::from_iter([(ACCEPT, JSON)]);
        let call = async {
            let response = http.get(&url, &headers).await?;
            let status = response.status();
            Ok((status, read_capped(response, ANSWER_BYTES_MAX).await?))
        };
        let asked: anyhow::Result<_> = timeout(PATIENCE, call).await.context("no answer in time").flatten();
        let Reply { status, text } = reply(&url, asked)?;
        match (status.is_success(), serde_json::from_str(&text)) {
            (true, _) => Ok(text),
            (false, Ok(Complaint { error, hint })) => bail!("{error}\nhint: {hint}"),
            (false, Err(_)) => bail!("{url} answered {status}: {}", text.trim()),
        }
    }

    /// Posts JSON, with the token where there is one.
    pub(super) async fn post(&self, path: &str, body: Vec<u8>, token: Option<&SecretString>) -> anyhow::Result<Reply> {
        let (url, http) = (self.full(path)?, Http::new()?);
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON), (CONTENT_TYPE, JSON)]);
        if let Some(token) = token {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Misuse(String::from("the token holds characters that no header can carry")))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let call = async {
            let response = http.send(Method::POST, &url, headers, body).await?;
            let status = response.status();
            Ok((status, read_capped(response, ANSWER_BYTES_MAX).await?))
        };
        let late = "no answer in time: look at `status` before you order it again";
        let asked: anyhow::Result<_> = timeout(ORDER_PATIENCE, call).await.context(late).flatten();
        reply(&url, asked)
    }

    fn full(&self, path: &str) -> Result<Url, Misuse> {
        let base = self.named().unwrap_or(URL_DEFAULT);
        parse(&format!("{}{path}", base.trim_end_matches('/')))
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn reply(url: &Url, asked: anyhow::Result<(StatusCode, Vec<u8>)>) -> anyhow::Result<Reply> {
    let (status, body) = asked.with_context(|| {
        format!("no watchdog answers at {url}; is it running? (--url or WA_WATCHDOG_URL says where it is)")
    })?;
    let text = String::from_utf8(body).context("its answer is no text")?;
    Ok(Reply { status, text })
}

/// Parses a URL; one that holds a password is not repeated.
fn parse(url: &str) -> Result<Url, Misuse> {
    let parsed: Url =
        url.parse().map_err(|_| Misuse(String::from("--url is no URL; write it as in http://127.0.0.1:9877")))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(Misuse(String::from("--url holds a user or a password; a watchdog asks for none")));
    }
    Ok(parsed)
}
