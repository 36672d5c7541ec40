//! The thread that writes: what has queued up goes into one transaction, and then each entry is answered.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::mpsc::OwnedPermit;

use crate::engine::ledger::{LedgerEntry, Seq};
use crate::engine::moment::Wall;

use super::Answer;
use super::error::{StoreError, WriteFailed};
use super::place::{FileId, Place};
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

    /// Carries out orders until nobody can give any more.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Some(first) = self.next(orders) {
            let mut entries = Vec::new();
            for order in std::iter::once(first).chain(orders.try_iter()).take(BATCH_MAX) {
                match order {
                    Order::Append { seq, entry, answer } => entries.push((seq, entry, answer)),
                    Order::Retain(now) => self.retention.start(now),
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
