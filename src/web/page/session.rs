//! The page of one session: everything that is known of it, and what may be ordered.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;

use crate::config::Target;
use crate::engine::explain::explain;
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Wall, words};
use crate::engine::sample::{Effort, Phase, Word};
use crate::engine::snapshot::{Grade, RunView, Snapshot, TargetView};
use crate::engine::target::TargetId;

use super::banner::Banners;
use super::card;
use super::frame::{Frame, Guest};
use super::happened::{Past, Tried};
use super::row::{self, Belief, Standing};
use super::say::{counted, spaced};
use super::strip::Strip;
use super::when::When;

/// The page of one session.
#[derive(Template)]
#[template(path = "session_page.html")]
pub(super) struct SessionPage<'a> {
    pub(super) frame: Frame,
    pub(super) body: Session<'a>,
    pub(super) note: Option<String>,
}

/// What changes of it while it is open.
#[derive(Template)]
#[template(path = "session.html")]
pub(super) struct Session<'a> {
    snapshot: &'a Snapshot,
    banners: Banners<'a>,
    view: &'a TargetView,
    standing: Standing,
    scan: Option<card::Scan<'a>>,
    decision: Option<card::Decision<'a>>,
    incidents: Vec<Past<'a>>,
    attempts: Vec<Tried<'a>>,
    now: Wall,
}

/// Memory against its limit.
struct Memory {
    used: String,
    limit: Option<String>,
    minimum: Option<String>,
    used_bytes: u64,
    limit_bytes: u64,
    percent: u64,
    /// How often it was killed for it.
    kills: Option<String>,
}

/// A button: a link to the page that asks for who and why.
struct Button {
    verb: &'static str,
    label: String,
    destroys: bool,
}

impl<'a> Session<'a> {
    pub(super) fn of(
        snapshot: &'a Snapshot,
        view: &'a TargetView,
        targets: &'a BTreeMap<TargetId, Arc<Target>>,
        now: Wall,
    ) -> Self {
        Self {
            snapshot,
            banners: Banners::above(snapshot, view, now),
            view,
            standing: Standing::of(view),
            scan: card::Scan::of(view, targets, now),
            decision: card::Decision::of(view, now),
            incidents: Past::of_target(snapshot, view.target.as_str(), now),
            attempts: Tried::of_target(&view.care, now),
            now,
        }
    }

    pub(super) fn title(&self) -> String {
        format!("{} ({}) wa-watchdog", self.view.target, self.standing.as_str())
    }

    fn state(&self) -> String {
        row::state(self.view)
    }

    fn word(&self) -> Option<&'a Word> {
        row::word(self.view)
    }

    fn beliefs(&self) -> Vec<Belief<'a>> {
        row::beliefs(self.view)
    }

    fn strip(&self) -> Strip<'a> {
        Strip(&self.view.day)
    }

    fn explained(&self) -> Vec<String> {
        explain(self.view, self.snapshot.pause.as_ref(), self.now)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn at(&self, at: &Wall) -> When {
        When::at(*at, self.now)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn age(&self, at: &Wall) -> When {
        When::age(*at, self.now)
    }

    fn cooldown(&self) -> Option<When> {
        self.view.care.cooldown_until.filter(|until| self.now < *until).map(|until| When::at(until, self.now))
    }

    fn grade(&self) -> &'static str {
        match self.view.care.resets.grade {
            Grade::Never => "never: as it should be",
            Grade::Rare => "rarely: normal",
            Grade::AfterUpdate => "after an update: normal, if it stays with one",
            Grade::Weekly => "weekly: something else is wrong",
            Grade::Daily => "daily: something else is wrong",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn loses(&self, remedy: &Remedy) -> bool {
        self.view.care.destroys.contains(remedy)
    }

    fn memory(&self) -> Option<Memory> {
        let memory = self.view.memory_at(self.now)?;
        let limit = memory.limit_bytes.filter(|limit| 0 < *limit);
        Some(Memory {
            used: mib(memory.used_bytes),
            limit: limit.map(mib),
            minimum: self.view.memory_minimum.map(mib),
            used_bytes: memory.used_bytes,
            limit_bytes: limit.unwrap_or_default(),
            percent: limit
                .and_then(|limit| memory.used_bytes.saturating_mul(100).checked_div(limit))
                .unwrap_or_default(),
            kills: memory
                .oom_kills
                .filter(|kills| 0 < *kills)
                .map(|kills| counted(usize::try_from(kills).unwrap_or(usize::MAX), "time")),
        })
    }

    /// Newest first.
    fn timeline(&self) -> impl Iterator<Item = &'a RunView> {
        self.view.timeline.iter().rev()
    }

    fn log(&self) -> impl Iterator<Item = &'a RunView> {
        self.view.log.iter().rev()
    }

    fn lasted(run: &RunView) -> String {
        words(run.to.since(run.from))
    }

    fn run_state(run: &RunView) -> String {
        let state = spaced(run.state.as_str());
        let phase = match run.phase {
            Some(Phase::Opening) => ", opening",
            Some(Phase::Pairing) => ", pairing",
            Some(Phase::Linked) | None => "",
        };
        let effort = match run.effort {
            Effort::Trying => "",
            Effort::GaveUp => ", gave up",
            Effort::Idle => ", idle",
            Effort::Stopped => ", stopped on purpose",
        };
        format!("{state}{phase}{effort}")
    }

    fn buttons(&self) -> Vec<Button> {
        let care = &self.view.care;
        let name = &self.view.target;
        let own_pause = care.pause.is_some();
        let pause = if own_pause { ("resume", "Resume") } else { ("pause", "Pause") };
        let mut found = vec![Button { verb: pause.0, label: format!("{} {name} …", pause.1), destroys: false }];
        for (remedy, verb, word) in [
            (Remedy::Reconnect, "reconnect", "Reconnect"),
            (Remedy::Restart, "restart", "Restart"),
            (Remedy::Reset, "reset", "Reset"),
        ] {
            if care.budget.contains_key(&remedy) {
                found.push(Button {
                    verb,
                    label: format!("{word} {name} …"),
                    destroys: care.destroys.contains(&remedy),
                });
            }
        }
        if care.resets.gave_up || care.resets.underlying_problem {
            found.push(Button { verb: "ack", label: String::from("Acknowledge the problem …"), destroys: false });
        }
        found
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_euclid(1024 * 1024))
}
