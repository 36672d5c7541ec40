//! The engine's orders as tasks: one bounded call each, none waits for another.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::count::Counts;
use super::follow::Followers;
use super::history::Reading;
use super::outlet::Outlet;
use super::poll::{Past, Seen};
use super::{Clock, Endpoints, Poller};
use crate::config::Target;
use crate::engine::sample::{Reply, Sample, Word};
use crate::engine::target::TargetId;
use crate::engine::watchdog::Ask;
use crate::http::Http;
use crate::recording::{News, Raw};

/// Room for samples that the engine has not taken yet: more than a second of answers from a thousand targets. Whoever makes the
/// channel uses it.
pub const QUEUE_MAX: usize = 1024;

/// Carries out the orders to ask.
///
/// - An order starts one task, whose time is bounded; none waits for another.
/// - A target has at most one call of a kind in flight. An order while it is in flight is dropped and counted.
/// - A full queue drops the sample and counts it.
/// - A call that panics ends alone, and is counted.
/// - [`Sources::replace`] ends the calls to targets that are gone or asked otherwise, and dropping the sources ends every call in
///   flight: the answer to a question that nobody asks any more is no news.
pub struct Sources {
    http: Http,
    clock: Clock,
    poller: Poller,
    samples: mpsc::Sender<News>,
    tracker: TaskTracker,
    counts: Arc<Counts>,
    lines: BTreeMap<TargetId, Arc<Line>>,
    /// Ends every call.
    end: CancellationToken,
    followers: Followers,
}

/// One target, and what becomes of the calls to it.
struct Line {
    id: TargetId,
    endpoints: Endpoints,
    status: Place,
    deep: Place,
    qr: Place,
    reading: Reading,
    /// Ends the calls to it.
    end: CancellationToken,
}

/// The one place for calls of a kind.
#[derive(Default)]
struct Place {
    taken: AtomicBool,
    /// Whether it was logged that the target cannot be asked, so that it is logged once.
    told: AtomicBool,
}

/// One call in flight. Leaves its place when it is over, however it ends.
struct Turn {
    line: Arc<Line>,
    ask: Ask,
    counts: Arc<Counts>,
    is_over: bool,
}

impl Sources {
    /// Makes the sources of these targets. Samples leave through `samples`; the tasks run on `tracker`.
    #[must_use]
    pub fn new(
        targets: BTreeMap<TargetId, Arc<Target>>,
        http: Http,
        clock: Clock,
        samples: mpsc::Sender<News>,
        tracker: TaskTracker,
    ) -> Self {
        let poller = Poller::new(http.clone(), Arc::clone(&clock));
        let (counts, lines, end) = (Arc::default(), BTreeMap::new(), CancellationToken::new());
        let followers = Followers::default();
        let mut sources = Self { http, clock, poller, samples, tracker, counts, lines, end, followers };
        sources.replace(targets);
        sources
    }

    /// Asks a target once. Its sample leaves through the channel, if one comes of it.
    pub fn ask(&self, id: &TargetId, ask: Ask) {
        let Some(line) = self.lines.get(id) else {
            return self.counts.unknown_target.add();
        };
        let Some(turn) = Turn::take(line, ask, &self.counts) else {
            return self.counts.busy.add();
        };
        let (line, counts, end) = (Arc::clone(line), Arc::clone(&self.counts), line.end.clone());
        let (poller, samples) = (self.poller.clone(), self.samples.clone());
        let call = async move {
            turn.carry_out(poller.clone(), samples.clone()).await;
            // After a poll: whoever is left alone is left alone, and nobody is asked two things at once.
            if ask == Ask::Status && line.endpoints.history().is_some() && line.reading.begin(poller.now()) {
                line.read_past(&poller, &samples, &counts).await;
            }
        };
        self.tracker.spawn(end.run_until_cancelled_owned(call));
    }

    /// Takes other targets from here on. Those that are asked as before are not disturbed; every other call in flight ends.
    pub fn replace(&mut self, targets: BTreeMap<TargetId, Arc<Target>>) {
        let outlet = |target| Outlet {
            http: self.http.clone(),
            counts: Arc::clone(&self.counts),
            clock: Arc::clone(&self.clock),
            samples: self.samples.clone(),
            target,
        };
        self.followers.replace(&targets, &self.tracker, &outlet);
        let mut before = std::mem::take(&mut self.lines);
        for (id, target) in targets {
            let line = match before.remove(&id) {
                Some(line) if is_asked_alike(line.endpoints.target(), &target) => line,
                other => {
                    if let Some(line) = other {
                        line.end.cancel();
                    }
                    Arc::new(Line::new(id.clone(), target, self.end.child_token()))
                }
            };
            self.lines.insert(id, line);
        }
        for line in before.into_values() {
            line.end.cancel();
        }
    }

    /// Returns how many calls are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.counts.in_flight.load(Ordering::Relaxed)
    }

    /// Returns how many orders brought no sample, by reason; holds every reason from the start.
    #[must_use]
    pub fn dropped(&self) -> BTreeMap<&'static str, u64> {
        self.counts.dropped()
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("targets", &self.lines.len())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Line {
    fn new(id: TargetId, target: Arc<Target>, end: CancellationToken) -> Self {
        let (status, deep, qr) = (Place::default(), Place::default(), Place::default());
        Self { id, endpoints: Endpoints::of(target), status, deep, qr, reading: Reading::default(), end }
    }

    fn place(&self, ask: Ask) -> &Place {
        match ask {
            Ask::Status => &self.status,
            Ask::Deep => &self.deep,
            Ask::Qr => &self.qr,
        }
    }
}

impl Line {
    /// Tells what happened to the session since the list was last read.
    async fn read_past(&self, poller: &Poller, samples: &mpsc::Sender<News>, counts: &Counts) {
        let past = poller.past(&self.endpoints).await;
        let dialect = &self.endpoints.target().dialect;
        let signal = |line: String| {
            let signal = dialect.read_log(&line)?;
            Some(Seen { raw: Raw::Log(signal.line.as_str().to_owned()), sample: Sample::Signal(signal) })
        };
        let news: Vec<Seen> = match past {
            Past::Rows(rows) => self.reading.news(rows).into_iter().filter_map(signal).collect(),
            Past::Throttled(seen) => vec![*seen],
            Past::Unheard => Vec::new(),
        };
        for Seen { sample, raw } in news {
            if samples.try_send(News { target: self.id.clone(), sample, raw }).is_err() {
                counts.queue_full.add();
            }
        }
    }
}

impl Turn {
    fn take(line: &Arc<Line>, ask: Ask, counts: &Arc<Counts>) -> Option<Self> {
        if line.place(ask).taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        counts.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Self { line: Arc::clone(line), ask, counts: Arc::clone(counts), is_over: false })
    }

    async fn carry_out(mut self, poller: Poller, samples: mpsc::Sender<News>) {
        let asked = poller.ask(&self.line.endpoints, self.ask).await;
        self.is_over = true;
        let told = &self.line.place(self.ask).told;
        match asked {
            Ok(Seen { sample, raw }) => {
                told.store(false, Ordering::Relaxed);
                // Left before the sample is seen: whoever asks again upon it is not turned away.
                let (target, counts) = (self.line.id.clone(), Arc::clone(&self.counts));
                drop(self);
                if samples.try_send(News { target, sample, raw }).is_err() {
                    counts.queue_full.add();
                }
            }
            Err(why) => {
                self.counts.unasked.add();
                // Whoever watches must not take the last answer for the present one.
                let word = Word::new(&why.to_string());
                let sample = Sample::Poll { reply: Reply::Unasked(word.clone()), latency: Duration::ZERO };
                let news = News { target: self.line.id.clone(), sample, raw: Raw::Unasked(word) };
                if self.ask == Ask::Status && samples.try_send(news).is_err() {
                    self.counts.queue_full.add();
                }
                if !told.swap(true, Ordering::Relaxed) {
                    let (id, ask, error): (_, _, &dyn Error) = (&self.line.id, self.ask, &why);
                    tracing::warn!(target_id = %id, ?ask, error, "a target cannot be asked; it is not said again until it can");
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.line.place(self.ask).taken.store(false, Ordering::Release);
        self.counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        if thread::panicking() {
            self.counts.panicked.add();
        } else if !self.is_over {
            self.counts.outdated.add();
        }
    }
}

/// Tells whether two targets are asked the same in the same way; what is done about them may differ.
fn is_asked_alike(one: &Target, other: &Target) -> bool {
    // What is done about it, and what is followed beside the polls, is not asked here.
    let Target {
        id,
        dialect,
        url,
        session,
        status_path,
        token,
        timeout,
        body_bytes_max,
        qr_page: _,
        senses: _,
        hooks: _,
    } = one;
    let how = (id, url, session, status_path, token, timeout, body_bytes_max);
    // A dialect of a file is read anew with the configuration, and may be another one then.
    Arc::ptr_eq(dialect, &other.dialect)
        && how
            == (
                &other.id,
                &other.url,
                &other.session,
                &other.status_path,
                &other.token,
                &other.timeout,
                &other.body_bytes_max,
            )
}
