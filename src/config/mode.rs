//! What the watchdog may do: for all targets, and for each.

use std::collections::BTreeMap;

use super::Hook;
use super::problem::Report;
use super::section::{Item, Section};
use crate::engine::ladder::Remedy;
use crate::engine::policy::Mode;
use std::sync::Arc;

/// The mode of targets that say nothing else.
#[derive(Debug)]
pub(super) struct Modes {
    default: Mode,
    /// Where it is said.
    item: Option<Item>,
    /// A person was told what `act` means; once is enough.
    is_act_told: bool,
}

/// Reads a mode.
pub(super) fn read(item: &Item, report: &mut Report) -> Option<Mode> {
    let known = |word: &str| Mode::ALL.into_iter().find(|mode| mode.as_str() == word);
    item.word(report, known, "a mode", "write \"observe\", \"approve\" or \"act\"")
}

impl Modes {
    /// Starts with what is said for all targets.
    pub(super) fn new(default: Mode, item: Option<Item>) -> Self {
        Self { default, item, is_act_told: false }
    }

    /// Returns the mode of targets that say nothing else.
    pub(super) fn default(&self) -> Mode {
        self.default
    }

    /// Takes the mode of one target.
    pub(super) fn take(&mut self, target: &mut Section, report: &mut Report) -> Mode {
        let own = target.take("mode");
        let mode = own.as_ref().and_then(|item| read(item, report)).unwrap_or(self.default);
        if mode == Mode::Act && !self.is_act_told {
            self.is_act_told = true;
            if let Some(item) = own.as_ref().or(self.item.as_ref()) {
                let hint = "try it on recordings first: wa-watchdog replay --config FILE RECORDING";
                item.warn(report, "lets the watchdog act by itself", hint);
            }
        }
        mode
    }
}

/// Warns where a mode lets less be done than it seems.
pub(super) fn weigh(target: &Section, mode: Mode, hooks: &BTreeMap<Remedy, Arc<Hook>>, report: &mut Report) {
    let key = &target.key;
    let (what, hint) = match mode {
        Mode::Observe => return,
        Mode::Approve | Mode::Act if hooks.is_empty() => (
            format!("is in mode {}, and has no hook: nothing can be done", mode.as_str()),
            format!("write one, as in [{key}.remedy.restart.exec], or mode = \"observe\""),
        ),
        Mode::Act if hooks.contains_key(&Remedy::Reset) && !hooks.contains_key(&Remedy::Restart) => (
            "has a hook for reset and none for restart: state_loop and never_ready will never be reset".to_owned(),
            format!("a restart comes before the reset there: write [{key}.remedy.restart.exec] too"),
        ),
        Mode::Approve | Mode::Act => return,
    };
    report.warn(&target.at, key, what, hint);
}
