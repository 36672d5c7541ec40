//! Says in plain words what is believed of a target, why, what was done, and what would change it.

mod remedies;

use super::incident::Incident;
use super::ladder::Remedy;
use super::moment::{Wall, words};
use super::pattern::{Lane, Pattern};
use super::snapshot::{CareView, PauseView, TargetView};
use super::tell::small_limit;
use super::verdict::Verdict;

/// Explains a target, one line a sentence, most important first; `for_all` is the pause of all targets.
#[must_use]
pub fn explain(view: &TargetView, for_all: Option<&PauseView>, now: Wall) -> Vec<String> {
    let mut lines = vec![state(view, now)];
    for lane in [Lane::Session, Lane::Memory] {
        lines.extend(believed(view, lane));
    }
    lines.extend(view.open.iter().map(|incident| opened(view, incident, now)));
    if view.stopped {
        lines.push(String::from(
            "somebody stopped the session on purpose, as it last said: it is left alone until it says otherwise",
        ));
    }
    if let Some((limit, minimum)) = view.small_limit(now) {
        lines.push(small_limit(limit, minimum));
    }
    if let Some(health) = &view.health {
        lines.push(format!("its container's own health check says {health}; nothing follows from that"));
    }
    lines.extend(remedies::tell(view, for_all, now));
    lines.extend(view.alerts.iter().map(|alert| {
        format!("Alertmanager fires: {} since {}, which proves nothing by itself", alert.name, alert.since.clock())
    }));
    lines.extend(would_change(view));
    lines.push(format!(
        "evidence counts from {} on ({} ago)",
        view.evidence_since.clock(),
        words(now.since(view.evidence_since))
    ));
    if let Some(until) = view.held_until.filter(|until| now < *until) {
        lines.push(format!("the gateway asked to be left alone until {}", until.clock()));
    }
    lines
}

/// Says in a few words what runs, waits for a person or is held back; none where nothing does.
#[must_use]
pub fn pending(care: &CareView) -> Option<String> {
    remedies::pending(care)
}

/// Returns until when a person can do what [`pending`] says; absent where no person must, or any time will do.
#[must_use]
pub fn pending_until(care: &CareView) -> Option<Wall> {
    remedies::pending_until(care)
}

fn state(view: &TargetView, now: Wall) -> String {
    let Some((state, since)) = view.state.zip(view.since) else {
        return match view.up {
            None => format!("{}: not heard of yet", view.target),
            Some(_) => format!("{}: asked, but no answer was understood yet", view.target),
        };
    };
    let word = view.word.as_ref().map_or_else(String::new, |word| format!(" (its word: \"{word}\")"));
    format!("{}: {state}{word} since {}, for {}", view.target, since.clock(), words(now.since(since)))
}

fn believed(view: &TargetView, lane: Lane) -> Option<String> {
    match (view.verdict_in(lane), lane) {
        (Verdict::Healthy, Lane::Memory) => None,
        (Verdict::Healthy, Lane::Session) if view.state.is_none() => None,
        (Verdict::Healthy, Lane::Session) => Some(String::from("healthy: no pattern of failure has its evidence")),
        (Verdict::Suspect { pattern, missing }, _) => Some(format!("suspect {pattern}: {missing}")),
        (Verdict::Failing { pattern, evidence }, _) => Some(format!("failing, {pattern}: {}", evidence.sentence)),
    }
}

fn opened(view: &TargetView, incident: &Incident, now: Wall) -> String {
    let made = view.care.attempts.iter().filter(|attempt| attempt.cause.incident == Some(incident.id)).count();
    let done = match (made, incident.remedy) {
        (0, Remedy::Notify) => String::from("only a person can help"),
        (0, Remedy::Reconnect | Remedy::Restart | Remedy::Reset | Remedy::Restore) => {
            String::from("nothing was done for it so far")
        }
        (1, _) => String::from("1 attempt was made for it"),
        (n, _) => format!("{n} attempts were made for it"),
    };
    format!(
        "incident {} is open since {} ({}); what fits first is {}; {done}",
        incident.id,
        incident.opened.clock(),
        words(incident.duration(now)),
        incident.remedy
    )
}

fn would_change(view: &TargetView) -> Vec<String> {
    let leading = [view.verdict.pattern(), view.memory_verdict.pattern()];
    let others = view.findings.iter().filter(|finding| !leading.contains(&Some(finding.pattern)));
    let mut lines: Vec<String> = others
        .map(|finding| {
            let weight = if finding.proven { "is proven too, but comes after it" } else { "would need more" };
            format!("also {}: {} ({weight})", finding.pattern, finding.why)
        })
        .collect();
    for incident in &view.open {
        lines.push(String::from(match incident.pattern {
            Pattern::MemoryPressure => "it closes once memory has stayed below its threshold for a while",
            Pattern::SilentSession => {
                "it closes once the deep probe passes or messages pass, and connected holds steadily"
            }
            Pattern::Conflict
            | Pattern::SessionExpired
            | Pattern::Repeated404
            | Pattern::Unreachable
            | Pattern::StateLoop
            | Pattern::StuckQr
            | Pattern::NeverReady
            | Pattern::CredentialsRefused => "it closes once the session has been connected steadily for a while",
        }));
    }
    lines
}
