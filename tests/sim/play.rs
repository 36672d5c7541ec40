//! One seed: a watchdog, its services, its hooks, its ledger and the people around it, in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use wa_watchdog::engine::attempt::{Act, AttemptId, StepEnd, StepOrder, StepOutcome};
use wa_watchdog::engine::command::{CommandId, OperatorCommand, Wish};
use wa_watchdog::engine::ledger::{Fact, LedgerEntry};
use wa_watchdog::engine::pattern::Lane;
use wa_watchdog::engine::policy::Policy;
use wa_watchdog::engine::sample::{Effort, SessionState, Word};
use wa_watchdog::engine::{Event, Input, Moment, Output, Sample, TargetId, Wall, Watchdog};

use super::Totals;
use super::chance::Chance;
use super::oracle::{self, Attempt, Facts, RULES, Scene};
use super::tape::Tape;
use super::world::{Fault, Service};

/// The wall clock at the true zero.
const EPOCH: i64 = 1_770_000_000_000;

/// What is broken, and where.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) what: String,
    pub(crate) tape: String,
}

pub(crate) struct Play {
    pub(super) chance: Chance,
    pub(super) policy: Policy,
    pub(super) dog: Watchdog,
    pub(super) now: Duration,
    pub(super) life: Duration,
    pub(super) jump: i64,
    pub(super) is_jumpy: bool,
    pub(super) services: BTreeMap<TargetId, Service>,
    pub(super) ledger: Vec<LedgerEntry>,
    pub(super) fails_until: Duration,
    pub(super) path_down_until: Duration,
    pub(super) inbox: VecDeque<Input>,
    pub(super) hooks: Vec<Hook>,
    pub(super) done_keys: BTreeSet<String>,
    pub(super) attempts: BTreeMap<AttemptId, Attempt>,
    pub(super) facts: Facts,
    pub(super) commands: u64,
    pub(super) asked: BTreeMap<CommandId, OperatorCommand>,
    pub(super) forced: BTreeMap<TargetId, bool>,
    pub(super) crash_now: bool,
    pub(super) broken: Option<(&'static str, String)>,
    pub(crate) totals: Totals,
    pub(super) tape: Tape,
    pub(super) is_loud: bool,
}

/// A hook under way.
pub(super) struct Hook {
    ends: Duration,
    order: StepOrder,
    answers: Vec<StepOutcome>,
    takes_effect: bool,
    /// The watchdog that ordered it is gone.
    is_orphan: bool,
}

impl Play {
    pub(crate) fn new(seed: u64, is_loud: bool) -> Self {
        let mut chance = Chance::new(seed);
        let policy = super::setup::policy(&mut chance);
        let services = policy.targets.iter().map(|(id, watch)| {
            let loses_session = !watch.restart_keeps_session;
            (id.clone(), Service { loses_session, ..Service::new() })
        });
        let services: BTreeMap<_, _> = services.collect();
        let start = Moment { uptime: Duration::from_secs(100), wall: Wall::from_millis(EPOCH) };
        Self {
            dog: Watchdog::restore(policy.clone(), &[], start),
            tape: Tape::new(policy.targets.keys()),
            is_jumpy: seed.is_multiple_of(3),
            chance,
            policy,
            now: Duration::ZERO,
            life: Duration::ZERO,
            jump: 0,
            services,
            ledger: Vec::new(),
            fails_until: Duration::ZERO,
            path_down_until: Duration::ZERO,
            inbox: VecDeque::new(),
            hooks: Vec::new(),
            done_keys: BTreeSet::new(),
            attempts: BTreeMap::new(),
            facts: Facts::default(),
            commands: 0,
            asked: BTreeMap::new(),
            forced: BTreeMap::new(),
            crash_now: false,
            broken: None,
            totals: Totals::default(),
            is_loud,
        }
    }

    /// Plays for so long; returns what was broken.
    pub(crate) fn run(&mut self, lasts: Duration) -> Result<(), Broken> {
        let mut event = self.chance.secs(30, 600);
        let mut memory = Duration::ZERO;
        while self.now < lasts && self.broken.is_none() {
            let deadline =
                self.dog.next_deadline().map(|due| self.life + due.uptime.saturating_sub(Duration::from_secs(100)));
            let hook = self.hooks.iter().map(|hook| hook.ends).min();
            let next = [deadline, hook, Some(event), Some(memory)].into_iter().flatten().min().unwrap_or(event);
            self.now = next.max(self.now);
            for service in self.services.values_mut() {
                service.live(self.now);
            }
            self.end_hooks();
            if event <= self.now {
                self.something_happens();
                event = self.now + self.chance.secs(30, 1500);
            }
            if memory <= self.now {
                memory = self.now + Duration::from_mins(1);
                self.read_memory();
                self.look_at_path();
            }
            if deadline.is_some_and(|due| due <= self.now) {
                self.deadline_passes();
            }
            self.settle();
        }
        self.totals.seconds += self.now.as_secs();
        self.finish()
    }

    fn finish(&mut self) -> Result<(), Broken> {
        if self.broken.is_none() {
            if let Some(what) = oracle::invariant_every_attempt_ends(&self.attempts, self.now) {
                self.breaks("invariant_every_attempt_ends", what);
            }
            // What waits in a queue of the driver is answered before it ends.
            let lost = self.asked.keys().next().copied().filter(|_| self.now > self.fails_until);
            if let Some(id) = lost {
                self.breaks("invariant_every_command_is_answered", format!("{id:?} was not"));
            }
        }
        match self.broken.take() {
            None => Ok(()),
            Some((rule, what)) => Err(Broken { rule, what, tape: self.tape.text() }),
        }
    }

    pub(super) fn moment(&self) -> Moment {
        let millis = i64::try_from(self.now.as_millis()).unwrap();
        let uptime = self.now - self.life + Duration::from_secs(100);
        Moment { uptime, wall: Wall::from_millis(EPOCH + millis + self.jump) }
    }

    pub(super) fn say(&self, what: &str) {
        if self.is_loud {
            eprintln!("{:>9.1} {what}", self.now.as_secs_f64());
        }
    }

    pub(super) fn breaks(&mut self, rule: &'static str, what: String) {
        self.say(&format!("BROKEN {rule}: {what}"));
        if self.broken.is_none() {
            self.broken = Some((rule, what));
        }
    }

    fn deadline_passes(&mut self) {
        let (now, life) = (self.moment(), self.life);
        self.dog.handle(now, Input::DeadlinePassed);
        self.settle();
        let later = self.dog.next_deadline().is_none_or(|due| self.moment().uptime < due.uptime);
        // One that crashed meanwhile begins anew.
        if !later && self.life == life {
            self.breaks("invariant_a_deadline_is_met_once", String::from("the next deadline is not later"));
        }
    }

    /// Takes orders and hands in answers until nothing is left.
    pub(super) fn settle(&mut self) {
        loop {
            while let Some(output) = self.dog.poll_output() {
                self.carry_out(output);
                if self.crash_now || self.broken.is_some() {
                    break;
                }
            }
            if self.broken.is_some() {
                return;
            }
            if std::mem::take(&mut self.crash_now) {
                self.crash();
                continue;
            }
            let Some(input) = self.inbox.pop_front() else { return };
            if let Input::PathSeen(_, down) = &input {
                self.facts.path_down = down.is_some();
            }
            let watched = if let Input::Observed(id, sample) = &input {
                self.tells(id, sample);
                Some(id.clone())
            } else {
                None
            };
            let now = self.moment();
            self.dog.handle(now, input);
            if let Some(id) = watched {
                self.look_at(&id);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Poll(id, ask) => {
                let wall = self.moment().wall;
                let Some(service) = self.services.get(&id) else { return };
                let sample = service.answers(ask, self.now, wall, &mut self.chance);
                self.observed(id, sample);
            }
            Output::Record(seq, entry) => self.record(seq, entry),
            Output::Run(order) => self.order(order),
            Output::Answer(id, _) => {
                if self.asked.remove(&id).is_none() {
                    self.breaks("invariant_every_command_is_answered", format!("{id:?} was answered twice"));
                }
            }
            Output::Announce(event) => self.hear(&event),
        }
    }

    pub(super) fn observed(&mut self, id: TargetId, sample: Sample) {
        self.tape.write(&id, self.moment().wall, &sample);
        self.inbox.push_back(Input::Observed(id, sample));
    }

    /// Notes what the watchdog is told, at the moment at which it is.
    fn tells(&mut self, id: &TargetId, sample: &Sample) {
        if let Some(answer) = sample.answer() {
            let is_live =
                self.services.get(id).is_some_and(|service| service.fault == Fault::WantsScan { dead: false });
            if answer.state == SessionState::NeedsScan && is_live {
                self.facts.live_code.insert(id.clone(), self.now);
            } else {
                self.facts.live_code.remove(id);
            }
            if answer.state == SessionState::Connected {
                self.facts.connected.insert(id.clone(), self.now);
            }
            self.facts.stopped.insert(id.clone(), answer.effort == Effort::Stopped);
        }
    }

    /// Notes what the watchdog suspects, as its view tells.
    fn look_at(&mut self, id: &TargetId) {
        let snapshot = self.dog.snapshot(self.moment());
        let Some(view) = snapshot.target(id.as_str()) else { return };
        let is_bad = view.verdict.as_str() != "healthy";
        if is_bad {
            // An incident whose end was not durable before a crash is open again: what it is about turned bad when it opened.
            let opened = view.open.iter().filter(|incident| incident.pattern.lane() == Lane::Session);
            let opened = opened.map(|incident| incident.opened.millis()).min().filter(|_| !self.is_jumpy);
            let true_time = |millis: i64| Duration::from_millis(u64::try_from(millis - EPOCH - self.jump).unwrap_or(0));
            let since = opened.map_or(self.now, true_time);
            self.facts.bad.entry(id.clone()).or_insert(since);
        } else {
            self.facts.bad.remove(id);
        }
        self.facts.well.insert(id.clone(), !is_bad && view.state == Some(SessionState::Connected));
        if let Some(what) = oracle::invariant_views_are_bounded(&snapshot) {
            self.breaks("invariant_views_are_bounded", what);
        }
    }

    fn record(&mut self, seq: wa_watchdog::engine::ledger::Seq, entry: LedgerEntry) {
        let is_of_attempt = oracle::is_of_attempt(&entry.fact);
        if is_of_attempt && !self.is_jumpy && self.chance.below(1000) < 6 {
            self.crash_now = true;
            return;
        }
        if self.now < self.fails_until {
            self.totals.ledger_failures += 1;
            self.inbox.push_back(Input::RecordFailed(seq));
            return;
        }
        self.note(&entry);
        self.ledger.push(entry);
        if is_of_attempt && !self.is_jumpy && self.chance.below(1000) < 6 {
            self.crash_now = true;
            return;
        }
        self.inbox.push_back(Input::Recorded(seq));
    }

    /// Notes what became durable.
    fn note(&mut self, entry: &LedgerEntry) {
        let at = Duration::from_millis(u64::try_from((entry.at.millis() - EPOCH - self.jump).max(0)).unwrap());
        match &entry.fact {
            Fact::Intended { attempt, incident, pattern, remedy, destroys, .. } => {
                self.say(&format!("{} {remedy} {attempt} intended for {pattern:?}", entry.target));
                let watch = self.policy.targets.get(&entry.target).cloned().unwrap_or_default();
                let ordered = pattern.is_none().then(|| self.forced.get(&entry.target).copied().unwrap_or(false));
                let fresh = Attempt {
                    target: entry.target.clone(),
                    remedy: *remedy,
                    destroys: *destroys,
                    incident: incident.map(|id| id.0),
                    pattern: *pattern,
                    ordered,
                    intended: self.now,
                    path_was_down: self.facts.path_down,
                    begun: None,
                    ended: None,
                    outcome: None,
                    started: Vec::new(),
                    destroyed: BTreeMap::new(),
                    cleared: false,
                    last: None,
                    watch,
                };
                if let Some(what) =
                    oracle::invariant_nothing_is_planned_while_paused(&fresh, &self.facts, self.is_jumpy)
                {
                    self.breaks("invariant_nothing_is_planned_while_paused", what);
                }
                self.attempts.insert(*attempt, fresh);
            }
            Fact::StepStarted { attempt, step, act, .. } => {
                if let Some(known) = self.attempts.get_mut(attempt) {
                    known.started.push((step.to_string(), *act));
                }
            }
            Fact::StepEnded { attempt, act, end, .. } => {
                self.say(&format!("{} < {attempt} {} {}", entry.target, act.as_str(), end.outcome.as_str()));
                if let Some(known) = self.attempts.get_mut(attempt) {
                    known.cleared = *act == Act::Check && end.outcome == StepOutcome::Unmet;
                }
            }
            Fact::RunEnded { attempt, end, spent, .. } => self.run_ended(*attempt, at, *end, *spent),
            Fact::Verified { attempt, outcome, .. } => {
                if let Some(known) = self.attempts.get_mut(attempt) {
                    known.outcome = Some(*outcome);
                }
            }
            Fact::Proposed { attempt, .. } => {
                self.facts.proposed.insert(*attempt, self.now);
            }
            Fact::ForeignRestart => {
                self.facts.foreign.insert(entry.target.clone(), self.now);
            }
            Fact::Commanded { command } => self.commanded(&entry.target, command),
            _ => {}
        }
    }

    fn commanded(&mut self, target: &TargetId, command: &OperatorCommand) {
        let target = (*target != TargetId::all()).then(|| target.clone());
        match &command.what {
            // It counts from the moment at which it is ordered.
            Wish::Pause { .. } => {}
            Wish::Resume => drop(self.facts.paused.remove(&target)),
            Wish::Ack => {
                if let Some(target) = target {
                    self.facts.acked.insert(target, self.now);
                }
            }
            Wish::Approve { attempt } => {
                self.facts.released.insert(*attempt, self.now);
            }
            Wish::Restore { force, .. } | Wish::Remedy { force, .. } => {
                if let Some(target) = target {
                    self.forced.insert(target, *force);
                }
            }
        }
    }

    fn run_ended(&mut self, id: AttemptId, at: Duration, end: wa_watchdog::engine::attempt::RunEnd, spent: bool) {
        let Some(known) = self.attempts.get_mut(&id).filter(|known| known.ended.is_none()) else { return };
        known.ended = Some((at, end, spent));
        self.totals.ended(known.remedy, known.destroys && spent);
        let known = known.clone();
        let is_running = self.services.get(&known.target).is_none_or(|service| service.running);
        self.say(&format!("{} {} {id} {}", known.target, known.remedy, end.as_str()));
        let is_known = self.policy.targets.contains_key(&known.target);
        if spent
            && is_known
            && let Some(what) = oracle::invariant_the_service_is_left_running(&known, is_running)
        {
            self.breaks("invariant_the_service_is_left_running", what);
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Refused(refusal) => self.totals.refused(refusal.reason),
            Event::Scan(..) => self.totals.scans += 1,
            Event::Storm { on: true, .. } => self.totals.storms += 1,
            Event::Verified(view) => {
                if let Some(known) = self.attempts.get_mut(&view.id) {
                    known.outcome = view.outcome;
                    self.totals.helped += u64::from(view.outcome.is_some_and(|outcome| outcome.as_str() == "helped"));
                }
            }
            Event::RunEnded(view) => {
                if let Some((_, end)) = view.ended {
                    let touched = view.steps.iter().any(|step| matches!(step.act, Act::Do | Act::Undo));
                    let spent = touched && end != wa_watchdog::engine::attempt::RunEnd::Unmet;
                    self.run_ended(view.id, self.now, end, spent);
                }
            }
            _ => {}
        }
    }

    /// A hook is called: every rule is asked first.
    fn order(&mut self, order: StepOrder) {
        self.say(&format!(
            "{} > {} {} {} {}",
            order.target,
            order.remedy,
            order.attempt,
            order.act.as_str(),
            order.step
        ));
        let snapshot = self.dog.snapshot(self.moment());
        self.facts.ledger_fails = self.now <= self.fails_until;
        let Some(this) = self.attempts.get(&order.attempt) else {
            self.breaks(
                "invariant_nothing_runs_without_a_durable_intent",
                format!("{} is not in the ledger", order.attempt),
            );
            return;
        };
        let hour = {
            let zone = this.watch.limits.quiet_hours.zone.clone();
            u8::try_from(self.moment().wall.timestamp().to_zoned(zone).hour()).unwrap()
        };
        let scene = Scene {
            now: self.now,
            order: &order,
            this,
            id: order.attempt,
            all: &self.attempts,
            policy: &self.policy,
            snapshot: &snapshot,
            facts: &self.facts,
            hour,
            is_jumpy: self.is_jumpy,
        };
        let found = RULES.iter().find_map(|(name, rule)| rule(&scene).map(|what| (*name, what)));
        if let Some((rule, what)) = found {
            self.breaks(rule, format!("{} {} of {}: {what}", order.remedy, order.attempt, order.target));
            return;
        }
        self.act(order);
    }

    fn act(&mut self, order: StepOrder) {
        let destroys = self
            .attempts
            .get(&order.attempt)
            .and_then(|known| known.watch.plans.get(&order.remedy)?.steps.get(order.index))
            .is_some_and(|step| step.destroys);
        if let Some(known) = self.attempts.get_mut(&order.attempt) {
            known.begun.get_or_insert(self.now);
            if matches!(order.act, Act::Do | Act::Undo) {
                known.last = Some((order.step.to_string(), order.act));
            }
            if destroys && order.act == Act::Do {
                let count = known.destroyed.entry(order.step.to_string()).or_default();
                *count += 1;
                known.cleared = false;
            }
        }
        let is_done = self.done_keys.contains(&order.key());
        let luck = self.chance.below(100);
        let (answers, takes_effect) = match (order.act, luck) {
            (Act::Look, _) => (vec![StepOutcome::Done], false),
            (Act::Check, 0..90) if is_done => (vec![StepOutcome::Done], false),
            (Act::Check, 0..90) => (vec![StepOutcome::Unmet], false),
            (Act::Check, _) => (vec![StepOutcome::Unknown], false),
            (_, 0..74) => (vec![StepOutcome::Done], true),
            (_, 74..80) => (vec![StepOutcome::Done, StepOutcome::Done], true),
            (_, 80..83) => (vec![StepOutcome::Done], false),
            (_, 83..90) => (vec![StepOutcome::Failed], self.chance.percent(50)),
            (_, 90..94) => (vec![StepOutcome::Unmet], false),
            (_, 94..97) => (vec![StepOutcome::Unknown], self.chance.percent(50)),
            (_, _) => (vec![], self.chance.percent(50)),
        };
        let orphan = self.hooks.iter().filter(|hook| hook.order.attempt == order.attempt).map(|hook| hook.ends).max();
        let ends = orphan.unwrap_or_default().max(self.now + self.chance.secs(0, 40));
        self.hooks.push(Hook { ends, order, answers, takes_effect, is_orphan: false });
    }

    fn end_hooks(&mut self) {
        let now = self.now;
        let (ended, going): (Vec<Hook>, Vec<Hook>) =
            std::mem::take(&mut self.hooks).into_iter().partition(|hook| hook.ends <= now);
        self.hooks = going;
        for hook in ended {
            let key = hook.order.key();
            if hook.takes_effect && self.done_keys.insert(key) {
                self.take_effect(&hook.order);
            }
            if hook.is_orphan {
                continue;
            }
            for outcome in hook.answers {
                let started = self.services.get(&hook.order.target).map(|service| service.started.as_millis());
                let world = (hook.order.act == Act::Look).then(|| Word::new(&format!("{started:?}")));
                let end = StepEnd { outcome, note: None, world };
                self.inbox.push_back(Input::StepEnded(hook.order.attempt, hook.order.number, end));
            }
        }
        self.settle();
    }

    fn take_effect(&mut self, order: &StepOrder) {
        let Some(service) = self.services.get_mut(&order.target) else { return };
        match (&*order.step.0, order.act) {
            ("stop", Act::Do) => service.running = false,
            ("stop", _) => service.running = true,
            ("wipe", _) => {
                service.wiped(self.now, &mut self.chance);
                service.started = self.now;
            }
            ("start", _) => {
                service.running = true;
                service.started = self.now;
            }
            (_, _) => service.remedied(self.now, order.remedy, &mut self.chance),
        }
    }

    /// The watchdog ends in the middle, and starts again from what is durable.
    fn crash(&mut self) {
        self.totals.crashes += 1;
        self.say("crash");
        self.inbox.clear();
        self.asked.clear();
        for hook in &mut self.hooks {
            hook.is_orphan = true;
        }
        self.now += if self.chance.percent(10) { self.chance.secs(1800, 5000) } else { self.chance.secs(1, 200) };
        // A pause that was not durable is forgotten, as it said.
        self.facts.paused = self.durable_pauses();
        // What a gateway said of a session is not kept: it must say it again.
        self.facts.stopped.clear();
        self.facts.path_down = false;
        self.end_hooks_unheard();
        self.life = self.now;
        self.dog = Watchdog::restore(self.policy.clone(), &self.ledger, self.moment());
    }

    fn end_hooks_unheard(&mut self) {
        let now = self.now;
        let (ended, going): (Vec<Hook>, Vec<Hook>) =
            std::mem::take(&mut self.hooks).into_iter().partition(|hook| hook.ends <= now);
        self.hooks = going;
        for hook in ended {
            if hook.takes_effect && self.done_keys.insert(hook.order.key()) {
                self.take_effect(&hook.order);
            }
        }
    }

    fn durable_pauses(&self) -> BTreeMap<Option<TargetId>, Option<Duration>> {
        let mut paused = BTreeMap::new();
        for entry in &self.ledger {
            let Fact::Commanded { command } = &entry.fact else { continue };
            let target = (entry.target != TargetId::all()).then(|| entry.target.clone());
            match &command.what {
                Wish::Pause { until } => {
                    let at = until.map(|until| u64::try_from((until.millis() - EPOCH - self.jump).max(0)).unwrap());
                    paused.insert(target, at.map(Duration::from_millis));
                }
                Wish::Resume => drop(paused.remove(&target)),
                Wish::Approve { .. } | Wish::Ack | Wish::Restore { .. } | Wish::Remedy { .. } => {}
            }
        }
        paused
    }
}
