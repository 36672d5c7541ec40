//! The thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde_json::Value;

use super::fold::{Fold, HELD_MAX, print};
use super::salt::Salt;
use super::segment::Segment;
use super::shelf::{Shelf, pack};
use super::{Counts, Head, Order, Seen};
use crate::dialect::redact_text;
use crate::engine::moment::Wall;
use crate::recording::wire::Turn;
use crate::recording::write::line;

/// What was seen stands on the disk after twice this time at the latest.
const FLUSH_EVERY: Duration = Duration::from_secs(12);
/// A disk that refused is left alone for this long.
const REST: Duration = Duration::from_secs(30);
/// A tail longer than this, in bytes, is not written anew again.
const TAIL_BYTES_MAX: u64 = 64 << 10;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// What the thread holds.
#[derive(Debug)]
pub(super) struct Writer {
    shelf: Shelf,
    salt: Salt,
    counts: Arc<Counts>,
    head: Option<Box<Head>>,
    fold: Fold,
    segment: Option<Segment>,
    /// When something was last seen, and how much before it in the same millisecond.
    last: (Wall, u16),
    flushed: Wall,
    /// When the disk last refused.
    failed: Option<Wall>,
}

/// Why a segment begins, as its header says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Turned(Turn),
    /// The one before was full, or a day was over, or the clock went back.
    WentOn,
}

impl Writer {
    /// Makes it ready to write to a folder.
    pub(super) fn new(shelf: Shelf, counts: Arc<Counts>) -> io::Result<Self> {
        let salt = shelf.salt()?;
        let last = (Wall::default(), 0);
        let (fold, flushed) = (Fold::default(), Wall::default());
        Ok(Self { shelf, salt, counts, head: None, fold, segment: None, last, flushed, failed: None })
    }

    /// Writes what comes, until nobody is left to send anything.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        if let Err(error) = self.shelf.pack_all() {
            tracing::warn!(%error, "recordings of an earlier run cannot be packed");
        }
        loop {
            match orders.recv_timeout(FLUSH_EVERY) {
                Ok(Order::Turn(at, turn, head)) => self.turn(at, turn, head),
                Ok(Order::Seen(seen)) => {
                    self.counts.queued.fetch_sub(seen.raw.size(), Ordering::Relaxed);
                    self.take(*seen);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let flushed = self.flush();
                    self.weigh(flushed);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let closed = self.close();
        self.weigh(closed);
    }

    fn turn(&mut self, at: Wall, turn: Turn, head: Box<Head>) {
        let closed = self.close();
        self.weigh(closed);
        self.head = Some(head);
        self.last = (at, 0);
        let begun = self.begin(at, Begun::Turned(turn));
        self.weigh(begun);
    }

    fn take(&mut self, seen: Seen) {
        let at = seen.at;
        if self.failed.is_some_and(|failed| at.since(failed) < REST && failed <= at) {
            return self.lose(1);
        }
        let taken = self.write(seen);
        if taken.is_err() {
            self.lose(1);
        }
        self.weigh(taken);
    }

    fn write(&mut self, seen: Seen) -> io::Result<()> {
        let Seen { at, target, sample, raw } = seen;
        let Some(speaker) = self.head.as_ref().and_then(|head| head.targets.get(&target)) else { return Ok(()) };
        let raw = raw.redacted(&speaker.dialect, speaker.session.as_deref(), &|text| self.salt.hash(text));
        let (last, rank) = self.last;
        let rank = if at == last { rank.saturating_add(1) } else { 0 };
        let is_full = self.segment.as_ref().is_some_and(|segment| self.shelf.segment_bytes_max() < segment.size());
        let is_other_day = at.millis().div_euclid(DAY) != last.millis().div_euclid(DAY);
        self.last = (at, rank);
        if is_full || is_other_day || at < last {
            self.close()?;
        }
        if self.segment.is_none() {
            self.begin(at, Begun::WentOn)?;
        }
        let print = print(&sample, &raw);
        if print.as_ref().is_none_or(|(kind, print)| !self.fold.holds(*kind, &target, print, (at.millis(), rank))) {
            let text = line(at, &target, &raw);
            // What stands first in a line that is not the first of its millisecond.
            let text = if rank == 0 { text } else { text.replacen('{', &format!("{{\"n\":{rank},"), 1) };
            self.leave_tail();
            let held = print.and_then(|(kind, print)| self.fold.begin(kind, &target, print, at)).unwrap_or_default();
            self.append(&format!("{held}{text}\n"), 1)?;
        }
        let since = at.since(self.flushed);
        if FLUSH_EVERY <= since || at < self.flushed || HELD_MAX <= self.fold.held() { self.flush() } else { Ok(()) }
    }

    fn begin(&mut self, at: Wall, begun: Begun) -> io::Result<()> {
        let Some(head) = &self.head else { return Ok(()) };
        let mut header = serde_json::Map::new();
        header.insert("recording".to_owned(), 1.into());
        header.insert("at".to_owned(), Value::String(at.to_string()));
        header.insert("began".to_owned(), begun.as_str().into());
        header.extend(head.keys.clone());
        self.safe_sessions(&mut header);
        let mut segment = Segment::create(self.shelf.next(at))?;
        segment.append(&format!("{}\n", Value::Object(header)), 0)?;
        segment.flush()?;
        self.segment = Some(segment);
        self.flushed = at;
        Ok(())
    }

    /// Puts stand-ins in the place of sessions that are named by a phone number.
    fn safe_sessions(&self, header: &mut serde_json::Map<String, Value>) {
        let targets = header.get_mut("targets").and_then(Value::as_object_mut);
        for target in targets.into_iter().flat_map(|targets| targets.values_mut()) {
            if let Some(Value::String(session)) = target.get_mut("session") {
                *session = redact_text(session, &|text| self.salt.hash(text)).into_owned();
            }
        }
    }

    fn append(&mut self, lines: &str, observations: usize) -> io::Result<()> {
        self.segment.as_mut().map_or(Ok(()), |segment| segment.append(lines, observations))
    }

    /// Leaves the tail as it is, because something follows it.
    fn leave_tail(&mut self) {
        if let Some(segment) = self.segment.as_mut().filter(|segment| segment.has_tail()) {
            segment.keep_tail();
            self.fold.tail_stays();
        }
    }

    /// Writes what is held back and what is buffered.
    fn flush(&mut self) -> io::Result<()> {
        self.flushed = self.last.0;
        let Some(segment) = &mut self.segment else { return Ok(()) };
        segment.flush()?;
        if let Some(line) = self.fold.line() {
            segment.write_tail(&line)?;
            self.fold.is_in_tail();
        }
        if TAIL_BYTES_MAX < segment.tail() || HELD_MAX <= self.fold.held() {
            self.leave_tail();
        }
        Ok(())
    }

    /// Ends the segment and packs it; the oldest ones make room.
    fn close(&mut self) -> io::Result<()> {
        let flushed = self.flush();
        let Some(segment) = self.segment.take() else { return flushed };
        // What repeats in the next segment must be written in full there.
        let held = self.fold.clear();
        if flushed.is_err() {
            self.lose(held);
        }
        let packed = pack(segment.path());
        let tidied = self.shelf.tidy(self.last.0);
        flushed.and(packed).and(tidied)
    }

    /// Tells of a disk that refuses, once, and of one that takes again.
    fn weigh(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) => {
                if self.segment.is_some() && self.failed.take().is_some() {
                    tracing::info!("recordings are written again");
                }
            }
            Err(error) => {
                let given_up = self.segment.as_mut().map_or(0, Segment::give_up);
                let held = self.fold.clear();
                self.lose(given_up.saturating_add(held));
                if self.failed.replace(self.last.0).is_none() {
                    tracing::error!(%error, "recordings cannot be written; the watch goes on");
                }
            }
        }
    }

    fn lose(&self, observations: usize) {
        self.counts.failed.fetch_add(u64::try_from(observations).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Begun {
    fn as_str(self) -> &'static str {
        match self {
            Self::Turned(Turn::Started) => "started",
            Self::Turned(Turn::Reloaded) => "reloaded",
            Self::WentOn => "went_on",
        }
    }
}
