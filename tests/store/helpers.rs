//! A ledger in a folder of its own, entries to fill it, and ways to look at it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

use wa_watchdog::engine::evidence::Evidence;
use wa_watchdog::engine::incident::{Closing, IncidentId};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::ledger::{Fact, LedgerEntry, Seq};
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::sample::{SessionState, Word};
use wa_watchdog::engine::{TargetId, Wall};
use wa_watchdog::store::{Answer, QUEUE_MAX, Query, Reader, Sorting, Store, StoreError};

/// A ledger in a folder that does not exist yet, inside one that ends with the test.
pub(crate) struct Ledger {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("ledger.db");
        Self { folder, path }
    }

    pub(crate) fn at(path: PathBuf) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), path }
    }

    pub(crate) fn make_folder(&self) {
        fs::create_dir_all(self.path.parent().unwrap()).unwrap();
    }

    pub(crate) fn open(&self) -> (Store, Receiver<Answer>) {
        Store::open(&self.path, Duration::MAX, QUEUE_MAX).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.path).unwrap()
    }

    /// How the daemon and a reader refuse it.
    pub(crate) fn refusals(&self) -> [StoreError; 2] {
        let refused = Store::open(&self.path, Duration::MAX, 1).map(drop);
        [refused.unwrap_err(), Reader::open(&self.path).map(drop).unwrap_err()]
    }

    pub(crate) fn entries(&self) -> Vec<LedgerEntry> {
        let query = Query { sorting: Sorting::OldestFirst, ..Query::default() };
        self.reader().query(&query).unwrap().into_iter().map(|(_, entry)| entry).collect()
    }

    pub(crate) fn words(&self) -> Vec<String> {
        self.entries().iter().map(|entry| word(entry).to_owned()).collect()
    }

    pub(crate) fn sql(&self, sql: &str) {
        Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
    }

    pub(crate) fn numbers_of(&self, sql: &str) -> Vec<i64> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Writes very many entries at once, past the thread.
    pub(crate) fn fill(&self, entries: impl Iterator<Item = LedgerEntry>) {
        let mut connection = Connection::open(&self.path).unwrap();
        connection.pragma_update(None, "cache_size", -262_144).unwrap();
        let transaction = connection.transaction().unwrap();
        let sql = "INSERT INTO ledger (at_ms, target, kind, incident, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = transaction.prepare(sql).unwrap();
        for entry in entries {
            let (incident, body) = (entry.fact.incident(), serde_json::to_string(&entry).unwrap());
            let incident = incident.map(|incident| i64::try_from(incident.0).unwrap());
            insert.execute((entry.at.millis(), entry.target.as_str(), entry.fact.kind(), incident, body)).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }

    pub(crate) fn wait_until_it_holds(&self, rows: usize) {
        for _ in 0..2000 {
            if self.entries().len() == rows {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{} entries after 10 s, not {rows}", self.entries().len());
    }
}

/// Appends one entry and waits for its answer.
pub(crate) fn append(store: &Store, answers: &mut Receiver<Answer>, entry: LedgerEntry) -> Answer {
    store.append(Seq(0), entry).unwrap();
    answers.blocking_recv().unwrap()
}

/// Appends entries and waits until all are recorded.
pub(crate) fn append_all(store: &Store, mut answers: Receiver<Answer>, entries: impl IntoIterator<Item = LedgerEntry>) {
    let mut count = 0;
    for entry in entries {
        store.append(Seq(count), entry).unwrap();
        count += 1;
    }
    for number in 0..count {
        let answer = answers.blocking_recv().unwrap();
        assert_eq!(answer.seq, Seq(number));
        answer.result.unwrap();
    }
}

#[track_caller]
pub(crate) fn assert_holds(held: &[String], promised: &[String]) {
    assert_eq!(held.get(..promised.len()), Some(promised));
}

pub(crate) fn entry(target: &str, at: i64, fact: Fact) -> LedgerEntry {
    LedgerEntry { at: Wall::from_secs(at), target: TargetId::new(target).unwrap(), fact }
}

pub(crate) fn state(target: &str, at: i64, word: &str) -> LedgerEntry {
    let fact = Fact::StateChanged { from: None, to: SessionState::Connected, word: Some(Word::new(word)) };
    entry(target, at, fact)
}

pub(crate) fn verdict(target: &str, at: i64, why: &str) -> LedgerEntry {
    entry(target, at, Fact::VerdictChanged { verdict: "healthy".to_owned(), pattern: None, why: why.to_owned() })
}

pub(crate) fn opened(target: &str, at: i64, number: u64) -> LedgerEntry {
    let (incident, pattern, remedy) = (IncidentId(number), Pattern::Unreachable, Remedy::Restart);
    entry(target, at, Fact::IncidentOpened { incident, pattern, remedy, evidence: Evidence::default() })
}

pub(crate) fn changed(target: &str, at: i64, number: u64) -> LedgerEntry {
    let (from, to, evidence) = (Pattern::Unreachable, Pattern::Conflict, Evidence::default());
    let incident = IncidentId(number);
    entry(target, at, Fact::PatternChanged { incident, from, to, remedy: Remedy::Notify, evidence })
}

pub(crate) fn closed(target: &str, at: i64, number: u64) -> LedgerEntry {
    let (incident, pattern) = (IncidentId(number), Pattern::Unreachable);
    entry(target, at, Fact::IncidentClosed { incident, pattern, opened: Wall::from_secs(at), how: Closing::Recovered })
}

pub(crate) fn word(entry: &LedgerEntry) -> &str {
    let Fact::StateChanged { word: Some(word), .. } = &entry.fact else { panic!("no word in {:?}", entry.fact) };
    word.as_str()
}
