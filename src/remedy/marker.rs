//! A file in the session's folder that asks the init container of the next pod to move the session aside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Its name.
pub const MARKER: &str = ".wa-watchdog-wipe";
/// The name under which it is written.
const FRESH: &str = ".wa-watchdog-wipe.new";
/// Longest marker, in bytes.
const BYTES_MAX: u64 = 256;
/// Longest name of a run, in bytes.
const RUN_BYTES_MAX: usize = 64;

/// What a marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The run that wants the session to be moved aside.
    pub run: String,
    /// When it was written.
    pub at: SystemTime,
}

/// Writes it, durably.
pub fn put(dir: &Path, run: &str) -> io::Result<()> {
    let fresh = dir.join(FRESH);
    // A fresh file, never one that somebody else put there.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&fresh)?;
    writeln!(file, "{run}")?;
    file.sync_all()?;
    fs::rename(&fresh, dir.join(MARKER))?;
    File::open(dir)?.sync_all()
}

/// Reads it; none where there is none.
pub fn read(dir: &Path) -> io::Result<Option<Mark>> {
    let path = dir.join(MARKER);
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bad = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    if !metadata.is_file() {
        return Err(bad("the marker is not a file"));
    }
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    let run = text.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if run.is_empty() || RUN_BYTES_MAX < run.len() || !run.bytes().all(is_plain) {
        return Err(bad("the marker names no run"));
    }
    Ok(Some(Mark { run: run.to_owned(), at: metadata.modified()? }))
}

/// Takes it away, durably.
pub fn take_away(dir: &Path) -> io::Result<()> {
    fs::remove_file(dir.join(MARKER))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_until_it_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        put(folder.path(), "0019c27e142").unwrap();
        put(folder.path(), "0019c27e143").unwrap();
        assert_eq!(read(folder.path()).unwrap().unwrap().run, "0019c27e143");
        take_away(folder.path()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_names_no_run_is_no_marker() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "a/b", "..", &"x".repeat(65)] {
            fs::write(folder.path().join(MARKER), text).unwrap();
            assert_eq!(read(folder.path()).unwrap_err().kind(), ErrorKind::InvalidData, "{text}");
        }
        fs::remove_file(folder.path().join(MARKER)).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join(MARKER)).unwrap();
        assert!(read(folder.path()).is_err());
    }
}
