//! Hooks: the engine's orders as calls of programs and URLs, each answered exactly once.
//!
//! `run` carries out one order, `exec` and `call` its calls, `process` one process, `runs` keeps two runs of one target
//! apart, also over a crash.

mod bearer;
mod brief;
mod call;
mod coolify;
mod docker;
mod end;
mod exec;
mod kubernetes;
pub mod marker;
mod output;
mod preflight;
mod process;
mod record;
mod rest;
mod run;
mod runs;
mod sqlite;
mod sweep;
pub mod users;
pub mod vault;
mod wasender;
mod wasender_backend;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use self::exec::TRIES_MAX;
pub use self::output::world;
pub use self::preflight::{Finding, preflight};
pub use self::runs::RUN_FILES_MAX;
pub use self::sweep::SWEEP_EVERY;

use self::call::Clients;
use self::run::Desk;
use self::runs::Runs;
use crate::config::{Call, DockerDeed, Target};
use crate::engine::attempt::{AttemptId, StepEnd, StepOrder, StepOutcome};
use crate::engine::ladder::Remedy;
use crate::engine::moment::Wall;
use crate::engine::sample::Word;
use crate::engine::target::TargetId;
use crate::http::Http;

/// Room for answers that the engine has not taken yet. Whoever makes the channel uses it; a full one makes hooks wait.
pub const QUEUE_MAX: usize = 64;

/// Most attempts whose settings are kept; far fewer are under way at once.
const ATTEMPTS_MAX: usize = 256;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Wall + Send + Sync>;

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose.
    pub target: TargetId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The number of the order within it.
    pub number: u32,
    /// What came of it.
    pub end: StepEnd,
    /// A session that took the place of another one.
    pub adopted: Option<Adopted>,
}

/// A session at a vendor that took the place of another one, by our own doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Base URL of the vendor.
    pub vendor: String,
    /// The number of the session that is gone.
    pub old: String,
    /// The number of the one that is there instead.
    pub new: String,
}

/// Carries out orders.
///
/// - An order starts one task, bounded by the time that the order gives, and a moment to end a program that does not.
/// - Each is answered exactly once, also where its task panics.
/// - Attempts under way go on with the settings with which they began.
/// - A program is not ended with the watchdog: it does what it began, and the next run of this target waits for it.
pub struct Remedies {
    targets: BTreeMap<TargetId, Arc<Target>>,
    http: Http,
    clients: Arc<Clients>,
    runs: Arc<Runs>,
    clock: Clock,
    answers: mpsc::Sender<Answer>,
    tracker: TaskTracker,
    off: Off,
    hard_stops: HardStops,
    /// The settings with which each attempt began: it ends with them, whatever the configuration says meanwhile.
    begun: Mutex<BTreeMap<AttemptId, Begun>>,
}

/// The hooks that say that they are gone, until the configuration is read anew.
#[derive(Clone, Default)]
struct Off(Arc<Mutex<BTreeSet<(TargetId, Remedy)>>>);

/// How often a service did not end by itself when it was stopped, by target; a kill can damage a session.
#[derive(Clone, Debug, Default)]
pub struct HardStops(Arc<Mutex<BTreeMap<String, u64>>>);

/// The settings with which an attempt began.
#[derive(Clone)]
struct Begun {
    target: Option<Arc<Target>>,
    clients: Arc<Clients>,
}

/// Owes one answer.
struct Debt {
    target: TargetId,
    attempt: AttemptId,
    number: u32,
    answers: mpsc::Sender<Answer>,
    is_paid: bool,
}

impl Remedies {
    /// Makes the hooks of these targets. Run files lie in `state_dir`, or in a new temporary folder that ends with the last run.
    #[must_use]
    pub fn new(
        targets: BTreeMap<TargetId, Arc<Target>>,
        http: Http,
        state_dir: Option<PathBuf>,
        clock: Clock,
        answers: mpsc::Sender<Answer>,
        tracker: TaskTracker,
    ) -> Self {
        let clients = Arc::new(Clients::of(&targets, &http));
        let runs = Arc::new(Runs::new(state_dir));
        let (begun, hard_stops) = (Mutex::default(), HardStops::default());
        hard_stops.begin(&targets);
        Self { targets, http, clients, runs, clock, answers, tracker, off: Off::default(), hard_stops, begun }
    }

    /// Takes other targets from here on; every hook is on again.
    pub fn replace(&mut self, targets: BTreeMap<TargetId, Arc<Target>>) {
        self.adopt(targets);
        self.off = Off::default();
    }

    /// Takes other targets or sessions that nobody has configured anew; a hook that is off stays off.
    pub fn adopt(&mut self, targets: BTreeMap<TargetId, Arc<Target>>) {
        self.clients = Arc::new(Clients::of(&targets, &self.http));
        self.targets = targets;
        self.hard_stops.begin(&self.targets);
    }

    /// Carries out an order. Returns at once; what comes of it leaves through the channel.
    pub fn run(&self, order: StepOrder) {
        let debt = Debt {
            target: order.target.clone(),
            attempt: order.attempt,
            number: order.number,
            answers: self.answers.clone(),
            is_paid: false,
        };
        let begun = self.begun_with(&order);
        let desk = Desk {
            target: begun.target,
            clients: begun.clients,
            runs: Arc::clone(&self.runs),
            clock: Arc::clone(&self.clock),
            off: self.off.clone(),
            hard_stops: self.hard_stops.clone(),
        };
        self.tracker.spawn(async move {
            let (end, adopted) = desk.carry_out(order).await;
            debt.pay(end, adopted).await;
        });
    }

    /// Returns what counts services that had to be killed.
    #[must_use]
    pub fn hard_stops(&self) -> HardStops {
        self.hard_stops.clone()
    }

    /// Returns the settings with which an attempt began. A step must never be looked up in a hook that was configured anew: its place
    /// may be another step's there, and what was stopped must be started also where the target is gone.
    fn begun_with(&self, order: &StepOrder) -> Begun {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = begun.get(&order.attempt) {
            return known.clone();
        }
        let target = self.targets.get(&order.target).cloned();
        let fresh = Begun { target, clients: Arc::clone(&self.clients) };
        if fresh.target.is_some() {
            if ATTEMPTS_MAX <= begun.len() {
                // Numbers rise: the first one is the oldest, and long over.
                begun.pop_first();
            }
            begun.insert(order.attempt, fresh.clone());
        }
        fresh
    }
}

impl fmt::Debug for Remedies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remedies").field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

impl Off {
    fn contains(&self, target: &TargetId, remedy: Remedy) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&(target.clone(), remedy))
    }

    fn add(&self, target: &TargetId, remedy: Remedy) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((target.clone(), remedy));
    }
}

impl HardStops {
    /// Begins at 0 for every target whose hooks can stop a service; of those that are gone nothing is shown any more.
    fn begin(&self, targets: &BTreeMap<TargetId, Arc<Target>>) {
        let stops = |call: &Call| match call {
            Call::Docker(call) => matches!(call.deed, DockerDeed::Stop { .. }),
            Call::Exec(_)
            | Call::Http(_)
            | Call::Wasender(_)
            | Call::WasenderBackend(_)
            | Call::Sqlite(_)
            | Call::Coolify(_)
            | Call::Kubernetes(_) => false,
        };
        let can_stop = |target: &&Arc<Target>| target.hooks.values().any(|hook| hook.calls().any(stops));
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|target, _| targets.contains_key(target.as_str()));
        for target in targets.values().filter(can_stop) {
            counts.entry(target.id.to_string()).or_default();
        }
    }

    fn count(&self, target: &TargetId) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(target.as_str()) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the counts.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Debt {
    fn answer(&self, end: StepEnd, adopted: Option<Adopted>) -> Answer {
        Answer { target: self.target.clone(), attempt: self.attempt, number: self.number, end, adopted }
    }

    async fn pay(mut self, end: StepEnd, adopted: Option<Adopted>) {
        let answer = self.answer(end, adopted);
        // Nobody listens any more only while everything ends.
        self.is_paid = self.answers.send(answer).await.is_ok();
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        if !self.is_paid {
            let note = Some(Word::new("the watchdog gave up on it: see its log"));
            let end = StepEnd { outcome: StepOutcome::Unknown, note, world: None };
            // At shutdown nobody listens; else there is room, for the engine has few orders under way.
            drop(self.answers.try_send(self.answer(end, None)));
        }
    }
}
