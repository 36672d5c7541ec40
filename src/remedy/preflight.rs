//! Whether a hook could act now: rights, names, mounts and proxies, looked at without acting.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::brief::Brief;
use super::run::Desk;
use super::{Clock, coolify, docker, kubernetes, sqlite, wasender, wasender_backend};
use crate::config::{Call, DockerCall, Hook, Target};
use crate::engine::attempt::{Act, AttemptId, Cause, StepOrder};
use crate::engine::ladder::Remedy;
use crate::engine::plan::StepName;
use crate::http::Http;
use crate::http::message::until;

/// How long one hook may be looked at.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// What was found out about a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The remedy that it carries out.
    pub remedy: Remedy,
    /// Whether it could act; none where that cannot be known without acting.
    pub is_well: Option<bool>,
    /// What was seen, and what to do about it.
    pub what: String,
}

/// What a look at one thing says: whether it is well, and what was seen.
pub(super) type Seen = (Option<bool>, String);

/// Looks at every hook of a target.
pub async fn preflight(target: &Arc<Target>, http: &Http, clock: &Clock) -> Vec<Finding> {
    let desk = Desk::for_looks(target, http, clock);
    let mut findings = Vec::new();
    for (remedy, hook) in &target.hooks {
        let brief = Brief::new(order(target, *remedy), None, clock());
        let seen = look_at(hook, &brief, &desk).await;
        findings.extend(seen.into_iter().map(|(is_well, what)| Finding { remedy: *remedy, is_well, what }));
    }
    findings
}

/// An order that nobody gave, for those who only look.
fn order(target: &Target, remedy: Remedy) -> StepOrder {
    let cause = Cause { incident: None, pattern: None, reason: "check --live".to_owned(), by: None, restores: None };
    StepOrder {
        attempt: AttemptId::default(),
        target: target.id.clone(),
        remedy,
        number: 0,
        index: 0,
        step: StepName(Arc::from("look")),
        act: Act::Look,
        retry: 0,
        takes: WITHIN,
        cause: Arc::new(cause),
    }
}

async fn look_at(hook: &Hook, brief: &Brief, desk: &Desk) -> Vec<Seen> {
    let (mut seen, mut told) = (Vec::new(), BTreeSet::new());
    let mut docker: Vec<&DockerCall> = Vec::new();
    for call in hook.calls() {
        let one = match call {
            Call::Exec(exec) => exec.argv.first().map(|program| look_at_program(program)),
            Call::Http(call) => Some(look_at_url(&call.url).await),
            Call::Coolify(call) => Some(coolify::preflight(call, brief, desk, until(WITHIN)).await),
            Call::Kubernetes(call) => Some(kubernetes::preflight(call, brief, desk, until(WITHIN)).await),
            Call::Wasender(call) => Some(wasender::preflight(call, desk, until(WITHIN)).await),
            Call::WasenderBackend(call) => Some(wasender_backend::preflight(call, desk, until(WITHIN)).await),
            Call::Sqlite(call) => Some(sqlite::preflight(call).await),
            Call::Docker(call) => {
                docker.push(call);
                None
            }
        };
        // The steps of one hook work on the same thing.
        seen.extend(one.filter(|(_, what)| told.insert(what.clone())));
    }
    if !docker.is_empty() {
        seen.extend(docker::preflight(&docker, desk.clients.usual(), until(WITHIN)).await);
    }
    seen
}

fn look_at_program(program: &str) -> Seen {
    match Path::new(program).metadata() {
        Err(error) => (Some(false), format!("{program} cannot be called: {error}")),
        Ok(metadata) if !metadata.is_file() => (Some(false), format!("{program} is no program")),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => {
            (Some(false), format!("{program} cannot be executed: chmod +x"))
        }
        Ok(_) => (Some(true), format!("{program} can be called")),
    }
}

/// A hook that is a URL is only called when it is meant: here somebody must listen, no more.
async fn look_at_url(url: &str) -> Seen {
    // Placeholders stand in path and query alone.
    let Ok(url) = Url::parse(url) else { return (None, "its URL has placeholders".to_owned()) };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return (Some(false), "its URL has no host".to_owned());
    };
    // An IPv6 address stands in brackets in a URL.
    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match timeout(CONNECT_WITHIN, TcpStream::connect((plain, port))).await {
        Ok(Ok(_)) => (Some(true), format!("{host}:{port} listens")),
        Ok(Err(error)) => (Some(false), format!("{host}:{port} cannot be reached: {error}")),
        Err(_elapsed) => (Some(false), format!("{host}:{port} does not answer")),
    }
}
