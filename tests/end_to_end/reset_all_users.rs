//! All sessions out of a backend's database, and back.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{run, text};

struct Backend {
    folder: tempfile::TempDir,
    path: String,
}

impl Backend {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("whatsapp_bot.db");
        let database = Connection::open(&path).expect("a database");
        let schema = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, wasender_session_id TEXT,
                wasender_session_updated_at DATETIME);
            INSERT INTO users VALUES (1, 'a@x', '16548', '2026-02-04 09:00:00'), (2, 'b@x', '16550', NULL), (3, 'c@x', NULL, NULL);";
        database.execute_batch(schema).expect("a table");
        let path = path.display().to_string();
        Self { folder, path }
    }

    /// The session of each user; empty where there is none.
    fn sessions(&self) -> Vec<String> {
        let database = Connection::open(&self.path).expect("a database");
        let mut read =
            database.prepare("SELECT ifnull(wasender_session_id, '') FROM users ORDER BY id").expect("a table");
        let rows = read.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    fn change(&self, sql: &str) {
        Connection::open(&self.path).expect("a database").execute(sql, []).expect("a change");
    }

    fn ending(&self, folder: &Path, ending: &str) -> PathBuf {
        let entries = folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        assert_eq!(found.len(), 1, "{ending} beside {}: {found:?}", self.path);
        found.remove(0)
    }
}

#[test]
fn all_sessions_are_taken_out_and_put_back() {
    let backend = Backend::new();
    let done = run(&["reset-all-users", "--database", &backend.path, "--confirm", "unlink 2 users"]);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    assert!(said.contains("2 users have a session:") && said.contains("16548") && said.contains("16550"), "{said}");
    assert_eq!(backend.sessions(), ["", "", ""]);
    let list = backend.ending(backend.folder.path(), ".undo.json");
    let copy = Connection::open(backend.ending(backend.folder.path(), ".backup")).expect("a backup");
    let kept: String =
        copy.query_row("SELECT wasender_session_id FROM users WHERE id = 2", [], |row| row.get(0)).expect("a row");
    assert_eq!(kept, "16550");

    let again = run(&["reset-all-users", "--database", &backend.path]);
    assert_eq!(again.status.code(), Some(0));
    assert!(text(&again.stdout).contains("no user has a session"), "{}", text(&again.stdout));

    backend.change("UPDATE users SET wasender_session_id = '16551' WHERE id = 2");
    let list = list.display().to_string();
    let undone = run(&["reset-all-users", "--database", &backend.path, "--undo", &list]);
    assert_eq!(undone.status.code(), Some(1));
    assert!(text(&undone.stderr).contains("user 2 has session 16551 by now"), "{}", text(&undone.stderr));
    assert_eq!(backend.sessions(), ["16548", "16551", ""]);
    backend.change("UPDATE users SET wasender_session_id = NULL WHERE id = 2");
    let undone = run(&["reset-all-users", "--database", &backend.path, "--undo", &list]);
    assert_eq!(undone.status.code(), Some(0), "{}", text(&undone.stderr));
    assert_eq!(backend.sessions(), ["16548", "16550", ""]);
}

#[test]
fn nothing_is_done_without_the_sentence() {
    let backend = Backend::new();
    for arguments in [&[][..], &["--confirm", "unlink 3 users"], &["--confirm", "yes"]] {
        let refused = run(&[&["reset-all-users", "--database", &backend.path], arguments].concat());
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains("unlink 2 users"), "{}", text(&refused.stderr));
    }
    assert_eq!(backend.sessions(), ["16548", "16550", ""]);
    assert_eq!(backend.folder.path().read_dir().expect("a folder").count(), 1, "something was written");
}

#[test]
fn what_is_no_database_of_a_backend_is_misuse() {
    let backend = Backend::new();
    let missing = backend.folder.path().join("typo.db").display().to_string();
    let refused = run(&["reset-all-users", "--database", &missing, "--confirm", "unlink 2 users"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("check the path"), "{}", text(&refused.stderr));
    assert!(!Path::new(&missing).exists(), "a wrong path made a database");
    let no_list = run(&["reset-all-users", "--database", &backend.path, "--undo", &backend.path]);
    assert_eq!(no_list.status.code(), Some(2));
    assert!(text(&no_list.stderr).contains("is no undo list"), "{}", text(&no_list.stderr));
}

#[test]
fn a_place_for_backups_that_is_not_there_stops_it() {
    let backend = Backend::new();
    let nowhere = backend.folder.path().join("nowhere").display().to_string();
    let arguments = ["reset-all-users", "--database", &backend.path, "--backup-dir", &nowhere];
    let failed = run(&[&arguments[..], &["--confirm", "unlink 2 users"]].concat());
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stderr));
    assert_eq!(backend.sessions()[..2], ["16548", "16550"]);
}
