//! What happens to a world: things break, people interfere, configurations change.

use std::time::Duration;

use wa_watchdog::engine::attempt::AttemptId;
use wa_watchdog::engine::command::{CommandId, OperatorCommand, Wish};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::policy::Mode;
use wa_watchdog::engine::sample::Word;
use wa_watchdog::engine::{Input, TargetId, Watchdog};

use super::play::Play;
use super::setup::watch;
use super::world::{Cure, Fault, Service};

impl Play {
    /// One of the things that happen in a world.
    pub(super) fn something_happens(&mut self) {
        let ids: Vec<TargetId> = self.services.keys().cloned().collect();
        let id = self.chance.pick(&ids);
        match self.chance.below(100) {
            0..38 => {
                let now = self.now;
                if let Some(service) = self.services.get_mut(&id).filter(|service| service.fault == Fault::None) {
                    service.breaks(now, &mut self.chance);
                    let fault = service.fault;
                    self.say(&format!("{id} breaks: {fault:?}"));
                }
            }
            38..42 => self.outage(),
            42..48 => self.by_hand(&id),
            48..54 => {
                self.fails_until = self.now + self.chance.secs(5, 400);
                self.say(&format!("the ledger fails until {:.1}", self.fails_until.as_secs_f64()));
            }
            54..58 if self.is_jumpy => self.jump += i64::try_from(self.chance.below(7_200_000)).unwrap() - 3_600_000,
            58..62 => self.reload(),
            54..58 => {
                self.path_down_until = self.now + self.chance.secs(60, 3000);
                self.say(&format!("the network path is down until {:.1}", self.path_down_until.as_secs_f64()));
            }
            62..66 if self.chance.percent(40) && !self.is_jumpy => self.crash_now = true,
            66..70 => self.compare_with_restore(),
            70..100 => self.person(&id),
            _ => {}
        }
        self.settle();
    }

    pub(super) fn read_memory(&mut self) {
        let read = |(id, service): (&TargetId, &Service)| (id.clone(), service.memory(self.now));
        let readings: Vec<_> = self.services.iter().map(read).collect();
        for (id, sample) in readings {
            self.observed(id, sample);
        }
    }

    pub(super) fn look_at_path(&mut self) {
        let down = self.now < self.path_down_until;
        self.inbox.push_back(Input::PathSeen(super::setup::path(), down.then(|| Word::new("time-out"))));
    }

    /// Most of them fall together, and most come back by themselves.
    fn outage(&mut self) {
        let ends = self.now + self.chance.secs(60, 2400);
        let fault = self.chance.pick(&[Fault::Down, Fault::NeverReady]);
        let share = self.chance.below(100);
        self.say(&format!("outage: {fault:?}"));
        for service in self.services.values_mut() {
            if self.chance.percent(share) && service.fault == Fault::None {
                service.always_well = false;
                (service.fault, service.cure, service.heals) = (fault, Cure::Time, Some(ends));
            }
        }
    }

    fn by_hand(&mut self, id: &TargetId) {
        let now = self.now;
        let Some(service) = self.services.get_mut(id) else { return };
        if self.chance.percent(50) {
            service.started = now;
            service.running = true;
        } else {
            service.always_well = false;
            (service.fault, service.heals) = (Fault::Stopped, Some(now + self.chance.secs(60, 3000)));
        }
    }

    fn person(&mut self, id: &TargetId) {
        let until = self.chance.percent(70).then(|| self.moment().wall.after(self.chance.secs(60, 4000)));
        let view = self.dog.snapshot(self.moment()).target(id.as_str()).cloned();
        let proposal = view.and_then(|view| view.care.proposal.clone()).map(|proposal| proposal.attempt);
        let what = match self.chance.below(100) {
            0..8 => Wish::Pause { until },
            8..30 => Wish::Resume,
            30..65 => {
                let wrong = AttemptId(self.chance.below(1 << 40));
                Wish::Approve { attempt: proposal.filter(|_| self.chance.percent(90)).unwrap_or(wrong) }
            }
            65..80 => Wish::Ack,
            _ => Wish::Remedy {
                remedy: self.chance.pick(&[Remedy::Notify, Remedy::Reconnect, Remedy::Restart, Remedy::Reset]),
                force: self.chance.percent(30),
            },
        };
        let all = matches!(what, Wish::Pause { .. } | Wish::Resume) && self.chance.percent(40);
        let target = (!all).then(|| id.clone());
        if let Wish::Pause { until } = &what
            && (all || self.policy.targets.contains_key(id))
        {
            let ends = until.map(|until| self.now + until.since(self.moment().wall));
            self.facts.paused.insert(target.clone(), ends);
        }
        self.commands += 1;
        self.totals.orders += 1;
        let (who, reason) = (Word::new("ana"), Word::new("because"));
        let order = OperatorCommand { target, who, reason, what };
        self.asked.insert(CommandId(self.commands), order.clone());
        self.inbox.push_back(Input::Commanded(CommandId(self.commands), order));
    }

    /// The configuration is read anew: another mode, a hook or a target that is gone or back.
    fn reload(&mut self) {
        let ids: Vec<TargetId> = self.services.keys().cloned().collect();
        let id = self.chance.pick(&ids);
        if self.policy.targets.contains_key(&id) && self.chance.percent(20) && 1 < self.policy.targets.len() {
            self.say(&format!("{id} is no longer watched"));
            self.policy.targets.remove(&id);
            self.facts.bad.remove(&id);
            self.facts.well.remove(&id);
        } else if let Some(watch) = self.policy.targets.get_mut(&id) {
            watch.mode = self.chance.pick(&[Mode::Act, Mode::Act, Mode::Approve, Mode::Observe]);
            if self.chance.percent(20) {
                watch.plans.remove(&Remedy::Restart);
            }
        } else {
            self.say(&format!("{id} is watched again"));
            let watch = watch(&mut self.chance, &id);
            if let Some(service) = self.services.get_mut(&id) {
                service.loses_session = !watch.restart_keeps_session;
            }
            self.policy.targets.insert(id, watch);
        }
        self.inbox.push_back(Input::PolicyChanged(self.policy.clone()));
    }

    /// What a restart would know is what the watchdog knows.
    fn compare_with_restore(&mut self) {
        self.settle();
        // An attempt whose hook says nothing ends by its deadline here, and at once after a restart.
        let is_over = self.attempts.values().all(|attempt| attempt.ended.is_some());
        let is_settled = self.fails_until + Duration::from_secs(30) < self.now && self.inbox.is_empty();
        let is_quiet = is_over && is_settled && self.hooks.is_empty();
        if !is_quiet || self.is_jumpy || self.broken.is_some() || 0 < self.dog.snapshot(self.moment()).ledger_errors {
            return;
        }
        let now = self.moment();
        let (live, again) =
            (self.dog.snapshot(now), Watchdog::restore(self.policy.clone(), &self.ledger, now).snapshot(now));
        for (live, again) in live.targets.iter().zip(&again.targets) {
            let resets = |resets: wa_watchdog::engine::snapshot::ResetView| (resets.gave_up, resets.underlying_problem);
            let counts = |resets: wa_watchdog::engine::snapshot::ResetView| (resets.day, resets.week, resets.month);
            // A view is as old as its newest sample; windows may have moved by as much.
            let near = |(a, b, c): (u32, u32, u32), (d, e, f): (u32, u32, u32)| {
                a.abs_diff(d) + b.abs_diff(e) + c.abs_diff(f) < 2
            };
            let (a, b) = (live.care.resets, again.care.resets);
            if !near(counts(a), counts(b)) || (counts(a) == counts(b) && resets(a) != resets(b)) {
                let what = format!("{}: {a:?} and after a restart {b:?}", live.target);
                self.breaks("invariant_a_restart_knows_what_was_done", what);
                return;
            }
        }
        self.totals.compared += 1;
    }
}
