//! What holds for all sessions at once: a storm, a pause, a path that is down, a watchdog that is not well itself.

use askama::Template;

use crate::engine::moment::{Wall, words};
use crate::engine::snapshot::{PauseView, Snapshot, TargetView};
use crate::engine::tell::network_path;

use super::super::SNAPSHOT_AGE_MAX;
use super::say::sentence;
use super::when::When;

/// The banners above everything else.
#[derive(Template)]
#[template(path = "banners.html")]
pub(super) struct Banners<'a> {
    snapshot: &'a Snapshot,
    /// The pause of the one session that is shown.
    own_pause: Option<&'a PauseView>,
    now: Wall,
}

impl<'a> Banners<'a> {
    /// Those above all sessions.
    pub(super) fn of(snapshot: &'a Snapshot, now: Wall) -> Self {
        Self { snapshot, own_pause: None, now }
    }

    /// Those above one session: the same, and its own pause.
    pub(super) fn above(snapshot: &'a Snapshot, view: &'a TargetView, now: Wall) -> Self {
        Self { own_pause: view.care.pause.as_ref(), ..Self::of(snapshot, now) }
    }

    /// How old the snapshot is, where the loop that makes it is stuck.
    fn stuck(&self) -> Option<String> {
        let age = self.now.since(self.snapshot.at);
        (SNAPSHOT_AGE_MAX < age).then(|| words(age))
    }

    fn paths(&self) -> Vec<String> {
        let down = self.snapshot.paths.iter().filter(|path| !path.up);
        down.map(|path| sentence(&network_path(&path.path, path.why.as_ref()))).collect()
    }

    fn until(&self, pause: &PauseView) -> Option<When> {
        pause.until.map(|until| When::at(until, self.now))
    }

    fn lost(&self) -> String {
        match self.snapshot.ledger_errors {
            1 => String::from("1 entry"),
            count => format!("{count} entries"),
        }
    }
}
