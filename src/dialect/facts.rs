//! What an answer says beside the state.

use std::time::Duration;

use serde_json::Value;

use super::clean::word;
use super::rule::PlaceId;
use super::search::Found;
use crate::engine::moment::Wall;
use crate::engine::sample::{Facts, QrMark};

/// Unix times below this are seconds, from here on milliseconds. As seconds it is the year 5138, as milliseconds 1973.
const MILLIS_MIN: u64 = 100_000_000_000;

/// Where a dialect's answers keep each fact.
#[derive(Clone, Debug, Default)]
pub(super) struct FactPlaces {
    pub(super) last_message: Option<PlaceId>,
    pub(super) messages: Option<PlaceId>,
    pub(super) qr: Option<PlaceId>,
    pub(super) progress: Option<PlaceId>,
    pub(super) started: Option<PlaceId>,
    pub(super) version: Option<PlaceId>,
    pub(super) owner: Option<PlaceId>,
    pub(super) local_hour: Option<PlaceId>,
}

impl FactPlaces {
    /// Collects the facts from what was found at each place. What cannot be read is unknown.
    pub(super) fn read(&self, found: &[Found<'_>]) -> Facts {
        let at = |place: Option<PlaceId>| found.get(place?)?.value;
        let owner = self.owner.and_then(|place| found.get(place)).filter(|found| found.is_named);
        Facts {
            last_message: at(self.last_message).and_then(wall),
            messages: at(self.messages).and_then(whole),
            qr: at(self.qr).and_then(qr_mark),
            progress: at(self.progress).and_then(whole).and_then(|percent| up_to(percent, 100)),
            started: at(self.started).and_then(wall),
            version: at(self.version).and_then(Value::as_str).map(word),
            owner: owner.map(|found| found.value.is_some()),
            local_hour: at(self.local_hour).and_then(whole).and_then(|hour| up_to(hour, 23)),
        }
    }
}

/// Marks a QR text by its 64-bit FNV-1a hash, the same on every machine and in every run.
pub(super) fn qr_mark(value: &Value) -> Option<QrMark> {
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty())?;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    Some(QrMark(text.bytes().fold(0xcbf2_9ce4_8422_2325, step)))
}

/// Reads a span in seconds, from a number or a text.
pub(super) fn seconds(value: &Value) -> Option<Duration> {
    let secs = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(secs).ok()
}

/// Reads a time: RFC 3339, Unix seconds or Unix milliseconds.
fn wall(value: &Value) -> Option<Wall> {
    if let Some(at) = value.as_str().and_then(|text| text.trim().parse().ok()) {
        return Some(at);
    }
    let number = seconds(value)?;
    let millis = if number.as_secs() < MILLIS_MIN { number.as_millis() } else { u128::from(number.as_secs()) };
    i64::try_from(millis).ok().filter(|millis| 0 < *millis).map(Wall::from_millis)
}

fn whole(value: &Value) -> Option<u64> {
    let from_text = || value.as_str()?.trim().trim_end_matches('%').trim_end().parse().ok();
    value.as_u64().or_else(from_text).or_else(|| seconds(value).map(|number| number.as_secs()))
}

fn up_to(number: u64, max: u8) -> Option<u8> {
    u8::try_from(number).ok().filter(|number| *number <= max)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_every_notation() {
        let at: Wall = "2026-02-04T09:00:15Z".parse().unwrap();
        for value in [
            json!("2026-02-04T09:00:15.000Z"),
            json!("2026-02-04T10:00:15+01:00"),
            json!(1_770_195_615),
            json!(1_770_195_615_000_u64),
            json!(1_770_195_615.0),
            json!("1770195615"),
        ] {
            assert_eq!(wall(&value), Some(at), "{value}");
        }
        for value in [json!(null), json!(0), json!(-5), json!("yesterday"), json!(true), json!({}), json!(1e300)] {
            assert_eq!(wall(&value), None, "{value}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_unknown() {
        let progress = |value: Value| whole(&value).and_then(|percent| up_to(percent, 100));
        assert_eq!([json!(99), json!(99.7), json!("99%"), json!("99")].map(progress), [Some(99); 4]);
        assert_eq!([json!(101), json!(-1), json!(true), json!("all")].map(progress), [None; 4]);
    }

    #[test]
    fn a_qr_text_is_marked_and_not_kept() {
        let mark = |text: &str| qr_mark(&json!(text));
        // The published test vector of FNV-1a 64 for "foobar".
        assert_eq!(mark("foobar"), Some(QrMark(0x8594_4171_f739_67e8)));
        assert_ne!(mark("2@AAA"), mark("2@AAB"));
        assert_eq!([mark(""), mark("  "), qr_mark(&json!(true))], [None; 3]);
    }
}
