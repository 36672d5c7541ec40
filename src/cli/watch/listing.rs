//! What `status` reads of a running watchdog.

use anyhow::Context;
use serde::Deserialize;

use crate::cli::print::Ink;
use crate::engine::Wall;
use crate::engine::moment::words;
use crate::engine::sample::Word;
use crate::engine::tell::network_path;

/// Where it is read.
pub(super) const PATH: &str = "/api/v1/targets";

/// Every target, worst first.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listing {
    pub(super) at: Wall,
    pause: Option<Pause>,
    storm: bool,
    paths: Vec<Path>,
    #[serde(rename = "targets")]
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Row {
    pub(super) target: String,
    pub(super) state: Option<String>,
    pub(super) since: Option<Wall>,
    #[serde(flatten)]
    session: Belief,
    memory: Option<Belief>,
    mode: String,
    paused: bool,
    pending: Option<String>,
    #[serde(default)]
    pending_until: Option<Wall>,
    #[serde(default)]
    pub(super) waits_for_person: bool,
}

/// What is believed of the session, or of its memory.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Belief {
    pub(super) verdict: String,
    pub(super) pattern: Option<String>,
    evidence: Option<String>,
    missing: Option<String>,
}

/// A network path.
#[derive(Clone, Debug, Deserialize)]
struct Path {
    #[serde(rename = "path")]
    name: String,
    up: bool,
    why: Option<Word>,
}

/// The pause of all targets.
#[derive(Clone, Debug, Deserialize)]
struct Pause {
    who: String,
    reason: String,
    until: Option<Wall>,
}

/// How bad a verdict is; the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Failing,
    Suspect,
    Well,
}

impl Listing {
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut listing: Self =
            serde_json::from_str(text).context("its answer is not understood: is it of this version?")?;
        // Among equals what waits for a person comes first.
        listing.rows.sort_by(|one, other| {
            let key = |row: &Row| (row.belief().weight(), !row.waits_for_person);
            key(one).cmp(&key(other)).then_with(|| one.target.cmp(&other.target))
        });
        Ok(listing)
    }

    /// Returns how many sessions fail.
    pub(super) fn failing(&self) -> usize {
        self.count(|row| row.belief().weight() == Weight::Failing)
    }

    /// Says in one line how the fleet is.
    pub(super) fn summary(&self) -> (String, Ink) {
        let (of, failing) = (self.rows.len(), self.failing());
        let suspect = self.count(|row| row.belief().weight() == Weight::Suspect);
        let waiting = self.count(|row| row.waits_for_person);
        let unheard = self.count(|row| row.state.is_none() && row.belief().weight() == Weight::Well);
        let head = match (of, failing) {
            (0, _) => String::from("no sessions are watched"),
            (of, 0) if suspect == 0 && unheard == 0 => format!("all {of} well"),
            (of, failing) => format!("{failing} of {of} failing"),
        };
        let some = |count: usize, what: &str| (0 < count).then(|| format!("{count} {what}"));
        let on = |is_on: bool, what: &str| is_on.then(|| what.to_owned());
        let parts = [
            Some(head),
            some(suspect, "suspect"),
            some(unheard, "not heard of yet"),
            some(waiting, if waiting == 1 { "waits for you" } else { "wait for you" }),
            on(self.storm, "storm"),
            on(self.pause.is_some(), "all paused"),
            on(self.paths.iter().any(|path| !path.up), "network down"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let ink = match (failing, parts.len()) {
            (0, 1) => Ink::Green,
            (0, _) => Ink::Yellow,
            _ => Ink::Red,
        };
        (parts.join(" · "), ink)
    }

    /// Says what holds for all targets.
    pub(super) fn weather(&self) -> Vec<String> {
        let pause = self.pause.as_ref().map(|Pause { who, reason, until }| {
            let until = until.map_or_else(|| String::from("until it is resumed"), |until| format!("until {until}"));
            format!("all targets are paused by {who} {until}: {reason}")
        });
        let storm =
            self.storm.then(|| String::from("a storm is on: many targets turned bad together, so nothing is done"));
        let down = self.paths.iter().filter(|path| !path.up);
        let paths = down.map(|path| network_path(&path.name, path.why.as_ref()));
        pause.into_iter().chain(storm).chain(paths).collect()
    }

    fn count(&self, fits: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| fits(row)).count()
    }
}

impl Row {
    /// Returns what is believed: of the session, unless its memory is worse.
    pub(super) fn belief(&self) -> &Belief {
        self.memory.as_ref().filter(|memory| memory.weight() < self.session.weight()).unwrap_or(&self.session)
    }

    /// Returns what the watchdog may do.
    pub(super) fn mode(&self) -> &str {
        if self.paused { "paused" } else { &self.mode }
    }

    /// Says what runs, waits or is held back, without the time that is left.
    pub(super) fn pending(&self) -> &str {
        self.pending.as_deref().unwrap_or_default()
    }

    /// Says the same with the time that is left.
    pub(super) fn countdown(&self, now: Wall) -> String {
        match self.pending_until {
            None => self.pending().to_owned(),
            Some(until) if now < until => format!("{}, {} left", self.pending(), words(until.since(now))),
            Some(_) => format!("{}, that time is over", self.pending()),
        }
    }
}

impl Belief {
    pub(super) fn weight(&self) -> Weight {
        match self.verdict.as_str() {
            "failing" => Weight::Failing,
            "healthy" => Weight::Well,
            // A word that is not known is not taken for well.
            _ => Weight::Suspect,
        }
    }

    pub(super) fn why(&self) -> &str {
        self.evidence.as_deref().or(self.missing.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-02-04T09:30:00Z";

    fn row(name: &str, verdict: &str, more: &str) -> String {
        format!(
            r#"{{"target":"{name}","state":"connected","since":"{NOW}","verdict":"{verdict}","pattern":null,"evidence":null,
            "missing":null,"memory":{{"verdict":"healthy"}},"mode":"act","paused":false,"pending":null{more}}}"#
        )
    }

    fn listing(storm: bool, rows: &[String]) -> Listing {
        let text =
            format!(r#"{{"at":"{NOW}","pause":null,"storm":{storm},"paths":[],"targets":[{}]}}"#, rows.join(","));
        Listing::parse(&text).unwrap()
    }

    #[test]
    fn the_worst_comes_first_and_among_equals_what_waits_for_a_person() {
        let waits = r#","waits_for_person":true"#;
        let listing = listing(
            true,
            &[
                row("a", "healthy", ""),
                row("b", "failing", ""),
                row("c", "failing", waits),
                row("d", "suspect", ""),
                row("e", "healthy", r#","memory":{"verdict":"failing","pattern":"memory_pressure"}"#)
                    .replace(r#""memory":{"verdict":"healthy"},"#, ""),
            ],
        );
        let names: Vec<&str> = listing.rows.iter().map(|row| row.target.as_str()).collect();
        assert_eq!(names, ["c", "b", "e", "d", "a"]);
        let (summary, ink) = listing.summary();
        assert_eq!(summary, "3 of 5 failing · 1 suspect · 1 waits for you · storm");
        assert_eq!(ink, Ink::Red);
    }

    #[test]
    fn where_all_is_well_it_says_so() {
        let said = |rows: &[String]| listing(false, rows).summary();
        assert_eq!(said(&[row("a", "healthy", "")]), (String::from("all 1 well"), Ink::Green));
        assert_eq!(said(&[]).0, "no sessions are watched");
        let unheard = row("a", "healthy", "").replace(r#""state":"connected""#, r#""state":null"#);
        assert_eq!(said(&[unheard]), (String::from("0 of 1 failing · 1 not heard of yet"), Ink::Yellow));
    }

    #[test]
    fn what_a_person_must_do_by_some_time_counts_down() {
        let until = |at: &str| {
            let more = format!(r#","pending_until":"{at}""#);
            let text = row("a", "failing", &more).replace(r#""pending":null"#, r#""pending":"scan""#);
            serde_json::from_str::<Row>(&text).unwrap().countdown(NOW.parse().unwrap())
        };
        assert_eq!(until("2026-02-04T09:34:10Z"), "scan, 4 min 10 s left");
        assert_eq!(until("2026-02-04T09:29:10Z"), "scan, that time is over");
    }
}
