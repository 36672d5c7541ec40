//! Incidents and attempts, newest first.

use std::cmp::Reverse;
use std::sync::Arc;

use askama::Template;

use crate::engine::attempt::{Act, AttemptView, StepView};
use crate::engine::incident::Incident;
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Wall, words};
use crate::engine::snapshot::{CareView, Snapshot};

use super::say::{counted, spaced};
use super::when::When;

/// Most incidents on the first page.
const INCIDENTS_MAX: usize = 20;
/// Most attempts on the first page.
const ATTEMPTS_MAX: usize = 10;

/// What happened lately, everywhere.
#[derive(Template)]
#[template(path = "happened.html")]
pub(super) struct Happened<'a> {
    incidents: Vec<Past<'a>>,
    more_incidents: usize,
    attempts: Vec<Tried<'a>>,
    more_attempts: usize,
}

/// One incident.
#[derive(Template)]
#[template(path = "incident.html")]
pub(super) struct Past<'a> {
    incident: &'a Incident,
    /// Whether its session is named: not on the session's own page.
    named: bool,
    now: Wall,
}

/// One attempt.
#[derive(Template)]
#[template(path = "attempt.html")]
pub(super) struct Tried<'a> {
    attempt: &'a AttemptView,
    named: bool,
    /// Whether what it took away can be brought back from here.
    can_restore: bool,
    now: Wall,
}

impl<'a> Happened<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, now: Wall) -> Self {
        let incidents =
            snapshot.incidents.iter().take(INCIDENTS_MAX).map(|incident| Past { incident, named: true, now }).collect();
        let all = snapshot.targets.iter().flat_map(|view| view.care.attempts.iter().map(Arc::as_ref));
        let mut attempts: Vec<&AttemptView> = all.collect();
        attempts.sort_by_key(|attempt| (Reverse(attempt.id), &attempt.target));
        let more_incidents = snapshot.incidents.len().saturating_sub(INCIDENTS_MAX);
        let more_attempts = attempts.len().saturating_sub(ATTEMPTS_MAX);
        attempts.truncate(ATTEMPTS_MAX);
        let tried = |attempt| Tried { attempt, named: true, can_restore: false, now };
        let attempts = attempts.into_iter().map(tried).collect();
        Self { incidents, more_incidents, attempts, more_attempts }
    }
}

impl<'a> Past<'a> {
    /// Those of one session, newest first.
    pub(super) fn of_target(snapshot: &'a Snapshot, target: &str, now: Wall) -> Vec<Self> {
        let own = snapshot.incidents.iter().filter(|incident| incident.target.as_str() == target);
        own.take(INCIDENTS_MAX).map(|incident| Self { incident, named: false, now }).collect()
    }

    fn opened(&self) -> When {
        When::at(self.incident.opened, self.now)
    }

    fn age(&self) -> When {
        When::age(self.incident.opened, self.now)
    }

    fn count(&self) -> String {
        counted(self.incident.evidence.samples.len(), "sample")
    }

    fn lasted(&self) -> String {
        words(self.incident.duration(self.now))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn at(&self, at: &Wall) -> When {
        When::at(*at, self.now)
    }
}

impl<'a> Tried<'a> {
    /// Those of one session, newest first.
    pub(super) fn of_target(care: &'a CareView, now: Wall) -> Vec<Self> {
        let can_restore = care.budget.contains_key(&Remedy::Restore);
        let tried = |attempt: &'a Arc<AttemptView>| Self {
            attempt,
            named: false,
            can_restore: can_restore && attempt.ended.is_some() && attempt.destroys,
            now,
        };
        care.attempts.iter().rev().map(tried).collect()
    }

    fn count(&self) -> String {
        counted(self.attempt.steps.len(), "step")
    }

    fn begun(&self) -> When {
        When::at(self.attempt.at, self.now)
    }

    /// What came of it so far, and the class that colours the word.
    fn came(&self) -> (&'static str, String) {
        use crate::engine::attempt::Outcome;
        match (self.attempt.outcome, self.attempt.ended) {
            (Some(Outcome::Helped), _) => ("healthy", String::from("helped")),
            (Some(outcome), _) => ("failing", spaced(outcome.as_str())),
            (None, Some(_)) => ("pending", String::from("did it help?")),
            (None, None) => ("pending", String::from("under way")),
        }
    }

    fn took(&self) -> Option<String> {
        self.attempt.ended.map(|(ended, _)| words(ended.since(self.attempt.at)))
    }

    fn step_at(&self, step: &StepView) -> When {
        When::at(step.at, self.now)
    }

    fn step_took(step: &StepView) -> String {
        step.ended.map_or_else(|| String::from("under way"), |ended| words(ended.since(step.at)))
    }

    fn act(step: &StepView) -> &'static str {
        match step.act {
            Act::Look => "look: ",
            Act::Check => "check: ",
            Act::Do => "",
            Act::Undo => "undo: ",
        }
    }
}
