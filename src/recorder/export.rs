//! A plain recording made of segments, and a list of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::read::{Loaded, load};
use super::shelf::{Slot, slots};
use crate::engine::moment::Wall;
use crate::engine::target::TargetId;
use crate::recording::wire::{Keys, Turn};

/// A segment's name tells its begin in whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// What is wanted of the recordings.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// From this time on.
    pub since: Option<Wall>,
    /// Until before this time.
    pub until: Option<Wall>,
    /// These targets; none: all.
    pub targets: BTreeSet<TargetId>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many observations.
    pub observations: u64,
    /// When the first was, and the last.
    pub span: Option<(Wall, Wall)>,
    /// How often the watchdog started meanwhile.
    pub starts: u64,
    /// How many lines were passed over, because they were not whole.
    pub torn: u64,
}

/// One segment, as a person looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its file.
    pub path: PathBuf,
    /// When the first observation was, and the last; none without any.
    pub span: Option<(Wall, Wall)>,
    /// Whether the watchdog started with it.
    pub is_start: bool,
    /// How many observations it holds of each target.
    pub observations: BTreeMap<TargetId, u64>,
    /// How long its file is.
    pub bytes: u64,
    /// How many lines were not whole.
    pub torn: u64,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Segments that were read ...
    pub segments: usize,
    /// ... of so many.
    pub of: usize,
}

/// Why nothing could be exported.
#[derive(Debug, thiserror::Error)]
pub enum Unexported {
    /// There is no such folder.
    #[error("there are no recordings in {0}; the daemon writes them there while it runs with this [recorder] dir")]
    NoFolder(PathBuf),
    /// A segment cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The recording cannot be written.
    #[error("the recording cannot be written")]
    Unwritable(#[source] io::Error),
    /// Nothing of it was recorded.
    #[error("nothing was recorded {0}")]
    Nothing(String),
}

/// Writes a plain recording: everything in order, and in full. One segment at a time is held in memory.
pub fn export(
    dir: &Path,
    period: &Period,
    to: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Exported, Unexported> {
    let mut plain = Plain { period, to, head: None, is_begun: false, exported: Exported::default() };
    let mut known = BTreeSet::new();
    let slots = period.slots(dir)?;
    for (number, slot) in slots.iter().enumerate() {
        progress(Progress { segments: number, of: slots.len() });
        let Some(mut loaded) = read(slot)? else { continue };
        known.extend(loaded.lines.iter().map(|(target, _)| target.clone()));
        period.narrow(&mut loaded.head);
        plain.write(&loaded).map_err(Unexported::Unwritable)?;
    }
    plain.to.flush().map_err(Unexported::Unwritable)?;
    if plain.exported.observations == 0 {
        return Err(Unexported::Nothing(period.missed(&known)));
    }
    Ok(plain.exported)
}

/// Lists segments, one after the other, as they are read.
pub fn list(dir: &Path, tell: &mut dyn FnMut(Listed, Progress)) -> Result<(), Unexported> {
    let slots = Period::default().slots(dir)?;
    for (number, slot) in slots.iter().enumerate() {
        let Some(loaded) = read(slot)? else { continue };
        let mut observations: BTreeMap<TargetId, u64> = BTreeMap::new();
        for (target, _) in loaded.seen.iter().filter_map(|(_, line)| loaded.lines.get(*line)) {
            let count = observations.entry(target.clone()).or_default();
            *count = count.saturating_add(1);
        }
        let listed = Listed {
            path: slot.path.clone(),
            span: loaded.seen.first().zip(loaded.seen.last()).map(|(first, last)| (first.0, last.0)),
            is_start: loaded.turn == Some(Turn::Started),
            observations,
            bytes: slot.bytes,
            torn: loaded.torn,
        };
        tell(listed, Progress { segments: number.saturating_add(1), of: slots.len() });
    }
    Ok(())
}

fn read(slot: &Slot) -> Result<Option<Loaded>, Unexported> {
    load(slot).map_err(|source| Unexported::Unreadable { path: slot.path.clone(), source })
}

/// A recording that is being written.
struct Plain<'a> {
    period: &'a Period,
    to: &'a mut dyn Write,
    /// What was last said of the watchdog.
    head: Option<Keys>,
    /// The header is written.
    is_begun: bool,
    exported: Exported,
}

impl Plain<'_> {
    fn write(&mut self, loaded: &Loaded) -> io::Result<()> {
        let is_asked = |at: Wall| self.period.holds(at);
        self.exported.torn = self.exported.torn.saturating_add(loaded.torn);
        match loaded.turn {
            Some(turn) if is_asked(loaded.at) => self.turn(loaded, turn)?,
            _ if !self.is_begun => self.head = Some(loaded.head.clone()),
            Some(_) | None => {}
        }
        for (at, line) in loaded.seen.iter().filter(|(at, _)| self.period.holds(*at)) {
            let Some((_, line)) = loaded.lines.get(*line).filter(|(target, _)| self.period.wants(target)) else {
                continue;
            };
            self.begin()?;
            writeln!(self.to, "{{\"at\":\"{at}\",{line}")?;
            self.exported.observations = self.exported.observations.saturating_add(1);
            let first = self.exported.span.map_or(*at, |(first, _)| first);
            self.exported.span = Some((first, *at));
        }
        Ok(())
    }

    /// Tells that the watchdog started or read its configuration anew.
    fn turn(&mut self, loaded: &Loaded, turn: Turn) -> io::Result<()> {
        let is_first = !self.is_begun;
        if is_first {
            self.head = Some(loaded.head.clone());
            // What a reload changed before anything is written is the header itself.
            if turn == Turn::Reloaded {
                return Ok(());
            }
            self.begin()?;
        }
        let word = match turn {
            Turn::Started => "started",
            Turn::Reloaded => "reloaded",
        };
        let mut line =
            Keys::from_iter([("at".to_owned(), Value::String(loaded.at.to_string())), (word.to_owned(), true.into())]);
        if !is_first {
            line.extend(
                loaded
                    .head
                    .iter()
                    .filter(|(key, _)| *key != "recording")
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        if turn == Turn::Started {
            self.exported.starts = self.exported.starts.saturating_add(1);
        }
        writeln!(self.to, "{}", Value::Object(line))
    }

    /// Writes the header, once.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_begun, true) {
            return Ok(());
        }
        let mut header = Keys::new();
        header.insert("recording".to_owned(), 1.into());
        header.extend(self.head.take().unwrap_or_default());
        writeln!(self.to, "{}", Value::Object(header))
    }
}

impl Period {
    fn holds(&self, at: Wall) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }

    fn wants(&self, target: &TargetId) -> bool {
        self.targets.is_empty() || self.targets.contains(target)
    }

    /// Leaves only what is wanted of a header.
    fn narrow(&self, head: &mut Keys) {
        if let Some(targets) =
            head.get_mut("targets").and_then(Value::as_object_mut).filter(|_| !self.targets.is_empty())
        {
            targets.retain(|name, _| self.targets.contains(name.as_str()));
        }
    }

    /// Returns the segments that can hold something of it. One ends where the next one begins.
    fn slots(&self, dir: &Path) -> Result<Vec<Slot>, Unexported> {
        let slots = slots(dir).map_err(|source| {
            if source.kind() == ErrorKind::NotFound {
                return Unexported::NoFolder(dir.to_owned());
            }
            Unexported::Unreadable { path: dir.to_owned(), source }
        })?;
        let ends: Vec<Option<Wall>> =
            slots.iter().skip(1).map(|slot| Some(slot.begun.after(SECOND))).chain([None]).collect();
        let overlaps = |(slot, end): &(Slot, Option<Wall>)| {
            let is_over = self.since.zip(*end).is_some_and(|(since, end)| end < since);
            !is_over && self.until.is_none_or(|until| slot.begun < until)
        };
        Ok(slots.into_iter().zip(ends).filter(overlaps).map(|(slot, _)| slot).collect())
    }

    /// Says what was looked for in vain.
    fn missed(&self, known: &BTreeSet<TargetId>) -> String {
        let names = |names: &BTreeSet<TargetId>| {
            let names: Vec<&str> = names.iter().map(TargetId::as_str).collect();
            names.join(", ")
        };
        let of = if self.targets.is_empty() { String::new() } else { format!("of {} ", names(&self.targets)) };
        let since = self.since.map_or_else(String::new, |since| format!("since {since} "));
        let until = self.until.map_or_else(String::new, |until| format!("until {until} "));
        let others = if known.is_empty() { String::new() } else { format!("; there is something of {}", names(known)) };
        format!("{}{others}", format!("{of}{since}{until}").trim_end())
    }
}
