//! A made-up snapshot: three targets, of which one fails and one was never heard of. Shared by the tests of what reads one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::attempt::{Act, AttemptId, AttemptView, Cause, Outcome, RunEnd, StepOutcome, StepView};
use wa_watchdog::engine::care::RUN_BUCKETS;
use wa_watchdog::engine::day::{Day, Shade};
use wa_watchdog::engine::evidence::{Evidence, Exhibit};
use wa_watchdog::engine::incident::{Closed, Closing, Incident, IncidentId};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::moment::Wall;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::plan::StepName;
use wa_watchdog::engine::policy::Mode;
use wa_watchdog::engine::refusal::Refusal;
use wa_watchdog::engine::sample::{Effort, Failure, Memory, Phase, SessionState, Word};
use wa_watchdog::engine::snapshot::{
    CareView, Counts, FindingView, FleetView, Grade, HandOffView, Histogram, INCIDENT_BUCKETS, PROBE_BUCKETS, PathView,
    PauseView, Proposal, RefusalView, ResetView, RunView, Snapshot, TargetView,
};
use wa_watchdog::engine::target::TargetId;
use wa_watchdog::engine::verdict::Verdict;

/// 2026-02-04T09:00:00Z, when the made-up snapshot was taken.
pub(crate) const NOW_SECS: i64 = 1_770_195_600;

/// Returns the time so many seconds before the snapshot.
pub(crate) fn ago(secs: i64) -> Wall {
    Wall::from_secs(NOW_SECS - secs)
}

/// Returns the whole snapshot.
pub(crate) fn snapshot() -> Snapshot {
    let open = incident(7, Pattern::StateLoop, 300, None);
    let closed = incident(3, Pattern::Unreachable, 9000, Some(Closed { at: ago(8400), how: Closing::Recovered }));
    Snapshot {
        at: ago(0),
        started: ago(86_400),
        targets: vec![Arc::new(well("atelier")), Arc::new(newcomer("new")), Arc::new(shop(&open))],
        incidents: vec![open, closed],
        pause: Some(pause(true)),
        fleet: FleetView { targets: 3, failing: 1, turned_bad_together: 1, well: 1, storm: true, paused: true },
        paths: vec![PathView {
            path: Arc::from("whatsapp"),
            up: false,
            since: Some(ago(60)),
            why: Some(Word::new("time-out")),
        }],
        dropped: BTreeMap::from([("inputs", 2)]),
        ledger_errors: 1,
        ledger_fails: true,
        suspensions: 4,
    }
}

/// Returns a fleet of so many failing targets.
pub(crate) fn fleet(size: u32) -> Snapshot {
    let open = incident(7, Pattern::StateLoop, 300, None);
    let view = shop(&open);
    let named = |number| TargetView { target: id(&format!("session-{number:04}")), ..view.clone() };
    Snapshot {
        targets: (0..size).map(|number| Arc::new(named(number))).collect(),
        pause: None,
        fleet: FleetView { targets: size, failing: size, turned_bad_together: size, ..FleetView::default() },
        ..snapshot()
    }
}

/// Returns a target that was never heard of.
pub(crate) fn newcomer(name: &str) -> TargetView {
    TargetView {
        target: id(name),
        state: None,
        word: None,
        since: None,
        last_connected: None,
        up: None,
        stopped: false,
        verdict: Verdict::Healthy,
        memory_verdict: Verdict::Healthy,
        findings: Vec::new(),
        open: Vec::new(),
        memory: None,
        memory_until: None,
        memory_minimum: None,
        day: Arc::new(Day::new(ago(0))),
        timeline: Vec::new(),
        log: Vec::new(),
        alerts: Vec::new(),
        version: None,
        image: None,
        health: None,
        evidence_since: ago(86_400),
        next_poll: Some(ago(-5)),
        held_until: None,
        counts: Counts::default(),
        care: Arc::new(CareView::default()),
    }
}

/// Returns a day that ends now: hours ago, and how it was from then on.
fn day(hours: &[(i64, Shade)]) -> Arc<Day> {
    let mut day = Day::new(ago(86_400));
    let ends = hours.iter().skip(1).map(|(from, _)| *from).chain([0]);
    for ((_, shade), until) in hours.iter().zip(ends) {
        day.stay(ago(until * 3600), *shade);
    }
    Arc::new(day)
}

fn well(name: &str) -> TargetView {
    let run = run(SessionState::Connected, "READY", 3600, 2);
    let counts = Counts { answers: 240, connected: Duration::from_secs(3598), ..Counts::default() };
    TargetView {
        state: Some(SessionState::Connected),
        word: Some(Word::new("READY")),
        since: Some(run.from),
        last_connected: Some(run.to),
        up: Some(true),
        memory: Some(Memory { used_bytes: 314_572_800, limit_bytes: None, oom_kills: None }),
        day: day(&[(24, Shade::Well)]),
        timeline: vec![run],
        counts,
        ..newcomer(name)
    }
}

fn shop(open: &Arc<Incident>) -> TargetView {
    let mut counts = Counts { answers: 1000, missing: 1, refused: 2, throttled: 3, oom_kills: 1, ..Counts::default() };
    counts.failures = Failure::ALL.map(|failure| if failure == Failure::Timeout { 5 } else { 0 });
    counts.state_changes = SessionState::ALL.map(|state| if state == SessionState::Connecting { 4 } else { 0 });
    counts.detections = Pattern::ALL.map(|pattern| u64::from(pattern == Pattern::StateLoop));
    counts.incidents =
        Pattern::ALL.map(|pattern| u64::from(matches!(pattern, Pattern::StateLoop | Pattern::Unreachable)));
    counts.connected = Duration::from_millis(72_000_500);
    for millis in [4, 90, 110, 30_000] {
        counts.probe_durations.observe(&PROBE_BUCKETS, Duration::from_millis(millis));
    }
    let durations = counts.incident_durations.entry(Pattern::Unreachable).or_default();
    durations.observe(&INCIDENT_BUCKETS, Duration::from_mins(10));
    TargetView {
        state: Some(SessionState::Connecting),
        word: Some(Word::new("OPENING \"<b>\"")),
        since: Some(ago(20)),
        last_connected: Some(ago(20)),
        up: Some(true),
        verdict: Verdict::Failing { pattern: Pattern::StateLoop, evidence: Arc::clone(&open.evidence) },
        memory_verdict: Verdict::Suspect {
            pattern: Pattern::MemoryPressure,
            missing: "93 % of the limit for 2 min of 5 min".to_owned(),
        },
        findings: vec![
            FindingView { pattern: Pattern::StateLoop, proven: true, why: open.evidence.sentence.clone() },
            FindingView {
                pattern: Pattern::MemoryPressure,
                proven: false,
                why: "93 % of the limit for 2 min of 5 min".to_owned(),
            },
        ],
        open: vec![Arc::clone(open)],
        day: day(&[
            (24, Shade::Well),
            (4, Shade::Failing),
            (3, Shade::Waiting),
            (2, Shade::Well),
            (1, Shade::Unsettled),
        ]),
        memory: Some(Memory { used_bytes: 503_316_480, limit_bytes: Some(536_870_912), oom_kills: Some(1) }),
        memory_until: Some(ago(-60)),
        memory_minimum: Some(536_870_912),
        timeline: vec![
            run(SessionState::Connected, "CONNECTED", 60, 25),
            run(SessionState::Connecting, "OPENING \"<b>\"", 20, 5),
        ],
        log: vec![run(SessionState::Disconnected, "State changed to: TIMEOUT", 22, 22)],
        version: Some(Word::new("2.4.1")),
        counts,
        care: Arc::new(care(open)),
        ..newcomer("shop")
    }
}

/// Returns what was done for a target whose restart did not help, and whose reset waits for a person.
fn care(open: &Incident) -> CareView {
    let mut durations = Histogram::default();
    durations.observe(&RUN_BUCKETS, Duration::from_secs(12));
    let cause = |by: Option<&str>| {
        let (incident, pattern) = (Some(open.id), Some(open.pattern));
        Arc::new(Cause {
            incident,
            pattern,
            reason: open.evidence.sentence.clone(),
            by: by.map(Word::new),
            restores: None,
        })
    };
    let step = |name: &str, outcome: Option<StepOutcome>| StepView {
        step: StepName(Arc::from(name)),
        act: Act::Do,
        at: ago(240),
        ended: outcome.map(|_| ago(235)),
        outcome,
        note: outcome.map(|_| Word::new("exit code 0")),
    };
    let restart = AttemptView {
        id: AttemptId(0x019c_2a6f_03e0),
        target: id("shop"),
        remedy: Remedy::Restart,
        destroys: false,
        cause: cause(None),
        at: ago(240),
        ended: Some((ago(228), RunEnd::Done)),
        outcome: Some(Outcome::DidNotHelp),
        note: Some(Word::new("not connected after 3 min")),
        steps: vec![step("stop", Some(StepOutcome::Done)), step("start", Some(StepOutcome::Done))],
    };
    let proposal = Proposal {
        attempt: AttemptId(0x019c_2a6f_0fff),
        target: id("shop"),
        remedy: Remedy::Reset,
        destroys: true,
        cause: cause(None),
        steps: ["stop", "quarantine", "start"].map(|name| StepName(Arc::from(name))).to_vec(),
        until: ago(-3000),
        released: false,
    };
    let refused = RefusalView {
        target: id("shop"),
        incident: Some(open.id),
        pattern: Some(open.pattern),
        remedy: Remedy::Reset,
        reason: Refusal::Unapproved,
        why: "mode is approve: a person must release it".to_owned(),
        since: ago(40),
    };
    let hand_off = HandOffView {
        target: id("shop"),
        incident: Some(open.id),
        since: ago(30),
        deadline: Some(ago(-150)),
        until: ago(-870),
        expired: false,
        after_reset: false,
    };
    CareView {
        disturbs: None,
        paths: Arc::default(),
        mode: Mode::Approve,
        pause: Some(pause(false)),
        attempts: vec![Arc::new(restart)],
        refused: vec![Arc::new(refused)],
        proposal: Some(Arc::new(proposal)),
        hand_off: Some(Arc::new(hand_off)),
        needs_person: Some("every remedy that fits was tried, and <none> helped".to_owned()),
        budget: BTreeMap::from([(Remedy::Restart, 2), (Remedy::Reset, 1)]),
        destroys: BTreeSet::from([Remedy::Reset]),
        cooldown_until: Some(ago(-60)),
        resets: ResetView { day: 0, week: 2, month: 2, grade: Grade::Weekly, underlying_problem: true, gave_up: false },
        foreign_restarts: 1,
        resets_made: BTreeMap::from([(Some(Pattern::StateLoop), 1), (None, 1)]),
        finished: BTreeMap::from([
            ((Remedy::Restart, Some(Pattern::StateLoop), Outcome::DidNotHelp), 1),
            ((Remedy::Reset, None, Outcome::Helped), 1),
        ]),
        durations: BTreeMap::from([(Remedy::Restart, durations)]),
        refusals: BTreeMap::from([
            ((Remedy::Reset, Refusal::Unapproved), 1),
            ((Remedy::Restart, Refusal::Cooldown), 2),
        ]),
    }
}

fn pause(all: bool) -> PauseView {
    PauseView { who: Word::new("ana"), reason: Word::new("deploy of <gateway>"), until: Some(ago(-1800)), all }
}

fn incident(number: u64, pattern: Pattern, opened_secs_ago: i64, closed: Option<Closed>) -> Arc<Incident> {
    let samples = vec![
        Exhibit { at: ago(opened_secs_ago + 60), seen: "connected".to_owned() },
        Exhibit { at: ago(opened_secs_ago), seen: "connecting".to_owned() },
    ];
    Arc::new(Incident {
        id: IncidentId(number),
        target: id("shop"),
        pattern,
        evidence: Arc::new(Evidence::new("seen twice within 60 s; the limit is 2".to_owned(), samples)),
        remedy: Remedy::Restart,
        opened: ago(opened_secs_ago),
        closed,
    })
}

fn run(state: SessionState, word: &str, from_secs_ago: i64, to_secs_ago: i64) -> RunView {
    RunView {
        state,
        phase: Some(Phase::Linked),
        effort: Effort::Trying,
        word: Some(Word::new(word)),
        from: ago(from_secs_ago),
        to: ago(to_secs_ago),
        samples: 3,
    }
}

fn id(name: &str) -> TargetId {
    TargetId::new(name).expect("a made-up name is a good one")
}
