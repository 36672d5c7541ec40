//! Moves a session aside, within its own folder.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::config::Vault;

/// Where what was moved aside lies.
pub const QUARANTINE: &str = ".quarantine";

/// What was moved aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it lies now.
    pub to: PathBuf,
    /// The names that were moved, in their order.
    pub entries: Vec<String>,
}

/// Why a session cannot be moved aside.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct VaultError {
    what: &'static str,
    #[source]
    cause: io::Error,
}

/// Moves every entry that is the session into a folder of this run. Done again it moves what is left.
pub fn quarantine(vault: &Vault, run: &str) -> Result<Moved, VaultError> {
    let failed = |what: &'static str| move |cause| VaultError { what, cause };
    let mut entries = Vec::new();
    for entry in fs::read_dir(&vault.dir).map_err(failed("the session's folder cannot be read"))? {
        let entry = entry.map_err(failed("the session's folder cannot be read"))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name != QUARANTINE && vault.entries.iter().any(|glob| is_match(glob, &name)) {
            entries.push(name);
        }
    }
    entries.sort_unstable();
    let to = vault.dir.join(QUARANTINE).join(run);
    // What lies there can still let somebody in.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&to);
    made.map_err(failed("the quarantine cannot be made"))?;
    for name in &entries {
        fs::rename(vault.dir.join(name), to.join(name)).map_err(failed("an entry cannot be moved"))?;
    }
    sync(&to).and_then(|()| sync(&vault.dir)).map_err(failed("the move cannot be written down"))?;
    Ok(Moved { to, entries })
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Tells whether a name is what a glob means; `*` stands for anything.
fn is_match(glob: &str, name: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    if rest.is_empty() {
        return true;
    }
    name.char_indices().any(|(at, _)| name.get(at..).is_some_and(|tail| is_match(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_moved_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["session-shop", ".wwebjs_cache", "other", ".quarantine"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let vault = Vault::of(folder.path().to_owned());
        let moved = quarantine(&vault, "0019").unwrap();
        assert_eq!(moved.entries, [".wwebjs_cache", "session-shop"]);
        assert!(moved.to.join("session-shop").is_dir() && folder.path().join("other").is_dir());
        assert!(quarantine(&vault, "0019").unwrap().entries.is_empty());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, name) in
            [("session*", "session"), ("session*", "session-a"), ("*.json", "creds.json"), ("a*b*c", "abbc")]
        {
            assert!(is_match(glob, name), "{glob} {name}");
        }
        for (glob, name) in [("session", "session-a"), ("*.json", "json"), ("a*b", "b")] {
            assert!(!is_match(glob, name), "{glob} {name}");
        }
    }
}
