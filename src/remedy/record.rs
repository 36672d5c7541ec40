//! What a run must know again after a crash, or a person later: a small file, durable before the act that needs it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::runs::Runs;
use crate::engine::attempt::AttemptId;
use crate::engine::target::TargetId;

/// Most records that are kept; beyond it the oldest go.
const RECORDS_MAX: usize = 256;

/// Longest record, in bytes.
const RECORD_BYTES_MAX: u64 = 1 << 20;

/// Ends the name of every record.
const ENDING: &str = ".record";

impl Runs {
    /// Writes down what an attempt must know; replaces what was written under the same name.
    pub(super) async fn remember(
        self: &Arc<Self>,
        attempt: AttemptId,
        target: &TargetId,
        what: &'static str,
        value: &Value,
    ) -> Result<(), String> {
        let (runs, name, text) = (Arc::clone(self), name(attempt, target, what), value.to_string());
        if u64::try_from(text.len()).is_ok_and(|bytes| RECORD_BYTES_MAX < bytes) {
            return Err(format!("its record is longer than {RECORD_BYTES_MAX} bytes"));
        }
        let write = move || {
            let folder = runs.folder().map_err(io::Error::other)?;
            write(folder, &name, text.as_bytes())?;
            prune(folder)
        };
        let written = spawn_blocking(write).await.map_err(|error| error.to_string())?;
        written.map_err(|error| format!("its record cannot be written: {error}"))
    }

    /// Forgets what an attempt wrote down.
    pub(super) async fn forget(
        self: &Arc<Self>,
        attempt: AttemptId,
        target: &TargetId,
        what: &'static str,
    ) -> Result<(), String> {
        let (runs, name) = (Arc::clone(self), name(attempt, target, what));
        let remove = move || {
            let Some(folder) = runs.known_folder() else { return Ok(()) };
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        let removed = spawn_blocking(remove).await.map_err(|error| error.to_string())?;
        removed.map_err(|error| format!("its record cannot be removed: {error}"))
    }

    /// Returns what an attempt wrote down; none where it wrote nothing.
    pub(super) async fn recall(
        self: &Arc<Self>,
        attempt: AttemptId,
        target: &TargetId,
        what: &'static str,
    ) -> Result<Option<Value>, String> {
        let (runs, name) = (Arc::clone(self), name(attempt, target, what));
        let read = move || {
            let Some(folder) = runs.known_folder() else { return Ok(None) };
            read(&folder.join(name))
        };
        let read = spawn_blocking(read).await.map_err(|error| error.to_string())?;
        let text = read.map_err(|error| format!("its record cannot be read: {error}"))?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| "its record is not JSON".to_owned())).transpose()
    }
}

/// Attempts rise, so names in their order are records in theirs.
fn name(attempt: AttemptId, target: &TargetId, what: &str) -> String {
    format!("{attempt}-{:08x}-{what}{ENDING}", target.hash())
}

fn write(folder: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    File::open(folder)?.sync_all()
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(RECORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn prune(folder: &Path) -> io::Result<()> {
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut records: Vec<String> = names.filter(|name| name.ends_with(ENDING)).collect();
    records.sort_unstable();
    let surplus = records.len().saturating_sub(RECORDS_MAX);
    for name in records.iter().take(surplus) {
        fs::remove_file(folder.join(name))?;
    }
    Ok(())
}
