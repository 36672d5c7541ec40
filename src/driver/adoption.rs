//! Sessions that took the place of others by our own doing: remembered beside the ledger, and applied to whoever asks for the old one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::keepsake::{beside_the_ledger, read, write};
use crate::config::{Settings, Target};
use crate::engine::TargetId;
use crate::remedy::Adopted;

/// Most that are remembered; beyond it the oldest go.
const ADOPTED_MAX: usize = 1024;
/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What took whose place, the oldest first.
#[derive(Debug)]
pub(super) struct Adoptions {
    file: PathBuf,
    all: Vec<Adopted>,
}

impl Adoptions {
    /// Reads what an earlier watchdog wrote down. A file that cannot be read is told, and counts as empty.
    pub(super) fn open(settings: &Settings) -> Self {
        let file = beside_the_ledger(settings, ".adopted.json");
        let all = read(&file, FILE_BYTES_MAX).unwrap_or_else(|error| {
            tracing::error!(%error, file = %file.display(), "which sessions took the place of others cannot be read");
            None
        });
        Self { file, all: all.unwrap_or_default() }
    }

    /// Remembers one; durable when it returns.
    pub(super) fn add(&mut self, adopted: Adopted) {
        if self.all.last() == Some(&adopted) {
            return;
        }
        self.all.retain(|other| (&other.vendor, &other.old) != (&adopted.vendor, &adopted.old));
        self.all.push(adopted);
        let surplus = self.all.len().saturating_sub(ADOPTED_MAX);
        self.all.drain(..surplus);
        if let Err(error) = write(&self.file, &self.all) {
            tracing::error!(%error, file = %self.file.display(), "a session that took the place of another one cannot be written down");
        }
    }

    /// Gives every target that asks for a session that is gone the one that took its place.
    pub(super) fn apply(&self, targets: &BTreeMap<TargetId, Arc<Target>>) -> BTreeMap<TargetId, Arc<Target>> {
        let apply = |(id, target): (&TargetId, &Arc<Target>)| {
            let mut target = Arc::clone(target);
            // In their order: one that was adopted may have been replaced since.
            for Adopted { vendor, old, new } in &self.all {
                if let Some(changed) = target.with_session(vendor, old, new) {
                    tracing::info!(target = %id, old, new, "asks for the session that took the place of the old one");
                    target = Arc::new(changed);
                }
            }
            (id.clone(), target)
        };
        targets.iter().map(apply).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::config;

    const VENDOR: &str = "https://www.wasenderapi.com/api";

    fn settings(folder: &Path, session: u32) -> Settings {
        let text = format!(
            "store.path = \"ledger.db\"\n[target.shop]\ndialect = \"wasender\"\nsession = {session}\n[target.other]\n\
             dialect = \"wasender\"\nsession = 7\n"
        );
        config::parse(&text, "f", folder, &BTreeMap::new()).unwrap()
    }

    fn adopted(old: u32, new: u32) -> Adopted {
        Adopted { vendor: VENDOR.to_owned(), old: old.to_string(), new: new.to_string() }
    }

    fn sessions(adoptions: &Adoptions, settings: &Settings) -> Vec<String> {
        adoptions.apply(&settings.targets).values().map(|target| target.session.clone().unwrap()).collect()
    }

    #[test]
    fn what_was_adopted_outlives_the_watchdog() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 16548);
        let mut adoptions = Adoptions::open(&settings);
        assert_eq!(sessions(&adoptions, &settings), ["7", "16548"]);
        adoptions.add(adopted(16548, 16549));
        adoptions.add(adopted(16548, 16549));
        assert_eq!(sessions(&adoptions, &settings), ["7", "16549"]);
        adoptions.add(adopted(16549, 16550));
        let again = Adoptions::open(&settings);
        assert_eq!(again.all, [adopted(16548, 16549), adopted(16549, 16550)]);
        assert_eq!(sessions(&again, &settings), ["7", "16550"]);
    }

    #[test]
    fn it_counts_as_long_as_the_old_session_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let mut adoptions = Adoptions::open(&settings(folder.path(), 16548));
        adoptions.add(adopted(16548, 16549));
        assert_eq!(sessions(&adoptions, &settings(folder.path(), 16549)), ["7", "16549"]);
        assert_eq!(sessions(&adoptions, &settings(folder.path(), 20_000)), ["7", "20000"]);
    }

    #[test]
    fn the_oldest_go_and_a_broken_file_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 16548);
        let mut adoptions = Adoptions::open(&settings);
        adoptions.all = (0..1024).map(|number| adopted(number, number + 10_000)).collect();
        adoptions.add(adopted(16548, 16549));
        let again = Adoptions::open(&settings);
        assert_eq!((again.all.len(), again.all.last()), (ADOPTED_MAX, Some(&adopted(16548, 16549))));
        fs::write(folder.path().join("ledger.db.adopted.json"), "{").unwrap();
        assert!(Adoptions::open(&settings).all.is_empty());
    }
}
