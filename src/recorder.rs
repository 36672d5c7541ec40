//! The recorder: writes down what was seen, always, so that any incident can be judged again.
//!
//! A thread of its own behind a bounded channel: the watch never waits for it, and goes on whatever becomes of the disk. What it
//! could not take or write is counted. Nothing is written before its secrets made room for stand-ins.
//!
//! On disk a recording is a row of segments (`shelf`), each of which can be read alone: a header, a line for every observation
//! that tells something new, and folded lines for those that only repeat the last one (`fold`). [`export()`] makes a plain
//! recording of them, in which a replay finds what the engine was told, in the same order and at the same times.

mod export;
mod fold;
mod read;
mod salt;
mod segment;
mod shelf;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::config::{self, Target, recording_header};
use crate::dialect::Dialect;
use crate::engine::moment::Wall;
use crate::engine::policy::Policy;
use crate::engine::sample::Sample;
use crate::engine::target::TargetId;
use crate::recording::Raw;
use crate::recording::wire::{Keys, Turn};

use shelf::Shelf;
use writer::Writer;

pub use export::{Exported, Listed, Period, Progress, Unexported, export, list};

/// Most observations that wait to be written: more than a second of answers from a few thousand targets.
const QUEUE_MAX: usize = 4096;
/// Most bytes of bodies that wait.
const QUEUE_BYTES_MAX: usize = 32 << 20;
/// How long the end waits for what is queued up.
const GOODBYE: Duration = Duration::from_secs(5);

/// A handle to the thread that writes recordings. Dropping it ends the thread like [`Recorder::close`].
#[derive(Debug)]
pub struct Recorder {
    orders: Option<SyncSender<Order>>,
    done: Option<Receiver<()>>,
    counts: Arc<Counts>,
    /// What could not be told when it was due: until it is, nothing that was seen means anything.
    owed: Option<Order>,
}

/// What is told to the thread.
#[derive(Debug)]
enum Order {
    /// The watchdog started, or reads its configuration anew; from here on these are watched.
    Turn(Wall, Turn, Box<Head>),
    /// Something was seen.
    Seen(Box<Seen>),
}

/// What is watched.
#[derive(Debug)]
struct Head {
    keys: Keys,
    /// How each target's answers are read.
    targets: BTreeMap<TargetId, Speaker>,
}

/// Whose answers they are.
#[derive(Debug)]
struct Speaker {
    dialect: Arc<Dialect>,
    session: Option<String>,
}

/// One observation.
#[derive(Debug)]
struct Seen {
    at: Wall,
    target: TargetId,
    sample: Sample,
    raw: Raw,
}

/// Numbers since the start.
#[derive(Debug, Default)]
struct Counts {
    /// Bytes that wait.
    queued: AtomicUsize,
    /// Observations that were not taken, because too many waited.
    full: AtomicU64,
    /// Observations that the disk did not take.
    failed: AtomicU64,
}

impl Recorder {
    /// Opens the folder of recordings, making it if need be, and starts the thread.
    pub fn open(settings: &config::Recorder) -> io::Result<Self> {
        let shelf = Shelf::open(settings)?;
        let counts = Arc::<Counts>::default();
        let writer = Writer::new(shelf, Arc::clone(&counts))?;
        let (orders, queue) = sync_channel(QUEUE_MAX);
        // Nothing is ever sent: that its other end is gone tells that the thread is.
        let (ended, done) = sync_channel::<()>(1);
        thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            writer.run(&queue);
            drop(ended);
        })?;
        Ok(Self { orders: Some(orders), done: Some(done), counts, owed: None })
    }

    /// Returns a recorder that records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { orders: None, done: None, counts: Arc::default(), owed: None }
    }

    /// Notes that the watchdog started, and what it watches.
    pub fn started(&mut self, at: Wall, policy: &Policy, targets: &BTreeMap<TargetId, Arc<Target>>) {
        self.turn(at, Turn::Started, policy, targets);
    }

    /// Notes that the configuration was read anew, or that sessions took the place of others, and what is watched from here on.
    pub fn reloaded(&mut self, at: Wall, policy: &Policy, targets: &BTreeMap<TargetId, Arc<Target>>) {
        self.turn(at, Turn::Reloaded, policy, targets);
    }

    /// Takes what was seen, at the moment that the engine is told, and in the same order. Waits for nobody.
    pub fn take(&mut self, at: Wall, target: &TargetId, sample: &Sample, raw: Raw) {
        if self.orders.is_none() {
            return;
        }
        if let Some(owed) = self.owed.take() {
            self.owed = self.hand_over(owed).err();
        }
        let size = raw.size();
        let is_full = QUEUE_BYTES_MAX < self.counts.queued.load(Ordering::Relaxed).saturating_add(size);
        let seen = Order::Seen(Box::new(Seen { at, target: target.clone(), sample: sample.clone(), raw }));
        // Counted first: the thread takes it off, however fast it is.
        self.counts.queued.fetch_add(size, Ordering::Relaxed);
        if is_full || self.owed.is_some() || self.hand_over(seen).is_err() {
            self.counts.queued.fetch_sub(size, Ordering::Relaxed);
            self.counts.full.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many observations were not recorded, by reason; holds every reason from the start.
    #[must_use]
    pub fn dropped(&self) -> BTreeMap<&'static str, u64> {
        let counts = [("recorder_queue_full", &self.counts.full), ("recorder_failed", &self.counts.failed)];
        counts.into_iter().map(|(reason, count)| (reason, count.load(Ordering::Relaxed))).collect()
    }

    /// Writes what is queued up and ends the thread. A disk that hangs is not waited for.
    pub fn close(mut self) {
        self.finish();
    }

    fn turn(&mut self, at: Wall, turn: Turn, policy: &Policy, targets: &BTreeMap<TargetId, Arc<Target>>) {
        if self.orders.is_none() {
            return;
        }
        let speaker = |(id, target): (&TargetId, &Arc<Target>)| {
            (id.clone(), Speaker { dialect: Arc::clone(&target.dialect), session: target.session.clone() })
        };
        let head = Head { keys: recording_header(policy, targets), targets: targets.iter().map(speaker).collect() };
        self.owed = self.hand_over(Order::Turn(at, turn, Box::new(head))).err();
    }

    /// Returns what was not taken; a thread that is gone takes nothing, and is asked no more.
    fn hand_over(&mut self, order: Order) -> Result<(), Order> {
        let Some(orders) = &self.orders else { return Ok(()) };
        match orders.try_send(order) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(order)) => Err(order),
            Err(TrySendError::Disconnected(order)) => {
                tracing::error!("the recorder's thread ended; nothing is recorded until the next start");
                self.orders = None;
                Err(order)
            }
        }
    }

    fn finish(&mut self) {
        self.orders = None;
        if let Some(done) = self.done.take()
            && done.recv_timeout(GOODBYE) == Err(RecvTimeoutError::Timeout)
        {
            tracing::error!("the recorder did not end in time; the last of what was seen may not be recorded");
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::config::Settings;
    use crate::dialect::Route;
    use crate::engine::watchdog::Ask;
    use crate::recording::{Call, Came};

    const BODIES: [&str; 4] = [
        r#"{"connected":true,"hasQR":false}"#,
        r#"{"connected":false,"hasQR":true,"qr":"2@AAAA"}"#,
        r#"{"connected":false,"hasQR":true,"qr":"2@BBBB"}"#,
        "<h1>Bad Gateway</h1>",
    ];

    fn settings(dir: &Path, bytes_max: &str) -> Settings {
        let head = format!("recorder.dir = \"{}\"\nrecorder.max_bytes = \"{bytes_max}\"\n", dir.display());
        let target = |name: &str| format!("[target.{name}]\ndialect = \"whatsapp-service\"\nurl = \"http://{name}\"\n");
        let text = ["a", "b", "c"].map(target).concat();
        config::parse(&format!("{head}{text}"), "f", Path::new(""), &BTreeMap::new()).unwrap()
    }

    fn start(settings: &Settings) -> Recorder {
        let mut recorder = Recorder::open(&settings.recorder).unwrap();
        recorder.started(at(0), &settings.policy, &settings.targets);
        recorder
    }

    fn at(millis: i64) -> Wall {
        Wall::from_millis(millis.saturating_add(1_770_195_600_000))
    }

    fn id(number: usize) -> TargetId {
        TargetId::new(["a", "b", "c"][number]).unwrap()
    }

    /// Hands in an answer as the driver does.
    fn take(recorder: &mut Recorder, settings: &Settings, at: Wall, (target, ask, body): (usize, Ask, &str)) {
        let came =
            Came::Reply { status: 200, retry_after: None, rate_limit_reset: None, body: body.as_bytes().to_vec() };
        let call = Call { latency: Duration::from_millis(3), came, checked: None };
        let dialect = &settings.targets[&id(target)].dialect;
        let sample = dialect.read(ask, Route::default(), at, call.latency, call.came.heard());
        recorder.take(at, &id(target), &sample, Raw::Asked(ask, call));
    }

    fn exported(dir: &Path, period: &Period) -> Vec<Value> {
        let mut text = Vec::new();
        export(dir, period, &mut text, &mut |_| {}).unwrap();
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// When, whose, and what, without the stand-ins.
    fn seen(line: &Value) -> (String, String, String) {
        let (kind, call) = line.as_object().unwrap().iter().find(|(_, value)| value.is_object()).unwrap();
        let body = call["body"].clone();
        let qr = body["qr"].as_str().unwrap_or_default().to_owned();
        let text = format!("{kind} {}", body.to_string().replace(&qr, ""));
        (line["at"].as_str().unwrap().to_owned(), line["target"].as_str().unwrap().to_owned(), text)
    }

    fn handed_in(at: Wall, target: usize, ask: Ask, body: &str) -> (String, String, String) {
        let kind = if ask == Ask::Status { "poll" } else { "qr" };
        let value: Value = serde_json::from_str(body).unwrap_or_else(|_| body.into());
        let qr = value["qr"].as_str().unwrap_or_default().to_owned();
        (at.to_string(), id(target).as_str().to_owned(), format!("{kind} {}", value.to_string().replace(&qr, "")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn whatever_was_seen_is_exported_in_its_order(
            steps in prop::collection::vec(
                (prop_oneof![Just(0_i64), 0..3_i64, 900..1100_i64, 10_000..40_000_i64], 0..3_usize, any::<bool>(), 0..6_usize),
                1..300,
            ),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let settings = settings(folder.path(), "1MiB");
            let mut recorder = start(&settings);
            let (mut now, mut expected) = (0, Vec::new());
            for (gap, target, is_qr, body) in steps {
                now = i64::saturating_add(now, gap);
                let (ask, body) = (if is_qr { Ask::Qr } else { Ask::Status }, BODIES.get(body).unwrap_or(&BODIES[0]));
                take(&mut recorder, &settings, at(now), (target, ask, body));
                expected.push(handed_in(at(now), target, ask, body));
            }
            recorder.close();
            let lines = exported(folder.path(), &Period::default());
            prop_assert_eq!(&lines[1]["started"], &Value::Bool(true));
            prop_assert_eq!(lines[2..].iter().map(seen).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn segments_are_bounded_and_go_on_over_days_reloads_and_clocks_that_go_back() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "1MiB");
        let mut recorder = start(&settings);
        let mut expected = Vec::new();
        // The second half is an hour earlier, and on the next day.
        for step in 0..600_i64 {
            let now = at(if step < 300 { step * 300_000 } else { 7_200_000 + step * 300_000 - 10_800_000 });
            let page = format!("<p>{step}{}", "x ".repeat(200));
            take(&mut recorder, &settings, now, (0, Ask::Status, &page));
            expected.push(handed_in(now, 0, Ask::Status, &page));
            if step == 100 {
                recorder.reloaded(now, &settings.policy, &settings.targets);
            }
        }
        assert_eq!(recorder.dropped().values().sum::<u64>(), 0);
        recorder.close();
        let lines = exported(folder.path(), &Period::default());
        let is_turn = |line: &&Value| line.get("started").or(line.get("reloaded")).is_some();
        assert_eq!(lines.iter().filter(is_turn).count(), 2);
        let observations: Vec<_> = lines[1..].iter().filter(|line| !is_turn(line)).map(seen).collect();
        assert_eq!(observations, expected);
        let mut segments = Vec::new();
        list(folder.path(), &mut |listed, _| segments.push(listed)).unwrap();
        assert!(4 < segments.len(), "{segments:#?}");
        assert!(segments.iter().all(|segment| segment.bytes < 64 << 10 && segment.torn == 0));

        let period = |since, until, targets: &[usize]| Period {
            since: Some(since),
            until: Some(until),
            targets: targets.iter().map(|number| id(*number)).collect::<BTreeSet<_>>(),
        };
        let part = exported(folder.path(), &period(at(50 * 300_000), at(60 * 300_000), &[0]));
        assert_eq!(part[1..].iter().map(seen).collect::<Vec<_>>(), expected[50..60]);
        assert_eq!(part[0]["targets"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a"]);
        let none = export(folder.path(), &period(at(0), at(1000), &[1]), &mut Vec::new(), &mut |_| {}).unwrap_err();
        assert!(none.to_string().contains("there is something of a"), "{none}");
    }

    #[test]
    fn the_oldest_go_where_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "1MiB");
        let mut recorder = start(&settings);
        let mut noise = 1_u64;
        for step in 0..1500 {
            let word = || {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{:x}", noise >> 20)
            };
            let page = std::iter::repeat_with(word).take(100).collect::<Vec<_>>().join(" ");
            take(&mut recorder, &settings, at(step * 1000), (0, Ask::Status, &page));
        }
        // Closing waits for a moment only.
        until("all is taken off the queue", || recorder.counts.queued.load(Ordering::Relaxed) == 0);
        recorder.close();
        let bytes: u64 = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!((512 << 10..=1 << 20).contains(&bytes), "{bytes}");
        let lines = exported(folder.path(), &Period::default());
        assert_eq!(lines.last().unwrap()["at"].as_str(), Some(at(1_499_000).to_string().as_str()));
        assert!(lines[1].get("started").is_none(), "the start is long gone");
    }

    #[test]
    fn a_disk_that_refuses_is_counted_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("recordings");
        let settings = settings(&dir, "1MiB");
        let mut recorder = start(&settings);
        let say = |recorder: &mut Recorder, secs: i64| {
            take(recorder, &settings, at(secs * 1000), (0, Ask::Status, BODIES[0]));
        };
        say(&mut recorder, 1);
        recorder.reloaded(at(2000), &settings.policy, &settings.targets);
        let packed = || {
            fs::read_dir(&dir)
                .unwrap()
                .filter(|file| file.as_ref().unwrap().path().to_string_lossy().ends_with("gz"))
                .count()
        };
        until("the first segment is packed", || packed() == 1);
        fs::remove_dir_all(&dir).unwrap();
        // The segment is open, though nobody finds it any more; the one after a reload cannot be made.
        recorder.reloaded(at(3000), &settings.policy, &settings.targets);
        say(&mut recorder, 4);
        say(&mut recorder, 5);
        until("what was lost is counted", || recorder.dropped()["recorder_failed"] == 2);
        fs::create_dir(&dir).unwrap();
        say(&mut recorder, 20);
        until("the disk is left alone", || recorder.dropped()["recorder_failed"] == 3);
        say(&mut recorder, 60);
        let dropped = Arc::clone(&recorder.counts);
        recorder.close();
        assert_eq!((dropped.failed.load(Ordering::Relaxed), dropped.full.load(Ordering::Relaxed)), (3, 0));
        let lines = exported(&dir, &Period::default());
        assert_eq!((lines.len(), lines[1]["at"].as_str()), (2, Some(at(60_000).to_string().as_str())));
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_owes_no_news_of_the_watchdog() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "1MiB");
        let (orders, queue) = sync_channel(1);
        let mut recorder = Recorder::off();
        recorder.orders = Some(orders);
        let say = |recorder: &mut Recorder| take(recorder, &settings, at(0), (0, Ask::Status, BODIES[0]));
        say(&mut recorder);
        recorder.reloaded(at(0), &settings.policy, &settings.targets);
        say(&mut recorder);
        assert_eq!(recorder.dropped()["recorder_queue_full"], 1);
        assert!(matches!(queue.try_recv(), Ok(Order::Seen(_))));
        say(&mut recorder);
        assert!(matches!(queue.try_recv(), Ok(Order::Turn(_, Turn::Reloaded, _))), "it goes first");
        say(&mut recorder);
        assert!(matches!(queue.try_recv(), Ok(Order::Seen(_))));
        assert_eq!(recorder.dropped()["recorder_queue_full"], 2);
        drop(queue);
        say(&mut recorder);
        say(&mut recorder);
        assert!(recorder.orders.is_none(), "nobody is asked in vain again");
    }

    fn until(what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..1000 {
            if is_so() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("waited in vain until {what}");
    }
}
