//! The folder of a session: what is moved, what is left, and what is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wa_watchdog::config::{Keep, Vault};
use wa_watchdog::remedy::vault::{
    VaultError, clear_locks, find, find_aside, is_aside, is_back, prune, put_back, quarantine, restore,
};

const KEEP: Keep = Keep { runs: 2, age: Duration::from_hours(24), bytes: 1 << 30 };

fn vault(dir: &Path) -> Vault {
    let entries = ["session*", ".wwebjs_auth", "auth_info*"].map(str::to_owned).to_vec();
    Vault { dir: dir.to_owned(), entries, allow_non_mount: true, keep: KEEP }
}

/// A folder as a service leaves it: a session, a hidden one, and things that are not the session's.
fn folder() -> (TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    for path in ["session-shop/Default", ".wwebjs_auth/session/Default", "uploads", "lost+found"] {
        fs::create_dir_all(folder.path().join(path)).unwrap();
    }
    fs::write(folder.path().join("session-shop/Default/key"), "old").unwrap();
    fs::write(folder.path().join("notes.txt"), "").unwrap();
    let vault = vault(folder.path());
    (folder, vault)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_session_is_moved_aside_with_its_hidden_part_and_nothing_else_is() {
    let (folder, vault) = folder();
    assert_eq!(find(&vault).unwrap(), [".wwebjs_auth", "session-shop"]);
    assert!(!is_aside(&vault, "run1").unwrap());
    assert_eq!(quarantine(&vault, "run1").unwrap().len(), 2);
    assert!(is_aside(&vault, "run1").unwrap());
    assert_eq!(names(folder.path()), [".quarantine", "lost+found", "notes.txt", "uploads"]);
    let aside = folder.path().join(".quarantine/run1");
    assert_eq!(fs::read_to_string(aside.join("session-shop/Default/key")).unwrap(), "old");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(folder.path().join(".quarantine")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o700, "nobody else sees the credentials");
}

#[test]
fn what_was_interrupted_goes_on_where_it_stopped() {
    let (folder, vault) = folder();
    let aside = folder.path().join(".quarantine/run1");
    fs::create_dir_all(&aside).unwrap();
    fs::rename(folder.path().join("session-shop"), aside.join("session-shop")).unwrap();
    assert!(!is_aside(&vault, "run1").unwrap());
    assert_eq!(quarantine(&vault, "run1").unwrap().len(), 2);
    assert_eq!(names(&aside), [".complete", ".wwebjs_auth", "session-shop"]);
}

#[test]
fn what_came_back_meanwhile_is_not_written_over() {
    let (folder, vault) = folder();
    let aside = folder.path().join(".quarantine/run1");
    fs::create_dir_all(aside.join("session-shop")).unwrap();
    assert!(matches!(quarantine(&vault, "run1"), Err(VaultError::Reappeared(name)) if name == "session-shop"));
    assert_eq!(fs::read_to_string(folder.path().join("session-shop/Default/key")).unwrap(), "old");
}

#[test]
fn a_session_comes_back_and_the_present_one_is_aside_in_its_place() {
    let (folder, vault) = folder();
    quarantine(&vault, "run1").unwrap();
    let key = folder.path().join("session-shop/Default/key");
    fs::create_dir_all(key.parent().unwrap()).unwrap();
    fs::write(&key, "new").unwrap();
    assert!(!is_back(&vault, "run1", "run2").unwrap());
    assert_eq!(restore(&vault, "run1", "run2").unwrap(), 2);
    assert!(is_back(&vault, "run1", "run2").unwrap());
    assert_eq!(fs::read_to_string(&key).unwrap(), "old");
    let aside = folder.path().join(".quarantine/run2/session-shop/Default/key");
    assert_eq!(fs::read_to_string(aside).unwrap(), "new");
    assert!(matches!(restore(&vault, "run1", "run3"), Err(VaultError::NoQuarantine(_))));
    assert_eq!(fs::read_to_string(&key).unwrap(), "old");
}

#[test]
fn a_restore_that_was_interrupted_goes_on_and_moves_nothing_twice() {
    let (folder, vault) = folder();
    quarantine(&vault, "run1").unwrap();
    // The present session is aside, and half of the old one is back.
    quarantine_nothing(folder.path(), "run2");
    fs::remove_file(folder.path().join(".quarantine/run1/.complete")).unwrap();
    // Meanwhile nothing of it is swept away, however little is kept.
    let little = Vault { keep: Keep { runs: 1, age: Duration::ZERO, bytes: 0 }, ..vault.clone() };
    assert_eq!(prune(&little, SystemTime::now() + Duration::from_hours(1)).unwrap().removed, 0);
    let old = folder.path().join(".quarantine/run1/session-shop");
    fs::rename(old, folder.path().join("session-shop")).unwrap();
    assert_eq!(restore(&vault, "run1", "run2").unwrap(), 1);
    assert_eq!(
        names(folder.path()),
        [".quarantine", ".wwebjs_auth", "lost+found", "notes.txt", "session-shop", "uploads"]
    );
    assert_eq!(names(&folder.path().join(".quarantine")), ["run2"]);
}

fn quarantine_nothing(folder: &Path, run: &str) {
    let aside = folder.join(".quarantine").join(run);
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join(".complete"), "").unwrap();
}

#[test]
fn what_was_not_finished_is_put_back() {
    let (folder, vault) = folder();
    let before = names(folder.path());
    quarantine(&vault, "run1").unwrap();
    assert_eq!(find_aside(&vault, "run1").unwrap(), [".wwebjs_auth", "session-shop"]);
    assert_eq!(put_back(&vault, "run1").unwrap(), 2);
    assert_eq!(put_back(&vault, "run1").unwrap(), 0, "once");
    assert!(matches!(find_aside(&vault, "run1"), Err(VaultError::NoQuarantine(_))));
    assert!(names(&folder.path().join(".quarantine")).is_empty());
    fs::remove_dir(folder.path().join(".quarantine")).unwrap();
    assert_eq!(names(folder.path()), before);
}

#[test]
fn dead_locks_go_and_everything_else_stays() {
    let (folder, vault) = folder();
    let hidden = folder.path().join(".wwebjs_auth/session");
    // Links to a host and process that are no more: they lead nowhere.
    symlink("old-host-4711", folder.path().join("session-shop/SingletonLock")).unwrap();
    symlink("/tmp/gone/SingletonSocket", hidden.join("SingletonSocket")).unwrap();
    fs::write(hidden.join("DevToolsActivePort"), "1").unwrap();
    fs::write(hidden.join("SingletonCookie"), "a plain file of that name is none").unwrap();
    assert_eq!(clear_locks(&vault).unwrap(), 3);
    assert_eq!(names(&hidden), ["Default", "SingletonCookie"]);
    assert_eq!(names(&folder.path().join("session-shop")), ["Default"]);
    assert_eq!(clear_locks(&vault).unwrap(), 0);
}

#[test]
fn a_wrong_folder_is_refused_before_anything_is_touched() {
    let (folder, good) = folder();
    let refused = |vault: &Vault| quarantine(vault, "run1").unwrap_err();
    let mounted = Vault { allow_non_mount: false, ..good.clone() };
    assert!(matches!(refused(&mounted), VaultError::NoMount(_)));
    let system = Vault { dir: "/etc".into(), ..good.clone() };
    assert!(matches!(refused(&system), VaultError::Denied(_)));
    let link = folder.path().join("link");
    symlink(folder.path(), &link).unwrap();
    assert!(matches!(refused(&Vault { dir: link, ..good.clone() }), VaultError::NoFolder { .. }));
    let missing = Vault { dir: folder.path().join("missing"), ..good.clone() };
    assert!(matches!(refused(&missing), VaultError::NoFolder { .. }));
    let other = Vault { entries: vec!["tokens".to_owned()], ..good.clone() };
    assert!(matches!(refused(&other), VaultError::Nothing(_)));
    let uploads = Vault { entries: vec!["uploads".to_owned()], ..good.clone() };
    assert!(matches!(refused(&uploads), VaultError::NoSession(_)));
    let many = tempfile::tempdir().unwrap();
    (0..65).for_each(|n| fs::create_dir(many.path().join(format!("session{n}"))).unwrap());
    assert!(matches!(refused(&vault(many.path())), VaultError::TooMany));
    assert!([refused(&mounted), refused(&system)].iter().all(VaultError::is_unmet));
    assert!(!folder.path().join(".quarantine").exists() && !many.path().join(".quarantine").exists());
}

#[test]
fn old_quarantines_go_by_number_age_and_bytes_and_the_newest_stays() {
    let (folder, vault) = folder();
    let aside = folder.path().join(".quarantine");
    for run in ["run1", "run2", "run3", "run4"] {
        quarantine_nothing(folder.path(), run);
        fs::write(aside.join(run).join("creds.json"), vec![0; 4096]).unwrap();
    }
    fs::remove_file(aside.join("run1/.complete")).unwrap();
    let now = SystemTime::now();
    let pruned = prune(&vault, now).unwrap();
    assert_eq!((pruned.removed, pruned.kept), (1, 2));
    // One that is not complete may still be moved into.
    assert_eq!(names(&aside), ["run1", "run3", "run4"]);
    let small = Vault { keep: Keep { bytes: 4096, ..KEEP }, ..vault.clone() };
    assert_eq!(prune(&small, now).unwrap().removed, 1);
    assert_eq!(prune(&vault, now + Duration::from_hours(48)).unwrap().removed, 0, "the newest one stays");
    assert_eq!(names(&aside), ["run1", "run4"]);
}
