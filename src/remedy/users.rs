//! The table of users of a WasenderAPI backend, in SQLite: which session each has, taken out and put back by compare-and-set.
//!
//! The backend goes on working meanwhile: every change is one short transaction, and what was looked at before is compared again
//! within it. Everything here waits for the disk: from async code use `spawn_blocking`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::UserKey;

/// Most users whose sessions are taken out together.
pub const USERS_MAX: usize = 1_000_000;

/// A copy needs this many times the room of the database: `VACUUM INTO` writes beside the copy too.
const ROOM_TIMES: u64 = 2;
/// Ends the name of a copy that is not finished.
const PARTIAL: &str = ".partial";
/// What the table must have.
const COLUMNS: [&str; 3] = ["id", "wasender_session_id", "wasender_session_updated_at"];

/// The table of users in its database.
#[derive(Debug)]
pub struct Users {
    connection: Connection,
    path: PathBuf,
}

/// What a user had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linked {
    /// Whose.
    pub id: UserKey,
    /// The session's id.
    pub session: String,
    /// When it was stored, as the backend wrote it.
    pub updated_at: Json,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// There is no such user.
    NoUser,
    /// The user has no session.
    None,
    /// The user has this one.
    Some(Linked),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Made,
    /// It was so already.
    Was,
    /// The row says something else by now; it was left alone.
    Other(String),
    /// There is no such user.
    NoUser,
}

/// Why the table could not be worked on.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Nothing was changed, because this is not as it must be.
    #[error("{0}")]
    Unfit(String),
    /// Nothing was changed, because somebody else held a lock all the time.
    #[error("the database stayed locked; something else holds it, so try again later or look what it is")]
    Busy,
    /// Something failed, and nothing was changed.
    #[error("{0}")]
    Failed(String),
    /// Nobody can tell whether the change was made.
    #[error("nobody can tell whether the change was made: {0}")]
    Unclear(String),
}

impl From<rusqlite::Error> for UsersError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::NotADatabase) => Self::Unfit("the file is no SQLite database: check the path".to_owned()),
            Some(_) | None => Self::Failed(format!("the database says: {error}")),
        }
    }
}

impl Users {
    /// Opens the table of a database that exists, and sees that it has the columns.
    pub fn open(path: &Path, busy_timeout: Duration) -> Result<Self, UsersError> {
        // Without CREATE: a wrong path must never make an empty database.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| {
            UsersError::Unfit(format!("the database {} cannot be opened ({error}): check the path", path.display()))
        })?;
        connection.busy_timeout(busy_timeout)?;
        let users = Self { connection, path: path.to_owned() };
        users.check_columns()?;
        Ok(users)
    }

    /// Sees that the database is sound, ours, and that there is room for a copy of it.
    pub fn check_fit(&self, backup_dir: &Path) -> Result<(), UsersError> {
        let unreadable = |error| UsersError::Unfit(format!("{} cannot be seen: {error}", self.path.display()));
        let about = self.path.metadata().map_err(unreadable)?;
        let (owner, ours) = (about.uid(), rustix::process::geteuid().as_raw());
        if owner != ours {
            return Err(UsersError::Unfit(format!(
                "the database belongs to user {owner} and the watchdog runs as {ours}: its lock files would shut the backend \
                 out; run both as the same user"
            )));
        }
        let said: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Err(UsersError::Unfit(format!("the database is damaged ({said}): a person must look at it first")));
        }
        let wal = self.path.with_file_name(with_ending(&self.path, "-wal")).metadata().map_or(0, |wal| wal.len());
        let needed = about.len().saturating_add(wal).saturating_mul(ROOM_TIMES);
        let room = room(backup_dir)
            .map_err(|error| UsersError::Unfit(format!("{} cannot be used: {error}", backup_dir.display())))?;
        if room < needed {
            return Err(UsersError::Unfit(format!(
                "{} has {room} bytes free and a backup wants {needed}: make room",
                backup_dir.display()
            )));
        }
        Ok(())
    }

    /// Copies the database to a file, which is there only when it is whole, sound and on the disk.
    pub fn back_up(&self, to: &Path) -> Result<(), UsersError> {
        let partial = to.with_file_name(with_ending(to, PARTIAL));
        let unwritable = |error: io::Error| UsersError::Failed(format!("{} cannot be written: {error}", to.display()));
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
            Ok(()) | Err(_) => {}
        }
        // Made by us first, so that nobody else can read what is in it: VACUUM takes an empty file.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(unwritable)?;
        let copied = self.copy(&partial);
        if copied.is_err() {
            // What is left of it is taken away at the next try, if it cannot be now.
            drop(fs::remove_file(&partial));
        }
        copied?;
        File::open(&partial).and_then(|file| file.sync_all()).map_err(unwritable)?;
        fs::rename(&partial, to).map_err(unwritable)?;
        sync_folder(to).map_err(unwritable)
    }

    /// Returns what the row of one user says.
    pub fn seen(&self, user: &UserKey) -> Result<Seen, UsersError> {
        Ok(seen(&self.connection, user)?)
    }

    /// Returns every user who has a session.
    pub fn linked(&self) -> Result<Vec<Linked>, UsersError> {
        linked(&self.connection)
    }

    /// Takes one session out, if it is still this one.
    pub fn clear(&mut self, user: &UserKey, session: &str) -> Result<Change, UsersError> {
        // What is out already needs no lock, for which a busy backend may let nobody else in for long.
        if self.seen(user)? == Seen::None {
            return Ok(Change::Was);
        }
        self.change(|transaction| {
            if clear(transaction, user, session)? == 1 {
                return Ok(Change::Made);
            }
            Ok(match seen(transaction, user)? {
                Seen::NoUser => Change::NoUser,
                Seen::None => Change::Was,
                Seen::Some(other) => Change::Other(other.session),
            })
        })
    }

    /// Puts one session back, if there is none.
    pub fn put_back(&mut self, had: &Linked) -> Result<Change, UsersError> {
        self.change(|transaction| Ok(put_back(transaction, had)?))
    }

    /// Takes the sessions of all these users out, all or none: if anybody's changed meanwhile, nothing is done.
    pub fn clear_all(&mut self, users: &[Linked]) -> Result<(), UsersError> {
        self.change(|transaction| {
            if linked(transaction)? != users {
                let what = "the sessions changed since they were listed: nothing was done; run it again";
                return Err(UsersError::Unfit(what.to_owned()));
            }
            for Linked { id, session, .. } in users {
                if clear(transaction, id, session)? != 1 {
                    return Err(UsersError::Failed(format!("user {id} cannot be told apart: nothing was done")));
                }
            }
            Ok(())
        })
    }

    /// Puts the sessions back of all these users who have none; says what became of each.
    pub fn put_back_all(&mut self, users: &[Linked]) -> Result<Vec<Change>, UsersError> {
        self.change(|transaction| Ok(users.iter().map(|had| put_back(transaction, had)).collect::<Result<_, _>>()?))
    }

    /// Makes one change and takes it back where it fails.
    fn change<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, UsersError>) -> Result<T, UsersError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = work(&transaction)?;
        match transaction.commit().map_err(UsersError::from) {
            Ok(()) => Ok(made),
            Err(UsersError::Failed(why)) => Err(UsersError::Unclear(why)),
            Err(other) => Err(other),
        }
    }

    fn check_columns(&self) -> Result<(), UsersError> {
        let mut statement = self.connection.prepare("PRAGMA table_info(users)")?;
        let names: Vec<String> = statement.query_map([], |row| row.get("name"))?.collect::<Result<_, _>>()?;
        let missing = COLUMNS.into_iter().find(|column| !names.iter().any(|name| name.eq_ignore_ascii_case(column)));
        missing.map_or(Ok(()), |column| {
            let what = if names.is_empty() { "no table users".to_owned() } else { format!("no column users.{column}") };
            Err(UsersError::Unfit(format!("{} has {what}: is it the backend's database?", self.path.display())))
        })
    }

    fn copy(&self, to: &Path) -> Result<(), UsersError> {
        let name = to.to_str().ok_or_else(|| UsersError::Unfit("the backup's path is no text".to_owned()))?;
        self.connection.execute("VACUUM INTO ?1", [name]).map_err(|error| match UsersError::from(error) {
            // Of the copy: of the database it was said before.
            UsersError::Failed(why) | UsersError::Unfit(why) => {
                UsersError::Failed(format!("the backup failed, and nothing was changed: {why}"))
            }
            other @ (UsersError::Busy | UsersError::Unclear(_)) => other,
        })?;
        check_copy(to)
    }
}

/// Sees that a copy is sound.
pub fn check_copy(path: &Path) -> Result<(), UsersError> {
    let unsound = |why: String| UsersError::Failed(format!("the backup {} is not sound: {why}", path.display()));
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| unsound(error.to_string()))?;
    let said: Result<String, _> = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match said {
        Ok(said) if said == "ok" => Ok(()),
        Ok(said) => Err(unsound(said)),
        Err(error) => Err(unsound(error.to_string())),
    }
}

/// Writes the entries of the folder of a file to the disk.
pub fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Returns the name of a file with something after it.
pub fn with_ending(path: &Path, ending: &str) -> String {
    format!("{}{ending}", path.file_name().unwrap_or_default().to_string_lossy())
}

fn room(folder: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(folder)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

// Compared as text: in a column without a type a number would never equal the text that the configuration holds.
const CLEAR: &str = "UPDATE users SET wasender_session_id = NULL, wasender_session_updated_at = NULL
    WHERE id = ?1 AND CAST(wasender_session_id AS TEXT) = ?2";
const PUT_BACK: &str = "UPDATE users SET wasender_session_id = ?2, wasender_session_updated_at = ?3
    WHERE id = ?1 AND wasender_session_id IS NULL";
const SEEN: &str = "SELECT id, CAST(wasender_session_id AS TEXT), wasender_session_updated_at FROM users WHERE id = ?1";
const LINKED: &str = "SELECT id, CAST(wasender_session_id AS TEXT), wasender_session_updated_at FROM users
    WHERE wasender_session_id IS NOT NULL ORDER BY id LIMIT ?1";

fn clear(connection: &Connection, user: &UserKey, session: &str) -> rusqlite::Result<usize> {
    connection.execute(CLEAR, (of_key(user), session))
}

fn put_back(connection: &Connection, had: &Linked) -> rusqlite::Result<Change> {
    let values = (of_key(&had.id), &had.session, of_json(&had.updated_at));
    if connection.execute(PUT_BACK, values)? == 1 {
        return Ok(Change::Made);
    }
    Ok(match seen(connection, &had.id)? {
        Seen::Some(now) if now.session == had.session => Change::Was,
        Seen::Some(other) => Change::Other(other.session),
        Seen::None | Seen::NoUser => Change::NoUser,
    })
}

fn seen(connection: &Connection, user: &UserKey) -> rusqlite::Result<Seen> {
    let row = connection.query_row(SEEN, [of_key(user)], |row| {
        let session: Option<String> = row.get(1)?;
        Ok(match session {
            None => Seen::None,
            Some(session) => Seen::Some(Linked { id: user.clone(), session, updated_at: to_json(row.get_ref(2)?) }),
        })
    });
    Ok(row.optional()?.unwrap_or(Seen::NoUser))
}

fn linked(connection: &Connection) -> Result<Vec<Linked>, UsersError> {
    let mut statement = connection.prepare(LINKED)?;
    let limit = i64::try_from(USERS_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let rows = statement.query_map([limit], of_row)?.collect::<Result<Vec<Option<Linked>>, _>>()?;
    if USERS_MAX < rows.len() {
        return Err(UsersError::Unfit(format!("more than {USERS_MAX} users have a session: this is not made for it")));
    }
    let strange = || UsersError::Unfit("a user's id is neither a number nor a text".to_owned());
    rows.into_iter().collect::<Option<_>>().ok_or_else(strange)
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Option<Linked>> {
    let (session, updated_at) = (row.get(1)?, to_json(row.get_ref(2)?));
    Ok(match row.get(0)? {
        Sql::Integer(number) => Some(Linked { id: UserKey::Number(number), session, updated_at }),
        Sql::Text(text) => Some(Linked { id: UserKey::Text(text), session, updated_at }),
        Sql::Null | Sql::Real(_) | Sql::Blob(_) => None,
    })
}

fn of_key(key: &UserKey) -> Sql {
    match key {
        UserKey::Number(number) => Sql::Integer(*number),
        UserKey::Text(text) => Sql::Text(text.clone()),
    }
}

/// Keeps a moment as the backend wrote it: a text, or milliseconds. What is neither is not kept.
fn to_json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Integer(number) => Json::from(number),
        ValueRef::Real(number) => Json::from(number),
        ValueRef::Text(text) => Json::from(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Null | ValueRef::Blob(_) => Json::Null,
    }
}

fn of_json(value: &Json) -> Sql {
    match value {
        Json::String(text) => Sql::Text(text.clone()),
        Json::Number(number) => {
            let real = || number.as_f64().map_or(Sql::Null, Sql::Real);
            number.as_i64().map_or_else(real, Sql::Integer)
        }
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => Sql::Null,
    }
}
