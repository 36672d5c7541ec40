//! Thresholds: one row a key, named as the field of the engine that it sets.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::problem::Report;
use super::section::{Item, Section};
use super::unit;
use crate::engine::ladder::{Ladder, Remedy};
use crate::engine::pattern::Pattern;
use crate::engine::policy::{
    AttemptLimits, Budget, Conflict, Cooldown, CredentialsRefused, HandOffLimits, Limits, MemoryPressure, NeverReady,
    Night, Repeated404, SessionExpired, SilentSession, StateLoop, StuckQr, Unreachable,
};

/// How often something may be asked: not faster than a gateway can bear, and daily at least.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
/// How long something may last.
pub(super) const SPAN: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(30 * 24);
/// How long one call may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_mins(5);
/// How long one call may take where nobody says it.
const TIMEOUT_DEFAULT_MAX: Duration = Duration::from_secs(10);
/// Longest body that may be read.
const BODY_BYTES: RangeInclusive<u64> = (1 << 10)..=(64 << 20);
/// Longest body that is read where nobody says it.
const BODY_BYTES_DEFAULT: usize = 1 << 20;
/// Most times that something may be asked to happen.
pub(super) const TIMES_MAX: u32 = 1000;
/// Most conflicts that a timeline can tell apart: half of the runs that it keeps.
const CONFLICTS_MAX: u32 = 24;
/// Most returns that a timeline keeps.
const RETURNS_MAX: u32 = 16;
/// Most gaps between messages that a timeline keeps.
const MOVES_MAX: u32 = 32;
/// Longest ladder.
const RUNGS_MAX: usize = 8;

/// Thresholds of the engine, and those of asking.
#[derive(Clone, Debug, Default)]
pub(super) struct Thresholds {
    pub(super) limits: Limits,
    /// None: it follows from how often is asked.
    pub(super) timeout: Option<Duration>,
    body_bytes_max: Option<usize>,
}

/// One key and what it sets.
struct Key {
    name: &'static str,
    field: Field,
}

enum Field {
    Every(At<Duration>),
    Span(At<Duration>),
    Count(u32, At<u32>),
    /// A count that may be 0: never.
    Budget(u32, At<u32>),
    Percent(At<u8>),
    Ladder(At<Ladder>),
    Night(At<Night>),
}

/// Where a value stands in the limits.
type At<T> = fn(&mut Limits) -> &mut T;

/// Makes the rows of one section. Does not compile where a field of the engine has no row.
macro_rules! keys {
    ($type:ident at $section:ident { $($name:ident: $field:ident $(($max:expr))?),+ $(,)? }) => {{
        const _: fn(&$type) = |$type { $($name: _),+ }| {};
        &[$(Key {
            name: stringify!($name),
            field: Field::$field($($max,)? |limits| &mut limits.$section.$name),
        }),+]
    }};
    (Limits { $($name:ident: $field:ident),+ $(,)? } and $($section:ident),+ $(,)?) => {{
        const _: fn(&Limits) = |Limits { $($name: _),+, $($section: _),+ }| {};
        &[$(Key { name: stringify!($name), field: Field::$field(|limits| &mut limits.$name) }),+]
    }};
}

/// The keys of all patterns together.
const TOP: &[Key] = keys!(Limits {
    poll_every: Every,
    deep_every: Every,
    qr_every: Every,
    settle: Span,
    steady: Span,
    gap: Span,
    quiet_hours: Night,
} and budget, cooldown, attempt, hand_off, conflict, session_expired, repeated_404, unreachable, state_loop, stuck_qr, never_ready, silent_session,
      memory_pressure, credentials_refused);

/// The keys of what is done, by section.
const CARE: [(&str, &[Key]); 4] = [
    (
        "budget",
        keys!(Budget at budget {
            reconnects_hourly: Budget(TIMES_MAX),
            reconnects_daily: Budget(TIMES_MAX),
            restarts_hourly: Budget(TIMES_MAX),
            restarts_daily: Budget(TIMES_MAX),
            reset_every: Span,
            resets_daily: Budget(TIMES_MAX),
            resets_weekly: Count(TIMES_MAX),
            gives_up_after: Count(TIMES_MAX),
        }),
    ),
    ("cooldown", keys!(Cooldown at cooldown { first: Span, longest: Span })),
    (
        "attempt",
        keys!(AttemptLimits at attempt {
            reconnect_helps_in: Span,
            restart_helps_in: Span,
            again_after: Span,
            approval_for: Span,
            resume_within: Span,
        }),
    ),
    (
        "hand_off",
        keys!(HandOffLimits at hand_off { after: Span, round: Span, window: Span, remind_every: Span, qr_within: Span }),
    ),
];

/// The keys of each pattern.
const PATTERNS: [(Pattern, &[Key]); 10] = [
    (
        Pattern::Conflict,
        keys!(Conflict at conflict { lasts: Span, times_min: Count(CONFLICTS_MAX), within: Span, act_after: Span, ladder: Ladder }),
    ),
    (
        Pattern::SessionExpired,
        keys!(SessionExpired at session_expired {
            times_min: Count(TIMES_MAX),
            refused_for: Span,
            scan_for: Span,
            scan_after_down: Span,
            gave_up_for: Span,
            ladder: Ladder,
        }),
    ),
    (
        Pattern::Repeated404,
        keys!(Repeated404 at repeated_404 { times_min: Count(TIMES_MAX), lasts: Span, ladder: Ladder }),
    ),
    (
        Pattern::Unreachable,
        keys!(Unreachable at unreachable {
            times_min: Count(TIMES_MAX),
            timeouts_min: Count(TIMES_MAX),
            lasts: Span,
            clears: Count(TIMES_MAX),
            ladder: Ladder,
        }),
    ),
    (
        Pattern::StateLoop,
        keys!(StateLoop at state_loop { returns_min: Count(RETURNS_MAX), within: Span, ladder: Ladder }),
    ),
    (
        Pattern::StuckQr,
        keys!(StuckQr at stuck_qr { lasts: Span, frozen_after: Span, ladder: Ladder, ladder_dead: Ladder }),
    ),
    (
        Pattern::NeverReady,
        keys!(NeverReady at never_ready { lasts: Span, reconnects_for: Span, progress_for: Span, ladder: Ladder }),
    ),
    (
        Pattern::SilentSession,
        keys!(SilentSession at silent_session {
            deep_min: Count(TIMES_MAX),
            gaps_min: Count(TIMES_MAX),
            still_for: Span,
            moves_min: Count(MOVES_MAX),
            expected_min: Count(TIMES_MAX),
            night: Night,
            ladder: Ladder,
        }),
    ),
    (
        Pattern::MemoryPressure,
        keys!(MemoryPressure at memory_pressure {
            percent_min: Percent,
            lasts: Span,
            lasts_fast: Span,
            fast: Span,
            ladder: Ladder,
        }),
    ),
    (
        Pattern::CredentialsRefused,
        keys!(CredentialsRefused at credentials_refused { times_min: Count(TIMES_MAX), lasts: Span, ladder: Ladder }),
    ),
];

impl Thresholds {
    /// Starts from limits that are given.
    pub(super) fn of(limits: &Limits) -> Self {
        Self { limits: limits.clone(), ..Self::default() }
    }

    /// Returns how long one call may take: what was said, else four fifths of the time until the next one is due.
    pub(super) fn timeout(&self) -> Duration {
        let most = self.limits.poll_every.saturating_mul(4).checked_div(5).unwrap_or(TIMEOUT_DEFAULT_MAX);
        self.timeout.unwrap_or(most.min(TIMEOUT_DEFAULT_MAX))
    }

    /// Returns the longest body that is read.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.body_bytes_max.unwrap_or(BODY_BYTES_DEFAULT)
    }
}

/// Tells whether a key is one of thresholds.
pub(super) fn is_key(name: &str) -> bool {
    matches!(name, "timeout" | "body_max")
        || TOP.iter().any(|key| key.name == name)
        || CARE.iter().any(|(section, _)| *section == name)
        || PATTERNS.iter().any(|(pattern, _)| pattern.as_str() == name)
}

/// Takes every threshold of a section; what it does not say stays as it is in `base`. Other keys are left to the caller.
pub(super) fn read(section: &mut Section, report: &mut Report, base: &Thresholds) -> Thresholds {
    let mut read = base.clone();
    let said = (section.peek("timeout"), section.peek("poll_every"));
    let cooldown = section.peek("cooldown");
    for key in TOP {
        key.read(section, report, None, &mut read.limits);
    }
    if let Some(item) = section.take("timeout") {
        read.timeout = item.span(report, TIMEOUT).or(read.timeout);
    }
    if let Some(item) = section.take("body_max") {
        let bytes = item.size(report, BODY_BYTES);
        read.body_bytes_max = bytes.and_then(|bytes| usize::try_from(bytes).ok()).or(read.body_bytes_max);
    }
    for (name, keys) in CARE {
        let Some(mut own) = section.take_section(report, name) else { continue };
        for key in keys {
            key.read(&mut own, report, None, &mut read.limits);
        }
        own.finish(report);
    }
    for (pattern, keys) in PATTERNS {
        let Some(mut own) = section.take_section(report, pattern.as_str()) else { continue };
        for key in keys {
            key.read(&mut own, report, Some(pattern), &mut read.limits);
        }
        own.finish(report);
    }
    if let Some(item) = cooldown {
        check_cooldown(&item, report, &read.limits.cooldown);
    }
    if let (Some(item), _) | (None, Some(item)) = said {
        check_timeout(&item, report, &read);
    }
    read
}

/// Writes every threshold that differs from the default, as it is read.
pub(super) fn write(limits: &Limits) -> Map<String, Value> {
    // The rows hand out places to be set.
    let (mut limits, mut usual) = (limits.clone(), Limits::default());
    let mut differing = |keys: &[Key]| -> Map<String, Value> {
        let differs = |key: &&Key| key.write(&mut limits) != key.write(&mut usual);
        let keys: Vec<&Key> = keys.iter().filter(differs).collect();
        keys.into_iter().map(|key| (key.name.to_owned(), key.write(&mut limits))).collect()
    };
    let mut written = differing(TOP);
    let patterns = PATTERNS.into_iter().map(|(pattern, keys)| (pattern.as_str(), keys));
    for (section, keys) in CARE.into_iter().chain(patterns) {
        let keys = differing(keys);
        if !keys.is_empty() {
            written.insert(section.to_owned(), keys.into());
        }
    }
    written
}

/// Takes how close together targets must turn bad; it counts for all of them.
pub(super) fn together(section: &mut Section, report: &mut Report) -> Option<Duration> {
    section.take("together")?.span(report, SPAN)
}

fn check_timeout(item: &Item, report: &mut Report, read: &Thresholds) {
    let (timeout, poll_every) = (read.timeout(), read.limits.poll_every);
    if poll_every <= timeout {
        let (timeout, poll_every) = (unit::in_words(timeout), unit::in_words(poll_every));
        let what = format!("one call may take {timeout}, and the next is due after {poll_every}");
        item.refuse(report, what, "make timeout shorter than poll_every, or leave timeout out");
    }
}

fn check_cooldown(item: &Item, report: &mut Report, cooldown: &Cooldown) {
    if cooldown.longest < cooldown.first {
        let (first, longest) = (unit::in_words(cooldown.first), unit::in_words(cooldown.longest));
        let what = format!("begins with {first} and may not be longer than {longest}");
        item.refuse(report, what, "make first shorter than longest");
    }
}

impl Key {
    fn read(&self, section: &mut Section, report: &mut Report, pattern: Option<Pattern>, limits: &mut Limits) {
        let Some(item) = section.take(self.name) else { return };
        match self.field {
            Field::Every(at) => set(at(limits), item.span(report, EVERY)),
            Field::Span(at) => set(at(limits), item.span(report, SPAN)),
            Field::Count(max, at) => set(at(limits), item.count(report, 1..=max)),
            Field::Budget(max, at) => set(at(limits), item.count(report, 0..=max)),
            Field::Percent(at) => {
                set(at(limits), item.word(report, unit::percent, "a share from 1% to 100%", "write it as in \"90%\""));
            }
            Field::Ladder(at) => set(at(limits), ladder(&item, report, pattern)),
            Field::Night(at) => night(item, report, at(limits)),
        }
    }

    fn write(&self, limits: &mut Limits) -> Value {
        match self.field {
            Field::Every(at) | Field::Span(at) => unit::in_words(*at(limits)).into(),
            Field::Count(_, at) | Field::Budget(_, at) => (*at(limits)).into(),
            Field::Percent(at) => format!("{}%", at(limits)).into(),
            Field::Ladder(at) => at(limits).rungs().iter().map(|remedy| remedy.as_str()).collect(),
            Field::Night(at) => written_night(at(limits)),
        }
    }
}

pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn ladder(item: &Item, report: &mut Report, pattern: Option<Pattern>) -> Option<Ladder> {
    let may = |remedy: &Remedy| pattern.is_none_or(|pattern| pattern.allows(*remedy));
    let allowed: Vec<&str> = Remedy::RUNGS.into_iter().filter(may).map(Remedy::as_str).collect();
    let hint = format!("allowed here: {}", allowed.join(", "));
    let items = item.words(report, "write it as in [\"notify\", \"restart\"]")?;
    if items.is_empty() || RUNGS_MAX < items.len() {
        item.refuse(report, format!("has {} remedies", items.len()), format!("write 1 to {RUNGS_MAX}; {hint}"));
        return None;
    }
    let mut rungs = Vec::new();
    for item in &items {
        let remedy = item.word(report, remedy, "a remedy", &hint)?;
        if let Some(why) = pattern.and_then(|pattern| why_not(pattern, remedy, rungs.is_empty())) {
            item.refuse(report, why, &hint);
            return None;
        }
        rungs.push(remedy);
    }
    rungs.split_first().map(|(first, then)| Ladder::new(*first, then))
}

fn remedy(word: &str) -> Option<Remedy> {
    Remedy::RUNGS.into_iter().find(|remedy| remedy.as_str() == word)
}

/// Says why a remedy may not stand on a pattern's ladder; none where it may.
fn why_not(pattern: Pattern, remedy: Remedy, is_first: bool) -> Option<String> {
    if pattern.allows(remedy) {
        let too_soon =
            is_first && remedy == Remedy::Reset && matches!(pattern, Pattern::StateLoop | Pattern::NeverReady);
        return too_soon.then(|| format!("{remedy} comes first: it destroys a session that a restart may mend"));
    }
    let why = match pattern {
        Pattern::Conflict => "the other client stays, and takes a new session as well",
        Pattern::Repeated404 => "a session that does not exist cannot be started again",
        Pattern::Unreachable => "the session of a gateway that does not answer may be well",
        Pattern::StuckQr => "there is no session yet that could be made anew",
        Pattern::SilentSession => "silence proves no broken session, and a reset destroys it",
        Pattern::MemoryPressure => "the session is well, and a restart frees the memory too",
        Pattern::CredentialsRefused => "the watchdog's own token is wrong, and only a person can mend that",
        Pattern::SessionExpired | Pattern::StateLoop | Pattern::NeverReady => "it cannot help",
    };
    Some(format!("{remedy} is never done about {pattern}: {why}"))
}

fn night(item: Item, report: &mut Report, night: &mut Night) {
    let Some(mut section) = item.section(report) else { return };
    let hint = "write a full hour, as in \"22:00\"";
    for (name, hour) in [("from", &mut night.from), ("to", &mut night.to)] {
        let read = section.take(name).and_then(|item| item.word(report, unit::hour, "a full hour of the day", hint));
        set(hour, read);
    }
    let zone = section.take("zone").and_then(|item| {
        let hint = "write a name of the time zone database, as in \"Europe/Berlin\"; it must be installed (tzdata)";
        item.word(report, |name| jiff::tz::TimeZone::get(name).ok(), "a time zone known here", hint)
    });
    set(&mut night.zone, zone);
    section.finish(report);
}

fn written_night(night: &Night) -> Value {
    let hour = |hour: u8| Value::from(format!("{hour:02}:00"));
    let zone = night.zone.iana_name().unwrap_or("UTC");
    let keys = [("from", hour(night.from)), ("to", hour(night.to)), ("zone", zone.into())];
    keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::node;
    use super::*;
    use crate::engine::timeline::track;

    #[test]
    fn every_key_that_is_written_is_read_again() {
        let mut limits = Limits::default();
        let sections = CARE.into_iter().map(|(_, keys)| keys).chain(PATTERNS.into_iter().map(|(_, keys)| keys));
        for key in sections.flatten().chain(TOP) {
            match key.field {
                Field::Every(at) | Field::Span(at) => *at(&mut limits) += Duration::from_millis(1001),
                Field::Count(_, at) | Field::Budget(_, at) => *at(&mut limits) += 1,
                Field::Percent(at) => *at(&mut limits) -= 1,
                Field::Ladder(at) => *at(&mut limits) = Ladder::new(Remedy::Notify, &[Remedy::Notify]),
                Field::Night(at) => {
                    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
                    *at(&mut limits) = Night { from: 3, to: 11, zone };
                }
            }
        }
        limits.quiet_hours.from = 22;
        let at = node::Place::file("f", None);
        let mut section = Section::root(at.clone(), node::of_json(&write(&limits), &at));
        let mut report = Report::default();
        let read = read(&mut section, &mut report, &Thresholds::default());
        section.finish(&mut report);
        assert!(report.into_problems().is_empty());
        assert_eq!(read.limits, limits);
        assert!(write(&Limits::default()).is_empty());
    }

    #[test]
    fn no_pattern_is_left_out() {
        assert_eq!(PATTERNS.map(|(pattern, _)| pattern), Pattern::ALL);
    }

    #[test]
    fn no_more_is_asked_than_a_timeline_can_hold() {
        assert_eq!(usize::try_from(RETURNS_MAX).unwrap(), track::RETURNS_MAX);
        assert!(usize::try_from(CONFLICTS_MAX).unwrap() <= track::RUNS_MAX / 2);
    }

    #[test]
    fn whatever_is_forbidden_has_a_reason() {
        for pattern in Pattern::ALL {
            for remedy in Remedy::RUNGS {
                let why = why_not(pattern, remedy, false);
                assert_eq!(why.is_none(), pattern.allows(remedy), "{pattern} {remedy}");
                assert!(why.is_none_or(|why| !why.ends_with("it cannot help")), "{pattern} {remedy}");
            }
        }
    }

    #[test]
    fn a_call_ends_before_the_next_is_due_unless_somebody_says_otherwise() {
        for (poll_every, timeout) in [(1, 800), (5, 4000), (12, 9600), (15, 10_000), (3600, 10_000)] {
            let limits = Limits { poll_every: Duration::from_secs(poll_every), ..Limits::default() };
            assert_eq!(Thresholds::of(&limits).timeout(), Duration::from_millis(timeout));
        }
    }
}
