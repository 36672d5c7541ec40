//! The last resort for a backend of WasenderAPI: the stale session id taken out of its database.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::built_in::{Asked, BuiltIn, BuiltStep};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, HookStep};
use crate::engine::ladder::Remedy;
use crate::engine::plan::Resume;

/// How long a lock of the backend's is waited for.
const BUSY: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);
const BUSY_DEFAULT: Duration = Duration::from_secs(5);
/// How many backups are kept.
const KEEP: RangeInclusive<u32> = 1..=100;
const KEEP_DEFAULT: u32 = 5;
/// How long a copy of the database may take, beside the waits for locks.
const BACKUP_WITHIN: Duration = Duration::from_mins(2);
/// How long one small change may take, beside the wait for a lock.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);
/// Locks that one step may have to wait for.
const WAITS: u32 = 4;
/// Longest id of a user or a session, in bytes.
const ID_BYTES_MAX: usize = 128;

/// One act on the backend's table of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteCall {
    /// The database file.
    pub path: PathBuf,
    /// Whose session it is.
    pub user: UserKey,
    /// The stale id: only this one is ever taken out.
    pub session: String,
    /// Where backups lie.
    pub backup_dir: PathBuf,
    /// How long a lock is waited for.
    pub busy_timeout: Duration,
    /// How many backups are kept.
    pub keep: u32,
    /// What is done.
    pub deed: SqliteDeed,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// The id of a row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum UserKey {
    /// A number.
    Number(i64),
    /// A text, such as a UUID.
    Text(String),
}

/// What is done with the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqliteDeed {
    /// Sees that everything is fit, and copies the database.
    Backup,
    /// Takes the id out.
    Clear,
    /// Tells whether it is out.
    IsClear,
    /// Puts back what an earlier attempt took out, where nobody stored another one since.
    PutBack,
}

impl std::fmt::Display for UserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl SqliteCall {
    fn with(&self, deed: SqliteDeed) -> Self {
        let work = match deed {
            SqliteDeed::Backup => BACKUP_WITHIN,
            SqliteDeed::Clear | SqliteDeed::IsClear | SqliteDeed::PutBack => CHANGE_WITHIN,
        };
        let timeout = self.busy_timeout.saturating_mul(WAITS).saturating_add(work);
        Self { deed, timeout, ..self.clone() }
    }

    fn call(&self, deed: SqliteDeed) -> Call {
        Call::Sqlite(Box::new(self.with(deed)))
    }
}

/// Reads the section.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<BuiltIn> {
    let report = &mut *scope.report;
    if asked.remedy != Remedy::Reset {
        let hint = "it takes a session out of a database, which is a reset: write it under reset";
        item.refuse(report, format!("cannot {} a session", asked.remedy), hint);
        return None;
    }
    let mut section = item.section(report)?;
    let base = call(&mut section, scope.base_dir, report, asked);
    section.finish_with(report, elsewhere);
    Some(line(&base?))
}

fn line(base: &SqliteCall) -> BuiltIn {
    let clear = HookStep { run: base.call(SqliteDeed::Clear), check: Some(base.call(SqliteDeed::IsClear)), undo: None };
    let clear = BuiltStep {
        destroys: true,
        resume: Resume::Check,
        calls: clear,
        ..BuiltStep::new("clear", base.call(SqliteDeed::IsClear))
    };
    let restore = vec![BuiltStep::new("put-back", base.call(SqliteDeed::PutBack))];
    BuiltIn { steps: vec![BuiltStep::new("backup", base.call(SqliteDeed::Backup)), clear], look: None, restore }
}

fn call(section: &mut Section, base_dir: &Path, report: &mut Report, asked: &Asked<'_>) -> Option<SqliteCall> {
    let hint = "write where the backend's database file is, as in path = \"/data/whatsapp_bot.db\"";
    let path = section.need(report, "path", hint).and_then(|item| Some(base_dir.join(item.text(report)?)));
    let hint = "write the id of the user whose session it is, as in user = 42: never more than one";
    let user = section.need(report, "user", hint).and_then(|item| user(&item, report, hint));
    let session = session(section, report, asked);
    let backup_dir =
        section.take("backup_dir").map_or(Some(None), |item| Some(Some(base_dir.join(item.text(report)?))));
    let busy_timeout = section.take("busy_timeout").map_or(Some(BUSY_DEFAULT), |item| item.span(report, BUSY));
    let keep = section.take("keep").map_or(Some(KEEP_DEFAULT), |item| item.count(report, KEEP));
    let path = path?;
    let beside = || path.parent().map_or_else(|| base_dir.to_owned(), Path::to_owned);
    Some(SqliteCall {
        user: user?,
        session: session?,
        backup_dir: backup_dir?.unwrap_or_else(beside),
        busy_timeout: busy_timeout?,
        keep: keep?,
        deed: SqliteDeed::IsClear,
        timeout: CHANGE_WITHIN,
        path,
    })
}

fn user(item: &Item, report: &mut Report, hint: &str) -> Option<UserKey> {
    if let super::node::Value::Integer(number) = item.node.value {
        return Some(UserKey::Number(number));
    }
    let text = item.text(report)?;
    if ID_BYTES_MAX < text.len() {
        item.refuse(report, format!("is longer than {ID_BYTES_MAX} bytes"), hint);
        return None;
    }
    Some(UserKey::Text(text.to_owned()))
}

fn session(section: &mut Section, report: &mut Report, asked: &Asked<'_>) -> Option<String> {
    let hint = "write the id that went stale, as in session = \"16548\": only this one is taken out";
    let Some(item) = section.take("session") else {
        if asked.session.is_none() {
            section.missing(report, "session", hint);
        }
        return asked.session.map(str::to_owned);
    };
    let name = item.name(report)?;
    if ID_BYTES_MAX < name.len() {
        item.refuse(report, format!("is longer than {ID_BYTES_MAX} bytes"), hint);
        return None;
    }
    Some(name)
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "scope" | "all_users" | "users" => {
            "this hook knows one user; all of them are unlinked by a person alone: wa-watchdog reset-all-users"
        }
        "allow_destructive" => "write it one level up, beside the hook: [target.NAME.remedy.reset]",
        _ => return None,
    };
    Some(hint.to_owned())
}
