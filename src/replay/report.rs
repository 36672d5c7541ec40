//! What a replay tells: verdicts, recoveries and a summary, in words or in JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::engine::incident::{Closing, Incident};
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Wall, words};
use crate::engine::pattern::Pattern;
use crate::engine::refusal::Refusal;
use crate::engine::target::TargetId;

/// One line of output.
#[derive(Clone, Debug)]
pub enum Line {
    /// An incident opened, or turned out to be something else.
    Verdict {
        /// When that was concluded.
        at: Wall,
        /// The incident as it was then.
        incident: Arc<Incident>,
    },
    /// An incident closed.
    Closed {
        /// When.
        at: Wall,
        /// The incident, with why it closed.
        incident: Arc<Incident>,
    },
    /// A remedy was due.
    Remedy {
        /// When.
        at: Wall,
        /// Whose.
        target: TargetId,
        /// What.
        remedy: Remedy,
        /// Why it would not have been carried out; none: it would have been.
        refused: Option<(Refusal, String)>,
    },
    /// The recording is over.
    Summary(Summary),
    /// What another policy would have done.
    Difference(Difference),
}

/// What a whole recording came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines after the header.
    pub observations: u64,
    /// Incidents that opened.
    pub incidents: u64,
    /// Of these, how many were open at the end.
    pub open: u64,
    /// Observations that were older than the one before; each counted as no time passed.
    pub clock_back: u64,
    /// Remedies that would have been carried out.
    pub remedies: BTreeMap<Remedy, u64>,
    /// Remedies that would have been refused, by reason; each reason once an incident.
    pub refused: BTreeMap<Refusal, u64>,
    /// The time between the first observation and the last.
    pub span: Duration,
}

impl Line {
    /// Writes it as a sentence. `file` is named where several recordings share an output.
    pub fn write_text(&self, file: Option<&str>, to: &mut dyn Write) -> io::Result<()> {
        if let Some(file) = file {
            write!(to, "{file}: ")?;
        }
        match self {
            Self::Verdict { at, incident } => {
                let Incident { target, pattern, remedy, evidence, .. } = &**incident;
                writeln!(to, "{at}  {target}  {pattern}, {remedy} fits first: {}", evidence.sentence)
            }
            Self::Closed { at, incident } => {
                let Incident { target, pattern, .. } = &**incident;
                let (how, lasted) = (how(incident).as_str(), words(incident.duration(*at)));
                writeln!(to, "{at}  {target}  {pattern} {how} after {lasted}")
            }
            Self::Remedy { at, target, remedy, refused: None } => writeln!(to, "{at}  {target}  {remedy} would run"),
            Self::Remedy { at, target, remedy, refused: Some((reason, why)) } => {
                writeln!(to, "{at}  {target}  {remedy} refused, {reason}: {why}")
            }
            Self::Summary(summary) => summary.write_text(to),
            Self::Difference(difference) => difference.write_text(to),
        }
    }

    /// Writes it as one JSON object on a line of its own.
    pub fn write_json(&self, file: Option<&str>, to: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *to, &Written { file, event: self.event() })?;
        to.write_all(b"\n")
    }

    fn event(&self) -> Event<'_> {
        match self {
            Self::Verdict { at, incident } => Event::Verdict {
                at: *at,
                target: &incident.target,
                event: "verdict",
                pattern: incident.pattern,
                remedy: incident.remedy,
                evidence: &incident.evidence.sentence,
            },
            Self::Closed { at, incident } => Event::Closed {
                at: *at,
                target: &incident.target,
                event: how(incident),
                pattern: incident.pattern,
                lasted_s: incident.duration(*at).as_secs(),
            },
            Self::Remedy { at, target, remedy, refused } => Event::Remedy {
                at: *at,
                target,
                event: "remedy",
                remedy: *remedy,
                outcome: if refused.is_none() { "would_run" } else { "refused" },
                reason: refused.as_ref().map(|(reason, _)| *reason),
                why: refused.as_ref().map(|(_, why)| why.as_str()),
            },
            Self::Difference(difference) => Event::Difference {
                event: "difference",
                rows: difference.rows().into_iter().map(|(what, before, after)| (what, [before, after])).collect(),
            },
            Self::Summary(summary) => Event::Summary {
                event: "summary",
                observations: summary.observations,
                incidents: summary.incidents,
                open: summary.open,
                clock_back: summary.clock_back,
                remedies: &summary.remedies,
                refused: &summary.refused,
            },
        }
    }
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.observations = self.observations.saturating_add(other.observations);
        self.incidents = self.incidents.saturating_add(other.incidents);
        self.open = self.open.saturating_add(other.open);
        self.clock_back = self.clock_back.saturating_add(other.clock_back);
        self.span = self.span.saturating_add(other.span);
        for (remedy, count) in &other.remedies {
            let sum = self.remedies.entry(*remedy).or_default();
            *sum = sum.saturating_add(*count);
        }
        for (reason, count) in &other.refused {
            let sum = self.refused.entry(*reason).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    fn write_text(&self, to: &mut dyn Write) -> io::Result<()> {
        let counted = |n: u64, noun: &str| match n {
            1 => format!("1 {noun}"),
            _ => format!("{n} {noun}s"),
        };
        let observations = counted(self.observations, "observation");
        let incidents = counted(self.incidents, "incident");
        write!(to, "{observations} over {}, {incidents}", words(self.span))?;
        if 0 < self.open {
            write!(to, ", {} still open", self.open)?;
        }
        for (remedy, count) in &self.remedies {
            write!(to, ", {}", counted(*count, remedy.as_str()))?;
        }
        let refused: u64 = self.refused.values().sum();
        if 0 < refused {
            write!(to, ", {refused} refused")?;
        }
        if 0 < self.clock_back {
            write!(to, ", the clock went back {}", counted(self.clock_back, "time"))?;
        }
        writeln!(to)
    }
}

/// What two policies would have made of the same recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// With the policy that was there.
    pub before: Summary,
    /// With the one that is tried.
    pub after: Summary,
}

impl Difference {
    /// Adds the outcome of another recording.
    pub fn add(&mut self, other: &Self) {
        self.before.add(&other.before);
        self.after.add(&other.after);
    }

    /// Returns the rows of the table: what is counted, before, after.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, u64, u64)> {
        let of = |pick: &dyn Fn(&Summary) -> u64| (pick(&self.before), pick(&self.after));
        let row = |what: &str, (before, after): (u64, u64)| (what.to_owned(), before, after);
        let mut rows =
            vec![row("incidents", of(&|summary| summary.incidents)), row("open", of(&|summary| summary.open))];
        for remedy in Remedy::RUNGS.into_iter().filter(|remedy| *remedy != Remedy::Notify) {
            let count = |summary: &Summary| summary.remedies.get(&remedy).copied().unwrap_or(0);
            rows.push(row(remedy.as_str(), of(&count)));
        }
        for reason in Refusal::ALL {
            let count = |summary: &Summary| summary.refused.get(&reason).copied().unwrap_or(0);
            let counts = of(&count);
            if counts != (0, 0) {
                rows.push(row(&format!("refused_{reason}"), counts));
            }
        }
        rows
    }

    fn write_text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{:<28}{:>8}{:>8}", "", "before", "after")?;
        for (what, before, after) in self.rows() {
            let change = match (before.checked_sub(after), after.checked_sub(before)) {
                (Some(0), _) | (None, None) => String::new(),
                (Some(less), _) => format!("-{less}"),
                (None, Some(more)) => format!("+{more}"),
            };
            let what = what.replace("refused_", "refused, ").replace('_', " ");
            writeln!(to, "{}", format!("{what:<28}{before:>8}{after:>8}{change:>8}").trim_end())?;
        }
        Ok(())
    }
}

fn how(incident: &Incident) -> Closing {
    incident.closed.map_or(Closing::Recovered, |closed| closed.how)
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(flatten)]
    event: Event<'a>,
}

/// The JSON form; the order of its fields is the order in which they are written.
#[derive(Serialize)]
#[serde(untagged)]
enum Event<'a> {
    Verdict {
        at: Wall,
        target: &'a TargetId,
        event: &'static str,
        pattern: Pattern,
        remedy: Remedy,
        evidence: &'a str,
    },
    Closed {
        at: Wall,
        target: &'a TargetId,
        event: Closing,
        pattern: Pattern,
        lasted_s: u64,
    },
    Remedy {
        at: Wall,
        target: &'a TargetId,
        event: &'static str,
        remedy: Remedy,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Refusal>,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
    },
    Difference {
        event: &'static str,
        /// Before and after, by what is counted.
        rows: BTreeMap<String, [u64; 2]>,
    },
    Summary {
        event: &'static str,
        observations: u64,
        incidents: u64,
        open: u64,
        clock_back: u64,
        remedies: &'a BTreeMap<Remedy, u64>,
        refused: &'a BTreeMap<Refusal, u64>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::evidence::Evidence;
    use crate::engine::incident::{Closed, IncidentId};

    #[test]
    fn a_verdict_is_a_sentence_and_an_object() {
        let line = Line::Verdict { at: at(250), incident: incident(None) };
        check(
            &line,
            "1970-01-01T00:04:10.000Z  shop  state_loop, restart fits first: connected again 3 times in 4 min 10 s\n",
            r#"{"at":"1970-01-01T00:04:10.000Z","target":"shop","event":"verdict","pattern":"state_loop","remedy":"restart","evidence":"connected again 3 times in 4 min 10 s"}"#,
        );
    }

    #[test]
    fn a_recovery_says_how_long_it_took() {
        let closed = Closed { at: at(500), how: Closing::Recovered };
        let line = Line::Closed { at: at(500), incident: incident(Some(closed)) };
        check(
            &line,
            "1970-01-01T00:08:20.000Z  shop  state_loop recovered after 4 min 10 s\n",
            r#"{"at":"1970-01-01T00:08:20.000Z","target":"shop","event":"recovered","pattern":"state_loop","lasted_s":250}"#,
        );
    }

    #[test]
    fn a_summary_counts() {
        let plain = Summary { observations: 40, span: Duration::from_mins(10), ..Summary::default() };
        check(
            &Line::Summary(plain.clone()),
            "40 observations over 10 min, 0 incidents\n",
            r#"{"event":"summary","observations":40,"incidents":0,"open":0,"clock_back":0,"remedies":{},"refused":{}}"#,
        );
        let mut text = Vec::new();
        let eventful = Summary { incidents: 1, open: 1, clock_back: 2, ..plain };
        Line::Summary(eventful).write_text(Some("a.jsonl"), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "a.jsonl: 40 observations over 10 min, 1 incident, 1 still open, the clock went back 2 times\n"
        );
    }

    #[test]
    fn the_file_is_named_where_there_are_several() {
        let mut json = Vec::new();
        Line::Summary(Summary::default()).write_json(Some("a.jsonl"), &mut json).unwrap();
        assert!(json.starts_with(br#"{"file":"a.jsonl","event":"summary","#));
    }

    fn at(secs: i64) -> Wall {
        Wall::from_secs(secs)
    }

    fn incident(closed: Option<Closed>) -> Arc<Incident> {
        Arc::new(Incident {
            id: IncidentId(1),
            target: TargetId::new("shop").unwrap(),
            pattern: Pattern::StateLoop,
            evidence: Arc::new(Evidence::new("connected again 3 times in 4 min 10 s".to_owned(), Vec::new())),
            remedy: Remedy::Restart,
            opened: at(250),
            closed,
        })
    }

    fn check(line: &Line, text: &str, json: &str) {
        let (mut as_text, mut as_json) = (Vec::new(), Vec::new());
        line.write_text(None, &mut as_text).unwrap();
        line.write_json(None, &mut as_json).unwrap();
        assert_eq!(String::from_utf8(as_text).unwrap(), text);
        assert_eq!(String::from_utf8(as_json).unwrap(), format!("{json}\n"));
    }
}
