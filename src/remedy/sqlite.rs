//! The stale session of one user, taken out of the backend's database: a backup first, then one compare-and-set.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::brief::Brief;
use super::end::CallEnd;
use super::preflight::Seen;
use super::run::Desk;
use super::users::{self, Change, Linked, Users, UsersError, check_copy, with_ending};
use crate::config::{SqliteCall, SqliteDeed};
use crate::engine::attempt::{Act, AttemptId, StepOutcome};

/// Under which name an attempt remembers what it backed up.
const RECORD: &str = "sqlite";
/// Ends the name of every backup.
const ENDING: &str = ".backup";

/// What must be known to put everything back.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    /// The backup.
    backup: PathBuf,
    /// The database that it is of.
    database: PathBuf,
    /// What the user had.
    had: Linked,
}

/// Carries out one act.
pub(super) async fn call(call: &SqliteCall, act: Act, brief: &Brief, desk: &Desk, until: Instant) -> CallEnd {
    let order = brief.order();
    let done = async {
        match &call.deed {
            SqliteDeed::Backup => backup(call, brief, desk).await,
            SqliteDeed::Clear => clear(call).await,
            SqliteDeed::IsClear => is_clear(call).await,
            SqliteDeed::PutBack => restore(call, brief, desk).await,
        }
    };
    match timeout_at(until, done).await {
        Ok(end) => end,
        Err(_elapsed) => {
            tracing::warn!(target = %order.target, act = act.as_str(), "the database takes too long");
            CallEnd::new(StepOutcome::Unknown, Some("the database took too long; it may be done by now".to_owned()))
        }
    }
}

async fn backup(call: &SqliteCall, brief: &Brief, desk: &Desk) -> CallEnd {
    let order = brief.order();
    match recall(desk, order.attempt, brief).await {
        Ok(Some(record)) if is_whole(&record).await => {
            return done(format!("the backup of before is there: {}", record.backup.display()));
        }
        Ok(Some(_) | None) => {}
        Err(why) => return CallEnd::failed(why),
    }
    let (work, attempt) = (call.clone(), order.attempt);
    let record = match blocking(move || make_backup(&work, attempt)).await {
        Ok(record) => record,
        Err(error) => return end_of(&error),
    };
    let value = match serde_json::to_value(&record) {
        Ok(value) => value,
        Err(error) => return CallEnd::failed(format!("what was backed up cannot be written down: {error}")),
    };
    if let Err(why) = desk.runs.remember(order.attempt, &order.target, RECORD, &value).await {
        return CallEnd::failed(why);
    }
    let (name, work, kept) = (record.backup.display().to_string(), call.clone(), record.backup);
    let pruned = blocking(move || Ok(prune(&work, &kept))).await;
    let more = match pruned {
        Ok(0) | Err(_) => String::new(),
        Ok(count) => format!("; {count} older ones were taken away"),
    };
    done(format!("backed up to {name}{more}"))
}

async fn clear(call: &SqliteCall) -> CallEnd {
    let work = call.clone();
    let cleared = blocking(move || open(&work)?.clear(&work.user, &work.session)).await;
    match cleared {
        Ok(Change::Made) => done(format!("session {} of user {} was taken out", call.session, call.user)),
        Ok(Change::Was) => done(format!("user {} has no session any more", call.user)),
        Ok(Change::Other(now)) => CallEnd::failed(replaced(call, &now)),
        Ok(Change::NoUser) => CallEnd::failed(no_user(call)),
        Err(error) => end_of(&error),
    }
}

async fn is_clear(call: &SqliteCall) -> CallEnd {
    match look(call).await {
        Ok(users::Seen::None) => CallEnd::new(StepOutcome::Done, None),
        Ok(users::Seen::Some(now)) if now.session == call.session => {
            unmet(format!("session {} is still there", now.session))
        }
        Ok(users::Seen::Some(now)) => CallEnd::failed(replaced(call, &now.session)),
        Ok(users::Seen::NoUser) => CallEnd::failed(no_user(call)),
        // It was not seen, which says nothing about what is.
        Err(error) => CallEnd::new(StepOutcome::Unknown, Some(error.to_string())),
    }
}

async fn restore(call: &SqliteCall, brief: &Brief, desk: &Desk) -> CallEnd {
    let Some(attempt) = brief.order().cause.restores else {
        return unmet("no attempt is named whose session is wanted back".to_owned());
    };
    match recall(desk, attempt, brief).await {
        Ok(Some(record)) => put_back(call, record).await,
        Ok(None) => unmet(format!("attempt {attempt} wrote down no session: there is nothing to put back")),
        Err(why) => CallEnd::failed(why),
    }
}

async fn put_back(call: &SqliteCall, record: Record) -> CallEnd {
    if record.database != call.path || record.had.id != call.user {
        return unmet(format!(
            "that attempt worked on user {} of {}, which is not what the configuration says now",
            record.had.id,
            record.database.display()
        ));
    }
    let (work, had) = (call.clone(), record.had.clone());
    let session = record.had.session;
    match blocking(move || open(&work)?.put_back(&had)).await {
        Ok(Change::Made) => done(format!("session {session} of user {} is back; restart the backend", call.user)),
        Ok(Change::Was) => done(format!("session {session} of user {} was back already", call.user)),
        Ok(Change::Other(now)) => unmet(format!("user {} has session {now} by now: it was left alone", call.user)),
        Ok(Change::NoUser) => unmet(no_user(call)),
        Err(error) => end_of(&error),
    }
}

async fn look(call: &SqliteCall) -> Result<users::Seen, UsersError> {
    let work = call.clone();
    blocking(move || open(&work)?.seen(&work.user)).await
}

fn make_backup(call: &SqliteCall, attempt: AttemptId) -> Result<Record, UsersError> {
    let users = open(call)?;
    let had = match users.seen(&call.user)? {
        users::Seen::Some(had) if had.session == call.session => had,
        users::Seen::Some(other) => return Err(UsersError::Unfit(replaced(call, &other.session))),
        users::Seen::None => {
            let what = format!("user {} has no session, so there is none to take out", call.user);
            return Err(UsersError::Unfit(what));
        }
        users::Seen::NoUser => return Err(UsersError::Unfit(no_user(call))),
    };
    users.check_fit(&call.backup_dir)?;
    let backup = call.backup_dir.join(with_ending(&call.path, &format!(".{attempt}{ENDING}")));
    users.back_up(&backup)?;
    Ok(Record { backup, database: call.path.clone(), had })
}

/// Takes away the oldest backups of this database beyond the number that is kept; returns how many. Attempts rise, so names in
/// their order are backups in theirs.
fn prune(call: &SqliteCall, newest: &Path) -> usize {
    let begin = with_ending(&call.path, ".");
    let is_ours = |name: &str| {
        let attempt = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(ENDING));
        attempt.is_some_and(|id| id.parse::<AttemptId>().is_ok())
    };
    let Ok(entries) = fs::read_dir(&call.backup_dir) else { return 0 };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| is_ours(name));
    let mut backups: Vec<PathBuf> = names.map(|name| call.backup_dir.join(name)).collect();
    backups.retain(|path| path != newest);
    backups.sort_unstable();
    // The newest one counts among those that are kept.
    let others = usize::try_from(call.keep).unwrap_or(usize::MAX).saturating_sub(1);
    let surplus = backups.len().saturating_sub(others);
    backups.iter().take(surplus).filter(|path| fs::remove_file(path).is_ok()).count()
}

async fn recall(desk: &Desk, attempt: AttemptId, brief: &Brief) -> Result<Option<Record>, String> {
    let value = desk.runs.recall(attempt, &brief.order().target, RECORD).await?;
    value.map(serde_json::from_value).transpose().map_err(|_| "its record is not understood".to_owned())
}

async fn is_whole(record: &Record) -> bool {
    let backup = record.backup.clone();
    blocking(move || check_copy(&backup)).await.is_ok()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UsersError> + Send + 'static,
) -> Result<T, UsersError> {
    let ended = |_| Err(UsersError::Unclear("its thread ended".to_owned()));
    spawn_blocking(work).await.unwrap_or_else(ended)
}

fn open(call: &SqliteCall) -> Result<Users, UsersError> {
    Users::open(&call.path, call.busy_timeout)
}

fn end_of(error: &UsersError) -> CallEnd {
    let outcome = match error {
        UsersError::Unfit(_) | UsersError::Busy => StepOutcome::Unmet,
        UsersError::Failed(_) => StepOutcome::Failed,
        UsersError::Unclear(_) => StepOutcome::Unknown,
    };
    CallEnd::new(outcome, Some(error.to_string()))
}

fn done(note: String) -> CallEnd {
    CallEnd::new(StepOutcome::Done, Some(note))
}

fn unmet(note: String) -> CallEnd {
    CallEnd::new(StepOutcome::Unmet, Some(note))
}

fn replaced(call: &SqliteCall, now: &str) -> String {
    format!("somebody replaced the session: user {} has {now}, not {}; it was left alone", call.user, call.session)
}

fn no_user(call: &SqliteCall) -> String {
    format!("{} has no user {}: check the id", call.path.display(), call.user)
}

/// Looks whether the database could be changed.
pub(super) async fn preflight(call: &SqliteCall) -> Seen {
    let (work, path) = (call.clone(), call.path.display().to_string());
    let look = move || {
        let users = open(&work)?;
        users.check_fit(&work.backup_dir)?;
        users.seen(&work.user)
    };
    match blocking(look).await {
        Ok(users::Seen::NoUser) => (Some(false), no_user(call)),
        Ok(users::Seen::Some(_) | users::Seen::None) => {
            (Some(true), format!("{path} can be changed, and backed up before"))
        }
        Err(error) => (Some(false), error.to_string()),
    }
}
