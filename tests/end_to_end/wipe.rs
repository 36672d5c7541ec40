//! The init container's command: a session is moved aside where a mark asks for it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use wa_watchdog::remedy::marker::{self, MARKER};

use super::{run, text};

/// A folder as a service leaves it.
fn session() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("session-shop/Default")).expect("a session");
    fs::write(folder.path().join("session-shop/Default/creds.json"), "{}").expect("its file");
    fs::write(folder.path().join("settings.json"), "{}").expect("something else");
    folder
}

fn wipe(folder: &Path, more: &[&str]) -> Output {
    let dir = folder.to_str().expect("a plain path");
    run(&[&["wipe", "--allow-non-mount", "--session-dir", dir], more].concat())
}

fn is_aside(folder: &Path) -> bool {
    let there = folder.join("session-shop").exists();
    let aside = folder.join(".quarantine/0019c27e142/session-shop/Default/creds.json").exists();
    assert_ne!(there, aside, "it is in one of the two places");
    assert!(folder.join("settings.json").exists(), "what is not the session stays");
    aside
}

#[test]
fn a_mark_moves_the_session_aside_once() {
    let folder = session();
    marker::put(folder.path(), "0019c27e142").expect("a mark");
    let done = wipe(folder.path(), &["--if-marker"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("session-shop") && is_aside(folder.path()), "{}", text(&done.stdout));
    assert!(!folder.path().join(MARKER).exists());
    // The next pod finds a session that somebody paired meanwhile.
    fs::create_dir(folder.path().join("session-new")).expect("a new one");
    let done = wipe(folder.path(), &["--if-marker"]);
    assert_eq!((done.status.code(), text(&done.stdout).trim()), (Some(0), "there is no marker, so nothing was done"));
    assert!(folder.path().join("session-new").exists());
    assert_eq!(wipe(folder.path(), &[]).status.code(), Some(1), "without the flag the marker must be there");
}

#[test]
fn only_what_is_named_is_moved() {
    let folder = session();
    marker::put(folder.path(), "0019c27e142").expect("a mark");
    let done = wipe(folder.path(), &["--entry", "auth*"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("is named as a session's files are"), "{}", text(&done.stderr));
    assert!(!is_aside(folder.path()));
}

#[test]
fn an_old_mark_does_not_count() {
    let folder = session();
    marker::put(folder.path(), "0019c27e142").expect("a mark");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365);
    let file = File::options().write(true).open(folder.path().join(MARKER)).expect("the mark");
    file.set_modified(long_ago).expect("its time");
    let done = wipe(folder.path(), &["--if-marker"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stdout).contains("too old to count") && !is_aside(folder.path()));
    assert!(!folder.path().join(MARKER).exists());
}

#[test]
fn the_service_starts_also_where_the_session_cannot_be_moved() {
    let folder = session();
    fs::write(folder.path().join(MARKER), "../../etc").expect("a bad mark");
    for (more, code) in [(&["--if-marker"][..], 0), (&[], 1)] {
        let done = wipe(folder.path(), more);
        assert_eq!(done.status.code(), Some(code));
        assert!(text(&done.stderr).contains("the marker names no run"), "{}", text(&done.stderr));
        assert!(!is_aside(folder.path()));
    }
    assert!(folder.path().join(MARKER).exists(), "by it the watchdog sees that nobody obeyed");
    let done = wipe(&folder.path().join("missing"), &["--if-marker"]);
    assert_eq!(done.status.code(), Some(0));
}
