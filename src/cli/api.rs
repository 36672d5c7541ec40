//! A client of a running watchdog's own API.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use tokio::time::timeout;

use super::site::Misuse;
use crate::http::{Http, read_capped};

/// Longest answer that is read, in bytes: 10 000 targets fit.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// A daemon on the same machine that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the running watchdog is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Api {
    /// Base URL of the running watchdog.
    #[arg(long, env = "WA_WATCHDOG_URL", default_value = "http://127.0.0.1:9877", value_name = "URL")]
    url: String,
}

impl Api {
    /// Gets a text.
    pub(super) async fn text(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let parsed = parse(&url)?;
        let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let http = Http::new()?;
        let call = async {
            let response = http.get(&parsed, &accept).await?;
            let status = response.status();
            Ok((status, read_capped(response, ANSWER_BYTES_MAX).await?))
        };
        let asked: anyhow::Result<_> = timeout(PATIENCE, call).await.context("no answer in time").flatten();
        let (status, body) = asked.with_context(|| {
            format!("no watchdog answers at {url}; is it running? (--url or WA_WATCHDOG_URL says where it is)")
        })?;
        let text = String::from_utf8(body).context("its answer is no text")?;
        if !status.is_success() {
            bail!("{url} answered {status}: {}", text.trim());
        }
        Ok(text)
    }
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
