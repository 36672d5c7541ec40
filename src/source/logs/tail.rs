//! The end of a file that grows, and is rotated: renamed and made anew, or copied and truncated.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use super::lines::{LINE_BYTES_MAX, Line, Lines};

/// Most bytes that are read in one step.
const STEP_BYTES_MAX: usize = 1 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// Bytes before the place of reading by which the file is known to be the same still: one may be truncated and have grown again.
const MARK_BYTES: u64 = 64;

/// A file that is followed by its name.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// What is in a file that is opened now is new: there was none when following began, or it came in the place of another.
    is_new: bool,
}

/// What one look brought.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) lines: Vec<Line>,
    /// There is more to read now.
    pub(super) has_more: bool,
    /// The file cannot be followed.
    pub(super) trouble: Option<io::Error>,
}

/// A file, by whatever name.
#[derive(Debug)]
struct Open {
    file: File,
    id: (u64, u64),
    /// How far it was read.
    offset: u64,
    /// The bytes before that.
    mark: Vec<u8>,
    lines: Lines,
}

impl Tail {
    pub(super) fn of(path: PathBuf) -> Self {
        Self { path, open: None, is_new: false }
    }

    /// Looks once, and reads what is there.
    pub(super) fn step(&mut self) -> Step {
        let mut step = Step::default();
        if let Err(error) = self.look(&mut step) {
            step.trouble = Some(error);
        }
        step
    }

    fn look(&mut self, step: &mut Step) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            let begun = open(&self.path, self.is_new).inspect_err(|error| {
                self.is_new |= error.kind() == ErrorKind::NotFound;
            })?;
            // From here on every other file of this name is a new one.
            (self.open, self.is_new, step.has_more) = (Some(begun), true, true);
            return Ok(());
        };
        open.read_on(step)?;
        if step.has_more || !self.has_successor()? {
            return Ok(());
        }
        // Its writer has gone over to the new one, so that the old one is whole now.
        let Some(mut old) = self.open.take() else { return Ok(()) };
        while old.read_on(step).is_ok() && std::mem::take(&mut step.has_more) {}
        step.lines.extend(old.lines.rest());
        step.has_more = true;
        Ok(())
    }

    /// Tells whether another file has the name, and something is written to it. Until then the old one may still grow.
    fn has_successor(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(found) => Ok(self.open.as_ref().is_some_and(|open| open.id != id(&found)) && 0 < found.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Open {
    /// Reads on from where reading ended, and from the start if the file was truncated.
    fn read_on(&mut self, step: &mut Step) -> io::Result<()> {
        if !self.is_same()? {
            (self.offset, self.mark, self.lines) = (0, Vec::new(), Lines::default());
        }
        let mut bytes = vec![0; READ_BYTES];
        let mut room = STEP_BYTES_MAX;
        while 0 < room {
            let count = self.file.read_at(&mut bytes, self.offset)?;
            let read = bytes.get(..count).unwrap_or_default();
            if read.is_empty() {
                step.has_more = false;
                return Ok(());
            }
            step.lines.extend(self.lines.feed(read));
            self.go_on(read);
            room = room.saturating_sub(count);
        }
        step.has_more = true;
        Ok(())
    }

    fn go_on(&mut self, read: &[u8]) {
        self.offset = self.offset.saturating_add(u64::try_from(read.len()).unwrap_or(u64::MAX));
        self.mark.extend_from_slice(read);
        let keep = usize::try_from(MARK_BYTES).unwrap_or(usize::MAX);
        self.mark.drain(..self.mark.len().saturating_sub(keep));
    }

    fn is_same(&self) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.offset {
            return Ok(false);
        }
        let length = u64::try_from(self.mark.len()).unwrap_or(u64::MAX);
        let mut mark = vec![0; self.mark.len()];
        match self.file.read_exact_at(&mut mark, self.offset.saturating_sub(length)) {
            Ok(()) => Ok(mark == self.mark),
            // It was truncated in this very moment.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes to the end, back to the beginning of a line that is not whole yet.
    fn go_to_end(&mut self, length: u64) -> io::Result<()> {
        let start = length.saturating_sub(u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX));
        let mut last = vec![0; usize::try_from(length.saturating_sub(start)).unwrap_or(0)];
        self.file.read_exact_at(&mut last, start)?;
        let begun = last.iter().rev().take_while(|byte| **byte != b'\n').count();
        let (whole, begun) = last.split_at(last.len().saturating_sub(begun));
        self.offset = start;
        self.go_on(whole);
        self.lines.feed(begun);
        self.go_on(begun);
        Ok(())
    }
}

fn open(path: &PathBuf, from_start: bool) -> io::Result<Open> {
    // Looked at first: opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    let file = File::open(path)?;
    let found = file.metadata()?;
    let mut open = Open { file, id: id(&found), offset: 0, mark: Vec::new(), lines: Lines::default() };
    if !from_start {
        open.go_to_end(found.len())?;
    }
    Ok(open)
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;

    fn append(path: &Path, text: impl AsRef<[u8]>) {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    /// Looks until there is nothing more to read.
    fn lines(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let step = tail.step();
            lines.extend(step.lines.into_iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()));
            if !step.has_more {
                return lines;
            }
        }
    }

    fn followed(text: &str) -> (tempfile::TempDir, PathBuf, Tail) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, text);
        let mut tail = Tail::of(path.clone());
        assert_eq!(lines(&mut tail), [""; 0], "an old line is no news");
        (folder, path, tail)
    }

    #[test]
    fn a_file_is_followed_from_its_end_line_by_line() {
        let (_folder, path, mut tail) = followed("old\nbegun before, ");
        append(&path, "ended now\nnew\nhal");
        assert_eq!(lines(&mut tail), ["begun before, ended now", "new"]);
        append(&path, "f\r\n");
        assert_eq!(lines(&mut tail), ["half"]);
        assert_eq!(lines(&mut tail), [""; 0]);
    }

    #[test]
    fn bytes_that_are_no_text_are_a_line_too() {
        let (_folder, path, mut tail) = followed("");
        append(&path, b"a \xff\xfe b\n");
        assert_eq!(lines(&mut tail), ["a \u{fffd}\u{fffd} b"]);
    }

    #[test]
    fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
        let (folder, path, mut tail) = followed("old\n");
        append(&path, "one\n");
        let aside = folder.path().join("log.1");
        fs::rename(&path, &aside).unwrap();
        append(&aside, "two\n");
        assert_eq!(lines(&mut tail), ["one", "two"]);
        // Made anew by whoever rotates; the service writes to the old one until it is told.
        append(&path, "");
        append(&aside, "three\n");
        assert_eq!(lines(&mut tail), ["three"]);
        append(&aside, "four\nfive without an end");
        append(&path, "six\n");
        assert_eq!(lines(&mut tail), ["four", "five without an end", "six"]);
        append(&path, "seven\n");
        assert_eq!(lines(&mut tail), ["seven"]);
    }

    #[test]
    fn a_truncated_file_is_read_from_its_start() {
        let (_folder, path, mut tail) = followed("old\n");
        append(&path, "one\nbegun");
        assert_eq!(lines(&mut tail), ["one"]);
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "two\n");
        assert_eq!(lines(&mut tail), ["two"]);
        // It has grown beyond its old length in the meantime.
        fs::write(&path, "three, which is much longer than the lines before it\nfour\n").unwrap();
        assert_eq!(lines(&mut tail), ["three, which is much longer than the lines before it", "four"]);
    }

    #[test]
    fn a_file_that_was_not_there_is_read_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::of(path.clone());
        assert_eq!(tail.step().trouble.unwrap().kind(), ErrorKind::NotFound);
        append(&path, "one\n");
        assert_eq!(lines(&mut tail), ["one"]);
        // One that was deleted and made anew is new as well.
        fs::remove_file(&path).unwrap();
        assert!(tail.step().trouble.is_none());
        append(&path, "two\n");
        assert_eq!(lines(&mut tail), ["two"]);
    }

    #[test]
    fn what_is_no_file_is_a_trouble_and_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut tail = Tail::of(folder.path().to_owned());
        assert_eq!(tail.step().trouble.unwrap().to_string(), "it is no file");
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let mut tail = Tail::of(pipe);
        assert_eq!(tail.step().trouble.unwrap().to_string(), "it is no file");
    }

    #[test]
    fn a_step_reads_no_more_than_its_share() {
        let (_folder, path, mut tail) = followed("");
        let line = "x".repeat(1023) + "\n";
        append(&path, line.repeat(3000));
        let step = tail.step();
        assert_eq!((step.lines.len(), step.has_more), (1024, true));
        assert_eq!(lines(&mut tail).len(), 3000 - 1024);
    }

    #[test]
    fn a_long_line_without_an_end_hides_only_itself() {
        let (_folder, path, mut tail) = followed(&"x".repeat(3 * LINE_BYTES_MAX));
        append(&path, "y\nnext\n");
        let read = lines(&mut tail);
        assert_eq!((read.len(), read[1].as_str()), (2, "next"));
    }
}
