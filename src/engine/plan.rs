//! How a remedy is carried out for one target: a line of steps.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A line of steps, the same every time; made by the configuration, carried out by a hook, ordered step by step by the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The steps in their order; at least one.
    pub steps: Vec<Step>,
    /// How long the whole run may take; beyond it only what leaves the service running is begun.
    pub within: Duration,
    /// Stands for everything the plan says: a run that a crash interrupted goes on with the same plan or not at all.
    pub mark: u64,
    /// Whether the hook can say which world it works on (a container and its start), so that a changed one ends the run.
    pub has_look: bool,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, unique in its plan.
    pub name: StepName,
    /// It destroys the session. Up to it a failed run goes backward, after it only forward.
    pub destroys: bool,
    /// What to do about it when a crash left open whether it was done.
    pub resume: Resume,
    /// It can be undone.
    pub has_undo: bool,
    /// It leaves the service running: the last thing that is tried, whatever else failed.
    pub leaves_running: bool,
    /// How long it may take, tries and all.
    pub takes: Duration,
}

/// What to do about a step when a crash left open whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// Do it again: with the same key it is done once.
    Again,
    /// Ask whether it is done, and do it only where it is not.
    Check,
    /// Never do it again: nobody can tell.
    Never,
}

/// The name of a step: letters, digits, `_` and `-`, checked by the configuration. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepName(pub Arc<str>);

impl std::fmt::Display for StepName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl Plan {
    /// Makes a plan of one step, for a hook that does everything by itself.
    #[must_use]
    pub fn single(destroys: bool, resume: Resume, takes: Duration) -> Self {
        let name = StepName(Arc::from("run"));
        let step = Step { name, destroys, resume, has_undo: false, leaves_running: false, takes };
        Self { steps: vec![step], within: takes, mark: 0, has_look: false }
    }
}
