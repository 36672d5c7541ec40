//! A segment read back: what was folded is unfolded, and everything is in the order in which it was seen.
//!
//! A segment is bounded, so one at a time fits into memory whatever the recordings hold.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::fold::{Again, Kind, unfold};
use super::shelf::Slot;
use crate::engine::moment::Wall;
use crate::engine::target::TargetId;
use crate::recording::wire::{Keys, Turn};

/// Most bytes of a segment that are read: many times what a recorder writes.
const BYTES_MAX: u64 = 256 << 20;
/// Most observations of a segment that are read; a folded one takes two bytes at least.
const OBSERVATIONS_MAX: usize = 16 << 20;

/// One segment.
#[derive(Debug)]
pub(super) struct Loaded {
    /// What a recording's header says, without what belongs to the segment alone.
    pub(super) head: Keys,
    /// When it began.
    pub(super) at: Wall,
    /// What it began with; none where it went on from the one before.
    pub(super) turn: Option<Turn>,
    /// Each observation that was written in full: whose, and its line after the time.
    pub(super) lines: Vec<(TargetId, String)>,
    /// Every observation in order: its time, and which of the lines it says.
    pub(super) seen: Vec<(Wall, usize)>,
    /// How many lines were not whole.
    pub(super) torn: u64,
}

#[derive(Deserialize)]
struct Full {
    #[serde(default)]
    n: u16,
    at: Wall,
    target: TargetId,
    poll: Option<IgnoredAny>,
    deep: Option<IgnoredAny>,
    qr: Option<IgnoredAny>,
    push: Option<IgnoredAny>,
    memory: Option<IgnoredAny>,
    activity: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Folded {
    again: BTreeMap<String, BTreeMap<TargetId, Vec<Again>>>,
}

impl Full {
    fn kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| match kind {
            Kind::Poll => self.poll.is_some(),
            Kind::Deep => self.deep.is_some(),
            Kind::Qr => self.qr.is_some(),
            Kind::Push => self.push.is_some(),
            Kind::Memory => self.memory.is_some(),
            Kind::Activity => self.activity.is_some(),
        })
    }
}

/// Reads a segment; one that was packed since it was listed too. None where it is gone, or has no header yet.
pub(super) fn load(slot: &Slot) -> io::Result<Option<Loaded>> {
    let text = match read(&slot.path, slot.is_packed) {
        Err(error) if error.kind() == ErrorKind::NotFound && !slot.is_packed => {
            read(&slot.path.with_extension("jsonl.gz"), true)
        }
        read => read,
    };
    match text {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path, is_packed: bool) -> io::Result<String> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    if is_packed {
        MultiGzDecoder::new(file).take(BYTES_MAX).read_to_end(&mut bytes)?;
    } else {
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(text: &str) -> Option<Loaded> {
    let mut lines = text.lines().filter(|line| !line.trim_ascii().is_empty());
    let mut head: Keys = serde_json::from_str(lines.next()?).ok()?;
    let mut own = |key: &str| head.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let at = own("at")?.parse().ok()?;
    let turn = match own("began")?.as_str() {
        "started" => Some(Turn::Started),
        "reloaded" => Some(Turn::Reloaded),
        _ => None,
    };
    let mut segment = Segment::default();
    for line in lines {
        if segment.take(line).is_none() {
            segment.torn = segment.torn.saturating_add(1);
        }
    }
    // What was seen at the same time in the same millisecond stays in the order of its lines.
    segment.seen.sort_by_key(|(at, rank, _)| (*at, *rank));
    let seen = segment.seen.into_iter().map(|(at, _, line)| (Wall::from_millis(at), line)).collect();
    Some(Loaded { head, at, turn, lines: segment.lines, seen, torn: segment.torn })
}

#[derive(Default)]
struct Segment {
    lines: Vec<(TargetId, String)>,
    seen: Vec<(i64, u16, usize)>,
    /// What was last seen of each kind: when, and which line says it.
    last: BTreeMap<(Kind, TargetId), (i64, usize)>,
    torn: u64,
}

impl Segment {
    /// Takes one line; none where it is not whole.
    fn take(&mut self, line: &str) -> Option<()> {
        if OBSERVATIONS_MAX < self.seen.len() {
            return None;
        }
        if line.starts_with("{\"again\"") {
            return self.take_folded(&serde_json::from_str(line).ok()?);
        }
        let full: Full = serde_json::from_str(line).ok()?;
        let (_, rest) = line.split_once("\"at\":")?;
        let (_, rest) = rest.split_once(',')?;
        let (at, number) = (full.at.millis(), self.lines.len());
        if let Some(kind) = full.kind() {
            self.last.insert((kind, full.target.clone()), (at, number));
        }
        self.seen.push((at, full.n, number));
        self.lines.push((full.target, rest.to_owned()));
        Some(())
    }

    fn take_folded(&mut self, folded: &Folded) -> Option<()> {
        for (name, targets) in &folded.again {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name)?;
            for (target, times) in targets {
                // Its first observation may stand in a line that was torn.
                let Some((last, line)) = self.last.get_mut(&(kind, target.clone())) else { continue };
                for (at, rank) in unfold(*last, times) {
                    *last = at;
                    self.seen.push((at, rank, *line));
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"recording":1,"at":"2026-02-04T09:00:00.000Z","began":"started","mode":"act","targets":{}}"#;

    #[test]
    fn a_segment_is_unfolded_in_order_and_torn_lines_are_passed_over() {
        let text = [
            HEAD,
            r#"{"at":"2026-02-04T09:00:01.000Z","target":"a","poll":{"status":200}}"#,
            r#"{"n":1,"at":"2026-02-04T09:00:01.000Z","target":"b","poll":{"status":404}}"#,
            r#"{"at":"2026-02-04T09:00:01.500Z","target":"a","log":"x"}"#,
            r#"{"at":"2026-02-04T09:00:"#,
            r#"{"again":{"poll":{"b":[1000,[0,2]],"a":[[1000,1],0],"gone":[5]}}}"#,
            "",
            r#"{"again":{"poll":{"a":[500]}}}"#,
            r#"{"again":{"poll":{"a":[50"#,
        ]
        .join("\n");
        let loaded = parse(&text).unwrap();
        assert_eq!(
            Keys::from_iter([("recording".to_owned(), 1.into())]).get("recording"),
            loaded.head.get("recording")
        );
        assert_eq!(loaded.head.keys().collect::<Vec<_>>(), ["mode", "recording", "targets"]);
        assert_eq!((loaded.turn, loaded.torn), (Some(Turn::Started), 2));
        let seen: Vec<(i64, &str)> =
            loaded.seen.iter().map(|(at, line)| (at.millis() % 60_000, loaded.lines[*line].1.as_str())).collect();
        let (a, b) = (r#""target":"a","poll":{"status":200}}"#, r#""target":"b","poll":{"status":404}}"#);
        let log = r#""target":"a","log":"x"}"#;
        assert_eq!(seen, [(1000, a), (1000, b), (1500, log), (2000, b), (2000, a), (3000, a), (3000, b), (3500, a)]);
    }

    #[test]
    fn what_has_no_header_is_no_segment() {
        assert!(parse("").is_none() && parse("{").is_none() && parse(r#"{"recording":1}"#).is_none());
    }
}
