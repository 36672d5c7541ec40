//! Hooks that the watchdog brings along: each kind is read into a line of steps, which the engine orders like any other.

use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, HookStep, Secret, coolify, docker, kubernetes, sqlite, wasender, wasender_backend};
use crate::engine::ladder::Remedy;
use crate::engine::plan::Resume;

/// Reads one kind. None only where a problem was noted.
type Read = fn(Item, &mut Scope<'_>, &Asked<'_>) -> Option<BuiltIn>;

/// The kinds, by the name of their section.
const KINDS: [(&str, Read); 6] = [
    ("docker", docker::read),
    ("coolify", coolify::read),
    ("kubernetes", kubernetes::read),
    ("wasender", wasender::read),
    ("wasender-backend", wasender_backend::read),
    ("sqlite", sqlite::read),
];

/// What a hook is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The remedy that it carries out.
    pub(super) remedy: Remedy,
    /// It destroys the session of this target.
    pub(super) destroys: bool,
    /// Where the target is asked.
    pub(super) url: Option<&'a str>,
    /// The session's name or number there.
    pub(super) session: Option<&'a str>,
    /// The token with which it is asked.
    pub(super) token: Option<&'a Secret>,
    /// It is asked at `WasenderAPI` by the session's number, with the token of the account.
    pub(super) asks_vendor: bool,
}

/// A line of steps.
#[derive(Debug)]
pub(super) struct BuiltIn {
    /// The steps in their order; at least one.
    pub(super) steps: Vec<BuiltStep>,
    /// Says which world it works on.
    pub(super) look: Option<Call>,
    /// Brings back what it destroyed, where it can.
    pub(super) restore: Vec<BuiltStep>,
}

/// One step.
#[derive(Debug)]
pub(super) struct BuiltStep {
    /// Its name, unique in its line.
    pub(super) name: &'static str,
    /// It destroys the session: up to it a failed run goes backward, after it only forward.
    pub(super) destroys: bool,
    /// It leaves the service running: it is tried last, whatever else failed.
    pub(super) leaves_running: bool,
    /// What may be done where a crash left open whether it was done.
    pub(super) resume: Resume,
    /// What it calls.
    pub(super) calls: HookStep,
}

impl BuiltStep {
    /// Makes a step that can be done again, changes nothing that a person would miss, and cannot be undone.
    pub(super) fn new(name: &'static str, run: Call) -> Self {
        let calls = HookStep { run, check: None, undo: None };
        Self { name, destroys: false, leaves_running: false, resume: Resume::Again, calls }
    }
}

/// Says that what is wrong was noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted;

/// Takes the section of a built-in hook, if there is one.
pub(super) fn take(section: &mut Section, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<Result<BuiltIn, Noted>> {
    let mut found = KINDS.iter().filter_map(|(name, read)| section.take(name).map(|item| (item, *read)));
    let (item, read) = found.next()?;
    if let Some((second, _)) = found.next() {
        second.refuse(scope.report, "stands beside another hook", "a remedy has one hook: take one of them out");
        return Some(Err(Noted));
    }
    for name in ["exec", "http", "step", "look"] {
        if let Some(other) = section.take(name) {
            let hint = format!("{} knows its steps itself: take one of the two out", item.key);
            other.refuse(scope.report, "stands beside a hook that the watchdog brings along", hint);
            return Some(Err(Noted));
        }
    }
    Some(read(item, scope, asked).ok_or(Noted))
}

/// Tells whether a section has one of the kinds.
pub(super) fn is_any_in(section: &Section) -> bool {
    KINDS.iter().any(|(name, _)| section.peek(name).is_some())
}

/// Tells whether a name is that of a kind.
pub(super) fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|(kind, _)| *kind == name)
}
