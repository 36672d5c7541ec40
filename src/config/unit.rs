//! Values in words: `15s`, `512MiB`, `90%`, `22:00`.

use std::time::Duration;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 32;

/// Units of size. The decimal ones are what the International System of Units says, the binary ones IEC 80000-13.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Reads a time span, `1m 30s`.
pub(super) fn span(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// Writes a time span as it is read.
pub(super) fn in_words(span: Duration) -> String {
    humantime::format_duration(span).to_string()
}

/// Reads a size in bytes, `512MiB`; the unit must be there.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// Reads a share in percent, `90%`.
pub(super) fn percent(text: &str) -> Option<u8> {
    whole(text.strip_suffix('%')?.trim_end()).filter(|percent| (1..=100).contains(percent))
}

/// Reads a full hour of the day, `22:00`.
pub(super) fn hour(text: &str) -> Option<u8> {
    whole(text.strip_suffix(":00")?).filter(|hour| *hour < 24)
}

/// Tells whether a text is a plain name: safe in a key, a label and a file name.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Reads digits alone; `parse` would take a sign too.
fn whole(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_a_person_writes_them() {
        for (text, secs) in [("15s", 15), ("1m 30s", 90), ("1h30m", 5400), ("90d", 7_776_000), ("0s", 0)] {
            assert_eq!(span(text), Some(Duration::from_secs(secs)), "{text}");
        }
        for bad in ["", "15", "s", "-1s", "15 parsecs", "99999999999999999999d"] {
            assert_eq!(span(bad), None, "{bad}");
        }
        for secs in [1, 90, 86_400, 2_592_000] {
            let of = Duration::from_secs(secs);
            assert_eq!(span(&in_words(of)), Some(of));
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("1 kB", 1000), ("1KIB", 1024), ("7B", 7), ("2TB", 2_000_000_000_000)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for bad in ["", "1", "MiB", "-1MiB", "1.5MiB", "1 M", "99999999TiB", "１MiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn shares_lie_between_one_and_a_hundred() {
        assert_eq!(["1%", "90 %", "100%"].map(percent), [Some(1), Some(90), Some(100)]);
        assert_eq!(["0%", "101%", "90", "+9%", "%", "1000%", "9.5%"].map(percent), [None; 7]);
    }

    #[test]
    fn names_are_plain() {
        assert!(["stop", "A-1_b", &"x".repeat(32)].into_iter().all(is_name));
        assert!(["", "a b", "a.b", "ä", &"x".repeat(33)].into_iter().all(|text| !is_name(text)));
    }

    #[test]
    fn hours_are_full() {
        assert_eq!(["22:00", "8:00", "00:00"].map(hour), [Some(22), Some(8), Some(0)]);
        assert_eq!(["24:00", "22:30", "22", ":00", "+8:00"].map(hour), [None; 5]);
    }
}
