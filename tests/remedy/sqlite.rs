//! The hook for a backend's database, on a real SQLite file with the backend's own table.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use wa_watchdog::config::{Call, Hook, HookStep, SqliteCall, SqliteDeed, UserKey};
use wa_watchdog::engine::attempt::{Act, AttemptId, Cause, StepEnd, StepOrder, StepOutcome};

use super::{Bench, PATIENCE, assert_end, order};

/// As the backend makes it.
const SCHEMA: &str = "CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(255) NOT NULL UNIQUE,
    password VARCHAR(255) NOT NULL,
    wasender_session_id VARCHAR(255),
    wasender_session_updated_at DATETIME,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE messages (id INTEGER PRIMARY KEY, user_id INTEGER, body TEXT);
INSERT INTO users (email, password, wasender_session_id, wasender_session_updated_at) VALUES
    ('ana@shop.example', 'x', '16548', '2026-02-04 09:00:00'),
    ('bo@shop.example', 'x', '16550', '2026-02-04 10:00:00'),
    ('cy@shop.example', 'x', NULL, NULL);";

struct Shop {
    bench: Bench,
    base: SqliteCall,
}

impl Shop {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// A shop whose hook was configured in another way.
    fn with(change: impl FnOnce(&mut SqliteCall)) -> Self {
        Self::made(SCHEMA, change)
    }

    fn made(schema: &str, change: impl FnOnce(&mut SqliteCall)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whatsapp_bot.db");
        let database = Connection::open(&path).unwrap();
        database.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        database.execute_batch(schema).unwrap();
        let backups = folder.path().join("backups");
        std::fs::create_dir(&backups).unwrap();
        let mut base = SqliteCall {
            path,
            user: UserKey::Number(1),
            session: "16548".to_owned(),
            backup_dir: backups,
            busy_timeout: Duration::from_secs(5),
            keep: 3,
            deed: SqliteDeed::Backup,
            timeout: PATIENCE,
        };
        change(&mut base);
        let call = |deed| Call::Sqlite(Box::new(SqliteCall { deed, ..base.clone() }));
        let step = |run, check| HookStep { run: call(run), check, undo: None };
        let steps = vec![
            step(SqliteDeed::Backup, None),
            step(SqliteDeed::Clear, Some(call(SqliteDeed::IsClear))),
            step(SqliteDeed::PutBack, None),
        ];
        let mut bench = Bench::new(Hook { steps, look: None });
        // Everything of the test lies in one folder, which ends with it.
        bench.extra = Some(folder);
        Self { bench, base }
    }

    async fn act(&mut self, index: usize, act: Act) -> StepEnd {
        self.bench.run(StepOrder { index, ..order(act) }).await
    }

    async fn backup(&mut self) -> StepEnd {
        self.act(0, Act::Do).await
    }

    async fn clear(&mut self) -> StepEnd {
        self.act(1, Act::Do).await
    }

    async fn put_back(&mut self) -> StepEnd {
        let order = order(Act::Do);
        let cause = Cause { restores: Some(order.attempt), ..order.cause.as_ref().clone() };
        self.bench.run(StepOrder { index: 2, cause: Arc::new(cause), ..order }).await
    }

    fn database(&self) -> Connection {
        let database = Connection::open(&self.base.path).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database
    }

    fn row(&self, user: i64) -> (Option<String>, Option<String>) {
        let read = "SELECT wasender_session_id, wasender_session_updated_at FROM users WHERE id = ?1";
        self.database().query_row(read, [user], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    fn backups(&self) -> Vec<PathBuf> {
        let entries = self.base.backup_dir.read_dir().unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }
}

/// A backend at work: writes until it is stopped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u32>>,
}

impl Writer {
    fn start(path: &Path) -> Self {
        let (stop, path) = (Arc::new(AtomicBool::new(false)), path.to_owned());
        let is_over = Arc::clone(&stop);
        let write = move || {
            let database = Connection::open(path).unwrap();
            database.busy_timeout(PATIENCE).unwrap();
            let mut written = 0_u32;
            while !is_over.load(Ordering::Relaxed) {
                database.execute("INSERT INTO messages (user_id, body) VALUES (1, 'hello')", []).unwrap();
                written += 1;
                // Locks are not handed out in turn: one who never lets go would keep everybody else out.
                std::thread::sleep(Duration::from_millis(2));
            }
            written
        };
        Self { stop, thread: Some(std::thread::spawn(write)) }
    }

    fn end(mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

#[tokio::test]
async fn one_session_is_taken_out_while_the_backend_writes_and_a_second_run_changes_nothing() {
    let mut shop = Shop::new();
    let writer = Writer::start(&shop.base.path);
    assert_end(&shop.backup().await, StepOutcome::Done, "backed up to ");
    assert_end(&shop.clear().await, StepOutcome::Done, "session 16548 of user 1 was taken out");
    assert_eq!(shop.row(1), (None, None));
    assert_eq!(shop.row(2), (Some("16550".to_owned()), Some("2026-02-04 10:00:00".to_owned())));

    assert_end(&shop.backup().await, StepOutcome::Done, "the backup of before is there");
    assert_end(&shop.clear().await, StepOutcome::Done, "has no session any more");
    assert_end(&shop.act(1, Act::Check).await, StepOutcome::Done, "");
    let written = writer.end();
    let messages: u32 = shop.database().query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert_eq!(messages, written, "the backend lost a write");

    let backups = shop.backups();
    assert_eq!(backups.len(), 1, "{backups:?}");
    let copy = Connection::open(&backups[0]).unwrap();
    let session: String =
        copy.query_row("SELECT wasender_session_id FROM users WHERE id = 1", [], |r| r.get(0)).unwrap();
    assert_eq!(session, "16548");
    let mode = std::os::unix::fs::PermissionsExt::mode(&backups[0].metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "others can read the backup");
}

#[tokio::test]
async fn what_was_taken_out_is_put_back_as_it_was_and_never_over_another_one() {
    let mut shop = Shop::new();
    assert_end(&shop.put_back().await, StepOutcome::Unmet, "nothing to put back");
    shop.backup().await;
    shop.clear().await;
    assert_end(&shop.put_back().await, StepOutcome::Done, "session 16548 of user 1 is back");
    assert_eq!(shop.row(1), (Some("16548".to_owned()), Some("2026-02-04 09:00:00".to_owned())));
    assert_end(&shop.put_back().await, StepOutcome::Done, "was back already");
    shop.database().execute("UPDATE users SET wasender_session_id = '16551' WHERE id = 1", []).unwrap();
    assert_end(&shop.put_back().await, StepOutcome::Unmet, "has session 16551 by now");
    assert_eq!(shop.row(1).0.as_deref(), Some("16551"));
}

#[tokio::test]
async fn another_session_is_left_alone() {
    let mut shop = Shop::new();
    shop.backup().await;
    shop.database().execute("UPDATE users SET wasender_session_id = '16551' WHERE id = 1", []).unwrap();
    assert_end(&shop.clear().await, StepOutcome::Failed, "somebody replaced the session: user 1 has 16551");
    assert_end(&shop.act(1, Act::Check).await, StepOutcome::Failed, "somebody replaced the session");
    assert_eq!(shop.row(1).0.as_deref(), Some("16551"));
}

#[tokio::test]
async fn a_check_says_what_the_row_says() {
    let mut shop = Shop::new();
    assert_end(&shop.act(1, Act::Check).await, StepOutcome::Unmet, "session 16548 is still there");
    shop.clear().await;
    assert_end(&shop.act(1, Act::Check).await, StepOutcome::Done, "");
}

#[tokio::test]
async fn nothing_is_touched_where_something_is_not_as_it_must_be() {
    let mut nowhere = Shop::with(|call| call.path = call.backup_dir.join("typo.db"));
    assert_end(&nowhere.backup().await, StepOutcome::Unmet, "check the path");
    assert!(nowhere.backups().is_empty(), "a wrong path made a file");
    let mut nobody = Shop::with(|call| call.user = UserKey::Number(99));
    assert_end(&nobody.backup().await, StepOutcome::Unmet, "has no user 99");
    let mut empty = Shop::with(|call| call.user = UserKey::Number(3));
    assert_end(&empty.backup().await, StepOutcome::Unmet, "user 3 has no session");
    let mut other = Shop::with(|call| call.user = UserKey::Number(2));
    assert_end(&other.backup().await, StepOutcome::Unmet, "user 2 has 16550, not 16548");
    let mut homeless = Shop::with(|call| call.backup_dir = call.backup_dir.join("missing"));
    assert_end(&homeless.backup().await, StepOutcome::Unmet, "missing cannot be used");
    let mut foreign = Shop::made("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)", |_| {});
    assert_end(&foreign.backup().await, StepOutcome::Unmet, "no column users.wasender_session_id");
    let mut strange = Shop::made("CREATE TABLE people (id INTEGER PRIMARY KEY)", |_| {});
    assert_end(&strange.backup().await, StepOutcome::Unmet, "no table users");
    let mut text = Shop::new();
    std::fs::write(&text.base.path, "no database at all, but a text that is long enough to have a header of its own")
        .unwrap();
    assert_end(&text.backup().await, StepOutcome::Unmet, "no SQLite database");
}

#[tokio::test]
async fn a_database_that_stays_locked_is_left_alone() {
    let mut shop = Shop::with(|call| call.busy_timeout = Duration::from_millis(100));
    let holder = shop.database();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reading goes on beside a writer, so the backup is made.
    assert_end(&shop.backup().await, StepOutcome::Done, "backed up");
    assert_end(&shop.clear().await, StepOutcome::Unmet, "locked");
    holder.execute_batch("COMMIT").unwrap();
    assert_eq!(shop.row(1).0.as_deref(), Some("16548"));
    assert_end(&shop.clear().await, StepOutcome::Done, "taken out");
}

#[tokio::test]
async fn the_newest_backups_are_kept_and_other_files_beside_them_too() {
    let mut shop = Shop::with(|call| call.keep = 2);
    let beside = shop.base.backup_dir.join("whatsapp_bot.db.by-hand.backup");
    std::fs::write(&beside, "mine").unwrap();
    for number in 1..=4 {
        let order = StepOrder { attempt: AttemptId(number), ..order(Act::Do) };
        assert_end(&shop.bench.run(order).await, StepOutcome::Done, "backed up");
    }
    let left: Vec<PathBuf> = shop.backups().into_iter().filter(|path| *path != beside).collect();
    let named = |number| shop.base.backup_dir.join(format!("whatsapp_bot.db.{}.backup", AttemptId(number)));
    assert_eq!(left, [named(3), named(4)]);
    assert!(beside.exists());
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_was_never_finished_is_made_anew() {
    let mut shop = Shop::new();
    shop.backup().await;
    let backup = shop.backups().remove(0);
    std::fs::write(&backup, "broken").unwrap();
    let partial = backup.with_file_name("whatsapp_bot.db.0000019_4d8e.partial");
    std::fs::write(partial, "half").unwrap();
    assert_end(&shop.backup().await, StepOutcome::Done, "backed up to");
    let copy = Connection::open(&backup).unwrap();
    let sound: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
async fn a_user_may_be_known_by_a_text() {
    let schema = "CREATE TABLE users (id TEXT PRIMARY KEY, wasender_session_id, wasender_session_updated_at INTEGER);
        INSERT INTO users VALUES ('5c3b', 16548, 1770195600000)";
    let mut shop = Shop::made(schema, |call| call.user = UserKey::Text("5c3b".to_owned()));
    shop.backup().await;
    assert_end(&shop.clear().await, StepOutcome::Done, "session 16548 of user \"5c3b\"");
    assert_end(&shop.put_back().await, StepOutcome::Done, "is back");
    let at: i64 =
        shop.database().query_row("SELECT wasender_session_updated_at FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(at, 1_770_195_600_000);
}
