//! What was found and what is configured, as one fleet.
//!
//! What was found last lies beside the ledger, so that a watchdog that starts knows its targets at once: their incidents stay open,
//! and what was being done for them is taken up, whether or not the vendor answers at that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::keepsake::{beside_the_ledger, read, write};
use crate::config::{Discovery, Found, Settings, TARGETS_MAX, Target};
use crate::discover::{self, Counts, Desk, Held, Report};
use crate::engine::TargetId;
use crate::engine::policy::Policy;
use crate::http::Http;
use crate::metrics;

/// Longest file of what was found, in bytes; as many as can be watched fit.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Everything that is watched.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) targets: BTreeMap<TargetId, Arc<Target>>,
    pub(super) policy: Policy,
}

/// Every discovery under way, and what each has found.
pub(super) struct Discovered {
    sections: BTreeMap<String, Section>,
    desk: Desk,
    reports: mpsc::Receiver<Report>,
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Hands what was found to whoever writes it down.
    kept: watch::Sender<Arc<Kept>>,
    /// What is watched of what was found; when there are too many, these stay.
    watched: BTreeSet<TargetId>,
    over_max: u64,
    unusable: u64,
    name_taken: u64,
    told: BTreeSet<Left>,
}

/// One discovery under way; its task ends when it is dropped.
struct Section {
    discovery: Arc<Discovery>,
    held: Arc<Held>,
    counts: Arc<Counts>,
    watched: u64,
    _end: DropGuard,
}

/// Why something that was found is not watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    NameTaken(TargetId),
    TooMany,
}

/// What was found, as it lies beside the ledger: by section.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept(BTreeMap<String, KeptSection>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KeptSection {
    /// Who told it; what another one told counts for nothing.
    from: String,
    found: BTreeMap<TargetId, Found>,
}

impl Discovered {
    /// Begins with what was found before the watchdog ended.
    pub(super) fn open(
        settings: &Settings,
        http: Http,
        clock: discover::Clock,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let file = beside_the_ledger(settings, ".found.json");
        let kept: Option<Kept> = read(&file, FILE_BYTES_MAX).unwrap_or_else(|error| {
            tracing::error!(%error, file = %file.display(), "what was found before cannot be read");
            None
        });
        let kept = Arc::new(kept.unwrap_or_default());
        let (sender, reports) = mpsc::channel(discover::QUEUE_MAX);
        let (kept_in, to_write) = watch::channel(Arc::clone(&kept));
        tracker.spawn(stop.clone().run_until_cancelled_owned(keep_writing(to_write, file)));
        let mut discovered = Self {
            sections: BTreeMap::new(),
            desk: Desk { http, clock, reports: sender },
            reports,
            tracker,
            stop,
            kept: kept_in,
            watched: BTreeSet::new(),
            over_max: 0,
            unusable: 0,
            name_taken: 0,
            told: BTreeSet::new(),
        };
        discovered.begin(&settings.discoveries, |discovery| kept.held(discovery), BTreeMap::new());
        discovered
    }

    /// Takes other discoveries from here on. One that stays the same goes on; what one has found counts on as long as it asks the
    /// same, though its targets may be made in another way.
    pub(super) fn replace(&mut self, discoveries: &[Discovery]) {
        let before = std::mem::take(&mut self.sections);
        let mut counts = BTreeMap::new();
        let mut held = BTreeMap::new();
        for (name, section) in before {
            let is_same = |other: &&Discovery| other.name == name && other.is_same(&section.discovery);
            if discoveries.iter().any(|other| is_same(&other)) {
                self.sections.insert(name, section);
                continue;
            }
            if !discoveries.iter().any(|other| other.name == name) {
                // Counters do not fall because a section is taken out.
                let gone = section.counts.now();
                self.over_max = self.over_max.saturating_add(gone.over_max);
                self.unusable = self.unusable.saturating_add(gone.unusable);
            }
            counts.insert(name.clone(), section.counts);
            held.insert(name, (section.discovery, section.held));
        }
        let held = |discovery: &Discovery| {
            let (before, held) = held.get(&discovery.name)?;
            let found = held.iter().map(|(id, entry)| (id.clone(), entry.found.clone())).collect();
            before.finds_as(discovery).then(|| made(discovery, found))
        };
        self.begin(discoveries, held, counts);
        self.told.clear();
        self.keep();
    }

    /// Begins those that are not under way; one that was counts on.
    fn begin(
        &mut self,
        discoveries: &[Discovery],
        held: impl Fn(&Discovery) -> Option<Held>,
        mut counts: BTreeMap<String, Arc<Counts>>,
    ) {
        for discovery in discoveries {
            if self.sections.contains_key(&discovery.name) {
                continue;
            }
            let held = Arc::new(held(discovery).unwrap_or_default());
            let counts = counts.remove(&discovery.name).unwrap_or_default();
            let (discovery, end) = (Arc::new(discovery.clone()), self.stop.child_token());
            let (of, desk) = (Arc::clone(&discovery), self.desk.clone());
            let follow = discover::follow(of, Arc::clone(&held), Arc::clone(&counts), desk);
            self.tracker.spawn(end.clone().run_until_cancelled_owned(follow));
            let name = discovery.name.clone();
            let section = Section { discovery, held, counts, watched: 0, _end: end.drop_guard() };
            self.sections.insert(name, section);
        }
    }

    /// Waits for a report.
    pub(super) async fn next(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            // Never: the desk holds a sender.
            None => std::future::pending().await,
        }
    }

    /// Takes a report; false where it comes from a section that is no more.
    pub(super) fn take(&mut self, report: Report) -> bool {
        let Report { of, held } = report;
        let Some(section) = self.sections.get_mut(&of.name).filter(|section| Arc::ptr_eq(&section.discovery, &of))
        else {
            return false;
        };
        let (before, after) = (section.held.len(), held.len());
        tracing::info!(discovery = of.name, before, after, "a discovery tells other sessions");
        section.held = held;
        self.keep();
        true
    }

    /// Returns everything that is watched: what is configured, and what was found besides. `asked` are the configured targets as they
    /// are asked.
    pub(super) fn merge(&mut self, settings: &Settings, asked: BTreeMap<TargetId, Arc<Target>>) -> Fleet {
        self.merge_up_to(TARGETS_MAX, settings, asked)
    }

    fn merge_up_to(&mut self, max: usize, settings: &Settings, asked: BTreeMap<TargetId, Arc<Target>>) -> Fleet {
        let mut fleet = Fleet { targets: asked, policy: settings.policy.clone() };
        let session = |target: &Target| (target.url.clone(), target.session.clone());
        let configured = settings.targets.values().chain(fleet.targets.values());
        let by_hand: BTreeSet<_> = configured.map(|target| session(target)).collect();
        let mut found = BTreeSet::new();
        let mut watched = BTreeSet::new();
        // Those that are watched go first: who is one too many is the one that came last.
        for is_old in [true, false] {
            for section in self.sections.values_mut() {
                if is_old {
                    section.watched = 0;
                }
                for (id, entry) in section.held.iter().filter(|(id, _)| self.watched.contains(*id) == is_old) {
                    let Some(ready) = &entry.ready else { continue };
                    let (url, session) = session(&ready.target);
                    let whose = (url, session, ready.target.status_path.clone());
                    // Watched already: by hand, or by another section.
                    if by_hand.contains(&(whose.0.clone(), whose.1.clone())) || found.contains(&whose) {
                        continue;
                    }
                    let left = if fleet.targets.contains_key(id) {
                        Some((Left::NameTaken(id.clone()), &mut self.name_taken))
                    } else if max <= fleet.targets.len() {
                        Some((Left::TooMany, &mut self.over_max))
                    } else {
                        None
                    };
                    if let Some((left, count)) = left {
                        *count = count.saturating_add(1);
                        tell(&mut self.told, left, &section.discovery.name);
                        continue;
                    }
                    found.insert(whose);
                    section.watched = section.watched.saturating_add(1);
                    watched.insert(id.clone());
                    fleet.targets.insert(id.clone(), Arc::clone(&ready.target));
                    fleet.policy.targets.insert(id.clone(), ready.watch.clone());
                }
            }
        }
        self.watched = watched;
        fleet
    }

    /// Shows how the discoveries do.
    pub(super) fn shown(&self) -> BTreeMap<String, metrics::Discovery> {
        let show = |(name, section): (&String, &Section)| {
            let discover::Counted { up, refreshes, last_success, over_max: _, unusable: _ } = section.counts.now();
            (name.clone(), metrics::Discovery { up, targets: section.watched, refreshes, last_success })
        };
        self.sections.iter().map(show).collect()
    }

    /// Returns how many that were found are not watched, by reason; holds every reason from the start.
    pub(super) fn dropped(&self) -> BTreeMap<&'static str, u64> {
        let (mut over_max, mut unusable) = (self.over_max, self.unusable);
        for counted in self.sections.values().map(|section| section.counts.now()) {
            over_max = over_max.saturating_add(counted.over_max);
            unusable = unusable.saturating_add(counted.unusable);
        }
        BTreeMap::from([
            ("discovery_name_taken", self.name_taken),
            ("discovery_over_max", over_max),
            ("discovery_unusable", unusable),
        ])
    }

    fn keep(&self) {
        let section = |(name, section): (&String, &Section)| {
            let found = section.held.iter().map(|(id, entry)| (id.clone(), entry.found.clone())).collect();
            (name.clone(), KeptSection { from: source(&section.discovery), found })
        };
        let now = Kept(self.sections.iter().map(section).collect());
        self.kept.send_if_modified(|kept| {
            let is_new = **kept != now;
            if is_new {
                *kept = Arc::new(now);
            }
            is_new
        });
    }
}

impl Kept {
    /// Returns what a section had found, if it was this one.
    fn held(&self, discovery: &Discovery) -> Option<Held> {
        let KeptSection { from, found } = self.0.get(&discovery.name)?;
        (*from == source(discovery)).then(|| made(discovery, found.clone()))
    }
}

/// Says who tells, and how it is named: what another one told is not taken for it. A token shows as the name of its file.
fn source(discovery: &Discovery) -> String {
    let Discovery { from, prefix, .. } = discovery;
    format!("{from:?} {prefix:?}")
}

/// Makes targets of what was found. What cannot be one is told by the next refresh.
fn made(discovery: &Discovery, found: BTreeMap<TargetId, Found>) -> Held {
    discover::read_all(discovery, found, &Held::new()).0
}

fn tell(told: &mut BTreeSet<Left>, left: Left, discovery: &str) {
    if told.contains(&left) || TARGETS_MAX <= told.len() {
        return;
    }
    match &left {
        Left::NameTaken(id) => tracing::warn!(
            discovery,
            target_id = %id,
            "finds a session whose name another target has; it is not watched: give the section another prefix"
        ),
        Left::TooMany => {
            tracing::warn!(
                discovery,
                max = TARGETS_MAX,
                "finds more than one watchdog can watch; the rest is not watched"
            );
        }
    }
    told.insert(left);
}

/// Writes down what was found whenever it changes.
async fn keep_writing(mut kept: watch::Receiver<Arc<Kept>>, file: PathBuf) {
    let mut is_told = false;
    while kept.changed().await.is_ok() {
        let (now, file) = (Arc::clone(&kept.borrow_and_update()), file.clone());
        let shown = file.display().to_string();
        let written = spawn_blocking(move || write(&file, now.as_ref())).await;
        match written {
            Ok(Ok(())) => is_told = false,
            Ok(Err(error)) if !is_told => {
                is_told = true;
                tracing::error!(%error, file = shown, "what was found cannot be written down; a restart will not know it at once");
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::engine::{Moment, Wall};

    const TEXT: &str = "[target.mine]\ndialect = \"waha\"\nurl = \"http://a\"\nsession = \"1\"\n\
                        [discover.a]\nprefix = \"\"\nwaha.url = \"http://a\"\n\
                        [discover.b]\nprefix = \"\"\nwaha.url = \"http://b\"\n";

    /// What two sections have found, by name and session.
    fn found(settings: &Settings, a: &[(&str, &str)], b: &[(&str, &str)]) -> Discovered {
        let clock: discover::Clock =
            Arc::new(|| Moment { uptime: std::time::Duration::ZERO, wall: Wall::from_secs(0) });
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut discovered = Discovered::open(settings, Http::new().unwrap(), clock, tracker, stop);
        for (name, list) in [("a", a), ("b", b)] {
            tell(&mut discovered, name, list);
        }
        discovered
    }

    fn tell(discovered: &mut Discovered, name: &str, list: &[(&str, &str)]) {
        let of = Arc::clone(&discovered.sections[name].discovery);
        let one = |(id, session): &(&str, &str)| {
            let found = Found {
                key: (*session).to_owned(),
                name: (*id).to_owned(),
                url: of.from.place(),
                dialect: None,
                session: Some((*session).to_owned()),
                status_path: None,
                container: None,
            };
            (TargetId::new(id).unwrap(), found)
        };
        let held = Arc::new(made(&of, list.iter().map(one).collect()));
        assert!(discovered.take(Report { of, held }));
    }

    fn watched(fleet: &Fleet) -> Vec<String> {
        let one = |(id, target): (&TargetId, &Arc<Target>)| {
            assert!(fleet.policy.targets.contains_key(id));
            format!(
                "{id} {} {}",
                target.url.trim_start_matches("http://"),
                target.session.as_deref().unwrap_or_default()
            )
        };
        fleet.targets.iter().map(one).collect()
    }

    fn settings(folder: &std::path::Path) -> Settings {
        config::parse(&format!("store.path = \"ledger.db\"\n{TEXT}"), "f", folder, &BTreeMap::new()).unwrap()
    }

    #[tokio::test]
    async fn who_is_configured_by_hand_wins_and_a_name_is_had_once() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let lists = [("one", "1"), ("two", "2"), ("mine", "3")];
        let mut discovered = found(&settings, &lists, &[("one", "1"), ("two", "2")]);
        let fleet = discovered.merge(&settings, settings.targets.clone());
        // Session 1 at a is watched by hand; the name `mine` is a person's, and `two` the first section's.
        assert_eq!(watched(&fleet), ["mine a 1", "one b 1", "two a 2"]);
        let dropped = discovered.dropped();
        assert_eq!((dropped["discovery_name_taken"], dropped["discovery_over_max"]), (2, 0));
        assert_eq!((discovered.shown()["a"].targets, discovered.shown()["b"].targets), (1, 1));
    }

    #[tokio::test]
    async fn who_is_one_too_many_is_the_one_that_came_last() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let mut discovered = found(&settings, &[("d", "4")], &[("e", "5")]);
        let merge =
            |discovered: &mut Discovered| watched(&discovered.merge_up_to(3, &settings, settings.targets.clone()));
        assert_eq!(merge(&mut discovered), ["d a 4", "e b 5", "mine a 1"]);
        tell(&mut discovered, "a", &[("a", "1"), ("b", "2"), ("d", "4")]);
        assert_eq!(merge(&mut discovered), ["d a 4", "e b 5", "mine a 1"], "session 1 is watched by hand");
        assert_eq!(discovered.dropped()["discovery_over_max"], 1);
        tell(&mut discovered, "b", &[]);
        assert_eq!(merge(&mut discovered), ["b a 2", "d a 4", "mine a 1"]);
    }

    #[tokio::test]
    async fn what_a_section_tells_that_is_no_more_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let mut discovered = found(&settings, &[("d", "4")], &[("e", "5")]);
        let old = Arc::clone(&discovered.sections["a"].discovery);
        let changed = TEXT.replace("http://a", "http://c").replace("[discover.b]", "[discover.b]\nevery = \"5s\"");
        let changed = config::parse(&changed, "f", folder.path(), &BTreeMap::new()).unwrap();
        discovered.replace(&changed.discoveries);
        assert!(!discovered.take(Report { of: old, held: Arc::default() }));
        let fleet = discovered.merge(&changed, changed.targets.clone());
        assert_eq!(watched(&fleet), ["e b 5", "mine c 1"], "who asks the same keeps what it found");
    }

    #[tokio::test]
    async fn what_was_found_is_known_after_a_restart_by_the_same_section_alone() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let discovered = found(&settings, &[("d", "4")], &[("e", "5")]);
        let kept = Arc::clone(&discovered.kept.borrow());
        let file = folder.path().join("ledger.db.found.json");
        write(&file, kept.as_ref()).unwrap();
        let read: Kept = read(&file, FILE_BYTES_MAX).unwrap().unwrap();
        assert_eq!(read, *kept);
        let held = |discovery: &Discovery| read.held(discovery).map(|held| held.len());
        assert_eq!(settings.discoveries.iter().map(held).collect::<Vec<_>>(), [Some(1), Some(1)]);
        let other = config::parse(&TEXT.replace("http://b", "http://c"), "f", folder.path(), &BTreeMap::new()).unwrap();
        assert_eq!(other.discoveries.iter().map(held).collect::<Vec<_>>(), [Some(1), None]);
    }
}
