//! The thread that writes: what has queued up goes into one transaction, and then each entry is answered.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::mpsc::OwnedPermit;

use crate::engine::ledger::{LedgerEntry, Seq};
use crate::engine::moment::Wall;

use super::Answer;
use super::error::{StoreError, WriteFailed};
use super::place::{self, FileId, Place};
use super::retention::Retention;

/// Most entries in one transaction.
const BATCH_MAX: usize = 256;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Write an entry and answer.
    Append {
        /// Its number.
        seq: Seq,
        /// What to write.
        entry: LedgerEntry,
        /// The place that is kept for its answer.
        answer: OwnedPermit<Answer>,
    },
    /// Delete what is too old by then.
    Retain(Wall),
    /// Mark the lock.
    Mark(Wall),
}

/// What owns the one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    place: Place,
    open: Option<Open>,
    retention: Retention,
}

/// A connection, and the file that it was opened on.
#[derive(Debug)]
struct Open {
    connection: Connection,
    file: Option<FileId>,
}

impl Writer {
    /// Opens the ledger.
    pub(super) fn open(place: Place, keep: Duration) -> Result<Self, StoreError> {
        let open = Some(Open::at(&place)?);
        Ok(Self { place, open, retention: Retention::new(keep) })
    }

    /// Carries out orders until nobody can give any more. The lock is held until then, so that no second watchdog writes the same
    /// ledger.
    pub(super) fn run(&mut self, orders: &Receiver<Order>, lock: Option<&File>) {
        while let Some(first) = self.next(orders) {
            let mut entries = Vec::new();
            for order in std::iter::once(first).chain(orders.try_iter()).take(BATCH_MAX) {
                match order {
                    Order::Append { seq, entry, answer } => entries.push((seq, entry, answer)),
                    Order::Retain(now) => self.retention.start(now),
                    Order::Mark(now) => lock.into_iter().for_each(|lock| place::mark(lock, now)),
                }
            }
            self.write(entries);
        }
    }

    /// Waits for the next order; deletes old entries while there is none.
    fn next(&mut self, orders: &Receiver<Order>) -> Option<Order> {
        while self.retention.is_due() {
            match orders.try_recv() {
                Ok(order) => return Some(order),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.delete_some(),
            }
        }
        orders.recv().ok()
    }

    fn write(&mut self, entries: Vec<(Seq, LedgerEntry, OwnedPermit<Answer>)>) {
        let mut worded = Vec::with_capacity(entries.len());
        for (seq, entry, answer) in entries {
            match serde_json::to_string(&entry) {
                Ok(body) => worded.push((seq, entry, body, answer)),
                Err(error) => respond(answer, seq, Err(WriteFailed::Wording(Arc::new(error)))),
            }
        }
        let Some(newest) = worded.iter().map(|(_, entry, ..)| entry.at).max() else { return };
        let result = self.commit(worded.iter().map(|(_, entry, body, _)| (entry, body.as_str())));
        if result.is_ok() {
            self.retention.tick(newest);
        }
        for (seq, _, _, answer) in worded {
            respond(answer, seq, result.clone());
        }
    }

    /// Makes all rows durable, or none.
    fn commit<'a>(&mut self, rows: impl Iterator<Item = (&'a LedgerEntry, &'a str)>) -> Result<(), WriteFailed> {
        let connection = self.connection().map_err(|error| WriteFailed::Gone(Arc::new(error)))?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO ledger (at_ms, target, kind, incident, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for (entry, body) in rows {
                let incident = entry.fact.incident().map(|incident| i64::try_from(incident.0).unwrap_or(i64::MAX));
                let (target, kind) = (entry.target.as_str(), entry.fact.kind());
                insert.execute(params![entry.at.millis(), target, kind, incident, body])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Returns the connection; a new one when the file under the old one was moved or deleted.
    ///
    /// SQLite would go on to write into the moved file, and what is written there is found by nobody after a restart.
    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let moved = self.open.as_ref().is_some_and(|open| open.file != self.place.file_id());
        if moved {
            tracing::warn!(ledger = %self.place, "the ledger's file was moved or deleted while in use; opening it anew");
            self.open = None;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.place)?,
        };
        Ok(&mut self.open.insert(open).connection)
    }

    fn delete_some(&mut self) {
        // Without a connection there is nothing to delete from; the next entry opens it anew and the next hour deletes.
        match &mut self.open {
            Some(open) => self.retention.delete_some(&mut open.connection),
            None => self.retention.stop(),
        }
    }
}

impl Open {
    fn at(place: &Place) -> Result<Self, StoreError> {
        let connection = place.open_for_writing()?;
        Ok(Self { connection, file: place.file_id() })
    }
}

fn respond(answer: OwnedPermit<Answer>, seq: Seq, result: Result<(), WriteFailed>) {
    // What comes back is the sender, for further permits.
    drop(answer.send(Answer { seq, result }));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use tokio::sync::mpsc;

    use crate::engine::ledger::Fact;
    use crate::engine::target::TargetId;

    use super::*;

    #[test]
    fn a_full_disk_fails_the_entries_of_one_transaction_and_later_ones_are_written_again() {
        let (_folder, mut writer) = writer_on_disk();
        assert!(write(&mut writer, &["short", "short"]).iter().all(Result::is_ok));

        let pages: i64 = connection(&mut writer).pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection(&mut writer).pragma_update(None, "max_page_count", pages).unwrap();
        let long = "x".repeat(100_000);
        let results = write(&mut writer, &["short", &long, "short"]);
        assert_eq!(results.len(), 3);
        assert!(results.iter().all(|result| matches!(result, Err(WriteFailed::DiskFull(_)))), "{results:?}");

        connection(&mut writer).pragma_update(None, "max_page_count", 1_000_000).unwrap();
        assert!(write(&mut writer, &[&long]).iter().all(Result::is_ok));
        assert_eq!(rows(&mut writer), 3);
    }

    #[test]
    fn a_ledger_locked_by_another_program_fails_entries_until_it_is_released() {
        let (folder, mut writer) = writer_on_disk();
        connection(&mut writer).busy_timeout(Duration::ZERO).unwrap();
        let other = Connection::open(folder.path().join("ledger.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let results = write(&mut writer, &["a", "b"]);
        assert!(results.iter().all(|result| matches!(result, Err(WriteFailed::Locked(_)))), "{results:?}");

        other.execute_batch("ROLLBACK").unwrap();
        assert!(write(&mut writer, &["c"]).iter().all(Result::is_ok));
        assert_eq!(rows(&mut writer), 1);
    }

    #[test]
    fn a_commit_waits_for_the_disk() {
        let (_folder, mut writer) = writer_on_disk();
        let mode: String = connection(&mut writer).pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let full: i64 = connection(&mut writer).pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), full), ("wal", 2));
    }

    #[test]
    fn a_crowd_of_entries_is_answered_one_by_one_in_order() {
        let mut writer = Writer::open(Place::new_memory(), Duration::MAX).unwrap();
        let crowd = vec!["x"; 3 * BATCH_MAX + 7];
        assert_eq!(write(&mut writer, &crowd).len(), crowd.len());
        assert_eq!(rows(&mut writer), crowd.len());
    }

    fn writer_on_disk() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::open(Place::File(folder.path().join("ledger.db")), Duration::MAX).unwrap();
        (folder, writer)
    }

    fn connection(writer: &mut Writer) -> &mut Connection {
        writer.connection().unwrap()
    }

    fn rows(writer: &mut Writer) -> usize {
        let count: i64 = connection(writer).query_one("SELECT count(*) FROM ledger", (), |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    /// Queues up one entry for each text, lets the writer work them off, and returns what was answered.
    fn write(writer: &mut Writer, texts: &[&str]) -> Vec<Result<(), WriteFailed>> {
        let (orders, queue) = sync_channel(texts.len());
        let (answers, mut answered) = mpsc::channel(texts.len());
        for (number, why) in (0..).zip(texts) {
            let fact = Fact::VerdictChanged { verdict: "healthy".to_owned(), pattern: None, why: (*why).to_owned() };
            let entry = LedgerEntry { at: Wall::from_secs(1), target: TargetId::new("shop").unwrap(), fact };
            let answer = answers.clone().try_reserve_owned().unwrap();
            orders.try_send(Order::Append { seq: Seq(number), entry, answer }).unwrap();
        }
        drop((orders, answers));
        writer.run(&queue, None);
        let mut results = Vec::new();
        while let Some(answer) = answered.blocking_recv() {
            assert_eq!(answer.seq, Seq(u64::try_from(results.len()).unwrap()));
            results.push(answer.result);
        }
        results
    }
}
