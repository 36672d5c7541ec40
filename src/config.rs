//! Text in, checked settings out, or every problem at once.
//!
//! A file is parsed into a tree whose every value knows its line; environment twins are laid over it; a cursor takes the keys
//! one by one, and what nobody took is a problem. Nothing stops at the first problem, and nothing is checked again later.

mod adopt;
mod built_in;
mod call;
mod coolify;
mod dialects;
mod discover;
mod docker;
mod exec;
mod fleet;
mod hook;
mod http_call;
mod inbound;
mod json;
mod kubernetes;
mod logs;
mod mark;
mod memory;
mod mode;
mod nearest;
mod node;
mod notify;
mod path;
mod placeholder;
mod policy;
mod problem;
mod recording;
mod remedy;
mod runtime;
mod scope;
mod secret;
mod section;
mod senses;
mod settings;
mod single;
mod sqlite;
mod target;
pub mod template;
mod twins;
mod unit;
mod url;
mod wasender;
mod wasender_backend;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use self::coolify::{CoolifyAt, CoolifyCall, CoolifyDeed, CoolifyResource};
pub use self::discover::{Account, DiscoverFrom, Discovery, DockerAddress, Found, Ready};
pub use self::docker::{Anew, DockerAt, DockerCall, DockerDeed, DockerEndpoint, Keep, Vault};
pub use self::hook::{Call, Exec, Hook, HookStep, HttpCall, HttpPoll, Notifier, Retry, Signing};
pub use self::inbound::{Alertmanager, Inbound};
pub use self::kubernetes::{KubernetesAt, KubernetesCall, KubernetesDeed, Namespace, Workload};
pub use self::logs::{Logs, LogsAt};
pub use self::memory::{MemoryFrom, MemoryPlace, ProcessAt, ProcessRoot, PrometheusAt};
pub use self::recording::{RecordingHead, RecordingTarget, recording_head, recording_header, recording_target};
pub use self::runtime::RuntimeFrom;
pub use self::secret::{Unreadable, is_phone};
pub use self::senses::Senses;
pub use self::single::{Single, SingleKind, single};
pub use self::sqlite::{SqliteCall, SqliteDeed, UserKey};
pub use self::twins::PREFIX;
pub use self::wasender::{WasenderAt, WasenderCall, WasenderDeed};
pub use self::wasender_backend::{BackendAt, BackendCall, BackendDeed, Proof};
use crate::dialect::Dialect;
use crate::engine::ladder::Remedy;
use crate::engine::path::PathName;
use crate::engine::policy::{Limits, Policy};
use crate::engine::target::TargetId;

/// Everything the shell needs, checked once and never again.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The HTTP side.
    pub server: Server,
    /// Alerts that are taken in.
    pub alertmanager: Option<Alertmanager>,
    /// The ledger.
    pub store: Store,
    /// What is recorded of what was seen.
    pub recorder: Recorder,
    /// What the engine needs.
    pub policy: Policy,
    /// Thresholds of targets that say nothing else, for a recording of one that is not named here.
    pub limits: Limits,
    /// How each target is asked, by name; the same names as in `policy.targets`.
    pub targets: BTreeMap<TargetId, Arc<Target>>,
    /// Who tells which other sessions there are.
    pub discoveries: Vec<Discovery>,
    /// Where announcements go.
    pub notifiers: Vec<Notifier>,
    /// Network paths that are looked at.
    pub paths: Arc<[PathAt]>,
    /// What can be meant, and rarely is.
    pub warnings: Vec<Problem>,
}

/// The HTTP side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where metrics and API are served.
    pub listen: SocketAddr,
    /// What operator calls must carry; without one they are taken on loopback alone.
    pub token: Option<Secret>,
}

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
    /// How long entries are kept.
    pub keep: Duration,
}

/// What is recorded of what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorder {
    /// Whether anything is.
    pub enabled: bool,
    /// The folder of the recordings.
    pub dir: PathBuf,
    /// How long they are kept ...
    pub keep: Duration,
    /// ... and how many bytes of them.
    pub bytes_max: u64,
}

/// How one target is asked.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub id: TargetId,
    /// Its gateway's wire language.
    pub dialect: Arc<Dialect>,
    /// Where that is found: the name of a built-in one, or a path.
    pub dialect_at: String,
    /// Base URL, without a slash at the end; dialect paths are appended to it. Never holds user or password.
    pub url: String,
    /// The session's name or number at the gateway.
    pub session: Option<String>,
    /// A status path other than the dialect's own.
    pub status_path: Option<String>,
    /// The token.
    pub token: Option<Secret>,
    /// How long one call may take; below the poll interval.
    pub timeout: Duration,
    /// Longest body that is read, in bytes.
    pub body_bytes_max: usize,
    /// The page on which a person scans the QR code.
    pub qr_page: Option<String>,
    /// The vendor behind the gateway, to be asked what the gateway does not know.
    pub vendor: Option<VendorAt>,
    /// What is looked at besides its status.
    pub senses: Senses,
    /// How each remedy is carried out.
    pub hooks: BTreeMap<Remedy, Arc<Hook>>,
}

/// A network path that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathAt {
    /// Its name.
    pub name: PathName,
    /// Where it leads.
    pub url: String,
    /// How often it is looked at.
    pub every: Duration,
    /// How long its answer may take.
    pub timeout: Duration,
    /// The dialects whose sessions need it; empty: all of them.
    pub dialects: Vec<String>,
}

/// The vendor behind a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorAt {
    /// Base URL, without a slash at the end.
    pub url: String,
    /// The token of the account.
    pub token: Secret,
}

/// Where a secret is read at each use, so that it can be rotated without a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// A file; white space around its content does not count.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, or where else the value came from (`--service`, `WA_WATCHDOG__SERVER__LISTEN`, `header` of a recording).
    pub source: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// The key, dotted: `target.shop.url`. Empty where it is about the whole.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Longest file that is read, in bytes; a fleet of [`TARGETS_MAX`] fits many times.
pub const FILE_BYTES_MAX: u64 = 32 << 20;

/// Most targets of one watchdog.
pub const TARGETS_MAX: usize = 20_000;

/// Reads a file and checks it; relative paths in it begin at its folder. `env` is the whole environment: twins and tokens.
pub fn load(file: &Path, env: &BTreeMap<String, String>) -> Result<Settings, Vec<Problem>> {
    let source = file.display().to_string();
    let text = read_text(file).map_err(|error| {
        let what = format!("cannot be read: {error}");
        let hint = "name a configuration file that exists and is text".to_owned();
        vec![Problem { source: source.clone(), line: None, key: String::new(), what, hint }]
    })?;
    let base_dir = file.parent().unwrap_or(Path::new("."));
    parse(&text, &source, base_dir, env)
}

/// Checks a text; `source` is what problems call it, and relative paths in it begin at `base_dir`.
pub fn parse(
    text: &str,
    source: &str,
    base_dir: &Path,
    env: &BTreeMap<String, String>,
) -> Result<Settings, Vec<Problem>> {
    let tree = node::parse(text, source).map_err(|problem| vec![problem])?;
    settings::read(tree, source, base_dir, env)
}

impl Settings {
    /// Returns the keys whose new values wait for a restart: a reload takes over all the others.
    #[must_use]
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let pairs = [
            ("server.listen", self.server.listen != new.server.listen),
            ("store.path", self.store.path != new.store.path),
            ("store.keep", self.store.keep != new.store.keep),
            ("recorder", self.recorder != new.recorder),
        ];
        pairs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

fn read_text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    // A pipe will do too: `--config <(…)`.
    File::open(file)?.take(FILE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes <= FILE_BYTES_MAX) {
        return Ok(text);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is longer than {FILE_BYTES_MAX} bytes")))
}
