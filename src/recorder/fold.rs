//! Observations that only repeat the last one, written as times alone.
//!
//! A steady session says the same at every poll. What was said is written once; each repetition is the time since the one before,
//! and of these all but the first are written as the difference to the first: `{"again":{"poll":{"shop":[15001,0,-1,2]}}}`.
//! A repetition that was not the first in its millisecond names its place there, `[-1,2]`, so that the order stays known.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use crate::dialect::leaves::{self, Leaf, Step};
use crate::engine::moment::Wall;
use crate::engine::sample::{Reply, Sample};
use crate::engine::target::TargetId;
use crate::engine::watchdog::Ask;
use crate::recording::{Call, Came, Raw};

/// Most repetitions that are held back; beyond it they are written at once.
pub(super) const HELD_MAX: usize = 64 << 10;

/// Names of members that tell when the answer was made, or for how long something runs by now; in small letters without `_` and
/// `-`. Two answers that differ in these alone are the same answer.
const TIMES: [&str; 16] = [
    "timestamp",
    "time",
    "ts",
    "now",
    "date",
    "datetime",
    "servertime",
    "currenttime",
    "checkedat",
    "lastcheck",
    "uptime",
    "uptimes",
    "uptimems",
    "uptimeseconds",
    "processuptime",
    "responsetime",
];

/// What repeats: each kind of a target has its own last observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Poll,
    Deep,
    Qr,
    Push,
    Memory,
    Activity,
}

/// What makes two observations the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Print {
    sample: Sample,
    /// What came, but for the time of the answer.
    body: u64,
}

/// When something was observed: the time in milliseconds, and the place among all that was in the same one.
pub(super) type Stamp = (i64, u16);

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Fold {
    runs: BTreeMap<Kind, BTreeMap<TargetId, Run>>,
    held: usize,
}

#[derive(Debug)]
struct Run {
    print: Print,
    /// When it was last observed, as far as that is written for good.
    last: i64,
    held: Vec<Stamp>,
    /// How many of these stand in the tail of the segment.
    in_tail: usize,
}

impl Kind {
    /// Every kind.
    pub(super) const ALL: [Self; 6] = [Self::Poll, Self::Deep, Self::Qr, Self::Push, Self::Memory, Self::Activity];

    /// Returns the word under which it stands in a recording.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Deep => "deep",
            Self::Qr => "qr",
            Self::Push => "push",
            Self::Memory => "memory",
            Self::Activity => "activity",
        }
    }
}

/// Returns what makes an observation the same as another one; none where it is worth a line of its own in any case.
pub(super) fn print(sample: &Sample, raw: &Raw) -> Option<(Kind, Print)> {
    let sample = match sample {
        // When to come back depends on when it was said.
        Sample::Poll { reply: Reply::Throttled { .. }, .. } => return None,
        Sample::Poll { reply, latency: _ } => Sample::Poll { reply: reply.clone(), latency: Duration::ZERO },
        Sample::Deep(_)
        | Sample::Qr(_)
        | Sample::Memory(_)
        | Sample::Signal(_)
        | Sample::Pushed(_)
        | Sample::Activity(_)
        | Sample::Alert(_)
        | Sample::Runtime(_) => sample.clone(),
    };
    let (kind, body) = match raw {
        Raw::Asked(Ask::Status, call) => (Kind::Poll, print_of(call)),
        Raw::Asked(Ask::Deep, call) => (Kind::Deep, print_of(call)),
        Raw::Asked(Ask::Qr, call) => (Kind::Qr, print_of(call)),
        Raw::Pushed(call) => (Kind::Push, print_of(call)),
        Raw::Unasked(_) => (Kind::Poll, 0),
        Raw::Memory(_) => (Kind::Memory, 0),
        Raw::Activity(_) => (Kind::Activity, 0),
        Raw::Log(_) | Raw::Runtime(_) | Raw::Alert(_) => return None,
    };
    Some((kind, Print { sample, body }))
}

fn print_of(call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    for came in [Some(&call.came), call.checked.as_ref()].into_iter().flatten() {
        hash(came, &mut hasher);
    }
    hasher.finish()
}

fn hash(came: &Came, hasher: &mut DefaultHasher) {
    match came {
        Came::Failed(failure) => failure.to_string().hash(hasher),
        Came::Reply { status, retry_after, rate_limit_reset, body } => {
            (status, retry_after, rate_limit_reset).hash(hasher);
            match leaves::rewrite(body, &mut |path, leaf| is_time(path, leaf).then(String::new)) {
                Some(text) => text.hash(hasher),
                None => body.hash(hasher),
            }
        }
    }
}

fn is_time(path: &leaves::Path, leaf: Leaf<'_>) -> bool {
    let is_value = match leaf {
        Leaf::Key(_) => false,
        // A word is a word, whatever it is called.
        Leaf::Text(text) => text.starts_with(|c: char| c.is_ascii_digit()),
        Leaf::Number(_) => true,
    };
    let name = path.last().and_then(|step| match step {
        Step::Key(key) => Some(key),
        Step::Index(_) => None,
    });
    is_value
        && name.is_some_and(|name| {
            let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).collect();
            TIMES.contains(&plain.to_ascii_lowercase().as_str())
        })
}

impl Fold {
    /// Holds an observation back if it repeats the last one.
    pub(super) fn holds(&mut self, kind: Kind, target: &TargetId, print: &Print, stamp: Stamp) -> bool {
        let run = self.runs.get_mut(&kind).and_then(|runs| runs.get_mut(target));
        let Some(run) = run.filter(|run| run.print == *print) else { return false };
        run.held.push(stamp);
        self.held = self.held.saturating_add(1);
        true
    }

    /// Begins anew with an observation that is written in full. Returns the line for what was held back of the one before: it goes
    /// first.
    pub(super) fn begin(&mut self, kind: Kind, target: &TargetId, print: Print, at: Wall) -> Option<String> {
        let fresh = Run { print, last: at.millis(), held: Vec::new(), in_tail: 0 };
        let old = match self.runs.entry(kind).or_default().entry(target.clone()) {
            Entry::Vacant(place) => {
                place.insert(fresh);
                return None;
            }
            Entry::Occupied(mut place) => place.insert(fresh),
        };
        self.held = self.held.saturating_sub(old.held.len());
        (!old.held.is_empty())
            .then(|| format!("{{\"again\":{{\"{}\":{{\"{target}\":{}}}}}}}\n", kind.as_str(), old.times()))
    }

    /// Returns the line for everything that is held back; none where nothing is.
    pub(super) fn line(&self) -> Option<String> {
        let of_run = |(target, run): (&TargetId, &Run)| format!("\"{target}\":{}", run.times());
        let of_kind = |(kind, runs): (&Kind, &BTreeMap<TargetId, Run>)| {
            let runs: Vec<String> = runs.iter().filter(|(_, run)| !run.held.is_empty()).map(of_run).collect();
            (!runs.is_empty()).then(|| format!("\"{}\":{{{}}}", kind.as_str(), runs.join(",")))
        };
        let kinds: Vec<String> = self.runs.iter().filter_map(of_kind).collect();
        (!kinds.is_empty()).then(|| format!("{{\"again\":{{{}}}}}\n", kinds.join(",")))
    }

    /// Notes that everything that is held back stands in the tail of the segment, where it can still be written anew.
    pub(super) fn is_in_tail(&mut self) {
        self.each(|run| run.in_tail = run.held.len());
    }

    /// Notes that the tail stays as it is: what stands there is not held back any more.
    pub(super) fn tail_stays(&mut self) {
        let mut written = 0_usize;
        self.each(|run| {
            written = written.saturating_add(run.in_tail);
            if let Some((last, _)) = run.held.drain(..std::mem::take(&mut run.in_tail)).next_back() {
                run.last = last;
            }
        });
        self.held = self.held.saturating_sub(written);
    }

    /// Forgets everything: nothing repeats what stands in another segment. Returns how much was held back and stands nowhere.
    pub(super) fn clear(&mut self) -> usize {
        let mut in_tail = 0_usize;
        self.each(|run| in_tail = in_tail.saturating_add(run.in_tail));
        self.runs.clear();
        std::mem::take(&mut self.held).saturating_sub(in_tail)
    }

    /// Returns how many repetitions are held back.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn each(&mut self, change: impl FnMut(&mut Run)) {
        self.runs.values_mut().flat_map(BTreeMap::values_mut).for_each(change);
    }
}

impl Run {
    fn times(&self) -> String {
        let (mut before, mut usual) = (self.last, None);
        let time = |(at, rank): &Stamp| {
            let since = at.saturating_sub(before);
            let number = usual.map_or(since, |usual| since.saturating_sub(usual));
            usual.get_or_insert(since);
            before = *at;
            if *rank == 0 { number.to_string() } else { format!("[{number},{rank}]") }
        };
        format!("[{}]", self.held.iter().map(time).collect::<Vec<_>>().join(","))
    }
}

/// One repetition as it is written.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Again {
    First(i64),
    Later(i64, u16),
}

/// Returns when the repetitions were, after an observation at `last`.
pub(super) fn unfold(last: i64, times: &[Again]) -> Vec<Stamp> {
    let (mut before, mut usual) = (last, None);
    let stamp = |again: &Again| {
        let (number, rank) = match again {
            Again::First(number) => (*number, 0),
            Again::Later(number, rank) => (*number, *rank),
        };
        let since = usual.map_or(number, |usual: i64| usual.saturating_add(number));
        usual.get_or_insert(since);
        before = before.saturating_add(since);
        (before, rank)
    };
    times.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn print_of(body: &str) -> Print {
        let came =
            Came::Reply { status: 200, retry_after: None, rate_limit_reset: None, body: body.as_bytes().to_vec() };
        let raw = Raw::Asked(Ask::Status, Call { latency: Duration::ZERO, came, checked: None });
        print(&Sample::Activity(1), &raw).unwrap().1
    }

    #[test]
    fn the_time_of_an_answer_does_not_count() {
        let base = print_of(r#"{"connected":true,"timestamp":"2026-02-04T09:00:00.000Z","uptime":12.5}"#);
        assert_eq!(base, print_of(r#"{"connected":true,"timestamp":"2026-02-04T09:00:15.000Z","uptime":27.5}"#));
        assert_ne!(base, print_of(r#"{"connected":false,"timestamp":"2026-02-04T09:00:15.000Z","uptime":27.5}"#));
        assert_ne!(base, print_of(r#"{"connected":true,"timestamp":null,"uptime":27.5}"#));
        assert_ne!(print_of(r#"{"time":"soon"}"#), print_of(r#"{"time":"late"}"#));
        assert_ne!(print_of("<p>1"), print_of("<p>2"));
    }

    #[test]
    fn what_repeats_is_written_as_times() {
        let (mut fold, shop, other) =
            (Fold::default(), TargetId::new("shop").unwrap(), TargetId::new("other").unwrap());
        let (one, two) = (print_of("1"), print_of("2"));
        let at = Wall::from_millis;
        assert!(!fold.holds(Kind::Poll, &shop, &one, (0, 0)));
        assert_eq!(fold.begin(Kind::Poll, &shop, one.clone(), at(0)), None);
        assert_eq!(fold.begin(Kind::Deep, &shop, one.clone(), at(10)), None);
        assert_eq!(fold.begin(Kind::Poll, &other, one.clone(), at(20)), None);
        for stamp in [(15_001, 0), (30_002, 0), (45_002, 3)] {
            assert!(fold.holds(Kind::Poll, &shop, &one, stamp));
        }
        assert!(fold.holds(Kind::Deep, &shop, &one, (60_010, 1)));
        assert_eq!(
            fold.line().unwrap(),
            "{\"again\":{\"poll\":{\"shop\":[15001,0,[-1,3]]},\"deep\":{\"shop\":[[60000,1]]}}}\n"
        );
        fold.is_in_tail();
        assert!(fold.holds(Kind::Poll, &shop, &one, (60_002, 0)));
        fold.tail_stays();
        assert_eq!((fold.held(), fold.line().unwrap().as_str()), (1, "{\"again\":{\"poll\":{\"shop\":[15000]}}}\n"));
        assert!(!fold.holds(Kind::Poll, &shop, &two, (70_000, 0)));
        let first = fold.begin(Kind::Poll, &shop, two, at(70_000));
        assert_eq!(first.as_deref(), Some("{\"again\":{\"poll\":{\"shop\":[15000]}}}\n"));
        assert_eq!((fold.held(), fold.line()), (0, None));
    }

    proptest! {
        #[test]
        fn what_is_folded_unfolds(
            gaps in prop::collection::vec((0..100_000_i64, 0..3_u16), 1..50),
            start in 0..1000_i64,
        ) {
            let mut at = start;
            let stamp = |(gap, rank): &Stamp| {
                at = at.saturating_add(*gap);
                (at, *rank)
            };
            let stamps: Vec<Stamp> = gaps.iter().map(stamp).collect();
            let run = Run { print: print_of(""), last: start, held: stamps.clone(), in_tail: 0 };
            let times: Vec<Again> = serde_json::from_str(&run.times()).unwrap();
            prop_assert_eq!(unfold(start, &times), stamps);
        }
    }
}
