//! Small files beside the ledger: read within a limit, and written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Settings;

/// Returns the file beside the ledger whose name ends like this.
pub(super) fn beside_the_ledger(settings: &Settings, ending: &str) -> PathBuf {
    let mut name = settings.store.path.clone().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

/// Reads a file; none where there is none.
pub(super) fn read<T: DeserializeOwned>(file: &Path, bytes_max: u64) -> io::Result<Option<T>> {
    let mut text = String::new();
    match File::open(file) {
        Ok(file) => file.take(bytes_max).read_to_string(&mut text)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(serde_json::from_str(&text)?))
}

/// Writes a file; durable when it returns.
pub(super) fn write<T: Serialize>(file: &Path, value: &T) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
    out.write_all(&serde_json::to_vec_pretty(value)?)?;
    out.sync_all()?;
    fs::rename(&fresh, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
