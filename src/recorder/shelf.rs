//! The folder of recordings: one file a segment, packed once it is closed, the oldest gone first.
//!
//! A segment is called by its number and its begin, `00000042-20260204T090000Z.jsonl.gz`; the numbers tell the order, also where the
//! clock went back.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::salt::Salt;
use crate::config;
use crate::engine::moment::Wall;

/// Longest segment before it is packed, in bytes.
const SEGMENT_BYTES_MAX: u64 = 2 << 20;
/// The shortest limit of a segment, in bytes.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;
/// A segment is no more than this part of what may be kept, so that little goes at once.
const SEGMENTS_MIN: u64 = 16;
/// The file that tells that a watchdog writes here.
const LOCK: &str = "lock";
const PLAIN: &str = ".jsonl";
const PACKED: &str = ".jsonl.gz";
const HALF_PACKED: &str = ".jsonl.gz.new";

/// The folder, held by this watchdog alone.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    keep: Duration,
    bytes_max: u64,
    /// The number of the next segment.
    next: u64,
    _lock: File,
}

/// One segment on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) number: u64,
    /// When it begins, in whole seconds.
    pub(super) begun: Wall,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Whether it is closed.
    pub(super) is_packed: bool,
}

impl Shelf {
    /// Opens the folder, making it for this user alone if there is none, and packs what an earlier watchdog left open.
    pub(super) fn open(settings: &config::Recorder) -> io::Result<Self> {
        let config::Recorder { enabled: _, dir, keep, bytes_max } = settings;
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, "another watchdog records here"),
            TryLockError::Error(error) => error,
        })?;
        let next = slots(dir)?.last().map_or(1, |slot| slot.number.saturating_add(1));
        Ok(Self { dir: dir.clone(), keep: *keep, bytes_max: *bytes_max, next, _lock: lock })
    }

    /// Returns the salt of this folder.
    pub(super) fn salt(&self) -> io::Result<Salt> {
        Salt::of(&self.dir)
    }

    /// Returns a path for a segment that begins now.
    pub(super) fn next(&mut self, begun: Wall) -> PathBuf {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.dir.join(format!("{number:08}-{}{PLAIN}", begun.timestamp().strftime("%Y%m%dT%H%M%SZ")))
    }

    /// Returns how long a segment may become, in bytes.
    pub(super) fn segment_bytes_max(&self) -> u64 {
        let part = self.bytes_max.checked_div(SEGMENTS_MIN).unwrap_or(SEGMENT_BYTES_MIN);
        part.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
    }

    /// Packs every segment that is not: those that were left open.
    pub(super) fn pack_all(&self) -> io::Result<()> {
        for file in fs::read_dir(&self.dir)? {
            let path = file?.path();
            if path.to_string_lossy().ends_with(HALF_PACKED) {
                fs::remove_file(path)?;
            }
        }
        let mut open = slots(&self.dir)?.into_iter().filter(|slot| !slot.is_packed);
        open.try_for_each(|slot| pack(&slot.path))
    }

    /// Removes the oldest segments: those that are older than is kept, and those for which there is no room. Room is left for one
    /// that is being written.
    pub(super) fn tidy(&self, now: Wall) -> io::Result<()> {
        let slots = slots(&self.dir)?;
        let mut bytes = slots.iter().map(|slot| slot.bytes).fold(self.segment_bytes_max(), u64::saturating_add);
        // A segment ends where the next one begins.
        let ends = slots.iter().skip(1).map(|slot| Some(slot.begun)).chain([None]);
        for (slot, end) in slots.iter().zip(ends).filter(|(slot, _)| slot.is_packed) {
            let is_old = end.is_some_and(|end| self.keep < now.since(end));
            if is_old || self.bytes_max < bytes {
                fs::remove_file(&slot.path)?;
                bytes = bytes.saturating_sub(slot.bytes);
            }
        }
        Ok(())
    }
}

/// Packs a segment. Whatever happens meanwhile, one of the two files is whole.
pub(super) fn pack(plain: &Path) -> io::Result<()> {
    let (packed, half) = (plain.with_extension("jsonl.gz"), plain.with_extension("jsonl.gz.new"));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    let mut encoder = GzEncoder::new(BufWriter::new(file), Compression::default());
    io::copy(&mut BufReader::new(File::open(plain)?), &mut encoder)?;
    let mut writer = encoder.finish()?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    fs::rename(&half, &packed)?;
    fs::remove_file(plain)
}

/// Returns the segments of a folder in order. One that is there twice, because a crash came in between, counts as packed.
pub(super) fn slots(dir: &Path) -> io::Result<Vec<Slot>> {
    let mut slots = Vec::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        // One that is gone meanwhile is none.
        let Ok(meta) = file.metadata() else { continue };
        slots.extend(slot(file.path(), meta.len()));
    }
    slots.sort_by_key(|slot| (slot.number, !slot.is_packed));
    slots.dedup_by_key(|slot| slot.number);
    Ok(slots)
}

fn slot(path: PathBuf, bytes: u64) -> Option<Slot> {
    let name = path.file_name()?.to_str()?;
    let packed = name.strip_suffix(PACKED);
    let (number, begun) = packed.or_else(|| name.strip_suffix(PLAIN))?.split_once('-')?;
    let (number, begun, is_packed) = (number.parse().ok()?, begun.parse().ok()?, packed.is_some());
    Some(Slot { number, begun, path, bytes, is_packed })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn settings(dir: &Path) -> config::Recorder {
        config::Recorder { enabled: true, dir: dir.to_owned(), keep: Duration::from_hours(24), bytes_max: 1 << 20 }
    }

    fn at(hours: i64) -> Wall {
        Wall::from_secs(hours.saturating_mul(3600).saturating_add(1_770_195_600))
    }

    fn numbers(dir: &Path) -> Vec<u64> {
        slots(dir).unwrap().into_iter().map(|slot| slot.number).collect()
    }

    #[test]
    fn segments_are_numbered_on_and_packed_with_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/recordings");
        let mut shelf = Shelf::open(&settings(&dir)).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let first = shelf.next(at(0));
        assert_eq!(first.file_name().unwrap(), "00000001-20260204T090000Z.jsonl");
        fs::write(&first, "hello\n").unwrap();
        fs::write(shelf.next(at(1)), "").unwrap();
        fs::write(dir.join("00000009-20260204T090000Z.jsonl.gz.new"), "half").unwrap();
        shelf.pack_all().unwrap();
        let packed = slots(&dir).unwrap();
        assert_eq!((packed[0].number, packed[0].begun, packed[0].is_packed), (1, at(0), true));
        assert_eq!(packed.len(), 2);
        assert_eq!(fs::metadata(&packed[0].path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&packed[0].path).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
        assert!(Shelf::open(&settings(&dir)).is_err(), "one watchdog a folder");
        drop(shelf);
        let mut again = Shelf::open(&settings(&dir)).unwrap();
        assert!(again.next(at(0)).ends_with("00000003-20260204T090000Z.jsonl"));
    }

    #[test]
    fn the_old_go_and_the_oldest_where_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::open(&settings(folder.path())).unwrap();
        for hour in 0..4 {
            let path = shelf.next(at(hour)).with_extension("jsonl.gz");
            fs::write(path, vec![0; 300 << 10]).unwrap();
        }
        shelf.tidy(at(4)).unwrap();
        assert_eq!(numbers(folder.path()), [2, 3, 4], "a mebibyte holds three and the one that is written");
        shelf.tidy(at(27)).unwrap();
        assert_eq!(numbers(folder.path()), [3, 4], "the second ended 25 hours ago");
        shelf.tidy(at(1000)).unwrap();
        assert_eq!(numbers(folder.path()), [4], "nobody knows when the last one ends");
    }
}
