//! The first page: every session, worst first.

use std::collections::BTreeMap;

use askama::Template;

use crate::engine::moment::Wall;
use crate::engine::policy::Mode;
use crate::engine::snapshot::Snapshot;

use super::banner::Banners;
use super::card::Cards;
use super::frame::{Frame, Guest};
use super::happened::Happened;
use super::row::{Row, Standing};

/// The first page.
#[derive(Template)]
#[template(path = "fleet.html")]
pub(super) struct Fleet<'a> {
    pub(super) frame: Frame,
    pub(super) head: Head<'a>,
    pub(super) banners: Banners<'a>,
    pub(super) cards: Cards<'a>,
    pub(super) rows: Vec<Row<'a>>,
    pub(super) wanted: Wanted,
    pub(super) happened: Happened<'a>,
    pub(super) note: Option<String>,
}

/// The fleet in numbers.
#[derive(Template)]
#[template(path = "head.html")]
pub(super) struct Head<'a> {
    snapshot: &'a Snapshot,
    failing: usize,
    suspect: usize,
    pending: usize,
    healthy: usize,
    waits: usize,
    modes: Vec<(&'static str, usize)>,
}

/// Which sessions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// A part of the name.
    pub(super) name: String,
    pub(super) show: Show,
}

/// The kinds that can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Show {
    #[default]
    All,
    /// Failing and suspect.
    Unwell,
    Failing,
    Suspect,
    /// Those that wait for a person.
    Waiting,
    Healthy,
}

/// Longest part of a name that is looked for, in characters.
const NAME_CHARS_MAX: usize = 64;

impl Wanted {
    /// Reads a query; what means nothing is left out, so that a link from elsewhere always shows something.
    pub(super) fn of(query: &str) -> Self {
        let mut wanted = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "q" => wanted.name = value.trim().chars().take(NAME_CHARS_MAX).collect(),
                "show" => wanted.show = Show::ALL.into_iter().find(|show| show.as_str() == value).unwrap_or_default(),
                _ => {}
            }
        }
        wanted
    }

    pub(super) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    fn fits(&self, name: &str, standing: Standing, waits: bool) -> bool {
        let named = self.name.is_empty() || name.to_ascii_lowercase().contains(&self.name.to_ascii_lowercase());
        named
            && match self.show {
                Show::All => true,
                Show::Unwell => matches!(standing, Standing::Failing | Standing::Suspect),
                Show::Failing => standing == Standing::Failing,
                Show::Suspect => standing == Standing::Suspect,
                Show::Waiting => waits,
                Show::Healthy => standing == Standing::Healthy,
            }
    }
}

impl Show {
    pub(super) const ALL: [Self; 6] =
        [Self::All, Self::Unwell, Self::Failing, Self::Suspect, Self::Waiting, Self::Healthy];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Unwell => "unwell",
            Self::Failing => "failing",
            Self::Suspect => "suspect",
            Self::Waiting => "waiting",
            Self::Healthy => "healthy",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Unwell => "failing or suspect",
            Self::Failing => "failing",
            Self::Suspect => "suspect",
            Self::Waiting => "waiting for a person",
            Self::Healthy => "healthy",
        }
    }
}

impl<'a> Head<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let mut standings: BTreeMap<Standing, usize> = BTreeMap::new();
        let mut modes: BTreeMap<Mode, usize> = BTreeMap::new();
        let mut waits: usize = 0;
        for view in &snapshot.targets {
            let counts = [standings.entry(Standing::of(view)).or_default(), modes.entry(view.care.mode).or_default()];
            for count in counts {
                *count = count.saturating_add(1);
            }
            waits = waits.saturating_add(usize::from(view.care.wants_person()));
        }
        let count = |standing| standings.get(&standing).copied().unwrap_or_default();
        Self {
            snapshot,
            failing: count(Standing::Failing),
            suspect: count(Standing::Suspect),
            pending: count(Standing::Pending),
            healthy: count(Standing::Healthy),
            waits,
            modes: modes.into_iter().map(|(mode, count)| (mode.as_str(), count)).collect(),
        }
    }

    /// The page's title: what a tab in the background tells.
    pub(super) fn title(&self) -> String {
        match (self.failing, self.waits) {
            (0, 0) => String::from("wa-watchdog"),
            (0, waits) => format!("({waits} waiting) wa-watchdog"),
            (failing, _) => format!("({failing} failing) wa-watchdog"),
        }
    }

    fn is_paused(&self) -> bool {
        self.snapshot.pause.is_some()
    }
}

impl<'a> Fleet<'a> {
    /// Returns the rows that are wanted, worst first.
    pub(super) fn rows(snapshot: &'a Snapshot, wanted: &Wanted, now: Wall) -> Vec<Row<'a>> {
        let views = snapshot.targets.iter().map(AsRef::as_ref);
        let fitting =
            views.filter(|view| wanted.fits(view.target.as_str(), Standing::of(view), view.care.wants_person()));
        let mut rows: Vec<Row<'a>> = fitting.map(|view| Row::of(view, now)).collect();
        rows.sort_by(|one, other| one.place().cmp(&other.place()));
        rows
    }
}
