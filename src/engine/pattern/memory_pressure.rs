//! It is about to be killed for memory, or was.

use std::time::Duration;

use super::{Case, Finding};
use crate::engine::evidence::{Evidence, Exhibit};
use crate::engine::moment::words;
use crate::engine::timeline::memory::{High, Kill, MemoryWatch, Victim, percent};

/// Judges memory against its limit.
pub(super) fn judge(case: &Case<'_>) -> Finding {
    if is_killed(case) {
        return Finding::Proven;
    }
    let Some(high) = watch(case).and_then(|memory| memory.high) else { return Finding::Clear };
    Finding::of_time("memory near its limit", high.last.since(high.first), needed(case, &high))
}

/// Tells how much is used, of what, and for how long.
pub(super) fn tell(case: &Case<'_>) -> Evidence {
    let limits = &case.limits.memory_pressure;
    let Some(memory) = watch(case) else { return Evidence::default() };
    let reading = memory.last.map(|(at, reading)| {
        let share = percent(reading)
            .map_or_else(String::new, |share| format!(" of {} ({share} %)", mib(reading.limit_bytes.unwrap_or(0))));
        (at, format!("{}{share}", mib(reading.used_bytes)))
    });
    let used = reading.as_ref().map_or_else(|| String::from("an unknown amount"), |(_, used)| used.clone());
    let sentence = match (memory.kill.filter(|_| is_killed(case)), memory.high) {
        (Some(Kill { at, victim }), _) => {
            let (clock, kills) = (at.wall.clock(), memory.kills());
            let killed = match victim {
                Victim::Service | Victim::Unknown => format!("killed for memory at {clock}"),
                Victim::Child => {
                    format!("a child process was killed for memory while the service itself lives on, at {clock}")
                }
            };
            let tense = if memory.is_over { "last used" } else { "uses" };
            format!("{killed}, {kills} times since the watch began; {tense} {used}")
        }
        (None, Some(high)) => format!(
            "uses {used}, at least {} % for {}; limit is {}",
            limits.percent_min,
            words(high.last.since(high.first)),
            words(needed(case, &high))
        ),
        (None, None) => format!("uses {used}"),
    };
    Evidence::new(sentence, reading.map(|(at, seen)| Exhibit { at: at.wall, seen }).into_iter().collect())
}

/// A reading below the threshold must have come.
pub(super) fn is_cleared(case: &Case<'_>) -> bool {
    let floor = case.timeline.floor.uptime;
    watch(case).is_some_and(|memory| memory.high.is_none() && memory.last.is_some_and(|(at, _)| floor <= at.uptime))
}

fn watch<'a>(case: &Case<'a>) -> Option<&'a MemoryWatch> {
    case.timeline.memory.as_deref()
}

/// A kill is news for as long as an incident takes to close.
fn is_killed(case: &Case<'_>) -> bool {
    watch(case).and_then(|memory| memory.kill).is_some_and(|kill| case.now.since(kill.at) < case.limits.steady)
}

/// Readings that come fast and do not fall prove it sooner: a spike before garbage collection falls again.
fn needed(case: &Case<'_>, high: &High) -> Duration {
    let limits = &case.limits.memory_pressure;
    let falls =
        watch(case).and_then(|memory| memory.last).is_some_and(|(_, reading)| reading.used_bytes < high.first_bytes);
    let is_fast = high.pause_max <= limits.fast && 2 < high.count && !falls;
    if is_fast { limits.lasts_fast } else { limits.lasts }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_euclid(1 << 20))
}
