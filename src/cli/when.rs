//! Times as a person types them.

use std::time::Duration;

use super::site::Misuse;
use crate::engine::Wall;

/// Reads a time as a person types it: a span back from now, a time, or a day in UTC.
pub(super) fn when(flag: &str, text: &str, now: Wall) -> Result<Wall, Misuse> {
    let back = |span: Duration| {
        Wall::from_millis(now.millis().saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    };
    let span = humantime::parse_duration(text).ok().map(back);
    span.or_else(|| text.parse().ok()).or_else(|| midnight(text)).ok_or_else(|| {
        Misuse(format!(
            "{flag} {text:?} is neither a span like 24h nor a time like 2026-02-04T09:00:00Z nor a day like 2026-02-04"
        ))
    })
}

/// Reads a day as its first moment in UTC, the zone in which everything is printed.
fn midnight(text: &str) -> Option<Wall> {
    let day: jiff::civil::Date = text.parse().ok()?;
    let begin = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Wall::from_millis(begin.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_span_a_time_or_a_day() {
        let now: Wall = "2026-02-05T09:00:00Z".parse().unwrap();
        let since = |text| when("--since", text, now).map(|at| at.to_string()).ok();
        assert_eq!(since("24h").as_deref(), Some("2026-02-04T09:00:00.000Z"));
        assert_eq!(since("2026-02-04T10:00:00+01:00").as_deref(), Some("2026-02-04T09:00:00.000Z"));
        assert_eq!(since("2026-02-04").as_deref(), Some("2026-02-04T00:00:00.000Z"));
        assert_eq!(since("2026-02-30"), None);
        assert_eq!(since("yesterday"), None);
        assert!(when("--until", "yesterday", now).unwrap_err().to_string().starts_with("--until \"yesterday\""));
    }
}
