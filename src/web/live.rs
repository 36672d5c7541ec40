//! What keeps open pages live: one task renders what changed, once for all of them, and every stream gets the same bytes.
//!
//! The task looks at most once in [`ROUND_EVERY`], and renders only what changed of what somebody looks at. Who reads too slowly is
//! cut off and comes back by itself; who comes back says what it saw last, and gets what it missed, or is told to load its page
//! anew. While no page is open nothing is rendered.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use hyper::header::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::engine::snapshot::Snapshot;
use crate::engine::target::TargetId;

use super::page::{self, Parts};
use super::reply::{Answer, events, too_many_streams};
use super::sign_in::random;
use super::{Desk, ROUND_EVERY, STREAM_BEAT, STREAM_BEATS_MAX, STREAM_QUEUE_MAX, STREAMS_MAX};

/// Most rows that one round sends; where more changed, a page is loaded anew at less cost.
const ROUND_ROWS_MAX: usize = 200;
/// Most bytes of past rounds that are kept for who comes back.
const PAST_BYTES_MAX: usize = 1024 * 1024;
/// For how many beats the stream of a page of the fleet is waited for: after it was loaded, and after its stream ended.
const AWAITED_BEATS: u32 = 4;

/// Tells a page to load itself anew.
const RESYNC: &str = "event: resync\ndata: -\n\n";
/// Tells a page that its session is not watched any more.
const GONE: &str = "event: gone\ndata: -\n\n";
/// What every stream begins with: how long to wait before coming back, in milliseconds.
const BEGIN: &str = "retry: 2000\n\n";
/// Keeps a stream that has no news from looking dead.
const BEAT: &[u8] = b": still here\n\n";

/// Whose streams are open, and what they saw.
#[derive(Debug)]
pub(super) struct Hub {
    seen: Mutex<Seen>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct Seen {
    /// What all pages show, or have been sent; none while nobody looks.
    base: Option<Base>,
    /// Distinguishes this start of the watchdog from every other.
    start: u64,
    /// The number of the last round that had news.
    round: u64,
    past: VecDeque<(u64, Bytes)>,
    fleet: Vec<Stream>,
    sessions: BTreeMap<TargetId, Vec<Stream>>,
    /// For how many beats more a page of the fleet may still open its stream.
    awaited: u32,
}

/// What pages show.
#[derive(Debug)]
struct Base {
    snapshot: Arc<Snapshot>,
    banners: String,
    /// What else is on the page of the fleet; none while nobody looks at that.
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Stream {
    events: mpsc::Sender<Bytes>,
    /// How many beats it saw.
    beats: u32,
}

/// The body of an answer that goes on as things happen.
#[derive(Debug)]
pub(super) struct Events {
    coming: mpsc::Receiver<Bytes>,
    /// Given back when the client is gone.
    _place: OwnedSemaphorePermit,
}

/// What a stream is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Fleet,
    Session(String),
}

/// Renders what changes until the server stops; then ends every stream.
pub(super) async fn keep(desk: Arc<Desk>, stop: CancellationToken) {
    let mut snapshots = desk.state.snapshot.clone();
    let mut beats = interval(STREAM_BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        let is_beat = tokio::select! {
            () = stop.cancelled() => break,
            changed = snapshots.changed() => {
                if changed.is_err() {
                    break;
                }
                false
            }
            _ = beats.tick() => true,
        };
        let turning = page::aside(&desk, move |desk| {
            if is_beat {
                desk.live.beat();
            }
            desk.live.turn(desk);
        });
        // What fails is in the log; the next turn tries again.
        drop(turning.await);
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(ROUND_EVERY) => {}
        }
    }
    desk.live.close();
}

/// Opens a stream.
pub(super) async fn open(desk: &Arc<Desk>, topic: Topic, after: Option<&str>, headers: &HeaderMap) -> Answer {
    let Ok(place) = Arc::clone(&desk.live.places).try_acquire_owned() else { return too_many_streams() };
    // A browser that comes back says what it saw last.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).or(after).map(str::to_owned);
    let joining = page::aside(desk, move |desk| match topic {
        Topic::Fleet => Some(desk.live.join_fleet(desk, last.as_deref())),
        Topic::Session(name) => desk.live.join_session(desk, &name),
    });
    match joining.await {
        Ok(Some(coming)) => events(Events { coming, _place: place }),
        Ok(None) => page::no_such_session(),
        Err(failed) => failed,
    }
}

impl Hub {
    pub(super) fn new() -> Self {
        let start = random().map_or(0, u64::from_le_bytes);
        let seen = Seen {
            base: None,
            start,
            round: 0,
            past: VecDeque::new(),
            fleet: Vec::new(),
            sessions: BTreeMap::new(),
            awaited: 0,
        };
        Self { seen: Mutex::new(seen), places: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// Begins a page of the fleet: returns the snapshot to show, and the word with which its stream goes on from there.
    ///
    /// Every stream is sent what leads up to that snapshot. Else a row that changes and changes back before the next round would
    /// be wrong on this page for good.
    pub(super) fn begin(&self, desk: &Desk) -> (Arc<Snapshot>, String) {
        let mut seen = self.seen();
        (seen.follow_fleet(desk), seen.mark())
    }

    fn join_fleet(&self, desk: &Desk, after: Option<&str>) -> mpsc::Receiver<Bytes> {
        let mut seen = self.seen();
        seen.follow_fleet(desk);
        let missed = after.and_then(|mark| seen.missed(mark));
        let first = match missed {
            Some(missed) => [BEGIN.as_bytes(), &missed].concat(),
            None => format!("{BEGIN}id: {}\n{RESYNC}", seen.mark()).into_bytes(),
        };
        let (stream, coming) = Stream::open(first.into());
        seen.fleet.extend(self.kept(stream));
        coming
    }

    fn join_session(&self, desk: &Desk, name: &str) -> Option<mpsc::Receiver<Bytes>> {
        let mut seen = self.seen();
        let snapshot = seen.advance(desk);
        let view = snapshot.target(name)?;
        let mut first = String::from(BEGIN);
        write_event(&mut first, "session", &page::session_part(desk, &snapshot, view));
        let (stream, coming) = Stream::open(first.into());
        seen.sessions.entry(view.target.clone()).or_default().extend(self.kept(stream));
        Some(coming)
    }

    /// Sends what changed, as far as anybody looks.
    fn turn(&self, desk: &Desk) {
        let mut seen = self.seen();
        if seen.has_fleet() || !seen.sessions.is_empty() {
            seen.advance(desk);
        } else {
            seen.base = None;
        }
    }

    /// Says to every stream that it still is there, and ends those that are old: each comes back on another connection.
    fn beat(&self) {
        let mut seen = self.seen();
        seen.awaited = seen.awaited.saturating_sub(1);
        let had_fleet = !seen.fleet.is_empty();
        seen.each(|streams| {
            send(streams, &Bytes::from_static(BEAT));
            for stream in streams.iter_mut() {
                stream.beats = stream.beats.saturating_add(1);
            }
            streams.retain(|stream| stream.beats < STREAM_BEATS_MAX);
        });
        seen.sessions.retain(|_, streams| !streams.is_empty());
        if had_fleet && seen.fleet.is_empty() {
            seen.awaited = AWAITED_BEATS;
        }
    }

    /// One that comes when all have ended ends at once.
    fn kept(&self, stream: Stream) -> Option<Stream> {
        Some(stream).filter(|_| !self.places.is_closed())
    }

    fn close(&self) {
        let mut seen = self.seen();
        seen.each(Vec::clear);
        self.places.close();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Base {
    fn of(desk: &Desk, has_fleet: bool) -> Self {
        let snapshot = desk.snapshot();
        let banners = page::banners_part(desk, &snapshot);
        let parts = has_fleet.then(|| Parts::of(desk, &snapshot));
        Self { snapshot, banners, parts }
    }

    /// Returns what is on a page of the fleet besides its rows.
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(Parts::texts).chain([self.banners.as_str()])
    }
}

impl Seen {
    /// Goes on to the newest snapshot: sends what changed since the one before, and returns it.
    fn advance(&mut self, desk: &Desk) -> Arc<Snapshot> {
        let old = self.base.take();
        let new = Base::of(desk, self.has_fleet());
        if let Some(old) = &old {
            self.tell_sessions(desk, old, &new);
        }
        match old.filter(|old| old.parts.is_some() && new.parts.is_some()) {
            Some(old) => self.tell_fleet(&old, &new),
            None => self.forget(),
        }
        Arc::clone(&self.base.insert(new).snapshot)
    }

    /// The same, with the fleet from here on: one page of it is being opened.
    fn follow_fleet(&mut self, desk: &Desk) -> Arc<Snapshot> {
        self.awaited = AWAITED_BEATS;
        self.advance(desk)
    }

    fn has_fleet(&self) -> bool {
        0 < self.awaited || !self.fleet.is_empty()
    }

    fn tell_fleet(&mut self, old: &Base, new: &Base) {
        let news = fleet_news(old, new);
        if !news.is_empty() {
            self.round = self.round.saturating_add(1);
            let news = Bytes::from(format!("{news}id: {}\nevent: seen\ndata: -\n\n", self.mark()));
            self.keep(news.clone());
            send(&mut self.fleet, &news);
        }
    }

    fn tell_sessions(&mut self, desk: &Desk, old: &Base, new: &Base) {
        let all_changed = old.banners != new.banners;
        self.sessions.retain(|target, streams| {
            let [before, now] = [old, new].map(|base| base.snapshot.target(target.as_str()));
            let Some(now) = now else {
                send(streams, &Bytes::from_static(GONE.as_bytes()));
                return false;
            };
            if all_changed || !before.is_some_and(|before| Arc::ptr_eq(before, now)) {
                let mut text = String::new();
                write_event(&mut text, "session", &page::session_part(desk, &new.snapshot, now));
                send(streams, &text.into());
            }
            !streams.is_empty()
        });
    }

    /// What changed until here nobody kept: a page of the fleet from before must load itself anew.
    fn forget(&mut self) {
        self.past.clear();
        self.round = self.round.saturating_add(1);
    }

    /// The word for what was sent so far.
    fn mark(&self) -> String {
        format!("{:x}-{}", self.start, self.round)
    }

    /// Returns what was sent after a mark; none where that is not known any more.
    fn missed(&self, mark: &str) -> Option<Vec<u8>> {
        let (start, round) = mark.split_once('-')?;
        let round: u64 = round.parse().ok()?;
        if u64::from_str_radix(start, 16).ok()? != self.start || self.round < round {
            return None;
        }
        let next = round.saturating_add(1);
        let is_whole = round == self.round || self.past.front().is_some_and(|(first, _)| *first <= next);
        is_whole
            .then(|| self.past.iter().filter(|(past, _)| round < *past).flat_map(|(_, news)| news.to_vec()).collect())
    }

    fn keep(&mut self, news: Bytes) {
        self.past.push_back((self.round, news));
        while PAST_BYTES_MAX < self.past.iter().map(|(_, news)| news.len()).sum() {
            self.past.pop_front();
        }
    }

    fn each(&mut self, mut what: impl FnMut(&mut Vec<Stream>)) {
        what(&mut self.fleet);
        self.sessions.values_mut().for_each(what);
    }
}

impl Stream {
    fn open(first: Bytes) -> (Self, mpsc::Receiver<Bytes>) {
        let (events, coming) = mpsc::channel(STREAM_QUEUE_MAX);
        // The queue is empty: it fits.
        drop(events.try_send(first));
        (Self { events, beats: 0 }, coming)
    }
}

/// Sends to every stream; one that is gone, or reads too slowly, ends here.
fn send(streams: &mut Vec<Stream>, news: &Bytes) {
    streams.retain(|stream| stream.events.try_send(news.clone()).is_ok());
}

fn fleet_news(old: &Base, new: &Base) -> String {
    let names = |base: &Base| base.snapshot.targets.len();
    let pairs = || old.snapshot.targets.iter().zip(&new.snapshot.targets);
    let changed: Vec<_> = pairs().filter(|(before, now)| !Arc::ptr_eq(before, now)).collect();
    if names(old) != names(new) || changed.iter().any(|(before, now)| before.target != now.target) {
        return String::from(RESYNC);
    }
    let mut news = String::new();
    let mut rows: usize = 0;
    for (before, now) in changed {
        // Most samples change nothing that is shown.
        let row = page::row_part(now, new.snapshot.at);
        if row != page::row_part(before, new.snapshot.at) {
            if ROUND_ROWS_MAX <= rows {
                return String::from(RESYNC);
            }
            rows = rows.saturating_add(1);
            write_event(&mut news, "row", &row);
        }
    }
    for (before, now) in old.texts().zip(new.texts()) {
        if before != now {
            write_event(&mut news, "part", now);
        }
    }
    news
}

fn write_event(to: &mut String, name: &str, html: &str) {
    to.extend(["event: ", name, "\n"]);
    for line in html.lines().filter(|line| !line.is_empty()) {
        to.extend(["data: ", line, "\n"]);
    }
    to.push('\n');
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.coming.poll_recv(context).map(|news| news.map(|news| Ok(Frame::data(news))))
    }
}
