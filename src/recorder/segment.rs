//! The segment that is being written: lines, and a tail that is written anew until other lines follow it.
//!
//! While nothing new is seen the folded line at the end grows in its place, so that a steady night costs one line and not one for
//! every flush.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Lines are written together once they are this long.
const BUFFER_BYTES: usize = 64 << 10;

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// How much of the file stands for good, in bytes.
    length: u64,
    /// How long the tail after it is.
    tail: u64,
    buffer: Vec<u8>,
    /// How many observations the buffer holds.
    buffered: usize,
}

impl Segment {
    /// Creates the file, for this user alone.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, length: 0, tail: 0, buffer: Vec::new(), buffered: 0 })
    }

    /// Adds lines of so many observations.
    pub(super) fn append(&mut self, lines: &str, observations: usize) -> io::Result<()> {
        self.buffer.extend_from_slice(lines.as_bytes());
        self.buffered = self.buffered.saturating_add(observations);
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.flush() }
    }

    /// Writes what is buffered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.length)?;
        self.length = self.length.saturating_add(bytes(self.buffer.len()));
        self.buffer.clear();
        self.buffered = 0;
        Ok(())
    }

    /// Writes the line that takes the place of the tail.
    pub(super) fn write_tail(&mut self, line: &str) -> io::Result<()> {
        self.flush()?;
        self.file.write_all_at(line.as_bytes(), self.length)?;
        let tail = bytes(line.len());
        if tail < self.tail {
            self.file.set_len(self.length.saturating_add(tail))?;
        }
        self.tail = tail;
        Ok(())
    }

    /// Leaves the tail as it is: what comes next stands after it.
    pub(super) fn keep_tail(&mut self) {
        self.length = self.length.saturating_add(std::mem::take(&mut self.tail));
    }

    /// Tells whether there is a tail.
    pub(super) fn has_tail(&self) -> bool {
        0 < self.tail
    }

    /// Returns how long the tail is, in bytes.
    pub(super) fn tail(&self) -> u64 {
        self.tail
    }

    /// Gives up what is buffered after the disk refused it; returns how many observations that were.
    pub(super) fn give_up(&mut self) -> usize {
        self.keep_tail();
        self.buffer.clear();
        // A tail that is torn now ends here at the latest.
        self.buffer.push(b'\n');
        std::mem::take(&mut self.buffered)
    }

    /// Returns how long it is with all that was added, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.length.saturating_add(self.tail).saturating_add(bytes(self.buffer.len()))
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_tail_is_written_anew_until_lines_follow() {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(folder.path().join("s")).unwrap();
        let text = |segment: &Segment| fs::read_to_string(segment.path()).unwrap();
        segment.append("one\n", 1).unwrap();
        segment.write_tail("tail\n").unwrap();
        assert_eq!(text(&segment), "one\ntail\n");
        segment.write_tail("a longer tail\n").unwrap();
        assert_eq!(text(&segment), "one\na longer tail\n");
        segment.write_tail("short\n").unwrap();
        assert_eq!((text(&segment), segment.size()), ("one\nshort\n".to_owned(), 10));
        segment.keep_tail();
        segment.append("two\n", 1).unwrap();
        segment.flush().unwrap();
        assert_eq!((text(&segment), segment.has_tail()), ("one\nshort\ntwo\n".to_owned(), false));
        segment.append("lost\n", 3).unwrap();
        assert_eq!((segment.give_up(), segment.size()), (3, 15));
        assert!(Segment::create(segment.path().to_owned()).is_err());
    }
}
