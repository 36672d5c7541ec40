//! The ledger: SQLite behind one thread.
//!
//! Three promises, in this order:
//! 1. an entry is answered as recorded only once it is durable: committed to the write-ahead log and synced
//!    (`journal_mode=WAL`, `synchronous=FULL`, <https://sqlite.org/pragma.html#pragma_synchronous>);
//! 2. nobody waits for the disk but the one thread that writes: [`Store::append`] hands over and returns, readers have
//!    connections of their own, and a WAL reader does not block the writer;
//! 3. a disk that fails costs the entries that it failed, and nothing else: the thread lives on.
//!
//! An operator can read the file while the daemon runs: `sqlite3 ledger.db 'SELECT * FROM ledger'`.

mod error;
mod place;
mod reader;
mod restore;
mod retention;
mod schema;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::ledger::{LedgerEntry, Seq};
use crate::engine::moment::Wall;

use place::Place;
use writer::{Order, Writer};

pub use error::{NotTaken, StoreError, WriteFailed};
pub use reader::{Query, Reader, Sorting};
pub use restore::{CHANGES_PER_TARGET_MAX, ENTRIES_PER_INCIDENT_MAX, ENTRIES_PER_KIND_MAX, INCIDENTS_RESTORED_MAX};

/// How many entries may be on their way, from the hand-over until their answer is read.
///
/// A ledger sees a few entries a minute; this many at once come only when a whole fleet fails together.
pub const QUEUE_MAX: usize = 4096;

/// How often it is noted that somebody watches.
pub const MARK_EVERY: Duration = Duration::from_mins(1);

/// What became of one entry.
#[derive(Debug)]
pub struct Answer {
    /// The number under which it was handed over.
    pub seq: Seq,
    /// Nothing, now that it is durable; or why it is not to be relied upon.
    pub result: Result<(), WriteFailed>,
}

/// A handle to the thread that writes the ledger.
///
/// Entries are written in the order in which they are handed over, and each is answered exactly once, in that order. Dropping
/// the handle writes what is queued up, like [`Store::close`].
#[derive(Debug)]
pub struct Store {
    place: Place,
    orders: Option<SyncSender<Order>>,
    answers: mpsc::Sender<Answer>,
    thread: Option<JoinHandle<()>>,
    refused: AtomicU64,
    /// When the one that held the ledger before last marked its lock.
    watched_until: Option<Wall>,
    /// When this one did, in milliseconds.
    marked: AtomicI64,
}

impl Store {
    /// Opens the ledger at `path`, creating it and its folder if need be, and brings it up to date.
    ///
    /// Entries older than `keep` are deleted in time. At most `capacity` entries (at least one) may be on their way at once;
    /// [`QUEUE_MAX`] fits. The answers must be read: an entry counts as on its way until its answer was.
    pub fn open(path: &Path, keep: Duration, capacity: usize) -> Result<(Self, mpsc::Receiver<Answer>), StoreError> {
        place::make_folder(path)?;
        let (lock, watched_until) = place::lock(path)?;
        let (mut store, answers) = Self::start(Place::File(path.to_owned()), keep, capacity, Some(lock))?;
        store.watched_until = watched_until;
        Ok((store, answers))
    }

    /// Opens a ledger that lives in memory and ends with this handle, for the demo and for tests.
    pub fn in_memory() -> Result<(Self, mpsc::Receiver<Answer>), StoreError> {
        Self::start(Place::new_memory(), Duration::MAX, QUEUE_MAX, None)
    }

    fn start(
        place: Place,
        keep: Duration,
        capacity: usize,
        lock: Option<File>,
    ) -> Result<(Self, mpsc::Receiver<Answer>), StoreError> {
        let capacity = capacity.max(1);
        let (orders, queue) = sync_channel(capacity);
        let (answers, answered) = mpsc::channel(capacity);
        let mut writer = Writer::open(place.clone(), keep)?;
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run(&queue, lock.as_ref()))
            .map_err(|source| StoreError::Thread { source })?;
        let store = Self {
            place,
            orders: Some(orders),
            answers,
            thread: Some(thread),
            refused: AtomicU64::new(0),
            watched_until: None,
            marked: AtomicI64::new(0),
        };
        Ok((store, answered))
    }

    /// Hands an entry over to be written, without waiting.
    ///
    /// An entry that is not taken counts as failed at once; no answer follows, and [`Store::refused`] counts it.
    pub fn append(&self, seq: Seq, entry: LedgerEntry) -> Result<(), NotTaken> {
        let taken = self.hand_over(seq, entry);
        if taken.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn hand_over(&self, seq: Seq, entry: LedgerEntry) -> Result<(), NotTaken> {
        let Some(orders) = &self.orders else { return Err(NotTaken::Stopped) };
        // The place for the answer is taken first, so that the thread can never be held up by answers that nobody reads.
        let reserved = self.answers.clone().try_reserve_owned();
        let permit = reserved.map_err(|refusal| match refusal {
            mpsc::error::TrySendError::Full(_) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Stopped,
        })?;
        orders.try_send(Order::Append { seq, entry, answer: permit }).map_err(|refusal| match refusal {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Disconnected(_) => NotTaken::Stopped,
        })
    }

    /// Deletes, bit by bit and behind entries to be written, what is too old by `now`.
    ///
    /// Also happens by itself as entries come in, about once an hour by their times; an open incident, the newest incident
    /// and the last state and verdict of a target always stay. A full queue only postpones it.
    pub fn retain(&self, now: Wall) {
        if let Some(orders) = &self.orders {
            // Nothing is lost when it is not taken: the next one asks for the same and more.
            drop(orders.try_send(Order::Retain(now)));
        }
    }

    /// Notes that somebody watches: by the time of the lock's file, at most once in [`MARK_EVERY`].
    pub fn mark(&self, now: Wall) {
        let marked = Wall::from_millis(self.marked.load(Ordering::Relaxed));
        let Some(orders) = self.orders.as_ref().filter(|_| MARK_EVERY <= now.since(marked) || now < marked) else {
            return;
        };
        if orders.try_send(Order::Mark(now)).is_ok() {
            self.marked.store(now.millis(), Ordering::Relaxed);
        }
    }

    /// Returns until when somebody watched before this handle was opened.
    #[must_use]
    pub fn watched_until(&self) -> Option<Wall> {
        self.watched_until
    }

    /// Returns how many entries were not taken.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns what reads this ledger, from any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.place.clone())
    }

    /// Writes what is queued up and ends the thread. The answers can still be read afterwards.
    pub fn close(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger thread ended by a panic; entries that it had not answered may be lost");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.finish();
    }
}
