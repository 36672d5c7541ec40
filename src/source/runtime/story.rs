//! What events and looks say together: nothing lost, nothing twice.
//!
//! An `oom` alone means that something in the container was killed while it lives on; followed at once by the end of its main
//! process it means that this was killed. So an `oom` waits a moment for a `die`, and a `die` by SIGKILL that nobody sent waits for
//! an `oom`, because the two reach the daemon on ways of their own.

use std::time::Duration;

use serde_json::Value;

use super::event::{Action, Event};
use crate::engine::moment::Wall;
use crate::engine::sample::{Runtime, Word};

/// Most nanoseconds between an `oom` and a `die` that belong together.
const TOGETHER: Duration = Duration::from_secs(2);
/// A signal that somebody sent explains an end for this long: a stop waits before it kills.
const SIGNAL_EXPLAINS: Duration = Duration::from_mins(6);
/// Most events of one nanosecond that are told apart.
const AT_ONCE_MAX: usize = 64;
/// The exit code of what was killed.
const KILLED: i64 = 137;
/// The version in an image's labels.
const VERSION_LABEL: &str = "org.opencontainers.image.version";
/// How much of an image's id tells it from others.
const ID_CHARS: usize = 12;

/// What is known of a container.
#[derive(Debug, Default)]
pub(super) struct Story {
    name: String,
    /// When it was first listened to.
    since: u64,
    /// The time of the newest event, and what came at that very time.
    newest: u64,
    at_newest: Vec<Event>,
    /// What comes may have come before.
    catches_up: bool,
    /// Its newest start, in nanoseconds; 0 before the first is known.
    born: u64,
    /// A start that a look told, so that its event does not.
    looked_born: Option<u64>,
    /// Whether it runs, as far as known.
    runs: Option<bool>,
    /// A look told its end.
    looked_dead: bool,
    /// Something in it was killed for memory, and it is not known yet what.
    oom: Option<u64>,
    /// It ended by SIGKILL, and it is not known yet why.
    killed: Option<u64>,
    /// When somebody last sent it a signal.
    signalled: Option<u64>,
    image: Option<Word>,
    health: Option<Word>,
}

/// A container as a look shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    runs: bool,
    born: u64,
    exit_code: Option<i64>,
    oom_killed: bool,
    image: Option<Word>,
    health: Option<Word>,
}

impl Seen {
    /// Reads an inspection.
    pub(super) fn read(inspect: &Value) -> Self {
        let text = |place: &str| inspect.pointer(place).and_then(Value::as_str).filter(|text| !text.is_empty());
        let born = text("/State/StartedAt").and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let label = inspect.pointer("/Config/Labels").and_then(|labels| labels.get(VERSION_LABEL));
        let version = label.and_then(Value::as_str).filter(|version| !version.trim().is_empty());
        let id = text("/Image").map(|id| id.trim_start_matches("sha256:").chars().take(ID_CHARS).collect::<String>());
        let image = [version, text("/Config/Image"), id.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        Self {
            runs: inspect.pointer("/State/Running").and_then(Value::as_bool).unwrap_or(false),
            born: born.and_then(|at| u64::try_from(at.as_nanosecond()).ok()).unwrap_or(0),
            exit_code: inspect.pointer("/State/ExitCode").and_then(Value::as_i64),
            oom_killed: inspect.pointer("/State/OOMKilled").and_then(Value::as_bool).unwrap_or(false),
            image: Some(image).filter(|image| !image.is_empty()).map(|image| Word::new(&image)),
            health: text("/State/Health/Status").filter(|word| *word != "none").map(Word::new),
        }
    }
}

impl Story {
    pub(super) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Returns from when on events are wanted, as the daemon takes it; none before it was first listened to.
    pub(super) fn since(&self) -> Option<String> {
        let since = if 0 < self.newest { self.newest } else { self.since };
        let (secs, nanos) = (since.div_euclid(1_000_000_000), since.rem_euclid(1_000_000_000));
        (0 < since).then(|| format!("{secs}.{nanos:09}"))
    }

    /// Notes that it is listened to, since this moment at least; a break before the first event is caught up with from here.
    pub(super) fn listens(&mut self, now: Wall) {
        self.catches_up = true;
        if self.since == 0 {
            self.since = u64::try_from(now.millis()).unwrap_or(0).saturating_mul(1_000_000);
        }
    }

    /// Tells whether something is held back until it is known what it means.
    pub(super) fn waits(&self) -> bool {
        self.oom.is_some() || self.killed.is_some()
    }

    /// Takes in an event; returns what it means.
    pub(super) fn hear(&mut self, event: &Event) -> Vec<Runtime> {
        if !self.is_news(event) || event.name != self.name {
            return Vec::new();
        }
        let now = event.nanos;
        match &event.action {
            Action::Oom if self.killed.is_some_and(|at| is_near(at, now)) => {
                self.killed = None;
                vec![died(Some(KILLED), true)]
            }
            // The kernel may tell of one kill more than once, and late.
            Action::Oom if self.runs == Some(false) || self.oom.is_some_and(|at| is_near(at, now)) => Vec::new(),
            Action::Oom => {
                let told = self.let_go();
                self.oom = Some(now);
                told
            }
            Action::Kill => {
                let told = self.let_go();
                self.signalled = Some(now);
                told
            }
            Action::Die(code) => self.dies(now, *code),
            Action::Start => {
                let mut told = self.let_go();
                // One that a look has told already.
                let is_told = self.looked_born.take_if(|born| *born <= now).is_some();
                self.born = self.born.max(now);
                self.begins();
                told.extend((!is_told).then_some(Runtime::Started));
                told
            }
            Action::Health(word) => self.feels(Word::new(word)).into_iter().collect(),
            Action::Named | Action::Other => Vec::new(),
        }
    }

    /// Takes in how the container is now, or that there is none; returns what was not told.
    pub(super) fn look(&mut self, seen: Option<Seen>) -> Vec<Runtime> {
        self.catches_up = false;
        let Some(seen) = seen else {
            let is_news = self.ends_unseen();
            return is_news.then(|| died(None, false)).into_iter().collect();
        };
        let mut told = Vec::new();
        if seen.runs && self.born < seen.born {
            if 0 < self.born {
                told.extend(self.let_go());
                told.push(Runtime::Started);
                self.looked_born = Some(seen.born);
            }
            self.born = seen.born;
            self.begins();
        } else if !seen.runs && self.ends_unseen() {
            told.extend(self.let_go());
            told.push(died(seen.exit_code, seen.oom_killed && seen.exit_code == Some(KILLED)));
        }
        if self.runs.is_none() {
            self.runs = Some(seen.runs);
            self.born = self.born.max(seen.born);
        }
        if let Some(image) = seen.image.filter(|image| self.image.as_ref() != Some(image)) {
            self.image = Some(image.clone());
            told.push(Runtime::VersionChanged(image));
        }
        told.extend(seen.health.filter(|_| seen.runs).and_then(|word| self.feels(word)));
        told
    }

    /// Tells what was held back: nothing came that would make it something else.
    pub(super) fn let_go(&mut self) -> Vec<Runtime> {
        let child = self.oom.take().map(|_| Runtime::OomKilled);
        let killed = self.killed.take().map(|_| died(Some(KILLED), false));
        child.into_iter().chain(killed).collect()
    }

    fn dies(&mut self, now: u64, code: Option<i64>) -> Vec<Runtime> {
        if std::mem::take(&mut self.looked_dead) {
            return Vec::new();
        }
        self.runs = Some(false);
        self.health = None;
        if self.oom.take_if(|at| is_near(*at, now)).is_some() {
            return vec![died(code, true)];
        }
        let mut told = self.let_go();
        let is_explained = self.signalled.is_some_and(|at| now.saturating_sub(at) < nanos(SIGNAL_EXPLAINS));
        if code == Some(KILLED) && !is_explained {
            self.killed = Some(now);
        } else {
            told.push(died(code, false));
        }
        told
    }

    fn begins(&mut self) {
        self.runs = Some(true);
        self.looked_dead = false;
        self.signalled = None;
        self.health = None;
    }

    /// Notes that it does not run any more; tells whether that is news.
    fn ends_unseen(&mut self) -> bool {
        let is_news = self.runs == Some(true);
        if is_news {
            self.runs = Some(false);
            self.looked_dead = true;
            self.health = None;
        }
        is_news
    }

    fn feels(&mut self, word: Word) -> Option<Runtime> {
        let is_news = !word.as_str().is_empty() && self.health.as_ref() != Some(&word);
        is_news.then(|| {
            self.health = Some(word.clone());
            Runtime::Health(word)
        })
    }

    /// Tells whether an event was not heard yet: after a break the newest ones come again.
    fn is_news(&mut self, event: &Event) -> bool {
        let is_known = event.nanos < self.newest || (event.nanos == self.newest && self.at_newest.contains(event));
        if self.catches_up && is_known {
            return false;
        }
        // What comes live is news, also where the daemon's clock was set back.
        if self.newest != event.nanos {
            self.newest = event.nanos;
            self.at_newest.clear();
        }
        if self.at_newest.len() < AT_ONCE_MAX {
            self.at_newest.push(event.clone());
        }
        true
    }
}

fn died(exit_code: Option<i64>, oom_killed: bool) -> Runtime {
    Runtime::Died { exit_code, oom_killed }
}

fn is_near(one: u64, other: u64) -> bool {
    one.abs_diff(other) <= nanos(TOGETHER)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn story() -> Story {
        let mut story = Story::of("wa");
        assert_eq!(story.look(Some(seen(true, 10))), []);
        story
    }

    fn seen(runs: bool, born: u64) -> Seen {
        Seen { runs, born: born.saturating_mul(SEC), exit_code: Some(0), ..Seen::default() }
    }

    fn at(secs: u64, action: Action) -> Event {
        Event { action, id: "a".to_owned(), name: "wa".to_owned(), nanos: secs.saturating_mul(SEC) }
    }

    fn hear(story: &mut Story, events: &[(u64, Action)]) -> Vec<Runtime> {
        events.iter().flat_map(|(secs, action)| story.hear(&at(*secs, action.clone()))).collect()
    }

    #[test]
    fn an_oom_followed_by_the_end_killed_the_service_and_one_alone_a_child() {
        let mut story = story();
        assert_eq!(hear(&mut story, &[(20, Action::Oom), (21, Action::Die(Some(137)))]), [died(Some(137), true)]);
        assert_eq!(hear(&mut story, &[(30, Action::Start), (40, Action::Oom)]), [Runtime::Started]);
        assert!(story.waits());
        assert_eq!(story.let_go(), [Runtime::OomKilled]);
        assert!(!story.waits());
        // One kill may be told twice, before its end and after.
        let told =
            hear(&mut story, &[(41, Action::Oom), (41, Action::Oom), (42, Action::Die(Some(137))), (42, Action::Oom)]);
        assert_eq!(told, [died(Some(137), true)]);
        assert!(!story.waits());
        hear(&mut story, &[(45, Action::Start)]);
        // Far apart they are two things.
        let told = hear(&mut story, &[(50, Action::Oom), (60, Action::Die(Some(1)))]);
        assert_eq!(told, [Runtime::OomKilled, died(Some(1), false)]);
    }

    #[test]
    fn an_end_that_comes_before_its_oom_waits_for_it() {
        let mut story = story();
        assert_eq!(hear(&mut story, &[(20, Action::Die(Some(137))), (20, Action::Oom)]), [died(Some(137), true)]);
        hear(&mut story, &[(30, Action::Start)]);
        assert_eq!(hear(&mut story, &[(40, Action::Die(Some(137)))]), []);
        assert_eq!(story.let_go(), [died(Some(137), false)], "killed, and not for memory");
        let told = hear(&mut story, &[(50, Action::Start), (60, Action::Die(Some(137))), (61, Action::Start)]);
        assert_eq!(told, [Runtime::Started, died(Some(137), false), Runtime::Started]);
    }

    #[test]
    fn a_stop_is_no_kill_for_memory() {
        let mut story = story();
        let stop = [(20, Action::Oom), (21, Action::Kill), (21, Action::Die(Some(137)))];
        assert_eq!(hear(&mut story, &stop), [Runtime::OomKilled, died(Some(137), false)]);
        let restart = [(29, Action::Kill), (39, Action::Kill), (39, Action::Die(Some(137))), (40, Action::Start)];
        assert_eq!(hear(&mut story, &restart), [died(Some(137), false), Runtime::Started]);
    }

    #[test]
    fn what_comes_again_after_a_break_is_not_told_twice() {
        let mut story = story();
        let events = [(20, Action::Die(Some(0))), (21, Action::Start), (21, Action::Health("starting".to_owned()))];
        assert_eq!(hear(&mut story, &events).len(), 3);
        assert_eq!(story.since().as_deref(), Some("21.000000000"));
        story.listens(Wall::from_secs(30));
        assert_eq!(hear(&mut story, &events), []);
        assert_eq!(hear(&mut story, &[(21, Action::Other), (22, Action::Die(Some(0)))]), [died(Some(0), false)]);
    }

    #[test]
    fn a_break_before_the_first_event_is_caught_up_with_too() {
        let mut story = story();
        assert_eq!(story.since(), None);
        story.listens(Wall::from_secs(15));
        story.listens(Wall::from_secs(30));
        assert_eq!(story.since().as_deref(), Some("15.000000000"));
        assert_eq!(hear(&mut story, &[(14, Action::Die(Some(0)))]), [died(Some(0), false)], "its clock is behind ours");
        story.look(Some(seen(false, 10)));
        assert_eq!(hear(&mut story, &[(13, Action::Start)]), [Runtime::Started], "its clock was set back");
    }

    #[test]
    fn a_start_that_a_look_shows_is_not_told_again_by_its_event() {
        let mut story = story();
        assert_eq!(story.look(Some(seen(true, 20))), [Runtime::Started]);
        assert_eq!(hear(&mut story, &[(21, Action::Start)]), []);
        assert_eq!(hear(&mut story, &[(22, Action::Die(Some(0))), (23, Action::Start)]).len(), 2);
        assert_eq!(story.look(Some(seen(true, 22))), [], "its event came first");
    }

    #[test]
    fn an_end_that_nobody_told_is_seen() {
        let mut story = story();
        let gone = Seen { oom_killed: true, exit_code: Some(137), ..seen(false, 10) };
        assert_eq!(story.look(Some(gone.clone())), [died(Some(137), true)]);
        assert_eq!(story.look(Some(gone)), []);
        assert_eq!(hear(&mut story, &[(30, Action::Die(Some(137)))]), [], "it was told");
        assert_eq!(hear(&mut story, &[(40, Action::Start)]), [Runtime::Started]);
        assert_eq!(story.look(None), [died(None, false)], "it is removed");
        assert_eq!(Story::of("wa").look(None), []);
        assert_eq!(Story::of("wa").look(Some(seen(false, 5))), []);
    }

    #[test]
    fn another_container_of_a_like_name_is_another() {
        let mut story = story();
        let other = Event { name: "wa-2".to_owned(), ..at(20, Action::Die(Some(0))) };
        assert_eq!(story.hear(&other), []);
    }

    #[test]
    fn image_and_health_are_told_when_they_change() {
        let inspect = |image: &str, health: &str| {
            json!({
                "Image": "sha256:033715611336273a03eb94e22799f634568f9cf4",
                "Config": { "Image": image, "Labels": { "org.opencontainers.image.version": "1.4.2" } },
                "State": { "Running": true, "StartedAt": "2026-02-04T09:00:00.123456789Z", "Health": { "Status": health } }
            })
        };
        let mut story = Story::of("wa");
        let image = |text: &str| Runtime::VersionChanged(Word::new(text));
        let health = |text: &str| Runtime::Health(Word::new(text));
        let told = story.look(Some(Seen::read(&inspect("wa:1", "starting"))));
        assert_eq!(told, [image("1.4.2 wa:1 033715611336"), health("starting")]);
        assert_eq!(story.born, 1_770_195_600_123_456_789);
        assert_eq!(story.look(Some(Seen::read(&inspect("wa:1", "starting")))), []);
        assert_eq!(story.look(Some(Seen::read(&inspect("wa:2", "none")))), [image("1.4.2 wa:2 033715611336")]);
        let told = [Action::Health("unhealthy".to_owned()), Action::Health("unhealthy".to_owned())]
            .map(|action| story.hear(&at(2_000_000_000, action)));
        assert_eq!(told.concat(), [health("unhealthy")]);
    }

    #[test]
    fn an_odd_inspection_is_survived() {
        for odd in [json!(null), json!([]), json!({ "State": "up", "Image": 7, "Config": { "Labels": null } })] {
            assert_eq!(Seen::read(&odd), Seen::default(), "{odd}");
        }
    }
}
