//! Whether a remedy that is due may be carried out: one function a guard, in their order; the first that refuses counts.

use std::time::Duration;

use super::history::{self, History};
use super::{Pause, Proposed};
use crate::engine::incident::IncidentId;
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Moment, words};
use crate::engine::pattern::Pattern;
use crate::engine::policy::{FleetLimits, Limits, Mode, Watch};
use crate::engine::refusal::Refusal;

/// What the guards look at.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The moment.
    pub now: Moment,
    /// What would be done.
    pub remedy: Remedy,
    /// What is wrong; none where a person ordered it.
    pub pattern: Option<Pattern>,
    /// The incident.
    pub incident: Option<IncidentId>,
    /// A restart was carried out in this incident and did not help.
    pub restart_failed: bool,
    /// How the target is watched.
    pub watch: &'a Watch,
    /// What was done for it.
    pub history: &'a History,
    /// The pause that counts, the target's own or that of all.
    pub pause: Option<&'a Pause>,
    /// Why a person must not be disturbed now.
    pub hand_off: Option<String>,
    /// Why this may be no fault of this target alone.
    pub storm: Option<String>,
    /// What else is under way that stands in the way.
    pub busy: Option<String>,
    /// What all targets used of the budget of the fleet.
    pub fleet_use: u32,
    /// What holds for all targets.
    pub fleet: &'a FleetLimits,
    /// What a person may have released.
    pub proposal: Option<&'a Proposed>,
    /// Since when the ledger could not be written.
    pub ledger_failed: bool,
    /// A person ordered it.
    pub ordered: Option<Ordered>,
}

/// How a person ordered a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Also while a live QR code is shown or a storm is on.
    pub force: bool,
}

/// One guard: why it refuses, or none.
type Guard = fn(&Question<'_>) -> Option<String>;

/// The guards in their order.
const GUARDS: [(Refusal, Guard); Refusal::ALL.len()] = [
    (Refusal::Paused, paused),
    (Refusal::Mode, mode),
    (Refusal::HandOff, hand_off),
    (Refusal::Storm, storm),
    (Refusal::CannotHelp, cannot_help),
    (Refusal::NoHook, no_hook),
    (Refusal::Cooldown, cooldown),
    (Refusal::Budget, budget),
    (Refusal::QuietHours, quiet_hours),
    (Refusal::UnderlyingProblem, underlying_problem),
    (Refusal::GaveUp, gave_up),
    (Refusal::Busy, busy),
    (Refusal::Unapproved, unapproved),
    (Refusal::Ledger, ledger),
];

/// Returns the first refusal, and why; none where it may be carried out.
#[must_use]
pub fn refuse(question: &Question<'_>) -> Option<(Refusal, String)> {
    GUARDS.iter().find_map(|(refusal, guard)| guard(question).map(|why| (*refusal, why)))
}

impl Question<'_> {
    fn destroys(&self) -> bool {
        self.watch.destroys(self.remedy)
    }

    fn limits(&self) -> &Limits {
        &self.watch.limits
    }

    /// These guards protect against the watchdog's own zeal: a person who orders goes past them.
    fn by_itself(&self) -> Option<()> {
        self.ordered.is_none().then_some(())
    }

    /// These protect people and sessions: a person goes past them only by force.
    fn unforced(&self) -> Option<()> {
        (!self.ordered.is_some_and(|ordered| ordered.force)).then_some(())
    }
}

fn paused(question: &Question<'_>) -> Option<String> {
    let pause = question.pause.filter(|pause| pause.counts(question.now))?;
    let until = pause.until.map_or_else(|| String::from("until it is resumed"), |until| format!("until {until}"));
    Some(format!("paused by {} {until}: {}", pause.who, pause.reason))
}

fn mode(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    (question.watch.mode == Mode::Observe)
        .then(|| String::from("mode is observe: it decides and tells, and never acts"))
}

fn hand_off(question: &Question<'_>) -> Option<String> {
    question.unforced()?;
    question.hand_off.clone()
}

fn storm(question: &Question<'_>) -> Option<String> {
    question.unforced()?;
    question.storm.clone()
}

fn cannot_help(question: &Question<'_>) -> Option<String> {
    let pattern = question.pattern?;
    question.by_itself()?;
    let destroys = question.destroys();
    if !pattern.allows(question.remedy) {
        return Some(format!("a {} cannot help {pattern}", question.remedy));
    }
    if destroys && !pattern.allows(Remedy::Reset) {
        return Some(format!(
            "here a {} loses the session as a reset does, and that cannot help {pattern}",
            question.remedy
        ));
    }
    let needs_restart_first =
        question.remedy == Remedy::Reset && matches!(pattern, Pattern::StateLoop | Pattern::NeverReady);
    (needs_restart_first && !question.restart_failed)
        .then(|| format!("for {pattern} a restart must be tried first, and not help"))
}

fn no_hook(question: &Question<'_>) -> Option<String> {
    let has_hook = question.watch.plans.contains_key(&question.remedy);
    (!has_hook).then(|| format!("no hook is configured for {}", question.remedy))
}

fn cooldown(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    let until = question.history.cooldown_until(question.now, question.incident, &question.limits().cooldown)?;
    Some(format!(
        "the last attempt or foreign restart is too fresh: it waits until {}",
        until.wall(question.now).clock()
    ))
}

fn budget(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    let (remedy, destroys) = (question.remedy, question.destroys());
    let (left, used) = question.history.left(question.now, remedy, destroys, &question.limits().budget);
    if left == 0 {
        return Some(format!("the budget is spent: {used}"));
    }
    history::fleet_spent(question.fleet_use, remedy, destroys, question.fleet)
        .map(|used| format!("the budget of the fleet is spent: {used}"))
}

fn quiet_hours(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    let quiet = &question.limits().quiet_hours;
    let hour = question.now.wall.timestamp().to_zoned(quiet.zone.clone()).hour();
    let is_quiet = u8::try_from(hour).is_ok_and(|hour| quiet.holds(hour));
    (question.destroys() && is_quiet)
        .then(|| format!("it needs a person with the phone, and it is quiet from {}:00 to {}:00", quiet.from, quiet.to))
}

fn underlying_problem(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    let (resets, most) = (question.history.unacked_resets(question.now), question.limits().budget.resets_weekly);
    (question.destroys() && most <= resets).then(|| {
        format!("{resets} resets in 7 days did not last: something else is wrong (log, memory, network); acknowledge once looked at")
    })
}

fn gave_up(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    let (failed, most) = (question.history.failed_resets(), question.limits().budget.gives_up_after);
    (most <= failed).then(|| format!("{failed} resets in a row did not help; acknowledge once looked at"))
}

fn busy(question: &Question<'_>) -> Option<String> {
    question.busy.clone()
}

fn unapproved(question: &Question<'_>) -> Option<String> {
    question.by_itself()?;
    if question.watch.mode != Mode::Approve {
        return None;
    }
    let released = question.proposal.is_some_and(|proposed| {
        proposed.released_by.is_some()
            && proposed.view.remedy == question.remedy
            && proposed.view.cause.incident == question.incident
            && !proposed.ends.has_come(question.now)
    });
    (!released).then(|| String::from("mode is approve: a person must release it"))
}

fn ledger(question: &Question<'_>) -> Option<String> {
    question.ledger_failed.then(|| String::from("the ledger cannot be written, so nothing is done"))
}

/// Says in words that a storm holds everything.
#[must_use]
pub fn in_storm(bad: u32, well: u32, together: Duration) -> String {
    format!(
        "{bad} targets turned bad within {} of each other and {well} are well: the cause is elsewhere",
        words(together)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guards_stand_in_the_order_of_the_refusals() {
        assert_eq!(GUARDS.map(|(refusal, _)| refusal), Refusal::ALL);
    }
}
