//! When a message that did not get through is sent again.

use std::time::Duration;

/// Longest pause before the second try; doubled with each one ...
pub const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
/// ... up to this. A receiver that asks for a longer pause gets this one.
pub const BACK_OFF_MAX: Duration = Duration::from_mins(1);

/// Statuses that may pass by themselves.
const PASSING: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// Tells whether a status may pass by itself.
#[must_use]
pub fn may_pass(status: u16) -> bool {
    PASSING.contains(&status)
}

/// Returns how long to wait after so many tries: as long as the receiver asked for, else anything up to a limit that doubles.
///
/// The same key gives the same pauses: what is random is spread over messages and watchdogs, which is what keeps them apart.
#[must_use]
pub fn pause(key: &str, tries: u32, asked: Option<Duration>) -> Duration {
    if let Some(asked) = asked {
        return asked.min(BACK_OFF_MAX);
    }
    let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
    let longest = BACK_OFF_FIRST.saturating_mul(doubled).min(BACK_OFF_MAX);
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    let chance = hash(&[key.as_bytes(), &tries.to_le_bytes()]);
    Duration::from_millis(chance.checked_rem(longest.saturating_add(1)).unwrap_or_default())
}

/// Returns a number that depends on the parts alone, the same in every run (FNV-1a, with its bits mixed once more).
#[must_use]
pub fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().copied().flatten();
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    // FNV leaves the high bits of short texts alike; this is the finish of splitmix64.
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread() {
        for tries in 1..=40 {
            let longest = Duration::from_secs(1 << (tries - 1).min(6)).min(BACK_OFF_MAX);
            let pauses: Vec<Duration> = (0..200).map(|key| pause(&format!("wd_{key}"), tries, None)).collect();
            assert!(pauses.iter().all(|pause| *pause <= longest), "{tries}");
            assert!(pauses.iter().any(|pause| *pause < longest / 4), "{tries}");
            assert!(pauses.iter().any(|pause| longest * 3 / 4 < *pause), "{tries}");
        }
        assert_eq!(pause("wd_1", 1, None), pause("wd_1", 1, None));
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause_up_to_a_limit() {
        assert_eq!(pause("wd_1", 1, Some(Duration::ZERO)), Duration::ZERO);
        assert_eq!(pause("wd_1", 9, Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(pause("wd_1", 1, Some(Duration::from_hours(1))), BACK_OFF_MAX);
    }
}
