//! What the engine announces, as log lines.

use crate::engine::incident::IncidentId;
use crate::engine::moment::words;
use crate::engine::tell::tell;
use crate::engine::verdict::Verdict;
use crate::engine::{Event, TargetId, Wall};

/// Writes one announcement to the log; `ledger_fault` says why an entry that failed did. INFO: a state changed. WARN: somebody should look if it keeps on. ERROR: somebody must.
pub(super) fn write(now: Wall, event: &Event, ledger_fault: &str) {
    match event {
        Event::StateChanged { target, from, to, word } => {
            let from = from.map_or("nothing", |state| state.as_str());
            let word = word.as_ref().map_or("", |word| word.as_str());
            tracing::info!(%target, from, to = to.as_str(), word, "session state changed");
        }
        Event::VerdictChanged { target, verdict } => match verdict {
            Verdict::Healthy => tracing::debug!(%target, "no longer suspect"),
            Verdict::Suspect { pattern, missing } => tracing::debug!(%target, %pattern, missing, "suspect"),
            Verdict::Failing { pattern, evidence } => {
                tracing::warn!(%target, %pattern, evidence = evidence.sentence, "failing");
            }
        },
        Event::Opened(incident) => tracing::warn!(
            target = %incident.target, incident = incident.id.0, pattern = %incident.pattern,
            remedy = %incident.remedy, evidence = incident.evidence.sentence, "incident opened"
        ),
        Event::PatternChanged(incident) => tracing::warn!(
            target = %incident.target, incident = incident.id.0, pattern = %incident.pattern,
            remedy = %incident.remedy, evidence = incident.evidence.sentence, "incident is something else"
        ),
        Event::Closed(incident) => tracing::info!(
            target = %incident.target, incident = incident.id.0, pattern = %incident.pattern,
            how = incident.closed.map_or("", |closed| closed.how.as_str()),
            lasted = words(incident.duration(now)), "incident closed"
        ),
        Event::Suspended => {
            tracing::warn!("the watchdog was suspended or a clock jumped; every window of evidence starts anew");
        }
        Event::RecordFailed(entry) => tracing::error!(
            target = %entry.target, kind = entry.fact.kind(), cause = ledger_fault, "a ledger entry could not be written"
        ),
        Event::Planned(attempt) => remedy(&attempt.target, event, attempt.cause.incident),
        Event::Started(attempt) | Event::Stepped(attempt) | Event::RunEnded(attempt) | Event::Verified(attempt) => {
            remedy(&attempt.target, event, attempt.cause.incident);
        }
        Event::ApprovalWanted(proposal) => tracing::warn!(
            target = %proposal.target, attempt = %proposal.attempt, remedy = %proposal.remedy, until = %proposal.until,
            why = proposal.cause.reason, "a person must release an attempt"
        ),
        Event::Refused(refusal) => tracing::info!(
            target = %refusal.target, remedy = %refusal.remedy, reason = %refusal.reason, why = refusal.why,
            "a remedy is due and not done"
        ),
        Event::Scan(hand_off, news) => tracing::warn!(
            target = %hand_off.target, scan = news.as_str(), what = tell(event).unwrap_or_default(), "scan"
        ),
        Event::NeedsPerson { target, incident, why } => {
            tracing::error!(%target, incident = incident.id.0, why, "a person must look");
        }
        Event::ForeignRestart { target } => tracing::warn!(%target, "the service was restarted by somebody else"),
        Event::SmallLimit { target, limit, minimum } => {
            tracing::warn!(%target, limit, minimum, "{}", tell(event).unwrap_or_default());
        }
        Event::Storm { on, bad, well } => {
            tracing::warn!(on, bad, well, "{}", tell(event).unwrap_or_default());
        }
        Event::Path { path, down } => {
            tracing::warn!(%path, up = down.is_none(), "{}", tell(event).unwrap_or_default());
        }
        Event::Commanded(command) => {
            let target = command.target.as_ref().map_or("*", |target| target.as_str());
            tracing::info!(target, what = tell(event).unwrap_or_default(), "order");
        }
    }
}

/// Writes a line about an attempt.
fn remedy(target: &TargetId, event: &Event, incident: Option<IncidentId>) {
    let (what, incident) = (tell(event).unwrap_or_default(), incident.map_or(0, |incident| incident.0));
    tracing::warn!(%target, incident, "{what}");
}
