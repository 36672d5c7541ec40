//! When to come back after HTTP 429.

use std::time::Duration;

use jiff::fmt::rfc2822;
use serde_json::Value;

use super::Pace;
use super::facts::seconds;
use crate::engine::moment::Wall;

/// Longest pause that a gateway can ask for. More than an hour of silence would blind us; it is told again then.
pub(super) const PAUSE_MAX: Duration = Duration::from_hours(1);

/// Values from here on are times, not spans: nobody asks for a pause of thirty years.
const EPOCH_SECONDS_MIN: i64 = 1_000_000_000;
const EPOCH_MILLIS_MIN: i64 = 100_000_000_000;

/// Returns the longest pause that headers and body ask for; none where they ask for none.
#[must_use]
pub fn retry_after(pace: Pace<'_>, body: &Value, now: Wall) -> Option<Duration> {
    let asked = [
        pace.retry_after.and_then(|text| pause_of_header(text, now)),
        pace.rate_limit_reset.and_then(|text| from_reset(text, now)),
        body.get("retry_after").or_else(|| body.get("retryAfter")).and_then(seconds),
    ];
    asked.into_iter().flatten().max().map(|pause| pause.min(PAUSE_MAX))
}

/// Reads `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3).
#[must_use]
pub fn pause_of_header(text: &str, now: Wall) -> Option<Duration> {
    let text = text.trim();
    if let Ok(secs) = text.parse() {
        return Some(Duration::from_secs(secs));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Wall::from_millis(at.as_millisecond()).since(now))
}

/// Reads `X-RateLimit-Reset`. `WasenderAPI`'s pages call it seconds in one place and a Unix time in another.
fn from_reset(text: &str, now: Wall) -> Option<Duration> {
    let value: i64 = text.trim().parse().ok()?;
    if value < EPOCH_SECONDS_MIN {
        return u64::try_from(value).ok().map(Duration::from_secs);
    }
    let at = if value < EPOCH_MILLIS_MIN { Wall::from_secs(value) } else { Wall::from_millis(value) };
    Some(at.since(now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(header: Option<&str>, reset: Option<&str>, body: &Value) -> Option<u64> {
        let now = "2026-02-04T09:00:00Z".parse().unwrap();
        retry_after(Pace { retry_after: header, rate_limit_reset: reset }, body, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn every_way_to_ask_for_a_pause_is_read() {
        assert_eq!(asked(Some("20"), None, &Value::Null), Some(20));
        assert_eq!(asked(Some("Wed, 04 Feb 2026 09:02:00 GMT"), None, &Value::Null), Some(120));
        assert_eq!(asked(None, Some("3"), &Value::Null), Some(3));
        assert_eq!(asked(None, Some("1770195645"), &Value::Null), Some(45));
        assert_eq!(asked(None, Some("1770195645000"), &Value::Null), Some(45));
        assert_eq!(asked(None, None, &json!({"retry_after": 3})), Some(3));
        assert_eq!(asked(None, None, &json!({"retry_after": "3"})), Some(3));
        assert_eq!(asked(None, None, &json!({"retryAfter": 2.5})), Some(2));
    }

    #[test]
    fn the_longest_counts_and_none_is_longer_than_an_hour() {
        assert_eq!(asked(Some("5"), Some("9"), &json!({"retry_after": 7})), Some(9));
        assert_eq!(asked(Some("86400"), None, &Value::Null), Some(3600));
        assert_eq!(asked(Some("18446744073709551615"), None, &Value::Null), Some(3600));
    }

    #[test]
    fn a_time_that_has_passed_asks_for_no_pause() {
        assert_eq!(asked(Some("Wed, 04 Feb 2026 08:00:00 GMT"), None, &Value::Null), Some(0));
        assert_eq!(asked(None, Some("1770195599"), &Value::Null), Some(0));
    }

    #[test]
    fn nonsense_asks_for_nothing() {
        assert_eq!(asked(Some("soon"), Some("-4"), &json!({"retry_after": -1})), None);
        assert_eq!(asked(Some(""), Some(""), &json!({"retry_after": null})), None);
        assert_eq!(asked(None, None, &json!(["retry_after"])), None);
    }
}
