//! Events as the engine makes them, and the types under which they are told.

use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::attempt::{AttemptId, AttemptView, Cause, Outcome};
use wa_watchdog::engine::command::{OperatorCommand, Wish};
use wa_watchdog::engine::evidence::Evidence;
use wa_watchdog::engine::incident::{Incident, IncidentId};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::ledger::{Fact, LedgerEntry, ScanNews};
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::refusal::Refusal;
use wa_watchdog::engine::sample::{SessionState, Word};
use wa_watchdog::engine::snapshot::{HandOffView, Proposal, RefusalView};
use wa_watchdog::engine::{Event, TargetId};
use wa_watchdog::notify::event_type;

use crate::now;

#[test]
fn every_event_has_its_type() {
    let told = [
        (opened(), "incident.opened"),
        (Event::PatternChanged(incident()), "incident.changed"),
        (Event::Closed(incident()), "incident.closed"),
        (record_failed(), "ledger.failed"),
        (Event::Planned(attempt(None)), "remedy.planned"),
        (approval_wanted(), "remedy.approval_wanted"),
        (Event::Started(attempt(None)), "remedy.started"),
        (Event::Stepped(attempt(None)), "remedy.step"),
        (Event::RunEnded(attempt(None)), "remedy.ended"),
        (Event::Verified(attempt(Some(Outcome::Helped))), "remedy.helped"),
        (Event::Verified(attempt(Some(Outcome::DidNotHelp))), "remedy.did_not_help"),
        (Event::Verified(attempt(Some(Outcome::Interrupted))), "remedy.interrupted"),
        (refused(), "remedy.refused"),
        (scan(ScanNews::Wanted), "scan.wanted"),
        (scan(ScanNews::Withdrawn), "scan.withdrawn"),
        (needs_person(), "person.wanted"),
        (Event::ForeignRestart { target: shop() }, "service.restarted_by_others"),
        (Event::SmallLimit { target: shop(), limit: 256 << 20, minimum: 512 << 20 }, "memory.small_limit"),
        (storm(true), "storm.began"),
        (storm(false), "storm.ended"),
        (commanded(Wish::Pause { until: None }), "command.pause"),
        (commanded(Wish::Remedy { remedy: Remedy::Reset, force: false }), "command.reset"),
    ];
    for (event, expected) in told {
        assert_eq!(event_type(&event).as_deref(), Some(expected));
    }
    for untold in [state_changed(), Event::Suspended] {
        assert_eq!(event_type(&untold), None, "{untold:?}");
    }
}

pub(crate) fn shop() -> TargetId {
    TargetId::new("shop").unwrap()
}

pub(crate) fn opened() -> Event {
    Event::Opened(incident())
}

pub(crate) fn scan(news: ScanNews) -> Event {
    let hand_off = HandOffView {
        target: shop(),
        incident: Some(IncidentId(7)),
        since: now(),
        deadline: Some(now().after(Duration::from_mins(1))),
        until: now().after(Duration::from_mins(30)),
        expired: false,
        after_reset: false,
    };
    Event::Scan(Arc::new(hand_off), news)
}

pub(crate) fn storm(on: bool) -> Event {
    Event::Storm { on, bad: 3, well: 1 }
}

pub(crate) fn state_changed() -> Event {
    Event::StateChanged { target: shop(), from: None, to: SessionState::Connected, word: None }
}

fn record_failed() -> Event {
    Event::RecordFailed(LedgerEntry { at: now(), target: shop(), fact: Fact::ForeignRestart })
}

fn approval_wanted() -> Event {
    let proposal = Proposal {
        attempt: AttemptId(1),
        target: shop(),
        remedy: Remedy::Reset,
        cause: cause(),
        destroys: true,
        steps: Vec::new(),
        until: now().after(Duration::from_hours(1)),
        released: false,
    };
    Event::ApprovalWanted(Arc::new(proposal))
}

fn refused() -> Event {
    let refusal = RefusalView {
        target: shop(),
        incident: Some(IncidentId(7)),
        pattern: Some(Pattern::StateLoop),
        remedy: Remedy::Restart,
        reason: Refusal::Cooldown,
        why: "the last attempt was 2 min ago".to_owned(),
        since: now(),
    };
    Event::Refused(Arc::new(refusal))
}

fn needs_person() -> Event {
    Event::NeedsPerson { target: shop(), incident: incident(), why: "resets do not last".to_owned() }
}

fn commanded(what: Wish) -> Event {
    Event::Commanded(OperatorCommand { target: None, who: Word::new("ann"), reason: Word::new("upgrade"), what })
}

fn incident() -> Arc<Incident> {
    Arc::new(Incident {
        id: IncidentId(7),
        target: shop(),
        pattern: Pattern::StateLoop,
        evidence: Arc::new(Evidence::new("seen twice within 60 s; the limit is 2".to_owned(), Vec::new())),
        remedy: Remedy::Restart,
        opened: now(),
        closed: None,
    })
}

fn attempt(outcome: Option<Outcome>) -> Arc<AttemptView> {
    Arc::new(AttemptView {
        id: AttemptId(1),
        target: shop(),
        remedy: Remedy::Restart,
        destroys: false,
        cause: cause(),
        at: now(),
        ended: None,
        outcome,
        note: None,
        steps: Vec::new(),
    })
}

fn cause() -> Arc<Cause> {
    Arc::new(Cause {
        incident: Some(IncidentId(7)),
        pattern: Some(Pattern::StateLoop),
        reason: "a loop".to_owned(),
        by: None,
        restores: None,
    })
}
