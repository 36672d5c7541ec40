//! What was done and what was not, in sentences: one place for log, demo, notifications and replay.

use super::attempt::{AttemptView, StepOutcome};
use super::command::{OperatorCommand, Wish};
use super::ledger::ScanNews;
use super::moment::words;
use super::sample::Word;
use super::snapshot::HandOffView;
use super::watchdog::Event;

/// Tells an event about remedies, scans, storms and orders in one sentence without the target's name; none for all the others.
#[must_use]
pub fn tell(event: &Event) -> Option<String> {
    Some(match event {
        Event::Planned(attempt) => format!("{} is planned: {}", attempt.remedy, attempt.cause.reason),
        Event::ApprovalWanted(proposal) => format!(
            "{} waits for approval {} until {}: {}",
            proposal.remedy,
            proposal.attempt,
            proposal.until.clock(),
            proposal.cause.reason
        ),
        Event::Started(attempt) => format!("{} begins (attempt {})", attempt.remedy, attempt.id),
        Event::Stepped(attempt) => format!("{}: {}", attempt.remedy, last_step(attempt)),
        Event::RunEnded(attempt) => match attempt.ended {
            Some((at, end)) => format!("{} {} after {}", attempt.remedy, end.as_str(), words(at.since(attempt.at))),
            None => format!("{} ended", attempt.remedy),
        },
        Event::Verified(attempt) => {
            let note = attempt.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            let outcome = attempt.outcome.map_or("ended", |outcome| outcome.as_str());
            format!("{} {}{note}", attempt.remedy, outcome.replace('_', " "))
        }
        Event::Refused(refusal) => {
            format!("{} is due and not done, {}: {}", refusal.remedy, refusal.reason, refusal.why)
        }
        Event::Scan(hand_off, news) => scan(hand_off, *news),
        Event::NeedsPerson { why, .. } => format!("a person must look: {why}"),
        Event::ForeignRestart { .. } => String::from("the service was restarted by somebody else"),
        Event::SmallLimit { limit, minimum, .. } => small_limit(*limit, *minimum),
        Event::Storm { on: true, bad, well } => {
            format!("storm: {bad} targets turned bad together and {well} are well; nothing is done until it is over")
        }
        Event::Storm { on: false, .. } => String::from("the storm is over"),
        Event::Path { path, down } => network_path(path, down.as_ref()),
        Event::Commanded(command) => commanded(command),
        Event::StateChanged { .. }
        | Event::VerdictChanged { .. }
        | Event::Opened(_)
        | Event::PatternChanged(_)
        | Event::Closed(_)
        | Event::Suspended
        | Event::RecordFailed(_) => return None,
    })
}

/// Tells in one sentence how a network path is.
#[must_use]
pub fn network_path(path: &str, down: Option<&Word>) -> String {
    match down {
        Some(why) => format!("the network path {path} is down ({why}); what needs it is left alone until it is back"),
        None => format!("the network path {path} is up again"),
    }
}

/// Tells that a service may use too little memory.
#[must_use]
pub fn small_limit(limit: u64, minimum: u64) -> String {
    let mib = |bytes: u64| bytes >> 20;
    format!("its memory is limited to {} MiB, less than the {} MiB that it needs at least", mib(limit), mib(minimum))
}

/// Tells a person's order in one sentence.
#[must_use]
pub fn commanded(command: &OperatorCommand) -> String {
    let OperatorCommand { who, reason, what, .. } = command;
    let ordered = match what {
        Wish::Pause { until: Some(until) } => format!("paused it until {until}"),
        Wish::Pause { until: None } => String::from("paused it"),
        Wish::Resume => String::from("ended the pause"),
        Wish::Approve { attempt } => format!("released attempt {attempt}"),
        Wish::Ack => String::from("looked at the underlying problem"),
        Wish::Restore { attempt, .. } => format!("wants back the session that {attempt} moved aside"),
        Wish::Remedy { remedy, force: true } => format!("ordered a {remedy} by force"),
        Wish::Remedy { remedy, force: false } => format!("ordered a {remedy}"),
    };
    format!("{who} {ordered}: {reason}")
}

/// Tells the newest act of an attempt.
#[must_use]
pub fn last_step(attempt: &AttemptView) -> String {
    let Some(step) = attempt.steps.last() else { return String::from("no step yet") };
    let note = step.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
    let outcome = step.outcome.map_or("begins", StepOutcome::as_str);
    format!("{} {} {outcome}{note}", step.act.as_str(), step.step)
}

fn scan(hand_off: &HandOffView, news: ScanNews) -> String {
    let by = hand_off.deadline.map_or_else(String::new, |at| format!(", by {}", at.clock()));
    match news {
        ScanNews::Wanted => format!("a person must scan the QR code{by}"),
        ScanNews::Reminder => format!("a person must still scan the QR code{by}"),
        ScanNews::Done => String::from("the QR code was scanned"),
        ScanNews::Expired => String::from("nobody scanned the QR code in time"),
        ScanNews::Withdrawn => String::from("no QR code is shown any more"),
    }
}
