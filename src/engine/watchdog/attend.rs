//! What is done about a target: hand-offs, attempts that are followed, and remedies that are due.

use std::sync::Arc;
use std::time::Duration;

use super::{Await, Event, Output, Watchdog};
use crate::engine::attempt::{AttemptId, Cause, Outcome};
use crate::engine::care::climb::{self, Climb, Due};
use crate::engine::care::guard::{self, Ordered, Question};
use crate::engine::care::hand_off::{self, HandOff};
use crate::engine::care::{Care, Folded, Proposed};
use crate::engine::incident::{Closing, Incident};
use crate::engine::ladder::Remedy;
use crate::engine::ledger::{Fact, LedgerEntry, ScanNews};
use crate::engine::moment::{Moment, Stamp};
use crate::engine::pattern::Lane;
use crate::engine::plan::Plan;
use crate::engine::policy::Mode;
use crate::engine::refusal::Refusal;
use crate::engine::run::Run;
use crate::engine::snapshot::{Proposal, RefusalView};
use crate::engine::target::TargetId;

/// After an entry could not be written nothing is begun for this long.
const LEDGER_REST: Duration = Duration::from_secs(30);
/// A start of the service this long after one of our own attempts in its host group is ours.
const OURS_FOR: Duration = Duration::from_mins(5);

/// What is asked of the guards.
pub(super) struct Wanted {
    pub(super) remedy: Remedy,
    pub(super) incident: Option<Arc<Incident>>,
    pub(super) ordered: Option<Ordered>,
}

impl Watchdog {
    /// Looks after a target: called when something was heard of it, and when its time has come.
    pub(super) fn attend(&mut self, now: Moment, id: &TargetId) {
        if self.runs.contains_key(id) {
            self.end_silent_order(now, id);
        } else if self.subjects.get_mut(id).is_some_and(|subject| subject.needs_care()) {
            self.hand_off(now, id);
            self.follow(now, id);
            self.let_proposal_end(now, id);
            for lane in [Lane::Session, Lane::Memory] {
                self.decide(now, id, lane);
            }
        }
        self.set_alarm(now, id);
    }

    /// Places the next look at a target.
    pub(super) fn set_alarm(&mut self, now: Moment, id: &TargetId) {
        let answer = self.runs.get(id).and_then(Run::answer_due);
        // One millisecond on, so that what is due then has come then.
        let moment = |stamp: Stamp| stamp.after(Duration::from_millis(1)).moment(now);
        let Some(subject) = self.subjects.get_mut(id) else {
            // An attempt goes on where its target is watched no more, and others wait for its end.
            self.agenda.extend(answer.map(|due| (moment(due).uptime, id.clone())));
            return;
        };
        let wake = answer.or_else(|| subject.care.next_wake(now)).map(moment);
        if let Some(old) = subject.set_wake(wake) {
            self.agenda.remove(&(old.uptime, id.clone()));
        }
        if let Some(wake) = wake {
            self.agenda.insert((wake.uptime, id.clone()));
        }
    }

    /// Looks after every target whose time has come.
    pub(super) fn attend_all_due(&mut self, now: Moment) {
        while let Some((_, id)) = self.agenda.first().filter(|(due, _)| *due <= now.uptime).cloned() {
            self.agenda.pop_first();
            if let Some(subject) = self.subjects.get_mut(&id) {
                subject.care.wake = None;
            }
            self.attend(now, &id);
        }
    }

    /// Notes that an incident closed: what was done for it is judged by that.
    pub(super) fn settle_incident(&mut self, now: Moment, incident: &Incident) {
        let id = &incident.target;
        let how = incident.closed.map(|closed| closed.how);
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let folded = subject.care.incident_closed(incident.id, incident.pattern.lane());
        let is_followed =
            subject.care.following.as_ref().is_some_and(|following| following.incident == Some(incident.id));
        self.record_folded(now, id, folded);
        if is_followed {
            match how {
                Some(Closing::Recovered) => {
                    self.verify(now, id, Outcome::Helped, Some("connected steadily since"));
                }
                Some(Closing::Stopped) => self.verify(now, id, Outcome::Aborted, Some("somebody stopped the session")),
                Some(Closing::Unwatched) | None => {
                    self.verify(now, id, Outcome::Aborted, Some("it is watched no more"));
                }
            }
        }
    }

    fn record_folded(&mut self, now: Moment, id: &TargetId, folded: Vec<Folded>) {
        for Folded { incident, remedy, reason, why, times } in folded {
            let fact = Fact::Refused { incident: Some(incident), remedy, reason, why, times };
            self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        }
    }

    /// Notes that the service started anew: by our own doing, or by somebody else's.
    pub(super) fn service_started(&mut self, now: Moment, id: &TargetId) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let group = &subject.watch.group;
        let is_ours = self.runs.values().any(|run| run.touched && run.group == *group)
            || self.touched.get(group).is_some_and(|at| at.age(now) < OURS_FOR);
        if is_ours {
            return;
        }
        subject.care.history.disturb(now.stamp());
        subject.care.foreign_restarts = subject.care.foreign_restarts.saturating_add(1);
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact: Fact::ForeignRestart });
        self.outputs.push_back(Output::Announce(Event::ForeignRestart { target: id.clone() }));
        // An attempt that has changed nothing yet is not made: somebody else is at work.
        if let Some(run) = self.runs.get_mut(id).filter(|run| !run.touched) {
            run.give_up(crate::engine::attempt::RunEnd::Aborted, "somebody else restarted the service");
        }
    }

    /// Writes down and announces what came of an attempt.
    pub(super) fn verify(&mut self, now: Moment, id: &TargetId, outcome: Outcome, note: Option<&str>) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let note = note.filter(|note| !note.is_empty());
        let Some(view) = subject.care.verified(outcome, note) else { return };
        subject.changed();
        self.fleet.tries(id, false);
        let fact = Fact::Verified { attempt: view.id, incident: view.cause.incident, outcome, note: view.note.clone() };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.outputs.push_back(Output::Announce(Event::Verified(view)));
    }

    fn hand_off(&mut self, now: Moment, id: &TargetId) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let limits = Arc::clone(&subject.watch.limits);
        let incident = subject.open(Lane::Session).map(|incident| incident.id);
        let shown = subject.timeline().scan.since().filter(|_| subject.timeline().scan.is_shown);
        let is_wanted = shown.is_some_and(|since| limits.hand_off.after <= now.since(since));
        let (news, is_over) = if let Some(mut hand_off) = subject.care.hand_off.take() {
            hand_off.incident = hand_off.incident.or(incident);
            let followed = hand_off.follow(now, subject.timeline(), &limits);
            subject.care.hand_off = Some(hand_off);
            followed
        } else if let Some(since) = shown.filter(|_| is_wanted) {
            let hand_off = HandOff::with_code(incident, since.stamp(), now.stamp(), &limits.hand_off);
            subject.care.hand_off = Some(hand_off);
            (Some(ScanNews::Wanted), false)
        } else {
            return;
        };
        let view = subject.care.hand_off.as_ref().and_then(|hand_off| hand_off.view(id, now));
        let holds = subject.care.hand_off.as_ref().is_some_and(HandOff::holds) && !is_over;
        if is_over {
            subject.care.hand_off = None;
        }
        if news == Some(ScanNews::Done) {
            // It was linked anew: what was proven against the old link proves nothing against this one.
            subject.linked_anew(now);
            if let Some(following) = &mut subject.care.following {
                following.extend(now, &limits);
            }
        }
        let group = Arc::clone(&subject.watch.group);
        let is_quiet = subject.is_quiet(now);
        subject.changed();
        if holds {
            self.handing_off.insert(id.clone(), group)
        } else {
            self.handing_off.remove(id)
        };
        let Some((news, view)) = news.zip(view) else { return };
        // At night a person is asked once, not again and again.
        if news == ScanNews::Reminder && is_quiet {
            return;
        }
        let fact = Fact::HandedOff { incident: view.incident, scan: news, deadline: view.deadline };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.outputs.push_back(Output::Announce(Event::Scan(view, news)));
    }

    fn follow(&mut self, now: Moment, id: &TargetId) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let limits = Arc::clone(&subject.watch.limits);
        let Some(mut following) = subject.care.following.take() else { return };
        let judged = following.judge(now, subject.timeline(), subject.care.hand_off.as_ref(), &limits);
        subject.care.following = Some(following);
        if let Some((outcome, why)) = judged {
            self.verify(now, id, outcome, Some(&why));
        }
    }

    fn let_proposal_end(&mut self, now: Moment, id: &TargetId) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let is_void = |proposed: &Proposed| {
            let plan = subject.watch.plans.get(&proposed.view.remedy);
            proposed.ends.has_come(now) || plan.is_none_or(|plan| plan.mark != proposed.mark)
        };
        if subject.care.proposal.as_ref().is_some_and(is_void) {
            subject.care.proposal = None;
            subject.changed();
        }
    }

    fn decide(&mut self, now: Moment, id: &TargetId, lane: Lane) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let Some(incident) = subject.open(lane).cloned() else { return };
        let is_ripe = subject.is_proven(incident.pattern) && !subject.timeline().is_stopped;
        if !is_ripe || subject.care.following.is_some() || self.runs.contains_key(id) {
            return;
        }
        let (watch, limits) = (&subject.watch, &subject.watch.limits);
        let tried = subject.care.history.climbed(now, incident.id, limits.attempt.again_after);
        let climb = Climb {
            pattern: incident.pattern,
            ladder: &subject.ladder(now, incident.pattern),
            tried: &tried,
            age: Stamp::of_wall(now, incident.opened).age(now),
            act_after: limits.conflict.act_after,
        };
        // One that only observes tells what it would do, hook or not.
        let has_hook = |remedy| watch.mode == Mode::Observe || watch.plans.contains_key(&remedy);
        match climb::due(&climb, has_hook) {
            Due::Later => subject.care.nothing_refused(lane),
            Due::Person => {
                subject.care.nothing_refused(lane);
                self.call_person(id, &incident, "only a person can help here", false);
            }
            Due::Exhausted => {
                subject.care.nothing_refused(lane);
                self.call_person(id, &incident, "every remedy that fits was tried, and none helped", true);
            }
            Due::NoHook(remedy) => {
                let why = format!("no hook is configured for {remedy}");
                self.refused(now, id, lane, &incident, (remedy, Refusal::NoHook, why.clone()));
                self.call_person(id, &incident, &why, true);
            }
            Due::Remedy(remedy) => {
                let wanted = Wanted { remedy, incident: Some(Arc::clone(&incident)), ordered: None };
                match self.ask_guards(now, id, &wanted) {
                    None => self.begin(now, id, lane, &wanted),
                    Some((reason, why)) => self.held_back(now, id, lane, &incident, (remedy, reason, why)),
                }
            }
        }
    }

    fn held_back(
        &mut self,
        now: Moment,
        id: &TargetId,
        lane: Lane,
        incident: &Arc<Incident>,
        refusal: (Remedy, Refusal, String),
    ) {
        let (remedy, reason, why) = refusal;
        if reason == Refusal::Unapproved {
            self.propose(now, id, incident, remedy);
        }
        if matches!(reason, Refusal::UnderlyingProblem | Refusal::GaveUp) {
            self.call_person(id, incident, &why, true);
        }
        self.refused(now, id, lane, incident, (remedy, reason, why));
    }

    /// Asks every guard; returns the first that refuses, and why.
    pub(super) fn ask_guards(&mut self, now: Moment, id: &TargetId, wanted: &Wanted) -> Option<(Refusal, String)> {
        let busy = self.in_the_way(id, wanted.remedy);
        let subject = self.subjects.get_mut(id)?;
        let (destroys, health) = (subject.watch.destroys(wanted.remedy), subject.health);
        let path_down = self.paths.hold(now, &subject.watch.paths, id, &self.policy.fleet);
        let storm = path_down.or_else(|| self.fleet.storm_for(now, id, health, destroys, &self.policy));
        // What is under way will be spent.
        let same = |run: &&Run| run.destroys == destroys && (destroys || run.remedy == wanted.remedy);
        let under_way = u32::try_from(self.runs.values().filter(same).count()).unwrap_or(u32::MAX);
        let fleet_use = self.fleet.used(now, wanted.remedy, destroys).saturating_add(under_way);
        let for_all = self.pause.as_ref().filter(|pause| pause.counts(now));
        let ledger_failed = self.ledger_failed.is_some_and(|at| at.age(now) < LEDGER_REST);
        let subject = self.subjects.get_mut(id)?;
        let limits = &subject.watch.limits;
        let care: &Care = &subject.care;
        let incident = wanted.incident.as_ref().map(|incident| incident.id);
        let tried = incident.map(|incident| care.history.climbed(now, incident, limits.attempt.again_after));
        guard::refuse(&Question {
            now,
            remedy: wanted.remedy,
            pattern: wanted.incident.as_ref().map(|incident| incident.pattern),
            incident,
            restart_failed: tried.is_some_and(|tried| climb::restart_failed(&tried)),
            watch: &subject.watch,
            history: &care.history,
            pause: for_all.or(care.pause.as_ref()),
            hand_off: hand_off::disturbs(now, care.hand_off.as_ref(), subject.timeline(), limits),
            storm,
            busy,
            fleet_use,
            fleet: &self.policy.fleet,
            proposal: care.proposal.as_ref(),
            ledger_failed,
            ordered: wanted.ordered,
        })
    }

    /// Says what else is under way that stands in the way.
    fn in_the_way(&mut self, id: &TargetId, remedy: Remedy) -> Option<String> {
        let subject = self.subjects.get_mut(id)?;
        let (group, destroys) = (Arc::clone(&subject.watch.group), subject.watch.destroys(remedy));
        if self.runs.contains_key(id) {
            return Some(String::from("an attempt is under way for this target"));
        }
        if let Some(other) = self.runs.values().find(|run| run.group == group) {
            return Some(format!("an attempt is under way for {}, in the same host group", other.target));
        }
        let most = usize::try_from(self.policy.fleet.attempts).unwrap_or(usize::MAX);
        if most <= self.runs.len() {
            return Some(format!("{} attempts are under way already", self.runs.len()));
        }
        let other = self.handing_off.iter().find(|(other, held)| destroys && *other != id && **held == group)?;
        Some(format!("a person is waited for after a reset of {}, in the same host group", other.0))
    }

    pub(super) fn refused(
        &mut self,
        now: Moment,
        id: &TargetId,
        lane: Lane,
        incident: &Arc<Incident>,
        refusal: (Remedy, Refusal, String),
    ) {
        let (remedy, reason, why) = refusal;
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let view = RefusalView {
            target: id.clone(),
            incident: Some(incident.id),
            pattern: Some(incident.pattern),
            remedy,
            reason,
            why: why.clone(),
            since: now.wall,
        };
        let first = subject.care.refuse(lane, view);
        subject.changed();
        let Some(first) = first else { return };
        let fact = Fact::Refused { incident: Some(incident.id), remedy, reason, why, times: 1 };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.outputs.push_back(Output::Announce(Event::Refused(first)));
    }

    fn call_person(&mut self, id: &TargetId, incident: &Arc<Incident>, why: &str, tell: bool) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let is_news = subject.care.call_person(incident.id, why);
        subject.changed();
        // Of an incident that only a person can end its opening has told already.
        if is_news && tell {
            let (target, incident, why) = (id.clone(), Arc::clone(incident), why.to_owned());
            self.outputs.push_back(Output::Announce(Event::NeedsPerson { target, incident, why }));
        }
    }

    fn propose(&mut self, now: Moment, id: &TargetId, incident: &Arc<Incident>, remedy: Remedy) {
        let same =
            |proposed: &Proposed| proposed.view.remedy == remedy && proposed.view.cause.incident == Some(incident.id);
        let proposal = self.subjects.get_mut(id).and_then(|subject| subject.care.proposal.as_ref());
        if proposal.is_some_and(same) {
            return;
        }
        let attempt = self.next_attempt(now);
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let Some(plan) = subject.watch.plans.get(&remedy) else { return };
        let ends = now.stamp().after(subject.watch.limits.attempt.approval_for);
        let view = Arc::new(Proposal {
            attempt,
            target: id.clone(),
            remedy,
            destroys: subject.watch.destroys(remedy),
            cause: Arc::new(cause_of(Some(incident), None)),
            steps: plan.steps.iter().map(|step| step.name.clone()).collect(),
            until: ends.wall(now),
            released: false,
        });
        let (plan, until) = (plan.mark, view.until);
        subject.care.proposal = Some(Proposed { view: Arc::clone(&view), mark: plan, ends, released_by: None });
        subject.changed();
        let fact = Fact::Proposed { attempt, incident: Some(incident.id), remedy, plan, until };
        self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.outputs.push_back(Output::Announce(Event::ApprovalWanted(view)));
    }

    fn begin(&mut self, now: Moment, id: &TargetId, lane: Lane, wanted: &Wanted) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        subject.care.nothing_refused(lane);
        if let Some(incident) = &wanted.incident {
            subject.care.uncall(incident.id);
        }
        let released = subject
            .care
            .proposal
            .take()
            .filter(|proposed| proposed.released_by.is_some() && proposed.view.remedy == wanted.remedy);
        let by = released.as_ref().and_then(|proposed| proposed.released_by.clone());
        let attempt = released.map(|proposed| proposed.view.attempt);
        let cause = cause_of(wanted.incident.as_ref(), by);
        self.intend(now, id, wanted.remedy, cause, attempt);
    }

    /// Plans an attempt; it begins once that is durable. Returns its number.
    pub(super) fn intend(
        &mut self,
        now: Moment,
        id: &TargetId,
        remedy: Remedy,
        cause: Cause,
        released: Option<AttemptId>,
    ) -> Option<AttemptId> {
        let attempt = released.unwrap_or_else(|| self.next_attempt(now));
        let subject = self.subjects.get_mut(id)?;
        let plan: Arc<Plan> = Arc::clone(subject.watch.plans.get(&remedy)?);
        let destroys = subject.watch.destroys(remedy);
        let cause = Arc::new(cause);
        let mut run = Run::new(attempt, id.clone(), (remedy, destroys), Arc::clone(&cause), Arc::clone(&plan), now);
        run.group = Arc::clone(&subject.watch.group);
        let view = Arc::new(run.view());
        subject.care.show_attempt(&view);
        subject.changed();
        self.runs.insert(id.clone(), run);
        let fact = Fact::Intended {
            attempt,
            incident: cause.incident,
            pattern: cause.pattern,
            remedy,
            destroys,
            plan: plan.mark,
            reason: cause.reason.clone(),
            by: cause.by.clone(),
            restores: cause.restores,
        };
        let seq = self.record(LedgerEntry { at: now.wall, target: id.clone(), fact });
        self.awaiting.insert(seq, Await::Intent(id.clone()));
        Some(attempt)
    }

    fn next_attempt(&mut self, now: Moment) -> AttemptId {
        let by_clock = u64::try_from(now.wall.millis()).unwrap_or(0);
        self.attempts = AttemptId(by_clock.max(self.attempts.0.saturating_add(1)));
        self.attempts
    }
}

fn cause_of(incident: Option<&Arc<Incident>>, by: Option<crate::engine::sample::Word>) -> Cause {
    Cause {
        incident: incident.map(|incident| incident.id),
        pattern: incident.map(|incident| incident.pattern),
        reason: incident.map_or_else(String::new, |incident| incident.evidence.sentence.clone()),
        by,
        restores: None,
    }
}
