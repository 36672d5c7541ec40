//! How an operator lets a remedy be carried out: calls of programs and of URLs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{BackendCall, CoolifyCall, DockerCall, KubernetesCall, Secret, SqliteCall, WasenderCall};

/// The hook of one remedy of one target. Its steps stand in the same order as in the engine's plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// What each step does; at least one.
    pub steps: Vec<HookStep>,
    /// Says which world it works on, in one line; a changed line ends a run.
    pub look: Option<Call>,
}

impl Hook {
    /// Returns everything that it may call.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().flat_map(HookStep::calls).chain(&self.look)
    }
}

impl HookStep {
    /// Returns everything that the step may call.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        [Some(&self.run), self.check.as_ref(), self.undo.as_ref()].into_iter().flatten()
    }
}

/// One step of a hook.
#[derive(Clone, Debug, PartialEq)]
pub struct HookStep {
    /// Does it.
    pub run: Call,
    /// Tells whether it is done.
    pub check: Option<Call>,
    /// Undoes it.
    pub undo: Option<Call>,
}

/// One call out.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Of a program.
    Exec(Exec),
    /// Of a URL. Boxed: it is many times larger.
    Http(Box<HttpCall>),
    /// Of a Docker daemon.
    Docker(Box<DockerCall>),
    /// Of `WasenderAPI`.
    Wasender(Box<WasenderCall>),
    /// Of a backend that keeps a session there.
    WasenderBackend(Box<BackendCall>),
    /// Of the database of a backend.
    Sqlite(Box<SqliteCall>),
    /// Of a Coolify.
    Coolify(Box<CoolifyCall>),
    /// Of a Kubernetes API.
    Kubernetes(Box<KubernetesCall>),
}

/// A program.
#[derive(Clone, Debug, PartialEq)]
pub struct Exec {
    /// Program (an absolute path) and arguments; no shell.
    pub argv: Vec<String>,
    /// Variables that it gets besides ours; nothing else is handed down.
    pub env: BTreeMap<String, String>,
    /// How long one try may take.
    pub timeout: Duration,
    /// How long it gets to end after SIGTERM.
    pub kill_grace: Duration,
    /// How much of its output is kept, in bytes, of each stream.
    pub output_bytes_max: usize,
    /// With the same key it is done once: it may be tried again after a signal, a time-out or a crash.
    pub idempotent: bool,
}

/// A URL.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCall {
    /// The method, in capitals.
    pub method: String,
    /// The URL; placeholders stand in path and query alone.
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// A body of the operator's own; none: the event.
    pub body: Option<serde_json::Value>,
    /// Signs the call.
    pub signing: Option<Signing>,
    /// Statuses that mean success; empty: every 2xx.
    pub expect_status: Vec<u16>,
    /// JSON Pointers and the values that must stand there.
    pub expect_json: BTreeMap<String, serde_json::Value>,
    /// How long one try may take.
    pub timeout: Duration,
    /// How it is tried again.
    pub retry: Retry,
    /// Asked again and again after a 202, until it says that the work is done.
    pub poll: Option<HttpPoll>,
    /// Certificates to trust besides the system's, as PEM.
    pub ca_file: Option<PathBuf>,
}

/// The keys of a signature after Standard Webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The secret, `whsec_…`.
    pub secret: Secret,
    /// The one before it, while it is being rotated: both sign.
    pub previous: Option<Secret>,
}

/// How a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Only where the request was certainly not sent.
    pub only_unsent: bool,
    /// How often it is tried in all.
    pub tries_max: u32,
}

/// How to learn that work that was begun is done.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpPoll {
    /// The URL, asked by GET.
    pub url: String,
    /// JSON Pointers and the values that mean that it is done.
    pub expect_json: BTreeMap<String, serde_json::Value>,
    /// How often it is asked.
    pub every: Duration,
    /// How long in all.
    pub within: Duration,
}

/// Where announcements go.
#[derive(Clone, Debug, PartialEq)]
pub struct Notifier {
    /// Its name.
    pub name: String,
    /// The URL; no placeholders.
    pub url: String,
    /// Which events it gets: `incident.*`, `scan.wanted`, `*`; at least one.
    pub events: Vec<String>,
    /// Signs them.
    pub signing: Option<Signing>,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often one event is tried.
    pub tries_max: u32,
}
