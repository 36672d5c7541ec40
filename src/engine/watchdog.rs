//! The state machine: which input changes what, and what is ordered then.

mod announce;
mod attend;
mod carry;
mod order;
mod pushed;
mod restore;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{AttemptId, AttemptView, StepEnd, StepOrder};
use super::care::{Care, Pause};
use super::command::{CommandAnswer, CommandId, OperatorCommand};
use super::fleet::{Fleet, Health};
use super::incident::{Incident, IncidentId};
use super::ledger::{Fact, LedgerEntry, ScanNews, Seq};
use super::moment::Stamp;
use super::moment::{Moment, Wall};
use super::path::{PathName, Paths};
use super::policy::Policy;
use super::roster::Roster;
use super::run::Run;
use super::sample::{Sample, SessionState, Word};
use super::schedule::Schedule;
use super::snapshot::{HandOffView, Proposal, RefusalView, Snapshot};
use super::subject::{Memory, Subject};
use super::target::TargetId;
use super::verdict::Verdict;

/// Most closed incidents that are kept to be shown; the ledger holds them all.
pub const INCIDENTS_SHOWN_MAX: usize = 200;
/// Most ledger entries whose answer is awaited; beyond it an entry that fails is announced without its text.
const PENDING_MAX: usize = 4096;
/// Most entries of incidents that wait to be written again.
const UNRECORDED_MAX: usize = 1024;
/// How long an entry of an incident that could not be written waits for the next try.
const RECORD_AGAIN_EVERY: Duration = Duration::from_secs(10);
/// Most targets that are watched no more of which it is kept what was done for them; the ledger holds it all.
const FORMER_MAX: usize = 1024;
/// The clocks may drift apart this much between two inputs; beyond it the machine was suspended or a clock was set.
const DRIFT_MAX: Duration = Duration::from_mins(1);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A source saw something.
    Observed(TargetId, Sample),
    /// A ledger entry is durable.
    Recorded(Seq),
    /// A ledger entry could not be written.
    RecordFailed(Seq),
    /// A hook has answered the order of an attempt that has this number.
    StepEnded(AttemptId, u32, StepEnd),
    /// A network path was looked at; says why it is down, or none where it is up.
    PathSeen(PathName, Option<Word>),
    /// A person ordered something.
    Commanded(CommandId, OperatorCommand),
    /// The configuration was read anew.
    PolicyChanged(Policy),
    /// The deadline came and nothing else happened.
    DeadlinePassed,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask a gateway something, and hand in what comes of it.
    Poll(TargetId, Ask),
    /// Write this down, and say whether it is durable.
    Record(Seq, LedgerEntry),
    /// Carry out one act of one step, and hand in what comes of it.
    Run(StepOrder),
    /// Answer a command.
    Answer(CommandId, CommandAnswer),
    /// Tell the world.
    Announce(Event),
}

/// Which of a gateway's endpoints to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// The status endpoint.
    Status,
    /// The deep probe.
    Deep,
    /// The QR endpoint.
    Qr,
}

/// A fact worth a log line.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session's state changed.
    StateChanged {
        /// Whose.
        target: TargetId,
        /// The state before.
        from: Option<SessionState>,
        /// The state from here on.
        to: SessionState,
        /// The gateway's own word.
        word: Option<Word>,
    },
    /// What is believed of a lane changed, without an incident opening or closing.
    VerdictChanged {
        /// Whose.
        target: TargetId,
        /// What is believed from here on.
        verdict: Verdict,
    },
    /// An incident opened.
    Opened(Arc<Incident>),
    /// An open incident turned out to be something else.
    PatternChanged(Arc<Incident>),
    /// An incident closed.
    Closed(Arc<Incident>),
    /// The watchdog was suspended or a clock jumped; every window of evidence started anew.
    Suspended,
    /// A ledger entry could not be written.
    RecordFailed(LedgerEntry),
    /// An attempt is planned: it begins once that is durable.
    Planned(Arc<AttemptView>),
    /// A person must release an attempt.
    ApprovalWanted(Arc<Proposal>),
    /// The run of an attempt begins.
    Started(Arc<AttemptView>),
    /// One act of a step of an attempt ended.
    Stepped(Arc<AttemptView>),
    /// The run of an attempt ended; whether it helped is not known yet.
    RunEnded(Arc<AttemptView>),
    /// It is known what came of an attempt.
    Verified(Arc<AttemptView>),
    /// A remedy that is due is not carried out; told once for each reason of an incident.
    Refused(Arc<RefusalView>),
    /// A person is asked to scan, or is not asked any more.
    Scan(Arc<HandOffView>, ScanNews),
    /// Nothing more can be done without a person; told once an incident.
    NeedsPerson {
        /// Whose.
        target: TargetId,
        /// The incident.
        incident: Arc<Incident>,
        /// Why, in words.
        why: String,
    },
    /// The service was restarted by somebody else.
    ForeignRestart {
        /// Whose.
        target: TargetId,
    },
    /// The service may use less memory than it needs; told once for each limit, in bytes.
    SmallLimit {
        /// Whose.
        target: TargetId,
        /// What it may use.
        limit: u64,
        /// What it needs at least.
        minimum: u64,
    },
    /// Many targets turned bad together, or no longer.
    Storm {
        /// Whether it began.
        on: bool,
        /// How many turned bad.
        bad: u32,
        /// How many were well.
        well: u32,
    },
    /// A network path that sessions need is down, or up again.
    Path {
        /// Which.
        path: PathName,
        /// Why it is down; none where it is up.
        down: Option<Word>,
    },
    /// A person ordered something, and it counts.
    Commanded(OperatorCommand),
}

/// The state machine. Its contract stands in the documentation of [the module](crate::engine).
#[derive(Debug)]
pub struct Watchdog {
    policy: Policy,
    subjects: Roster,
    schedule: Schedule,
    fleet: Fleet,
    paths: Paths,
    outputs: VecDeque<Output>,
    recent: VecDeque<Arc<Incident>>,
    pending: BTreeMap<Seq, LedgerEntry>,
    /// Entries of incidents that could not be written yet.
    unrecorded: VecDeque<LedgerEntry>,
    record_again_at: Option<Moment>,
    seq: Seq,
    ids: IncidentId,
    started: Wall,
    last: Moment,
    /// How often every window of evidence started anew because of a clock; a subject that lags behind starts anew when it is next heard of.
    epoch: u64,
    dropped: BTreeMap<&'static str, u64>,
    ledger_errors: u64,
    ledger_fails: bool,
    /// Attempts under way, one a target at most.
    runs: BTreeMap<TargetId, Run>,
    /// What waits for an entry to be durable.
    awaiting: BTreeMap<Seq, Await>,
    /// When to look after which target although nothing is heard of it.
    agenda: BTreeSet<(Duration, TargetId)>,
    /// The highest number of an attempt.
    attempts: AttemptId,
    /// The pause of all targets.
    pause: Option<Pause>,
    /// When an entry that something waited for last could not be written.
    ledger_failed: Option<Stamp>,
    /// When something was last done in a host group.
    touched: BTreeMap<Arc<str>, Stamp>,
    /// Targets that wait for a person after a reset, and their host groups.
    handing_off: BTreeMap<TargetId, Arc<str>>,
    /// What was done for targets that are watched no more: one that comes back has not got its budgets anew.
    former: BTreeMap<TargetId, Care>,
}

/// What waits for an entry to be durable.
#[derive(Debug)]
enum Await {
    /// The beginning of an attempt.
    Intent(TargetId),
    /// An act of a step.
    Start(TargetId, Box<StepOrder>),
    /// The act after the one that ended.
    End(TargetId),
    /// A person's order.
    Command(CommandId, Box<OperatorCommand>),
}

impl Watchdog {
    /// Starts with a policy and what the ledger holds, oldest entry first.
    ///
    /// Incidents that are open stay open, and are closed only by what is seen from here on. Those of targets that are watched no
    /// more are closed.
    #[must_use]
    pub fn restore(policy: Policy, ledger: &[LedgerEntry], now: Moment) -> Self {
        let remembered = restore::fold(ledger, now);
        let mut watchdog = Self {
            policy: Policy::default(),
            subjects: Roster::default(),
            schedule: Schedule::default(),
            fleet: Fleet::default(),
            paths: Paths::default(),
            outputs: VecDeque::new(),
            recent: remembered.closed,
            pending: BTreeMap::new(),
            unrecorded: VecDeque::new(),
            record_again_at: None,
            seq: Seq::default(),
            ids: remembered.ids,
            started: now.wall,
            last: now,
            epoch: 0,
            dropped: ["unknown_target", "late_answer"].map(|why| (why, 0)).into(),
            ledger_errors: 0,
            ledger_fails: false,
            runs: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            agenda: BTreeSet::new(),
            attempts: remembered.attempts,
            pause: remembered.pause,
            ledger_failed: None,
            touched: BTreeMap::new(),
            handing_off: BTreeMap::new(),
            former: BTreeMap::new(),
        };
        watchdog.adopt(now, policy, remembered.targets);
        for unfinished in remembered.unfinished {
            watchdog.take_up(now, unfinished);
        }
        watchdog
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Moment, input: Input) {
        let now = self.keep_time(now);
        match input {
            Input::Observed(id, sample) => self.observe(now, &id, &sample),
            Input::Recorded(seq) => {
                self.ledger_fails = false;
                self.pending.remove(&seq);
                if let Some(awaited) = self.awaiting.remove(&seq) {
                    self.recorded(now, awaited);
                }
            }
            Input::RecordFailed(seq) => self.record_failed(now, seq),
            Input::StepEnded(attempt, number, end) => self.step_ended(now, attempt, number, end),
            Input::PathSeen(path, down) => self.path_seen(now, path, down),
            Input::Commanded(id, order) => self.command(now, id, order),
            Input::PolicyChanged(policy) => self.adopt(now, policy, BTreeMap::new()),
            Input::DeadlinePassed => {
                self.record_again(now);
                self.ask_all_due(now);
                self.attend_all_due(now);
            }
        }
        self.follow_storm(now);
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when to hand in `DeadlinePassed` at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let again = self.record_again_at.map(|at| at.uptime);
        let alarm = self.agenda.first().map(|(due, _)| *due);
        let storm = self.fleet.next(self.last, &self.policy);
        let due = self.schedule.next().into_iter().chain(again).chain(alarm).chain(storm).min()?;
        Some(self.last.after(due.saturating_sub(self.last.uptime)))
    }

    /// Shows what is believed. Costs what changed since the last one, plus one pointer a target.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let targets: Vec<_> = self.subjects.values().map(Subject::view).collect();
        let mut incidents: Vec<Arc<Incident>> = targets.iter().flat_map(|view| view.open.iter().cloned()).collect();
        incidents.extend(self.recent.iter().cloned());
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.id));
        let pause = self.pause.as_ref().filter(|pause| pause.counts(now));
        Snapshot {
            at: now.wall,
            started: self.started,
            fleet: self.fleet.view(targets.len(), pause.is_some()),
            paths: self.paths.views(now),
            targets,
            pause: pause.map(|pause| pause.view(true)),
            incidents,
            dropped: self.dropped.clone(),
            ledger_errors: self.ledger_errors,
            ledger_fails: self.ledger_fails,
            suspensions: self.epoch,
        }
    }

    /// Returns the policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns how many inputs were dropped because nobody watches their target.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Keeps uptime from going back, and notices when the two clocks drift apart.
    fn keep_time(&mut self, now: Moment) -> Moment {
        let now = Moment { uptime: now.uptime.max(self.last.uptime), wall: now.wall };
        let by_uptime = self.last.wall.after(now.since(self.last));
        if DRIFT_MAX < now.wall.since(by_uptime).max(by_uptime.since(now.wall)) {
            self.epoch = self.epoch.saturating_add(1);
            self.outputs.push_back(Output::Announce(Event::Suspended));
        }
        self.last = now;
        now
    }

    fn observe(&mut self, now: Moment, id: &TargetId, sample: &Sample) {
        let Some(subject) = self.subjects.get_mut(id) else {
            self.drop_input("unknown_target");
            return;
        };
        for news in subject.observe(now, self.epoch, sample, &mut self.ids) {
            self.tell(now, id, news);
        }
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let health = subject.health_now(now);
        if subject.health != health {
            let before = std::mem::replace(&mut subject.health, health);
            self.fleet.turned(id, before, health);
        }
        if subject.needs_care() {
            // What is done now must know what all the others show.
            self.follow_storm(now);
            self.attend(now, id);
        }
    }

    fn retire(&mut self, id: TargetId, care: Care) {
        // Sessions come and go by the hundred; room is for those for which something was done.
        if care.has_past() && self.former.len() < FORMER_MAX {
            self.former.insert(id, care.retired());
        }
    }

    fn drop_input(&mut self, why: &'static str) {
        let count = self.dropped.entry(why).or_default();
        *count = count.saturating_add(1);
    }

    /// Notices that many targets turned bad together, and that this is over.
    fn follow_storm(&mut self, now: Moment) {
        let Some(on) = self.fleet.follow_storm(now, &self.policy) else { return };
        let (bad, well) = self.fleet.weather();
        self.record(LedgerEntry { at: now.wall, target: TargetId::all(), fact: Fact::Storm { on, bad, well } });
        self.outputs.push_back(Output::Announce(Event::Storm { on, bad, well }));
    }

    fn record(&mut self, entry: LedgerEntry) -> Seq {
        self.seq.0 = self.seq.0.saturating_add(1);
        if self.pending.len() < PENDING_MAX {
            self.pending.insert(self.seq, entry.clone());
        }
        self.outputs.push_back(Output::Record(self.seq, entry));
        self.seq
    }

    fn record_failed(&mut self, now: Moment, seq: Seq) {
        self.ledger_errors = self.ledger_errors.saturating_add(1);
        self.ledger_fails = true;
        if let Some(entry) = self.pending.remove(&seq) {
            if entry.fact.must_not_be_lost() && self.unrecorded.len() < UNRECORDED_MAX {
                self.unrecorded.push_back(entry.clone());
                self.record_again_at.get_or_insert(now.after(RECORD_AGAIN_EVERY));
            }
            self.outputs.push_back(Output::Announce(Event::RecordFailed(entry)));
        }
        if let Some(awaited) = self.awaiting.remove(&seq) {
            self.unrecorded(now, awaited);
        }
    }

    fn record_again(&mut self, now: Moment) {
        if self.record_again_at.is_some_and(|at| at.uptime <= now.uptime) {
            self.record_again_at = None;
            for entry in std::mem::take(&mut self.unrecorded) {
                self.record(entry);
            }
        }
    }

    fn ask_all_due(&mut self, now: Moment) {
        while let Some(id) = self.schedule.pop(now) {
            let Some(subject) = self.subjects.get_mut(&id) else { continue };
            let every = subject.watch.limits.poll_every;
            if !subject.slot.is_held(now) {
                self.outputs.push_back(Output::Poll(id.clone(), Ask::Status));
                // Counted from the moment that was due: the one at which the driver woke jitters.
                let due = subject.slot.due.unwrap_or(now);
                if subject.wants_deep(due) {
                    subject.slot.deep_asked = Some(due);
                    self.outputs.push_back(Output::Poll(id.clone(), Ask::Deep));
                }
                if subject.wants_qr(due) {
                    subject.slot.qr_asked = Some(due);
                    self.outputs.push_back(Output::Poll(id.clone(), Ask::Qr));
                }
            }
            subject.slot.advance(now, every);
            self.schedule.add(&id, &subject.slot);
        }
    }

    /// Takes on a policy: new targets are watched, old ones keep what was seen of them, gone ones are closed.
    fn adopt(&mut self, now: Moment, policy: Policy, mut remembered: BTreeMap<TargetId, Memory>) {
        let mut subjects = std::mem::take(&mut self.subjects).into_map();
        let is_gone = |subject: &&Subject| {
            let watch = policy.targets.get(subject.id());
            watch.is_none_or(|watch| watch.whose != subject.watch.whose)
        };
        let gone: Vec<TargetId> = subjects.values().filter(is_gone).map(|subject| subject.id().clone()).collect();
        for id in gone {
            if let Some(mut subject) = subjects.remove(&id) {
                self.schedule.remove(&id, &subject.slot);
                self.fleet.turned(&id, subject.health, Health::Unknown);
                self.handing_off.remove(&id);
                self.fleet.tries(&id, false);
                if let Some(wake) = subject.care.wake {
                    self.agenda.remove(&(wake.uptime, id.clone()));
                }
                for news in subject.unwatch(now) {
                    self.tell(now, &id, news);
                }
                self.retire(id, *subject.care);
            }
        }
        // What was done for targets that are watched no more was done all the same.
        for past in remembered.values().flat_map(|memory| memory.care.history.past()).filter(|past| past.spent) {
            self.fleet.spend(past.ended, past.remedy, past.destroys);
        }
        for (id, watch) in &policy.targets {
            if let Some(subject) = subjects.get_mut(id) {
                let is_same_pace = subject.watch.limits.poll_every == watch.limits.poll_every
                    && subject.watch.has_status == watch.has_status;
                subject.rewatch(watch.clone());
                if is_same_pace {
                    continue;
                }
                self.schedule.remove(id, &subject.slot);
            } else {
                let care = self.former.remove(id).unwrap_or_default();
                let memory = remembered.remove(id).unwrap_or_else(|| Memory { care, ..Memory::default() });
                let mut subject = Subject::new(id.clone(), watch.clone(), memory, self.epoch, now);
                subject.care.take_up(now, &watch.limits);
                self.fleet.tries(id, subject.care.following.is_some());
                self.fleet.turned(id, Health::Unknown, subject.health);
                if let Some((incident, since)) = subject.open_session() {
                    self.fleet.opened(since, incident);
                }
                subjects.insert(id.clone(), subject);
            }
            if let Some(subject) = subjects.get_mut(id).filter(|_| watch.has_status) {
                subject.slot.begin(now, id, watch.limits.poll_every);
                self.schedule.add(id, &subject.slot);
            }
        }
        self.subjects = Roster::new(subjects);
        for (id, memory) in remembered {
            let mut subject = Subject::new(id.clone(), super::policy::Watch::default(), memory, self.epoch, now);
            for news in subject.unwatch(now) {
                self.tell(now, &id, news);
            }
            self.retire(id, *subject.care);
        }
        self.paths.keep(&policy.paths);
        self.policy = policy;
        let ids: BTreeSet<TargetId> = self.policy.targets.keys().chain(self.runs.keys()).cloned().collect();
        for id in ids {
            self.set_alarm(now, &id);
        }
    }
}
