//! What a hook is told: the same in its event, its environment and its placeholders.

use std::path::Path;

use serde_json::json;

use crate::config::template::Values;
use crate::engine::attempt::{Act, StepOrder};
use crate::engine::moment::Wall;

/// The type of the event that a hook gets.
const EVENT_TYPE: &str = "remediation.step.requested";

/// Longest reason in an environment, in a URL or in a body, in bytes.
const REASON_BYTES_MAX: usize = 256;

/// Longest reason in an event, in bytes; the rest of it is bounded, so that it stays far below 20 kB.
const EVENT_REASON_BYTES_MAX: usize = 4096;

/// One order, ready to be told.
#[derive(Debug)]
pub(super) struct Brief {
    order: StepOrder,
    qr_page: Option<String>,
    began: Wall,
}

impl Brief {
    pub(super) fn new(order: StepOrder, qr_page: Option<String>, began: Wall) -> Self {
        Self { order, qr_page, began }
    }

    pub(super) fn order(&self) -> &StepOrder {
        &self.order
    }

    /// Returns the id under which one call is sent: the step's key where it changes something.
    ///
    /// A question is another message than the deed that it asks about, and is asked anew after a crash: with the key of the deed a
    /// receiver that knows its keys would answer it from memory.
    pub(super) fn message_id(&self, act: Act) -> String {
        let key = self.order.key();
        match act {
            Act::Do | Act::Undo => key,
            Act::Look | Act::Check => format!("{key}_{}_{:x}", act.as_str(), self.began.millis()),
        }
    }

    /// Returns the event: the same for every try.
    pub(super) fn event(&self, act: Act) -> Vec<u8> {
        let order = &self.order;
        let event = json!({
            "type": EVENT_TYPE,
            "timestamp": self.began,
            "data": {
                "run": {
                    "attempt": order.attempt,
                    "key": order.key(),
                    "step": order.step,
                    "act": act.as_str(),
                    "retry": order.retry,
                    "deadline": self.deadline(),
                },
                "target": order.target,
                "remedy": order.remedy,
                "incident": order.cause.incident,
                "pattern": order.cause.pattern,
                "reason": one_line(&order.cause.reason, EVENT_REASON_BYTES_MAX),
                "by": order.cause.by,
                "qr_page": self.qr_page,
            },
        });
        event.to_string().into_bytes()
    }

    /// Returns what a program finds in its environment.
    pub(super) fn env(&self, act: Act, tries: u32, state_dir: &Path) -> Vec<(&'static str, String)> {
        let order = &self.order;
        let mut env = vec![
            ("WA_WATCHDOG_EVENT", EVENT_TYPE.to_owned()),
            ("WA_WATCHDOG_RUN_ID", order.attempt.to_string()),
            ("WA_WATCHDOG_STEP", order.step.to_string()),
            ("WA_WATCHDOG_ACT", act.as_str().to_owned()),
            ("WA_WATCHDOG_ATTEMPT", tries.to_string()),
            ("WA_WATCHDOG_IDEMPOTENCY_KEY", order.key()),
            ("WA_WATCHDOG_TARGET", order.target.to_string()),
            ("WA_WATCHDOG_REMEDY", order.remedy.to_string()),
            ("WA_WATCHDOG_CLASS", self.pattern()),
            ("WA_WATCHDOG_REASON", one_line(&order.cause.reason, REASON_BYTES_MAX)),
            ("WA_WATCHDOG_DEADLINE_UNIX", self.deadline().millis().div_euclid(1000).to_string()),
            ("WA_WATCHDOG_STATE_DIR", state_dir.display().to_string()),
        ];
        env.extend(self.qr_page.iter().map(|page| ("WA_WATCHDOG_QR_URL", page.clone())));
        env
    }

    /// Returns what the placeholders of URLs and bodies stand for.
    pub(super) fn values(&self, tries: u32) -> Values {
        let order = &self.order;
        Values {
            attempt: order.attempt.to_string(),
            key: order.key(),
            step: order.step.to_string(),
            tries,
            target: order.target.to_string(),
            remedy: order.remedy.to_string(),
            pattern: self.pattern(),
            reason: one_line(&order.cause.reason, REASON_BYTES_MAX),
        }
    }

    fn deadline(&self) -> Wall {
        self.began.after(self.order.takes)
    }

    fn pattern(&self) -> String {
        self.order.cause.pattern.map_or_else(String::new, |pattern| pattern.to_string())
    }
}

/// Cleans a text and cuts it between two characters.
fn one_line(text: &str, bytes_max: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line = String::new();
    for c in clean {
        if bytes_max < line.len().saturating_add(c.len_utf8()) {
            break;
        }
        line.push(c);
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::engine::attempt::{AttemptId, Cause};
    use crate::engine::ladder::Remedy;
    use crate::engine::pattern::Pattern;
    use crate::engine::plan::StepName;
    use crate::engine::target::TargetId;

    fn brief(reason: &str) -> Brief {
        let cause = Cause {
            incident: None,
            pattern: Some(Pattern::StateLoop),
            reason: reason.to_owned(),
            by: None,
            restores: None,
        };
        let order = StepOrder {
            attempt: AttemptId(1),
            target: TargetId::new("shop").unwrap(),
            remedy: Remedy::Restart,
            number: 1,
            index: 0,
            step: StepName(Arc::from("run")),
            act: Act::Do,
            retry: 0,
            takes: Duration::from_mins(1),
            cause: Arc::new(cause),
        };
        Brief::new(order, Some("http://a.example/qr".to_owned()), "2026-02-04T09:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_reason_stays_one_short_line() {
        let brief = brief(&format!("a\nb\0{}", "ü".repeat(4000)));
        let env = brief.env(Act::Do, 1, Path::new("/state"));
        let reason = &env.iter().find(|(name, _)| *name == "WA_WATCHDOG_REASON").unwrap().1;
        assert!(reason.starts_with("a b ü") && reason.len() <= 256, "{reason}");
        assert!(brief.event(Act::Do).len() < 20_000);
    }

    #[test]
    fn a_question_is_another_message_than_the_deed() {
        let brief = brief("");
        assert_eq!(brief.message_id(Act::Do), brief.order().key());
        assert_eq!(brief.message_id(Act::Check), format!("{}_check_19c27e14280", brief.order().key()));
        assert!(!brief.message_id(Act::Look).contains('.'));
    }

    #[test]
    fn the_event_says_everything() {
        let event: serde_json::Value = serde_json::from_slice(&brief("why").event(Act::Check)).unwrap();
        assert_eq!(event["type"], "remediation.step.requested");
        assert_eq!(event["timestamp"], "2026-02-04T09:00:00.000Z");
        let data = &event["data"];
        assert_eq!([&data["target"], &data["remedy"], &data["pattern"]], ["shop", "restart", "state_loop"]);
        assert_eq!([&data["run"]["act"], &data["run"]["step"], &data["reason"]], ["check", "run", "why"]);
        assert_eq!(data["run"]["deadline"], "2026-02-04T09:01:00.000Z");
        assert_eq!(data["qr_page"], "http://a.example/qr");
    }
}
