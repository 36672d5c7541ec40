//! Says what was done about a target, what is due and not done, and what waits for a person.

use std::sync::Arc;

use crate::engine::attempt::AttemptView;
use crate::engine::moment::{Wall, words};
use crate::engine::policy::Mode;
use crate::engine::snapshot::{CareView, Grade, HandOffView, PauseView, Proposal, TargetView};
use crate::engine::tell;

/// Attempts that are told of.
const ATTEMPTS_TOLD_MAX: usize = 3;

/// Tells it, one line a sentence, most important first; `for_all` is the pause of all targets.
pub(super) fn tell(view: &TargetView, for_all: Option<&PauseView>, now: Wall) -> Vec<String> {
    let care = &view.care;
    let mut lines: Vec<String> = care.hand_off.iter().map(|hand_off| scan(hand_off)).collect();
    lines.extend(care.proposal.as_ref().map(|proposal| proposed(proposal, now)));
    lines.extend(care.needs_person.as_ref().map(|why| format!("a person must look: {why}")));
    lines.extend(acknowledge(view));
    lines.extend(care.refused.iter().map(|refused| {
        let since = at(refused.since, now);
        format!("{} is due and not done since {since}, {}: {}", refused.remedy, refused.reason, refused.why)
    }));
    lines.extend(care.attempts.iter().rev().take(ATTEMPTS_TOLD_MAX).map(|attempt| attempted(attempt, now)));
    lines.extend(for_all.or(care.pause.as_ref()).map(|pause| paused(pause, now)));
    lines.push(may(care));
    lines.extend(left(care, now));
    lines.extend(resets(care));
    lines
}

/// Says in a few words what runs, waits for a person or is held back.
pub(super) fn pending(care: &CareView) -> Option<String> {
    if let Some(attempt) = care.under_way() {
        return Some(format!("{} runs", attempt.remedy));
    }
    if let Some(hand_off) = &care.hand_off {
        return Some(hand_off.deadline.map_or_else(|| String::from("scan"), |by| format!("scan by {}", by.clock())));
    }
    if let Some(proposal) = care.unreleased() {
        let Proposal { remedy, attempt, until, .. } = proposal.as_ref();
        return Some(format!("approve {remedy} {attempt} by {}", until.clock()));
    }
    if care.needs_person.is_some() {
        return Some(String::from("a person must look"));
    }
    if let Some(refused) = care.refused.first() {
        return Some(format!("{} held back: {}", refused.remedy, refused.reason));
    }
    let unproven = care.attempts.last().filter(|attempt| attempt.outcome.is_none())?;
    Some(format!("did the {} help?", unproven.remedy))
}

/// Returns until when that can be done, where a person must do it.
pub(super) fn pending_until(care: &CareView) -> Option<Wall> {
    match (care.under_way(), &care.hand_off) {
        (Some(_), _) => None,
        (None, Some(hand_off)) => hand_off.deadline,
        (None, None) => care.unreleased().map(|proposal| proposal.until),
    }
}

fn scan(hand_off: &HandOffView) -> String {
    let cause = if hand_off.after_reset { ", to link the session anew after the reset" } else { "" };
    let until = hand_off.until.clock();
    match (hand_off.expired, hand_off.deadline) {
        (true, _) => format!("nobody scanned the QR code by {until}; a person must still scan it{cause}"),
        (false, Some(by)) => {
            format!("a person must scan the QR code{cause}: the codes shown end at {}, all hope at {until}", by.clock())
        }
        (false, None) => format!("a person must scan the QR code{cause}: by {until}"),
    }
}

fn proposed(proposal: &Proposal, now: Wall) -> String {
    let Proposal { attempt, target, remedy, .. } = proposal;
    if proposal.released {
        return format!("{remedy} {attempt} was released, and begins as soon as its guards let it");
    }
    let loses = if proposal.destroys { ", which destroys the session," } else { "" };
    let steps: Vec<String> = proposal.steps.iter().map(ToString::to_string).collect();
    format!(
        "{remedy}{loses} waits for a person until {} ({}); release it: wa-watchdog approve {target} {attempt} --reason \"…\"",
        at(proposal.until, now),
        steps.join(", "),
    )
}

fn acknowledge(view: &TargetView) -> Option<String> {
    let resets = view.care.resets;
    let why = match (resets.gave_up, resets.underlying_problem) {
        (true, _) => "the last resets did not help",
        (false, true) => "resets do not last",
        (false, false) => return None,
    };
    let target = &view.target;
    Some(format!("no reset by itself any more: {why}; once looked at: wa-watchdog ack {target} --reason \"…\""))
}

fn attempted(attempt: &Arc<AttemptView>, now: Wall) -> String {
    let by = attempt.cause.by.as_ref().map_or_else(String::new, |who| format!(", ordered or released by {who}"));
    let begun = format!("{} at {} (attempt {}{by})", attempt.remedy, at(attempt.at, now), attempt.id);
    let note = attempt.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
    match (attempt.ended, attempt.outcome) {
        (None, _) => format!("{begun} is under way for {}: {}", words(now.since(attempt.at)), tell::last_step(attempt)),
        (Some(_), Some(outcome)) => format!("{begun} {}{note}", outcome.as_str().replace('_', " ")),
        (Some((ended, how)), None) => {
            format!("{begun} ended {} at {}; whether it helped is not known yet", how.as_str(), at(ended, now))
        }
    }
}

fn paused(pause: &PauseView, now: Wall) -> String {
    let whom = if pause.all { "all targets are" } else { "it is" };
    let until =
        pause.until.map_or_else(|| String::from("until it is resumed"), |until| format!("until {}", at(until, now)));
    format!("{whom} paused by {} {until}: {}", pause.who, pause.reason)
}

fn may(care: &CareView) -> String {
    String::from(match care.mode {
        Mode::Observe => "mode is observe: it decides and tells, and never acts",
        Mode::Approve => "mode is approve: it asks, and a person releases each attempt",
        Mode::Act => "mode is act: it acts by itself, within its budgets",
    })
}

fn left(care: &CareView, now: Wall) -> Vec<String> {
    let count = |(remedy, left): (&super::Remedy, &u32)| {
        let loses = if care.destroys.contains(remedy) { " (destroys the session)" } else { "" };
        format!("{remedy} {left}{loses}")
    };
    let budget: Vec<String> = care.budget.iter().map(count).collect();
    let mut lines = Vec::new();
    if !budget.is_empty() {
        lines.push(format!("attempts that the budgets have left: {}", budget.join(", ")));
    }
    if let Some(until) = care.cooldown_until.filter(|until| now < *until) {
        lines.push(format!("after the last attempt nothing new is begun before {}", at(until, now)));
    }
    lines
}

fn resets(care: &CareView) -> Option<String> {
    let resets = care.resets;
    if care.destroys.is_empty() && resets.month == 0 {
        return None;
    }
    let means = match resets.grade {
        Grade::Never => "never: as it should be",
        Grade::Rare => "rare: normal",
        Grade::AfterUpdate => "after an update: normal, if it stays with one",
        Grade::Weekly => "weekly: something else is wrong; look at log, memory and network",
        Grade::Daily => "daily: something else is wrong; look at log, memory and network before the next one",
    };
    Some(format!("resets: {} in 24 h, {} in 7 d, {} in 30 d; {means}", resets.day, resets.week, resets.month))
}

/// Writes the time of day, and the date where it is another day.
fn at(at: Wall, now: Wall) -> String {
    let day = |wall: Wall| wall.millis().div_euclid(86_400_000);
    if day(at) == day(now) { at.clock() } else { at.to_string() }
}
