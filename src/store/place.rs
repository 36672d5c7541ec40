//! Where a ledger is kept, and how it is opened there.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;
use super::schema;
use crate::engine::moment::Wall;

/// How long a connection waits for another that holds the ledger.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest write-ahead log that is kept after its content has gone into the database, in bytes.
const LOG_BYTES_KEPT_MAX: i64 = 16 * 1024 * 1024;

/// Where a ledger is kept.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a file.
    File(PathBuf),
    /// In memory, under a name that the connections of this process share.
    Memory(String),
}

/// Which file a path led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

/// Takes the lock beside a ledger, and returns when its file was last marked. It ends with the file handle, however the process
/// ends; the ledger's own file is left to SQLite's locks.
pub(super) fn lock(path: &Path) -> Result<(File, Option<Wall>), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let create = |source| StoreError::Create { path: lock.clone(), source };
    let marked = lock.metadata().and_then(|known| known.modified()).ok();
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock).map_err(create)?;
    match file.try_lock() {
        Ok(()) => Ok((file, marked.and_then(wall))),
        Err(TryLockError::WouldBlock) => Err(StoreError::Held { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(create(source)),
    }
}

/// Marks a lock's file: whoever holds it watches at this time.
pub(super) fn mark(lock: &File, now: Wall) {
    if let Err(error) = lock.set_modified(now.timestamp().into()) {
        tracing::debug!(%error, "the lock beside the ledger cannot be marked");
    }
}

fn wall(at: SystemTime) -> Option<Wall> {
    jiff::Timestamp::try_from(at).ok().map(|at| Wall::from_millis(at.as_millisecond()))
}

impl Place {
    /// Names a new place in memory.
    pub(super) fn new_memory() -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        // A leading slash is what makes SQLite share a memory database by name (https://sqlite.org/src/file/src/memdb.c).
        Self::Memory(format!("file:/wa-watchdog-{}?vfs=memdb", NAMES.fetch_add(1, Ordering::Relaxed)))
    }

    /// Opens the ledger for writing, creates it if there is none, and brings it up to date.
    pub(super) fn open_for_writing(&self) -> Result<Connection, StoreError> {
        self.create_file()?;
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let of = |source| StoreError::of(self, source);
        // Looked at before anything is written: a file that is not ours must stay as it is.
        schema::identify(self, &connection)?;
        if connection.is_readonly("main").map_err(of)? {
            return Err(StoreError::ReadOnly { place: self.to_string() });
        }
        // Where there is no WAL (in memory, on some network disks) SQLite stays with a journal, which is as durable.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(of)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(of)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT_MAX).map_err(of)?;
        schema::migrate(self, &mut connection)?;
        Ok(connection)
    }

    /// Opens the ledger for reading only.
    pub(super) fn open_for_reading(&self) -> Result<Connection, StoreError> {
        if let Self::File(path) = self
            && !path.exists()
        {
            return Err(StoreError::Missing { path: path.clone() });
        }
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        schema::require_current(self, &connection)?;
        Ok(connection)
    }

    /// Tells which file is found here; none in memory or when there is none.
    pub(super) fn file_id(&self) -> Option<FileId> {
        match self {
            Self::File(path) => {
                let found = path.metadata().ok()?;
                Some(FileId { device: found.dev(), inode: found.ino() })
            }
            Self::Memory(_) => None,
        }
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection, StoreError> {
        let access = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match self {
            Self::File(path) => Connection::open_with_flags(path, access),
            Self::Memory(name) => Connection::open_with_flags(name, access | OpenFlags::SQLITE_OPEN_URI),
        };
        let of = |source| StoreError::of(self, source);
        let connection = opened.map_err(of)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(of)?;
        Ok(connection)
    }

    /// Creates the file for this user alone; SQLite gives its companions the same mode.
    ///
    /// An existing file is not opened here: closing it would drop the locks that SQLite holds on it in this process
    /// (<https://sqlite.org/howtocorrupt.html>, 2.2).
    fn create_file(&self) -> Result<(), StoreError> {
        let Self::File(path) = self else { return Ok(()) };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(source) => Err(StoreError::Create { path: path.clone(), source }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory(_) => f.write_str("in memory"),
        }
    }
}

/// Creates the folder of a ledger, for this user alone, unless it exists.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    created.map_err(|source| StoreError::Folder { folder: folder.to_owned(), source })
}
