//! Which remedy of a pattern's ladder is due.

use std::time::Duration;

use super::history::Past;
use crate::engine::attempt::Outcome;
use crate::engine::ladder::{Ladder, Remedy};
use crate::engine::pattern::Pattern;

/// What a ladder leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// This remedy, now.
    Remedy(Remedy),
    /// Nothing yet: the other client may leave by itself.
    Later,
    /// Nothing: this remedy would be next, and the target has no hook for it.
    NoHook(Remedy),
    /// Nothing: only a person can help.
    Person,
    /// Nothing more: every remedy that fits was tried.
    Exhausted,
}

/// What a ladder is climbed with.
#[derive(Clone, Copy, Debug)]
pub struct Climb<'a> {
    /// What is wrong.
    pub pattern: Pattern,
    /// The remedies that fit.
    pub ladder: &'a Ladder,
    /// What was tried in this incident.
    pub tried: &'a [&'a Past],
    /// How old the incident is.
    pub age: Duration,
    /// How long a conflict is left alone.
    pub act_after: Duration,
}

/// Says which remedy is due; `has_hook` tells for which the target has one.
#[must_use]
pub fn due(climb: &Climb<'_>, has_hook: impl Fn(Remedy) -> bool) -> Due {
    let mut tried: Vec<Remedy> =
        climb.tried.iter().filter(|past| !is_to_be_repeated(past)).map(|past| past.remedy).collect();
    let mut without_hook = None;
    for rung in climb.ladder.rungs() {
        if *rung == Remedy::Notify {
            // The incident itself tells a person.
            continue;
        }
        if let Some(place) = tried.iter().position(|remedy| remedy == rung) {
            tried.swap_remove(place);
            continue;
        }
        if !has_hook(*rung) {
            without_hook = without_hook.or(Some(*rung));
            continue;
        }
        let waits = climb.pattern == Pattern::Conflict && climb.age < climb.act_after;
        return if waits { Due::Later } else { Due::Remedy(*rung) };
    }
    let is_for_a_person = climb.ladder.rungs().iter().all(|rung| *rung == Remedy::Notify);
    match without_hook {
        Some(remedy) => Due::NoHook(remedy),
        None if is_for_a_person => Due::Person,
        None => Due::Exhausted,
    }
}

/// A restart that its hook could not carry out was not tried: what comes after it may cost a session that it would have mended.
fn is_to_be_repeated(past: &Past) -> bool {
    past.remedy == Remedy::Restart && past.outcome == Some(Outcome::Failed)
}

/// Tells whether a restart was carried out in this incident and did not help.
#[must_use]
pub fn restart_failed(tried: &[&Past]) -> bool {
    tried.iter().any(|past| past.remedy == Remedy::Restart && past.outcome == Some(Outcome::DidNotHelp))
}
