//! What an order will do, and what stands in its way, in plain words.

use std::sync::Arc;

use crate::engine::attempt::{AttemptView, Outcome};
use crate::engine::ladder::Remedy;
use crate::engine::plan::StepName;
use crate::engine::snapshot::{PauseView, TargetView};
use crate::engine::tell::network_path;

use super::super::order::Verb;
use super::order::Subject;
use super::say::sentence;
use super::when;

/// Says what the order will do, one sentence a line.
pub(super) fn tells(subject: &Subject<'_>, attempt: &str) -> Vec<String> {
    let Some(view) = subject.view else {
        return vec![String::from(match subject.verb {
            Verb::Resume => {
                "Ends the pause of all sessions: what is due may be done again. Those that are paused by themselves stay so."
            }
            Verb::Pause | Verb::Approve | Verb::Ack | Verb::Restore | Verb::Remedy(_) => {
                "The watchdog goes on watching and telling, and does nothing to any session meanwhile. What runs now is brought to its end."
            }
        })];
    };
    match subject.verb {
        Verb::Pause => {
            vec![String::from("The watchdog goes on watching and telling, and does nothing to this session meanwhile.")]
        }
        Verb::Resume => vec![String::from("Ends the pause of this session: what is due may be done again.")],
        Verb::Ack => acknowledge(view),
        Verb::Approve => approve(subject, attempt),
        Verb::Restore => vec![
            format!("Brings back the session that the reset {} took away.", attempt.trim()),
            String::from(
                "What is there now is moved aside, not lost. Use it where the reset did not help, and the old session may still be linked.",
            ),
        ],
        Verb::Remedy(remedy) => carry_out(view, remedy),
    }
}

/// Says what stands in the way, or should be known, one sentence a line.
pub(super) fn warns(subject: &Subject<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(view) = subject.view else { return lines };
    let care = &view.care;
    let remedy = match subject.verb {
        Verb::Remedy(remedy) => remedy,
        Verb::Restore => Remedy::Restore,
        Verb::Pause | Verb::Resume | Verb::Approve | Verb::Ack => return lines,
    };
    if let Some(pause) = care.pause.as_ref().or(subject.snapshot.pause.as_ref()) {
        lines.push(paused(subject, pause));
    }
    if let Some(running) = care.under_way() {
        lines.push(format!("A {} of it is under way: one thing at a time.", running.remedy));
    }
    if !care.budget.contains_key(&remedy) {
        lines.push(format!("No hook is configured for {remedy}, so it cannot be done."));
    }
    if let Some(why) = &care.disturbs {
        lines.push(format!("{} It is done only by force.", sentence(why)));
    }
    if subject.snapshot.fleet.storm {
        lines.push(String::from(
            "A storm is on: many sessions turned bad together, so the cause is elsewhere. It is done only by force.",
        ));
    }
    for path in subject.paths_down() {
        let down = sentence(&network_path(&path.path, path.why.as_ref()));
        lines.push(format!("{down} It is done only by force."));
    }
    if care.budget.get(&remedy).is_some_and(|left| *left == 0) {
        lines.push(format!(
            "The budget of {remedy} is spent: the watchdog would not do it by itself now. Your order goes past it."
        ));
    }
    if let Some(until) = care.cooldown_until.filter(|until| subject.now < *until) {
        let until = when::text(until, subject.now);
        lines.push(format!(
            "The last attempt is fresh: by itself it would wait until {until}. Your order goes past that."
        ));
    }
    if !view.verdict.is_failing() && !view.memory_verdict.is_failing() {
        lines.push(String::from("Nothing is proven to be wrong with it now."));
    }
    lines
}

fn acknowledge(view: &TargetView) -> Vec<String> {
    let resets = view.care.resets;
    let why = match (resets.gave_up, resets.underlying_problem) {
        (true, _) => "The last resets did not help.",
        (false, true) => "Resets do not last: something else is wrong.",
        (false, false) => "Nothing waits for that now.",
    };
    vec![
        String::from(
            "Says that the underlying problem (log, memory, network) was looked at: resets may run again within their budgets.",
        ),
        format!("{why} Resets: {} in 24 h, {} in 7 d, {} in 30 d.", resets.day, resets.week, resets.month),
    ]
}

fn approve(subject: &Subject<'_>, attempt: &str) -> Vec<String> {
    let Some(proposal) = subject.proposal(attempt) else {
        return vec![String::from("This does not wait for approval, or not any more.")];
    };
    let mut lines = vec![
        format!("Releases this {}: it begins as soon as its guards let it.", proposal.remedy),
        format!("Why: {}", proposal.cause.reason),
        format!("Steps: {}.", steps(proposal.steps.iter())),
        format!("It waits until {}.", when::text(proposal.until, subject.now)),
    ];
    if proposal.destroys {
        lines.push(destroys());
    }
    lines
}

fn carry_out(view: &TargetView, remedy: Remedy) -> Vec<String> {
    let mut lines = vec![String::from(match remedy {
        Remedy::Reconnect => "Asks the gateway to connect again. The session is kept.",
        Remedy::Restart if view.care.destroys.contains(&remedy) => {
            "Restarts the service. Here that unlinks the phone, as restart_keeps_session = false says."
        }
        Remedy::Restart => "Restarts the service. The session is kept.",
        Remedy::Reset => "Takes the session away and begins a new one.",
        Remedy::Notify | Remedy::Restore => "Cannot be ordered like this.",
    })];
    if view.care.destroys.contains(&remedy) {
        lines.push(destroys());
    }
    if let Some(last) = last(view, remedy) {
        let steps = steps(last.steps.iter().map(|step| &step.step));
        lines.push(format!("Last time its steps were: {steps}; {}.", came(last.outcome)));
    }
    if let Some(left) = view.care.budget.get(&remedy) {
        lines.push(format!("Budget left: {left}. This counts too."));
    }
    lines
}

fn came(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Helped) => "it helped",
        Some(Outcome::DidNotHelp) => "it did not help",
        Some(Outcome::Failed) => "it failed",
        Some(Outcome::Unmet) => "what it needs first was not met, so nothing was done",
        Some(Outcome::Interrupted) => "it was interrupted",
        Some(Outcome::Aborted) => "it was aborted",
        None => "whether it helped is not known yet",
    }
}

fn destroys() -> String {
    String::from(
        "This destroys the session: a person with the phone must then scan a QR code, within about three minutes.",
    )
}

fn last(view: &TargetView, remedy: Remedy) -> Option<&Arc<AttemptView>> {
    view.care.attempts.iter().rev().find(|attempt| attempt.remedy == remedy && attempt.ended.is_some())
}

fn steps<'a>(names: impl Iterator<Item = &'a StepName>) -> String {
    let mut told: Vec<&str> = names.map(|name| name.0.as_ref()).collect();
    told.dedup();
    told.join(", ")
}

fn paused(subject: &Subject<'_>, pause: &PauseView) -> String {
    let whom = if pause.all { "All sessions are" } else { "It is" };
    let until = pause
        .until
        .map_or_else(|| String::from("until resumed"), |until| format!("until {}", when::text(until, subject.now)));
    format!("{whom} paused by {} {until} ({}): resume first, or this will be refused.", pause.who, pause.reason)
}
