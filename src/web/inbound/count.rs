//! What came of what was pushed, as numbers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What something was pushed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushKind {
    /// A webhook of `WasenderAPI`.
    Wasender,
    /// One of WAHA.
    Waha,
    /// One of Evolution API.
    Evolution,
    /// What the status route of the gateway would have answered.
    Plain,
    /// Messages that passed.
    Activity,
    /// Lines of a log.
    Log,
    /// Alerts.
    Alertmanager,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The engine took it in.
    Taken,
    /// It did not show the secret, or that cannot be read here.
    Refused,
    /// Nobody knows what it says.
    NotUnderstood,
    /// Newer news was there already, or it is too old.
    Outdated,
    /// Too much came in that second.
    TooMany,
    /// The queue to the driver was full.
    QueueFull,
}

/// How much came of each kind, and what became of it, since the start. Cheap to clone: all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Inflow(Arc<[[AtomicU64; Outcome::ALL.len()]; PushKind::ALL.len()]>);

impl Inflow {
    /// Counts one.
    pub fn count(&self, kind: PushKind, outcome: Outcome) {
        let of_kind = PushKind::ALL.iter().zip(self.0.iter()).find(|(other, _)| **other == kind);
        let counter =
            of_kind.and_then(|(_, counts)| Outcome::ALL.iter().zip(counts).find(|(other, _)| **other == outcome));
        if let Some((_, counter)) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many there were, by the words that metrics use for kind and outcome.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        let of_kind = |(kind, counts): (PushKind, &[AtomicU64; Outcome::ALL.len()])| {
            let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
            let named = Outcome::ALL
                .into_iter()
                .zip(counts)
                .map(move |(outcome, count)| ((kind.as_str(), outcome.as_str()), count));
            named.collect::<Vec<_>>()
        };
        PushKind::ALL.into_iter().zip(self.0.iter()).flat_map(of_kind).collect()
    }
}

impl PushKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Wasender, Self::Waha, Self::Evolution, Self::Plain, Self::Activity, Self::Log, Self::Alertmanager];

    /// Returns the word used in paths and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wasender => "wasender",
            Self::Waha => "waha",
            Self::Evolution => "evolution",
            Self::Plain => "plain",
            Self::Activity => "activity",
            Self::Log => "log",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// Finds the webhook of a gateway by the word of its path.
    pub(in crate::web) fn of_gateway(word: &str) -> Option<Self> {
        let gateways = [Self::Wasender, Self::Waha, Self::Evolution, Self::Plain];
        gateways.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Says what the body must be.
    pub(super) fn needs(self) -> &'static str {
        match self {
            Self::Wasender | Self::Waha | Self::Evolution => "send the gateway's webhook as it is, a JSON object",
            Self::Plain => "send what the gateway's status route answers",
            Self::Activity => r#"send nothing, or as in {"count": 1, "at": "2026-02-04T09:00:00Z"}"#,
            Self::Log => r#"send lines as text/plain, or as application/json {"lines": ["…"]}"#,
            Self::Alertmanager => "send what Alertmanager sends to a webhook, version 4",
        }
    }

    /// Says how the secret is shown.
    pub(super) fn shows(self) -> &'static str {
        match self {
            Self::Wasender => {
                "X-Webhook-Signature must be the webhook secret, which secret_file of the target's section inbound holds"
            }
            Self::Waha => {
                "X-Webhook-Hmac must sign the body (SHA-512) with the key that secret_file of the target's section inbound holds"
            }
            Self::Evolution => {
                "send the secret of the target's section inbound as the header apikey, or as `Authorization: Bearer`"
            }
            Self::Plain | Self::Activity | Self::Log => {
                "send the secret of the target's section inbound as `Authorization: Bearer`"
            }
            Self::Alertmanager => "send the token of the section alertmanager as `Authorization: Bearer`",
        }
    }
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Taken, Self::Refused, Self::NotUnderstood, Self::Outdated, Self::TooMany, Self::QueueFull];

    /// Returns the word used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::NotUnderstood => "not_understood",
            Self::Outdated => "outdated",
            Self::TooMany => "too_many",
            Self::QueueFull => "queue_full",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_at_its_place_from_zero() {
        let inflow = Inflow::default();
        inflow.clone().count(PushKind::Alertmanager, Outcome::QueueFull);
        inflow.count(PushKind::Wasender, Outcome::Taken);
        let counts = inflow.counts();
        assert_eq!(counts.len(), PushKind::ALL.len() * Outcome::ALL.len());
        assert_eq!((counts[&("alertmanager", "queue_full")], counts[&("wasender", "taken")]), (1, 1));
        assert_eq!(counts.values().sum::<u64>(), 2);
    }
}
