//! The recorder: writes down what was seen, always, so that any incident can be judged again.
//!
//! A thread of its own behind a bounded channel: the watch never waits for it, and goes on whatever becomes of the disk. What it
//! could not take or write is counted. Nothing is written before its secrets made room for stand-ins.
//!
//! On disk a recording is a row of segments ([`shelf`]), each of which can be read alone: a header, a line for every observation
//! that tells something new, and folded lines for those that only repeat the last one ([`fold`]). [`export`] makes a plain
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
