//! Announcements to the outside: each notifier gets the events that it wants, in order, without ever holding up the engine.
//!
//! `letter` turns an event into words, `line` sends them to one notifier.

mod letter;
mod line;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::letter::event_type;
pub use self::line::{Counts, QUEUE_MAX};

use self::letter::Letter;
use self::line::{Line, Post};
use crate::config::Notifier;
use crate::engine::moment::Wall;
use crate::engine::target::TargetId;
use crate::engine::watchdog::Event;
use crate::http::Http;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Wall + Send + Sync>;

/// Tells the world.
///
/// - [`Notify::tell`] never waits: a full queue drops its oldest event and counts it.
/// - Each notifier has one task, which sends one event after the other and tries each a limited number of times.
/// - A receiver that answers 410 gets nothing more until the configuration is read anew; what it misses is counted.
/// - What waits when the watchdog stops is not sent.
pub struct Notify {
    lines: BTreeMap<String, Line>,
    links: BTreeMap<TargetId, String>,
    post: Post,
    tracker: TaskTracker,
    /// Keeps the ids of events of one millisecond apart.
    told: u64,
}

impl Notify {
    /// Makes the notifiers. `links` are the pages on which a person scans, `stop` ends everything.
    #[must_use]
    pub fn new(
        notifiers: Vec<Notifier>,
        links: BTreeMap<TargetId, String>,
        http: Http,
        clock: Clock,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let mut notify =
            Self { lines: BTreeMap::new(), links: BTreeMap::new(), post: Post { http, clock, stop }, tracker, told: 0 };
        notify.replace(notifiers, links);
        notify
    }

    /// Takes other notifiers from here on, every one of them on. One of the same name keeps its queue and its counts.
    pub fn replace(&mut self, notifiers: Vec<Notifier>, links: BTreeMap<TargetId, String>) {
        self.links = links;
        let mut before = std::mem::take(&mut self.lines);
        for notifier in notifiers {
            let name = notifier.name.clone();
            let line = match before.remove(&name) {
                Some(line) => line.renewed(notifier),
                None => Line::begin(notifier, self.post.clone(), &self.tracker),
            };
            self.lines.insert(name, line);
        }
    }

    /// Takes other pages on which a person scans; the notifiers stay as they are.
    pub fn link(&mut self, links: BTreeMap<TargetId, String>) {
        self.links = links;
    }

    /// Tells an event to whoever wants it. Returns at once.
    pub fn tell(&mut self, now: Wall, event: &Event) {
        let Some(letter) = Letter::about(now, event, self.told, &self.links) else { return };
        self.told = self.told.saturating_add(1);
        let letter = Arc::new(letter);
        for line in self.lines.values().filter(|line| line.wants(letter.kind())) {
            line.add(Arc::clone(&letter));
        }
    }

    /// Returns what became of the events of each notifier.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, Counts> {
        self.lines.iter().map(|(name, line)| (name.clone(), line.counts())).collect()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
