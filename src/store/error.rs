//! What can go wrong with a ledger, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use super::place::Place;

/// Says why a ledger cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder cannot be created.
    #[error(
        "cannot create the ledger's folder {folder}; create it writable for this user, or set another [store] path"
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its file cannot be created.
    #[error("cannot create the ledger {path}; make its folder writable for this user, or set another [store] path")]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another watchdog writes it.
    #[error("another watchdog holds the ledger {path}; stop it, or set another [store] path")]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// There is none to read.
    #[error("there is no ledger at {path}; the daemon creates it when it first runs with this [store] path")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("the ledger {place} is read-only; make the file and its folder writable for this user")]
    ReadOnly {
        /// Where it is.
        place: String,
    },
    /// It is damaged, or was never a database.
    #[error(
        "the ledger {place} is damaged or no SQLite database; move it away to start a new one, or put a backup in its place"
    )]
    Damaged {
        /// Where it is.
        place: String,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// It is a sound database, but somebody else's.
    #[error("the database {place} belongs to another program; set another [store] path")]
    Foreign {
        /// Where it is.
        place: String,
    },
    /// A newer program has written it.
    #[error(
        "the ledger {place} has version {found}, and this program knows none above {known}; run the newer program, or move the file away"
    )]
    Newer {
        /// Where it is.
        place: String,
        /// The version of the file.
        found: i32,
        /// The newest version that this program knows.
        known: i32,
    },
    /// An older program has written it, and reading cannot bring it up to date.
    #[error(
        "the ledger {place} has the older version {found}; run the daemon once, which brings it up to version {known}"
    )]
    Older {
        /// Where it is.
        place: String,
        /// The version of the file.
        found: i32,
        /// The version that this program reads.
        known: i32,
    },
    /// SQLite cannot open, read or migrate it.
    #[error("the ledger {place} cannot be used")]
    Database {
        /// Where it is.
        place: String,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// One of its entries is not what this program writes.
    #[error("entry {id} of the ledger {place} cannot be read; mend or delete that row with sqlite3")]
    Entry {
        /// Where the ledger is.
        place: String,
        /// The entry's number.
        id: i64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Its thread cannot be started.
    #[error("cannot start the ledger's thread")]
    Thread {
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Says why an entry was not taken to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too many entries are on their way.
    #[error("too many ledger entries wait to be written")]
    Full,
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Stopped,
}

/// Says why an entry that was taken is not to be relied upon.
///
/// Shared by all entries of one failed transaction. After a failed sync nobody can say whether the entry will be found on the
/// disk some day; what is certain is that it must not be counted on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteFailed {
    /// The disk, or what is allowed of it, is full.
    #[error("the disk of the ledger is full")]
    DiskFull(#[source] Arc<rusqlite::Error>),
    /// Another program holds the ledger.
    #[error("the ledger is locked by another program")]
    Locked(#[source] Arc<rusqlite::Error>),
    /// The disk refuses to write.
    #[error("the ledger cannot be written")]
    Refused(#[source] Arc<rusqlite::Error>),
    /// The ledger's file was moved or deleted, and no new one can be opened in its place.
    #[error("the ledger's file is gone")]
    Gone(#[source] Arc<StoreError>),
    /// The entry cannot be put into words.
    #[error("the entry cannot be written as JSON")]
    Wording(#[source] Arc<serde_json::Error>),
}

impl StoreError {
    /// Sorts what SQLite says about the ledger at `place`.
    pub(super) fn of(place: &Place, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { place: place.to_string(), source }
            }
            _ => Self::Database { place: place.to_string(), source },
        }
    }
}

impl From<rusqlite::Error> for WriteFailed {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull(Arc::new(error)),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(Arc::new(error)),
            _ => Self::Refused(Arc::new(error)),
        }
    }
}
