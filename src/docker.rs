//! The Docker Engine API, as far as it is needed: version negotiated, answers read tolerantly, troubles named by what to do.
//!
//! Facts after the API's own reference (docs.docker.com/reference/api/engine) and what daemons of Docker 20 to 29 answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::DockerEndpoint;
use crate::http::{Http, NoReply, Unanswered, read_capped};

/// The newest version of the API that is spoken here; daemons older than Docker 29 know it or an older one (negotiated), and none
/// so far refuses it.
const OURS: (u16, u16) = (1, 44);
/// Longest answer that is read, in bytes; an inspection of a container has some kilobytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Longest message of the daemon that is repeated, in bytes.
const MESSAGE_BYTES_MAX: usize = 200;
/// How long is waited before something is tried again; doubled each time.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(8);

/// A daemon.
#[derive(Debug)]
pub struct Daemon {
    http: Http,
    base: String,
    shown: String,
    version: Option<(u16, u16)>,
    /// It is Docker's own, and no other one that speaks its API.
    is_docker: bool,
    /// Something was sent that may have changed something.
    has_sent: AtomicBool,
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody listens.
    #[error("no Docker daemon answers at {0}")]
    Absent(String),
    /// The socket may not be used.
    #[error("{0} may not be used: give the watchdog the group of the socket (group_add), or a proxy")]
    Forbidden(String),
    /// A proxy lets it not pass.
    #[error("the proxy denies {0}: allow that call in it")]
    Denied(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// It cannot be done as things are.
    #[error("{0}")]
    Conflict(String),
    /// The daemon does not take it.
    #[error("the daemon does not take {0}")]
    Refused(String),
    /// The daemon failed.
    #[error("the daemon failed: {0}")]
    Failed(String),
    /// No answer came; it may be done.
    #[error("no answer came: {0}")]
    Silent(String),
}

impl Trouble {
    /// Tells whether it may pass by itself.
    fn may_pass(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Failed(_) | Self::Silent(_) => true,
            Self::Forbidden(_) | Self::Denied(_) | Self::Missing(_) | Self::Conflict(_) | Self::Refused(_) => false,
        }
    }

    /// Tells whether there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

/// What the daemon said.
#[derive(Debug)]
pub struct Said {
    /// Its body; null where that is no JSON.
    pub body: Value,
}

impl Daemon {
    /// Speaks to a daemon, in the newest version of the API that both know. A proxy that hides it gets paths without one.
    pub async fn at(endpoint: &DockerEndpoint, http: &Http, until: Instant) -> Result<Self, Trouble> {
        let (http, base, shown) = match endpoint {
            DockerEndpoint::Unix(path) => {
                let http = Http::over_socket(path).map_err(|error| Trouble::Failed(error.to_string()))?;
                (http, "http://docker".to_owned(), path.display().to_string())
            }
            DockerEndpoint::Tcp(base) => (http.clone(), base.clone(), base.clone()),
        };
        let mut daemon = Self { http, base, shown, version: None, is_docker: false, has_sent: AtomicBool::new(false) };
        let url = daemon.url("/_ping", &[])?;
        let response = daemon.retried(until, || daemon.get(&url)).await?;
        if response.status().is_success() {
            let header = response.headers().get("api-version").and_then(|value| value.to_str().ok());
            daemon.version = header.and_then(version).map(|theirs| theirs.min(OURS));
            let server = response.headers().get("server").and_then(|value| value.to_str().ok());
            daemon.is_docker = server.is_some_and(|server| server.starts_with("Docker/"));
        }
        Ok(daemon)
    }

    /// Tells whether something was sent that may have changed something.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.has_sent.load(Ordering::Relaxed)
    }

    /// Tells whether it is Docker's own daemon, and no other one that speaks its API.
    pub fn is_docker(&self) -> bool {
        self.is_docker
    }

    /// Tells whether the version that both speak is at least this one; one that is not known is taken for a new one.
    pub fn speaks(&self, major: u16, minor: u16) -> bool {
        self.version.is_none_or(|version| (major, minor) <= version)
    }

    /// Reads something; tried again until then where what stands in the way may pass.
    pub async fn read(&self, path: &str, query: &[(&str, &str)], until: Instant) -> Result<Value, Trouble> {
        let (url, what) = (self.url(path, query)?, format!("GET {path}"));
        let ask = || async {
            let response = self.get(&url).await?;
            said(response, &what).await
        };
        self.retried(until, ask).await.map(|said| said.body)
    }

    /// Opens what goes on for ever, such as events or a log that is followed: its body is read as it comes. Once, and only its
    /// beginning is limited in time.
    pub async fn open(&self, path: &str, query: &[(&str, &str)], until: Instant) -> Result<Response, Trouble> {
        let (url, what) = (self.url(path, query)?, format!("GET {path}"));
        let opened = timeout_at(until, self.get(&url)).await;
        let response = opened.map_err(|_elapsed| Trouble::Silent(format!("{what} takes too long")))??;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(said(response, &what).await.err().unwrap_or(Trouble::Failed(what)))
    }

    /// Changes something. Tried again only where it was certainly not begun, or where doing it twice is as good as once.
    pub async fn change(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        until: Instant,
    ) -> Result<Said, Trouble> {
        let (url, what) = (self.url(path, query)?, format!("{method} {path}"));
        let ask = || async {
            let mut headers = HeaderMap::new();
            let body = body.map(Value::to_string).unwrap_or_default();
            if !body.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            let sent = self.http.send(method.clone(), &url, headers, body.into_bytes());
            match timeout_at(until, sent).await {
                Ok(Ok(response)) => said(response, &what).await,
                Ok(Err(Unanswered::Unsent(why))) => Err(self.unreached(&why)),
                Ok(Err(Unanswered::Lost(why))) => Err(Trouble::Silent(why.to_string())),
                Err(_elapsed) => Err(Trouble::Silent(format!("{what} takes too long"))),
            }
        };
        let mut pause = BACK_OFF_FIRST;
        loop {
            let end = ask().await;
            let is_unsent = matches!(end, Err(Trouble::Absent(_) | Trouble::Forbidden(_) | Trouble::Denied(_)));
            self.has_sent.fetch_or(!is_unsent, Ordering::Relaxed);
            match end {
                Err(Trouble::Absent(_)) if timeout_at(until, sleep(pause)).await.is_ok() => {
                    pause = pause.saturating_mul(2).min(BACK_OFF_MAX);
                }
                end => return end,
            }
        }
    }

    async fn get(&self, url: &Url) -> Result<Response, Trouble> {
        self.http.get(url, &HeaderMap::new()).await.map_err(|why| self.unreached(&why))
    }

    /// Names why nobody was reached.
    fn unreached(&self, why: &NoReply) -> Trouble {
        match why {
            NoReply::Ours(why) if why.to_lowercase().contains("permission") => Trouble::Forbidden(self.shown.clone()),
            NoReply::Ours(_) | NoReply::Theirs(_) => Trouble::Absent(self.shown.clone()),
        }
    }

    async fn retried<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        until: Instant,
        ask: impl Fn() -> F,
    ) -> Result<T, Trouble> {
        let mut pause = BACK_OFF_FIRST;
        loop {
            let end = match timeout_at(until, ask()).await {
                Ok(end) => end,
                Err(_elapsed) => return Err(Trouble::Silent(format!("{} takes too long", self.shown))),
            };
            match end {
                Err(trouble) if trouble.may_pass() => {
                    if timeout_at(until, sleep(pause)).await.is_err() {
                        return Err(trouble);
                    }
                    pause = pause.saturating_mul(2).min(BACK_OFF_MAX);
                }
                end => return end,
            }
        }
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Trouble> {
        let version = self.version.map_or_else(String::new, |(major, minor)| format!("/v{major}.{minor}"));
        let text = format!("{}{version}{path}", self.base);
        let url = if query.is_empty() { Url::parse(&text) } else { Url::parse_with_params(&text, query) };
        url.map_err(|error| Trouble::Refused(format!("{path}: {error}")))
    }
}

/// Reads an answer: a JSON body, or in its place what the daemon or a proxy said in words.
async fn said(response: Response, what: &str) -> Result<Said, Trouble> {
    let status = response.status().as_u16();
    let body = read_capped(response, ANSWER_BYTES_MAX).await.map_err(|error| Trouble::Silent(error.to_string()))?;
    let json = serde_json::from_slice::<Value>(&body).ok();
    if matches!(status, 200..=299 | 304) {
        return Ok(Said { body: json.unwrap_or(Value::Null) });
    }
    let message = json.as_ref().and_then(|json| json.get("message")).and_then(Value::as_str);
    let by_daemon = message.is_some();
    let text = message.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned);
    let text: String = text.chars().filter(|c| !c.is_control()).take(MESSAGE_BYTES_MAX).collect();
    Err(match status {
        // A daemon forbids nothing but what its plugins do; who has no JSON for it is a proxy.
        401 | 403 | 405 if !by_daemon => Trouble::Denied(what.to_owned()),
        404 if by_daemon => Trouble::Missing(text),
        404 => Trouble::Denied(what.to_owned()),
        409 => Trouble::Conflict(text),
        500..=599 => Trouble::Failed(format!("{what}: {status} {text}")),
        _ => Trouble::Refused(format!("{what}: {status} {text}")),
    })
}

fn version(text: &str) -> Option<(u16, u16)> {
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
