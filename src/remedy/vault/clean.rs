//! How much of what was moved aside is kept.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{ASIDE, COMPLETE, VaultError, open};
use crate::config::Vault;

/// Most files of one quarantine that are counted; a session has some thousands.
const FILES_MAX: usize = 200_000;

/// What is left after old ones went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many were removed.
    pub removed: usize,
    /// How many are kept.
    pub kept: usize,
    /// How many bytes they take together.
    pub bytes: u64,
}

/// Removes what was moved aside too long ago, or is too much. The newest one that is complete is kept in any case.
///
/// One that cannot be removed does not keep the others: it is told at the end.
pub fn prune(vault: &Vault, now: SystemTime) -> Result<Pruned, VaultError> {
    let folder = open(vault)?;
    let Some(all) = folder.open_if_there(ASIDE)? else { return Ok(Pruned::default()) };
    // Through the folder that is open: whoever shares it may put a link in its place meanwhile.
    let place = all.place();
    let (mut pruned, mut obstacle) = (Pruned::default(), None);
    // Attempts have rising numbers: the newest one comes first.
    for run in all.names()?.into_iter().rev() {
        let Some(entry) = all.open_if_folder(&run)? else { continue };
        if !entry.has(COMPLETE)? {
            // Something may still be moved there.
            continue;
        }
        if let Err(error) = weigh(vault, now, &place.join(&run), &mut pruned) {
            obstacle = Some(error);
        }
    }
    obstacle.map_or(Ok(pruned), |error| Err(error.into()))
}

fn weigh(vault: &Vault, now: SystemTime, path: &Path, pruned: &mut Pruned) -> io::Result<()> {
    let age = now.duration_since(fs::symlink_metadata(path)?.modified()?).unwrap_or(Duration::ZERO);
    let total = pruned.bytes.saturating_add(size(path)?);
    let runs = usize::try_from(vault.keep.runs).unwrap_or(usize::MAX);
    let is_newest = pruned.kept == 0;
    if !is_newest && (runs <= pruned.kept || vault.keep.age < age || vault.keep.bytes < total) {
        fs::remove_dir_all(path)?;
        pruned.removed = pruned.removed.saturating_add(1);
    } else {
        pruned.kept = pruned.kept.saturating_add(1);
        pruned.bytes = total;
    }
    Ok(())
}

/// Adds up what lies in a folder; links are not followed.
fn size(path: &Path) -> io::Result<u64> {
    let (mut folders, mut bytes, mut files) = (vec![path.to_owned()], 0_u64, 0_usize);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            files = files.saturating_add(1);
            if FILES_MAX < files {
                return Ok(u64::MAX);
            }
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
        }
    }
    Ok(bytes)
}
