//! What Alertmanager sends to a webhook, version 4. Later versions may say more; only this is needed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::sample::{Alert, Word};

/// Most letters within a second.
pub(super) const LETTERS_MAX: u32 = 50;
/// Most alerts of one letter that are looked at.
const ALERTS_MAX: usize = 500;
/// The label that names an alert.
const NAME: &str = "alertname";

#[derive(Deserialize)]
struct Letter {
    alerts: Vec<Raised>,
}

#[derive(Deserialize)]
struct Raised {
    status: String,
    labels: BTreeMap<String, String>,
}

/// Reads the alerts of a letter, each with the target that its label names; none where it is no such letter.
pub(super) fn read(text: &[u8], label: &str) -> Option<Vec<(Option<String>, Alert)>> {
    let letter: Letter = serde_json::from_slice(text).ok()?;
    let read = |mut raised: Raised| {
        let name = raised.labels.get(NAME).map_or("without a name", String::as_str);
        let alert = Alert { name: Word::new(name), fires: raised.status == "firing" };
        (raised.labels.remove(label), alert)
    };
    Some(letter.alerts.into_iter().take(ALERTS_MAX).map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_targets_by_a_label() {
        let letter = r#"{"receiver":"wa","status":"firing","version":"4","notification_reason":"first notification","truncatedAlerts":0,
            "alerts":[{"status":"firing","labels":{"alertname":"Down","target":"shop","job":"x"},"annotations":{},
                       "startsAt":"2026-02-04T09:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"ab"},
                      {"status":"resolved","labels":{"alertname":"Slow","job":"x"}}]}"#;
        let alert = |name: &str, fires| Alert { name: Word::new(name), fires };
        let [shop, x] = ["shop", "x"].map(|name| Some(name.to_owned()));
        assert_eq!(
            read(letter.as_bytes(), "target"),
            Some(vec![(shop, alert("Down", true)), (None, alert("Slow", false))])
        );
        assert_eq!(
            read(letter.as_bytes(), "job"),
            Some(vec![(x.clone(), alert("Down", true)), (x, alert("Slow", false))])
        );
        for wrong in ["", "[]", "{}", r#"{"alerts":[{}]}"#] {
            assert_eq!(read(wrong.as_bytes(), "target"), None, "{wrong}");
        }
    }
}
