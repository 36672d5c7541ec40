//! What must always hold, judged by what the watchdog orders and by what it was told; nothing here asks the code that decides.
//!
//! One function a rule, named `invariant_…`. Each returns what is broken.

use std::collections::BTreeMap;
use std::time::Duration;

use wa_watchdog::engine::TargetId;
use wa_watchdog::engine::attempt::{Act, AttemptId, Outcome, RunEnd, StepOrder};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::ledger::Fact;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::plan::Resume;
use wa_watchdog::engine::policy::{Mode, Policy, Watch};
use wa_watchdog::engine::snapshot::{Snapshot, TargetView};

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// One attempt, as orders and entries tell it. All times are true ones.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) target: TargetId,
    pub(crate) remedy: Remedy,
    pub(crate) destroys: bool,
    pub(crate) incident: Option<u64>,
    pub(crate) pattern: Option<Pattern>,
    /// A person ordered it.
    pub(crate) ordered: Option<bool>,
    pub(crate) intended: Duration,
    /// The network path was down then already.
    pub(crate) path_was_down: bool,
    /// When its first act was ordered.
    pub(crate) begun: Option<Duration>,
    pub(crate) ended: Option<(Duration, RunEnd, bool)>,
    pub(crate) outcome: Option<Outcome>,
    /// Acts that are durably begun, and how often each destroying one was ordered.
    pub(crate) started: Vec<(String, Act)>,
    pub(crate) destroyed: BTreeMap<String, u32>,
    pub(crate) cleared: bool,
    pub(crate) last: Option<(String, Act)>,
    pub(crate) watch: Watch,
}

impl Attempt {
    /// It counts for budgets: it runs, or something of it ran.
    fn is_spent(&self) -> bool {
        self.ended.is_none_or(|(_, _, spent)| spent)
    }
}

/// What a rule may look at when an attempt begins or goes on.
pub(crate) struct Scene<'a> {
    pub(crate) now: Duration,
    pub(crate) order: &'a StepOrder,
    pub(crate) this: &'a Attempt,
    pub(crate) id: AttemptId,
    pub(crate) all: &'a BTreeMap<AttemptId, Attempt>,
    pub(crate) policy: &'a Policy,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) facts: &'a Facts,
    pub(crate) hour: u8,
    /// Wall clocks jumped or acted as if: windows over them cannot be judged.
    pub(crate) is_jumpy: bool,
}

/// What was told to the watchdog, and what people ordered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// When a live code was last shown to it, by target.
    pub(crate) live_code: BTreeMap<TargetId, Duration>,
    pub(crate) stopped: BTreeMap<TargetId, bool>,
    /// When it was last seen connected.
    pub(crate) connected: BTreeMap<TargetId, Duration>,
    /// Since when something is suspected or proven.
    pub(crate) bad: BTreeMap<TargetId, Duration>,
    pub(crate) well: BTreeMap<TargetId, bool>,
    pub(crate) paused: BTreeMap<Option<TargetId>, Option<Duration>>,
    pub(crate) acked: BTreeMap<TargetId, Duration>,
    pub(crate) foreign: BTreeMap<TargetId, Duration>,
    pub(crate) released: BTreeMap<AttemptId, Duration>,
    pub(crate) proposed: BTreeMap<AttemptId, Duration>,
    /// The network path was down when it was last looked at.
    pub(crate) path_down: bool,
    /// The ledger was failing when the order was made.
    pub(crate) ledger_fails: bool,
}

impl Facts {
    pub(crate) fn is_paused(&self, target: &TargetId, now: Duration) -> bool {
        let counts = |key: &Option<TargetId>| self.paused.get(key).is_some_and(|until| until.is_none_or(|at| now < at));
        counts(&None) || counts(&Some(target.clone()))
    }
}

type Rule = fn(&Scene<'_>) -> Option<String>;

/// Every rule for an act that is ordered.
pub(crate) const RULES: &[(&str, Rule)] = &[
    ("invariant_nothing_runs_without_a_durable_intent", invariant_nothing_runs_without_a_durable_intent),
    ("invariant_one_attempt_at_a_time", invariant_one_attempt_at_a_time),
    ("invariant_no_window_holds_more_than_its_budget", invariant_no_window_holds_more_than_its_budget),
    ("invariant_observe_never_acts", invariant_observe_never_acts),
    ("invariant_a_pause_holds", invariant_a_pause_holds),
    ("invariant_a_live_code_is_not_disturbed", invariant_a_live_code_is_not_disturbed),
    ("invariant_nothing_in_a_storm", invariant_nothing_in_a_storm),
    ("invariant_nothing_while_the_network_is_down", invariant_nothing_while_the_network_is_down),
    ("invariant_no_forbidden_remedy", invariant_no_forbidden_remedy),
    ("invariant_no_reset_before_a_restart_failed", invariant_no_reset_before_a_restart_failed),
    ("invariant_quiet_hours", invariant_quiet_hours),
    ("invariant_resets_that_do_not_last_wait_for_a_person", invariant_resets_that_do_not_last_wait_for_a_person),
    ("invariant_it_gives_up", invariant_it_gives_up),
    ("invariant_cooldown", invariant_cooldown),
    ("invariant_only_what_was_released", invariant_only_what_was_released),
    ("invariant_nothing_is_destroyed_twice", invariant_nothing_is_destroyed_twice),
    ("invariant_nothing_without_proof", invariant_nothing_without_proof),
    ("invariant_a_stopped_session_is_left_alone", invariant_a_stopped_session_is_left_alone),
];

impl Scene<'_> {
    /// The attempt begins with this act, and the watchdog decided it: alone, or released by a person.
    fn begins_unordered(&self) -> Option<()> {
        (self.begins() && self.this.ordered.is_none()).then_some(())
    }

    /// It begins, and nobody forced it.
    fn begins_unforced(&self) -> Option<()> {
        (self.begins() && self.this.ordered != Some(true)).then_some(())
    }

    /// The attempt begins with this act. One that a crash ended before it began only sees that the service runs.
    fn begins(&self) -> bool {
        let plan = self.this.watch.plans.get(&self.order.remedy);
        let step = plan.and_then(|plan| plan.steps.get(self.order.index));
        let winds_up = 0 < self.order.index && step.is_some_and(|step| step.leaves_running);
        self.this.begun.is_none() && !winds_up
    }

    fn view(&self) -> Option<&TargetView> {
        self.snapshot.target(self.order.target.as_str()).map(|view| &**view)
    }

    /// Other attempts of this target that began within a window before now.
    fn begun_within(&self, window: Duration, kind: impl Fn(&Attempt) -> bool) -> usize {
        let recent = |at: Duration| self.now.saturating_sub(at) < window;
        let counts = |(id, other): &(&AttemptId, &Attempt)| {
            **id != self.id
                && other.target == self.this.target
                && other.is_spent()
                && other.begun.is_some_and(recent)
                && kind(other)
        };
        self.all.iter().filter(counts).count()
    }

    fn limits(&self) -> &wa_watchdog::engine::policy::Limits {
        &self.this.watch.limits
    }
}

/// Nothing runs without a durable intent and a durable beginning; only what leaves a service running does where the ledger fails.
fn invariant_nothing_runs_without_a_durable_intent(scene: &Scene<'_>) -> Option<String> {
    let key = (scene.order.step.to_string(), scene.order.act);
    let begun = scene.this.started.iter().filter(|started| **started == key).count();
    let ordered = usize::try_from(scene.order.retry).unwrap() + 1;
    let step = scene.this.watch.plans.get(&scene.order.remedy)?.steps.get(scene.order.index)?;
    let is_last_act = scene.order.act == Act::Undo || step.leaves_running;
    (begun < ordered && !(is_last_act && scene.facts.ledger_fails))
        .then(|| format!("{} {} is ordered {ordered} times and begun {begun} times", key.1.as_str(), key.0))
}

/// One attempt a target, one a host group, and no more than the fleet may have.
fn invariant_one_attempt_at_a_time(scene: &Scene<'_>) -> Option<String> {
    scene.this.begun.is_none().then_some(())?;
    let open =
        |(id, other): &(&AttemptId, &Attempt)| **id != scene.id && other.begun.is_some() && other.ended.is_none();
    let open: Vec<_> = scene.all.iter().filter(open).collect();
    let same = |other: &Attempt| other.target == scene.this.target || other.watch.group == scene.this.watch.group;
    if let Some((id, _)) = open.iter().find(|(_, other)| same(other)) {
        return Some(format!("{id} is under way in the same group"));
    }
    let most = usize::try_from(scene.policy.fleet.attempts).unwrap();
    (most <= open.len()).then(|| format!("{} are under way", open.len()))
}

/// Over restarts too: no window ever holds more attempts of a kind than its budget.
fn invariant_no_window_holds_more_than_its_budget(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    if scene.is_jumpy {
        return None;
    }
    let budget = &scene.limits().budget;
    let windows = match (scene.this.destroys, scene.this.remedy) {
        (true, _) => [(1, budget.reset_every), (budget.resets_daily, DAY)],
        (false, Remedy::Restart) => [(budget.restarts_hourly, HOUR), (budget.restarts_daily, DAY)],
        (false, _) => [(budget.reconnects_hourly, HOUR), (budget.reconnects_daily, DAY)],
    };
    let (remedy, destroys) = (scene.this.remedy, scene.this.destroys);
    let kind = |other: &Attempt| other.destroys == destroys && (destroys || other.remedy == remedy);
    let broken =
        windows.iter().find(|(most, window)| usize::try_from(*most).unwrap() <= scene.begun_within(*window, kind));
    if let Some((most, window)) = broken {
        return Some(format!("{remedy}: {most} in {window:?} are spent"));
    }
    let recent = |at: Duration, window: Duration| scene.now.saturating_sub(at) < window;
    let fleet = |window, kind: &dyn Fn(&Attempt) -> bool| {
        let counts = |(id, other): &(&AttemptId, &Attempt)| {
            **id != scene.id && other.is_spent() && other.begun.is_some_and(|at| recent(at, window)) && kind(other)
        };
        scene.all.iter().filter(counts).count()
    };
    let limits = &scene.policy.fleet;
    let spent = match (destroys, remedy) {
        (true, _) => usize::try_from(limits.resets_daily).unwrap() <= fleet(DAY, &|other| other.destroys),
        (false, Remedy::Restart) => {
            let restarts = |other: &Attempt| !other.destroys && other.remedy == Remedy::Restart;
            usize::try_from(limits.restarts_hourly).unwrap() <= fleet(HOUR, &restarts)
        }
        (false, _) => false,
    };
    spent.then(|| format!("{remedy}: the budget of the fleet is spent"))
}

/// In mode observe nothing is done that no person ordered.
fn invariant_observe_never_acts(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    (scene.this.watch.mode == Mode::Observe).then(|| String::from("mode is observe"))
}

/// While paused no attempt begins, and none destroys.
fn invariant_a_pause_holds(scene: &Scene<'_>) -> Option<String> {
    let step = scene.this.watch.plans.get(&scene.order.remedy)?.steps.get(scene.order.index)?;
    let is_new =
        scene.this.begun.is_none() || (step.destroys && scene.order.act == Act::Do && scene.this.destroyed.is_empty());
    (is_new && scene.facts.is_paused(&scene.this.target, scene.now)).then(|| String::from("it is paused"))
}

/// While paused nothing is even planned, whoever wants it.
pub(crate) fn invariant_nothing_is_planned_while_paused(
    attempt: &Attempt,
    facts: &Facts,
    is_jumpy: bool,
) -> Option<String> {
    (!is_jumpy && facts.is_paused(&attempt.target, attempt.intended))
        .then(|| format!("{} of {} is planned", attempt.remedy, attempt.target))
}

/// Whoever is about to scan is not disturbed: not while a live code is shown, and not just after a reset.
fn invariant_a_live_code_is_not_disturbed(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unforced()?;
    let limits = &scene.limits().hand_off;
    let shown = scene.facts.live_code.get(&scene.this.target).copied();
    if shown.is_some_and(|at| scene.now.saturating_sub(at) < limits.round) {
        return Some(String::from("a live code is on the screen"));
    }
    let connected = scene.facts.connected.get(&scene.this.target).copied();
    let resets = scene.all.values().filter(|other| other.target == scene.this.target && other.destroys);
    let last = resets
        .filter_map(|other| other.ended.filter(|(_, end, spent)| *spent && *end != RunEnd::Aborted))
        .map(|(at, ..)| at)
        .max()?;
    let waits = scene.now.saturating_sub(last) < limits.qr_within && connected.is_none_or(|at| at <= last);
    (waits && !scene.is_jumpy).then(|| String::from("a reset was just made, and no code was waited for"))
}

/// What turns bad together is left alone.
fn invariant_nothing_in_a_storm(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unforced()?;
    let (facts, policy) = (scene.facts, scene.policy);
    let recent = facts.bad.values().filter(|at| scene.now.saturating_sub(**at) <= policy.together).count() as u64;
    let well = facts.well.values().filter(|well| **well).count() as u64;
    let is_storm = u64::from(policy.fleet.storm_targets) <= recent
        && (recent + well) * u64::from(policy.fleet.storm_percent) <= recent * 100;
    is_storm.then(|| {
        format!(
            "{recent} turned bad together and {well} are well: {:?}, as it sees it: {:?}",
            facts.bad, scene.snapshot.fleet
        )
    })
}

/// While the way to WhatsApp is down nothing begins: no session is to blame. What a person ordered while it was up goes on.
fn invariant_nothing_while_the_network_is_down(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unforced()?;
    let is_down = scene.facts.path_down && (scene.this.ordered.is_none() || scene.this.path_was_down);
    is_down.then(|| String::from("the network path is down"))
}

/// The table of remedies that no pattern may lead to, written out once more.
fn invariant_no_forbidden_remedy(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    let (pattern, remedy) = (scene.this.pattern?, scene.this.remedy);
    let never: &[Remedy] = match pattern {
        Pattern::Conflict
        | Pattern::Unreachable
        | Pattern::StuckQr
        | Pattern::SilentSession
        | Pattern::MemoryPressure => &[Remedy::Reset],
        Pattern::Repeated404 => &[Remedy::Restart],
        Pattern::CredentialsRefused => &[Remedy::Reconnect, Remedy::Restart, Remedy::Reset],
        Pattern::SessionExpired | Pattern::StateLoop | Pattern::NeverReady => &[],
    };
    let loses = remedy == Remedy::Restart && scene.this.destroys && never.contains(&Remedy::Reset);
    (never.contains(&remedy) || loses).then(|| format!("{remedy} for {pattern}"))
}

/// A reset of a loop, or of a session that does not start, comes only after a restart that did not help.
fn invariant_no_reset_before_a_restart_failed(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    let wants = matches!(scene.this.pattern?, Pattern::StateLoop | Pattern::NeverReady);
    let tried = |other: &Attempt| {
        other.remedy == Remedy::Restart
            && other.incident == scene.this.incident
            && other.outcome == Some(Outcome::DidNotHelp)
    };
    (wants && scene.this.remedy == Remedy::Reset && !scene.all.values().any(tried))
        .then(|| String::from("no restart failed"))
}

/// What needs a person waits for the morning.
fn invariant_quiet_hours(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    let quiet = &scene.limits().quiet_hours;
    let is_quiet = if quiet.from <= quiet.to {
        (quiet.from..quiet.to).contains(&scene.hour)
    } else {
        quiet.from <= scene.hour || scene.hour < quiet.to
    };
    (scene.this.destroys && is_quiet).then(|| format!("it is {} o'clock", scene.hour))
}

/// After so many resets in seven days one more waits for a person.
fn invariant_resets_that_do_not_last_wait_for_a_person(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    let acked = scene.facts.acked.get(&scene.this.target).copied().unwrap_or_default();
    let resets = scene.begun_within(WEEK, |other| other.destroys && other.ended.is_some_and(|(at, ..)| acked < at));
    let most = usize::try_from(scene.limits().budget.resets_weekly).unwrap();
    (scene.this.destroys && most <= resets && !scene.is_jumpy).then(|| format!("{resets} resets in a week"))
}

/// After so many resets in a row that did not help everything waits for a person.
fn invariant_it_gives_up(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    let acked = scene.facts.acked.get(&scene.this.target).copied().unwrap_or_default();
    let mut settled: Vec<&Attempt> =
        scene.all.values().filter(|other| other.target == scene.this.target && other.outcome.is_some()).collect();
    settled.sort_by_key(|other| other.ended.map(|(at, ..)| at));
    let mut failed = 0_u32;
    for other in settled {
        let spent = other.ended.is_some_and(|(at, _, spent)| spent && acked < at);
        match other.outcome {
            Some(Outcome::Helped) => failed = 0,
            Some(Outcome::DidNotHelp | Outcome::Failed | Outcome::Interrupted) if other.destroys && spent => {
                failed += 1;
            }
            _ => {}
        }
    }
    (scene.limits().budget.gives_up_after <= failed).then(|| format!("{failed} resets did not help"))
}

/// After an attempt, and after a restart by somebody else, nothing is done for a while; but the second attempt of an incident only
/// waits for the first to show whether it helps.
fn invariant_cooldown(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    if scene.is_jumpy {
        return None;
    }
    let first = scene.limits().cooldown.first;
    let foreign = scene.facts.foreign.get(&scene.this.target);
    if foreign.is_some_and(|at| scene.now.saturating_sub(*at) + Duration::from_millis(10) < first) {
        return Some(String::from("somebody else just restarted it"));
    }
    let spent = |other: &&Attempt| other.target == scene.this.target && other.ended.is_some_and(|(_, _, spent)| spent);
    let last = scene.all.values().filter(spent).max_by_key(|other| other.ended.map(|(at, ..)| at))?;
    let of_incident = scene.all.values().filter(spent).filter(|other| other.incident == last.incident).count();
    let is_second = last.incident.is_some() && last.incident == scene.this.incident && of_incident == 1;
    let (ended, ..) = last.ended?;
    // A little less: what a ledger tells is a moment older than what was.
    let too_soon = scene.now.saturating_sub(ended) + Duration::from_secs(1) < first;
    (too_soon && !is_second).then(|| format!("the last attempt ended {:?} ago", scene.now.saturating_sub(ended)))
}

/// In mode approve only what a person released by its number, in time.
fn invariant_only_what_was_released(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    if scene.this.watch.mode != Mode::Approve {
        return None;
    }
    let (Some(proposed), Some(_)) = (scene.facts.proposed.get(&scene.id), scene.facts.released.get(&scene.id)) else {
        return Some(String::from("nobody released it"));
    };
    let late = scene.limits().attempt.approval_for + Duration::from_secs(2) < scene.now.saturating_sub(*proposed);
    late.then(|| String::from("it was released too late"))
}

/// The act that destroys is ordered once, unless its hook promises or says otherwise.
fn invariant_nothing_is_destroyed_twice(scene: &Scene<'_>) -> Option<String> {
    let step = scene.this.watch.plans.get(&scene.order.remedy)?.steps.get(scene.order.index)?;
    let before = scene.this.destroyed.get(&scene.order.step.to_string()).copied().unwrap_or(0);
    let may = match step.resume {
        Resume::Again => true,
        Resume::Check => scene.this.cleared,
        Resume::Never => false,
    };
    (step.destroys && scene.order.act == Act::Do && 0 < before && !may).then(|| format!("{} again", step.name))
}

/// Nothing begins without an open incident whose pattern is proven.
fn invariant_nothing_without_proof(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    let pattern = scene.this.pattern?;
    let view = scene.view()?;
    let open =
        view.open.iter().any(|incident| Some(incident.id.0) == scene.this.incident && incident.pattern == pattern);
    (!open).then(|| format!("no incident of {pattern} is open"))
}

/// What somebody stopped is left alone.
fn invariant_a_stopped_session_is_left_alone(scene: &Scene<'_>) -> Option<String> {
    scene.begins_unordered()?;
    scene.facts.stopped.get(&scene.this.target)?.then(|| String::from("somebody stopped it"))
}

/// What a view shows is bounded.
pub(crate) fn invariant_views_are_bounded(snapshot: &Snapshot) -> Option<String> {
    let too_long =
        |view: &TargetView| 20 < view.care.attempts.len() || 64 < view.timeline.len() || 12 < view.care.refused.len();
    let long = snapshot.targets.iter().find(|view| too_long(view))?;
    Some(format!("the view of {} grows", long.target))
}

/// Every attempt that was intended ends, and it becomes known what came of it.
pub(crate) fn invariant_every_attempt_ends(all: &BTreeMap<AttemptId, Attempt>, now: Duration) -> Option<String> {
    let late = |attempt: &&Attempt| {
        let within = attempt.watch.plans.get(&attempt.remedy).map_or(HOUR, |plan| plan.within * 4) + HOUR;
        attempt.ended.is_none() && within < now.saturating_sub(attempt.intended)
    };
    let attempt = all.values().find(late)?;
    Some(format!("{} of {} at {:?} never ended", attempt.remedy, attempt.target, attempt.intended))
}

/// Whatever fails, the service runs at the end, or that was tried last.
pub(crate) fn invariant_the_service_is_left_running(attempt: &Attempt, is_running: bool) -> Option<String> {
    let plan = attempt.watch.plans.get(&attempt.remedy)?;
    let starts = plan.steps.iter().find(|step| step.leaves_running)?;
    let was_tried = attempt
        .last
        .as_ref()
        .is_some_and(|(step, act)| (*act == Act::Do && *step == starts.name.to_string()) || *act == Act::Undo);
    (!is_running && !was_tried).then(|| format!("{:?} was the last act, and the service is down", attempt.last))
}

/// A fact of the ledger, as far as attempts go.
pub(crate) fn is_of_attempt(fact: &Fact) -> bool {
    fact.attempt().is_some()
}
