//! When the engine asks for what.

use std::collections::BTreeMap;
use std::time::Duration;

use wa_watchdog::engine::policy::{Policy, TOGETHER, Watch};
use wa_watchdog::engine::sample::{Answer, Deep, Reply, SessionState};
use wa_watchdog::engine::{Ask, Input, Moment, Output, Sample, TargetId, Watchdog};

#[test]
fn every_target_is_asked_once_an_interval_at_its_own_phase() {
    let mut fleet = Fleet::new(100, false);
    let asked = fleet.run(Duration::from_mins(1), |_| None);
    assert_eq!(asked.len(), 400);
    let same_moment = asked.iter().filter(|(at, ..)| *at == asked[0].0).count();
    assert!(same_moment < 20, "{same_moment} of 100 asked at the same moment");
}

#[test]
fn a_throttled_target_is_left_alone_and_the_others_are_not() {
    let mut fleet = Fleet::new(2, false);
    let throttled = |id: &str| (id == "t0").then_some(Reply::Throttled { retry_after: Some(Duration::from_secs(50)) });
    let asked = fleet.run(Duration::from_mins(1), throttled);
    let of = |name: &str| asked.iter().filter(|(_, id, _)| id == name).count();
    assert_eq!((of("t0"), of("t1")), (1, 4));
}

#[test]
fn deep_probes_wait_until_the_session_has_settled_and_are_rare() {
    let mut fleet = Fleet::new(1, true);
    let asked = fleet.run(Duration::from_mins(5), |_| Some(Reply::Answer(state(SessionState::Connected))));
    let deep: Vec<Duration> = asked.iter().filter(|(.., ask)| *ask == Ask::Deep).map(|(at, ..)| *at).collect();
    assert!(Duration::from_mins(1) <= deep[0], "{deep:?}");
    assert!((3..=5).contains(&deep.len()), "{deep:?}");
}

#[test]
fn the_qr_endpoint_is_asked_only_while_a_scan_is_wanted() {
    let mut fleet = Fleet::new(1, true);
    let waiting = fleet.run(Duration::from_mins(2), |_| Some(Reply::Answer(state(SessionState::NeedsScan))));
    assert!(waiting.iter().any(|(.., ask)| *ask == Ask::Qr));
    assert!(waiting.iter().all(|(.., ask)| *ask != Ask::Deep));
    let good = fleet.run(Duration::from_mins(1), |_| Some(Reply::Answer(state(SessionState::Connected))));
    // One more is asked before the first good answer is heard.
    assert!(good.iter().skip_while(|(at, ..)| *at < Duration::from_secs(15)).all(|(.., ask)| *ask != Ask::Qr));
}

#[test]
fn after_a_deadline_the_next_one_is_later() {
    let mut fleet = Fleet::new(50, false);
    for _ in 0..200 {
        let due = fleet.watchdog.next_deadline().expect("a deadline");
        fleet.now = due;
        fleet.watchdog.handle(due, Input::DeadlinePassed);
        let next = fleet.watchdog.next_deadline().expect("a deadline");
        assert!(due.uptime < next.uptime);
        while fleet.watchdog.poll_output().is_some() {}
    }
}

#[test]
fn a_target_that_is_gone_from_the_policy_is_asked_no_more() {
    let mut fleet = Fleet::new(3, false);
    let mut policy = policy(3, false);
    policy.targets.remove("t1");
    fleet.watchdog.handle(fleet.now, Input::PolicyChanged(policy));
    let asked = fleet.run(Duration::from_mins(1), |_| None);
    assert!(asked.iter().all(|(_, id, _)| id != "t1"));
    assert_eq!(asked.len(), 8);
    let unknown = TargetId::new("t1").expect("a name");
    fleet.watchdog.handle(fleet.now, Input::Observed(unknown, Sample::Activity(1)));
    assert_eq!(fleet.watchdog.dropped(), 1);
}

struct Fleet {
    watchdog: Watchdog,
    now: Moment,
}

impl Fleet {
    fn new(targets: usize, probes: bool) -> Self {
        let now = Moment::default();
        Self { watchdog: Watchdog::restore(policy(targets, probes), &[], now), now }
    }

    /// Follows deadlines for a while, answers every question, and returns what was asked and when.
    fn run(&mut self, span: Duration, reply: impl Fn(&str) -> Option<Reply>) -> Vec<(Duration, String, Ask)> {
        let (begin, end) = (self.now.uptime, self.now.uptime + span);
        let mut asked = Vec::new();
        while let Some(due) = self.watchdog.next_deadline().filter(|due| due.uptime < end) {
            self.now = due;
            self.watchdog.handle(due, Input::DeadlinePassed);
            let mut answers = Vec::new();
            while let Some(output) = self.watchdog.poll_output() {
                if let Output::Poll(id, ask) = output {
                    asked.push((due.uptime - begin, id.to_string(), ask));
                    let sample = match ask {
                        Ask::Status => reply(id.as_str()).map(|reply| Sample::Poll { reply, latency: Duration::ZERO }),
                        Ask::Deep => Some(Sample::Deep(Deep::Passed)),
                        Ask::Qr => Some(Sample::Qr(None)),
                    };
                    answers.extend(sample.map(|sample| Input::Observed(id, sample)));
                }
            }
            for answer in answers {
                self.watchdog.handle(due, answer);
            }
        }
        self.now.uptime = end;
        asked
    }
}

fn state(state: SessionState) -> Answer {
    Answer { state, ..Answer::default() }
}

fn policy(targets: usize, probes: bool) -> Policy {
    let watch = Watch { has_deep: probes, has_qr: probes, ..Watch::default() };
    let named = |n: usize| (TargetId::new(&format!("t{n}")).expect("a name"), watch.clone());
    Policy { targets: (0..targets).map(named).collect::<BTreeMap<_, _>>(), together: TOGETHER, ..Policy::default() }
}
