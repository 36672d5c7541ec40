//! One session among many: what it is, since when, why, and what holds its remedy back.

use askama::Template;

use crate::engine::explain::pending;
use crate::engine::ladder::Remedy;
use crate::engine::moment::Wall;
use crate::engine::sample::Word;
use crate::engine::snapshot::{Grade, RefusalView, TargetView};
use crate::engine::verdict::Verdict;

use super::say::spaced;
use super::strip::Strip;
use super::when::When;

/// How a session stands, worst first: the order of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Something is proven.
    Failing,
    /// Something is suspected.
    Suspect,
    /// Nothing is wrong, but something runs, waits or is not known yet.
    Pending,
    /// It is well.
    Healthy,
}

/// A row of the page.
#[derive(Template)]
#[template(path = "row.html")]
pub(super) struct Row<'a> {
    view: &'a TargetView,
    standing: Standing,
    now: Wall,
}

/// What is believed of it in one lane.
pub(super) struct Belief<'a> {
    pub(super) verdict: &'static str,
    pub(super) pattern: &'static str,
    pub(super) why: &'a str,
}

impl Standing {
    pub(super) fn of(view: &TargetView) -> Self {
        let verdicts = [&view.verdict, &view.memory_verdict];
        if verdicts.iter().any(|verdict| verdict.is_failing()) {
            return Self::Failing;
        }
        if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Suspect { .. })) {
            return Self::Suspect;
        }
        if view.state.is_none() || view.care.wants_person() || pending(&view.care).is_some() {
            return Self::Pending;
        }
        Self::Healthy
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Suspect => "suspect",
            Self::Pending => "pending",
            Self::Healthy => "healthy",
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Failing => 0,
            Self::Suspect => 1,
            Self::Pending => 2,
            Self::Healthy => 3,
        }
    }
}

/// Returns what is believed of a session, the sides that are well left out.
pub(super) fn beliefs(view: &TargetView) -> Vec<Belief<'_>> {
    let belief = |verdict| match verdict {
        &Verdict::Healthy => None,
        Verdict::Suspect { pattern, missing } => {
            Some(Belief { verdict: "suspect", pattern: pattern.as_str(), why: missing })
        }
        Verdict::Failing { pattern, evidence } => {
            Some(Belief { verdict: "failing", pattern: pattern.as_str(), why: &evidence.sentence })
        }
    };
    [&view.verdict, &view.memory_verdict].into_iter().filter_map(belief).collect()
}

/// Returns the state in words.
pub(super) fn state(view: &TargetView) -> String {
    match (view.state, view.up) {
        (Some(state), _) => spaced(state.as_str()),
        (None, None) => String::from("not heard of yet"),
        (None, Some(true)) => String::from("not understood yet"),
        (None, Some(false)) => String::from("not reached yet"),
    }
}

/// Returns the gateway's own word, where it says more than ours.
pub(super) fn word(view: &TargetView) -> Option<&Word> {
    let is_ours = |word: &&Word| view.state.is_some_and(|state| word.as_str().eq_ignore_ascii_case(state.as_str()));
    view.word.as_ref().filter(|word| !is_ours(word))
}

/// Says a grade of resets in words.
pub(super) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Never => "never",
        Grade::Rare => "rarely",
        Grade::AfterUpdate => "after an update",
        Grade::Weekly => "weekly",
        Grade::Daily => "daily",
    }
}

impl<'a> Row<'a> {
    pub(super) fn of(view: &'a TargetView, now: Wall) -> Self {
        Self { view, standing: Standing::of(view), now }
    }

    /// Worst first, then by name.
    pub(super) fn place(&self) -> (Standing, &'a str) {
        (self.standing, self.view.target.as_str())
    }

    /// The verdict, the worse of session and memory.
    fn verdict(&self) -> &'static str {
        match self.standing {
            Standing::Failing => "failing",
            Standing::Suspect => "suspect",
            Standing::Pending | Standing::Healthy => "healthy",
        }
    }

    fn beliefs(&self) -> Vec<Belief<'a>> {
        beliefs(self.view)
    }

    fn state(&self) -> String {
        state(self.view)
    }

    fn word(&self) -> Option<&'a Word> {
        word(self.view)
    }

    fn since(&self) -> Option<When> {
        self.view.since.map(|since| When::since(since, self.now))
    }

    fn strip(&self) -> Strip<'a> {
        Strip(&self.view.day)
    }

    /// What runs or is waited for, where the refusals below do not say it already.
    fn pending(&self) -> Option<String> {
        let care = &self.view.care;
        // What runs and what waits for a person comes before what is held back.
        let is_held = care.under_way().is_none() && !care.wants_person() && !care.refused.is_empty();
        if is_held { None } else { pending(care) }
    }

    fn refused(&self) -> impl Iterator<Item = &'a RefusalView> {
        self.view.care.refused.iter().map(AsRef::as_ref)
    }

    fn is_paused(&self) -> bool {
        self.view.care.pause.is_some()
    }

    fn budget(&self) -> impl Iterator<Item = (&'a Remedy, &'a u32)> {
        self.view.care.budget.iter()
    }

    fn grade(&self) -> Option<(&'static str, &'static str)> {
        let class = match self.view.care.resets.grade {
            Grade::Never => return None,
            Grade::Rare | Grade::AfterUpdate => "normal",
            Grade::Weekly | Grade::Daily => "often",
        };
        Some((class, grade(self.view.care.resets.grade)))
    }
}
