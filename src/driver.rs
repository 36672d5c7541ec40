//! The loop: joins clock, engine, sources, ledger and web.
//!
//! It decides nothing. It takes orders out of the engine and carries them out, hands in what comes back, and reads the clock
//! for it. One task owns the engine; everything else reaches it over bounded channels.

mod adoption;
pub mod clock;
mod discovered;
mod expiry;
mod inbound;
mod journal;
mod keepsake;
mod orders;
mod reload;
mod signals;
pub mod systemd;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Alertmanager, Discovery, PathAt, Problem, Secret, Settings, Target};
use crate::engine::ledger::{Fact, LedgerEntry, Seq};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Event, Input, Moment, Output, TargetId, Wall, Watchdog};
use crate::http::Http;
use crate::notify::Notify;
use crate::recorder::Recorder;
use crate::recording::News;
use crate::remedy::{self, Adopted, Remedies};
use crate::source::Sources;
use crate::source::path::PathSeen;
use crate::store::{Answer, Store, StoreError};
use crate::{metrics, source, web};

use adoption::Adoptions;
use clock::Clock;
use discovered::{Discovered, Fleet};
use expiry::Expiries;
use orders::Orders;
use reload::Reloads;
use signals::{Signals, Wish};
use systemd::Manager;

/// Most samples that the engine takes in before it looks at its deadline again.
const BATCH_MAX: usize = 256;
/// Most reloads that wait.
const RELOADS_MAX: usize = 1;
/// A snapshot is published this often at most, and this long after a change at the latest.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// A snapshot is published this often at least, so that web can tell a loop that turns from one that hangs.
const PUBLISH_ANYWAY: Duration = Duration::from_secs(5);
/// How long running tasks get to end at shutdown.
const GOODBYE: Duration = Duration::from_millis(800);
/// The number of the entry that the shell itself writes; the engine counts from 1.
const BEGAN: Seq = Seq(0);

/// What a watchdog needs to run.
pub struct Parts {
    /// The settings to start with.
    pub settings: Settings,
    /// Reads the settings anew.
    pub load: Load,
    /// The ledger, and the answers of its thread.
    pub ledger: (Store, mpsc::Receiver<Answer>),
    /// Where metrics and API are served.
    pub listener: TcpListener,
    /// The clock.
    pub clock: Clock,
    /// Who else wants to hear what the engine announces.
    pub audience: Option<Audience>,
    /// Who started the watchdog and wants to hear that it lives.
    pub manager: Manager,
}

/// Reads the settings anew.
pub type Load = Box<dyn Fn() -> Result<Settings, Vec<Problem>> + Send>;
/// Hears what the engine announces.
pub type Audience = Box<dyn FnMut(Moment, &Event) + Send>;

type RenderMetrics = Arc<dyn Fn(&Snapshot) -> String + Send + Sync>;

/// Why a watchdog could not run.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The ledger could not be read.
    #[error("the ledger could not be read")]
    Ledger(#[source] StoreError),
    /// Signals could not be listened to.
    #[error("signals could not be listened to")]
    Signals(#[source] std::io::Error),
    /// No HTTP client could be made.
    #[error("no HTTP client could be made")]
    Http(#[source] crate::http::Unbuildable),
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("settings", &self.settings)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

/// Runs until it is told to stop, by a signal or by the token.
pub async fn run(parts: Parts, stop: CancellationToken) -> Result<(), DriverError> {
    let Parts { settings, load, ledger: (store, mut answers), listener, clock, audience, manager } = parts;
    // The engine's time: both clocks go on together, so that a replay, which has only one, sees the same spans.
    let (clock, steady) = (Arc::clone(&clock), clock::steady(clock));
    let mut signals = Signals::listen().map_err(DriverError::Signals)?;
    let tracker = TaskTracker::new();
    let (samples_in, samples) = mpsc::channel(source::fleet::QUEUE_MAX);
    let (hook_answers, hooks) = mpsc::channel(remedy::QUEUE_MAX);
    let http = Http::new().map_err(DriverError::Http)?;
    warn_of_missing_roots(&http, &settings);
    let wall: Arc<dyn Fn() -> Wall + Send + Sync> = {
        let clock = Arc::clone(&clock);
        Arc::new(move || clock().wall)
    };
    let adoptions = Adoptions::open(&settings);
    let mut discovered = Discovered::open(&settings, http.clone(), Arc::clone(&clock), tracker.clone(), stop.clone());
    let Fleet { targets, policy } = discovered.merge(&settings, adoptions.apply(&settings.targets));
    let remedies = Remedies::new(
        targets.clone(),
        http.clone(),
        Some(run_files(&settings)),
        Arc::clone(&wall),
        hook_answers,
        tracker.clone(),
    );
    let notify = notify(&settings, &targets, &http, &wall, (&tracker, &stop));
    let sources = Sources::new(targets.clone(), http.clone(), Arc::clone(&clock), samples_in, tracker.clone());
    let (mut recorder, now) = (recorder(&settings), steady());
    let (remembered, began) = remember(&store, now.wall)?;
    recorder.started(now.wall, &policy, &targets);
    let watchdog = Watchdog::restore(policy, &remembered, now);
    let (snapshots, snapshot) = watch::channel(Arc::new(watchdog.snapshot(now)));
    let (reload_orders, reload_queue) = mpsc::channel(RELOADS_MAX);
    let (orders_in, orders) = Orders::open();
    let (token, token_seen) = watch::channel(settings.server.token.clone());
    let (alertmanager, alertmanager_seen) = watch::channel(settings.alertmanager.clone());
    let (pushes_in, pushes) = mpsc::channel(inbound::QUEUE_MAX);
    let (denials, inflow, ready) = (web::Denials::default(), web::Inflow::default(), web::Readiness::default());
    let targets = watch::Sender::new(Arc::new(targets));
    let expiries = watch::Sender::new(Expiries::new());
    let mut turn = Turn {
        adoptions,
        discovered,
        shown: watch::Sender::new(BTreeMap::new()),
        expiries: expiries.subscribe(),
        watchdog,
        store,
        dropped: watch::Sender::new(dropped(&sources, &recorder)),
        notified: watch::Sender::new(BTreeMap::new()),
        sources,
        recorder,
        remedies,
        notify,
        snapshots,
        reloads: Reloads::new(load, &settings, now.wall),
        orders,
        paths: watch::Sender::new(Arc::clone(&settings.paths)),
        configured: settings,
        token,
        alertmanager,
        inflow: inflow.clone(),
        clock: steady,
        audience,
        manager,
        ledger_fault: String::new(),
        is_stale: true,
        published: now,
        targets,
    };
    let web = web::State {
        snapshot,
        ready: ready.clone(),
        reload: reload_orders,
        orders: orders_in,
        token: token_seen,
        denials: denials.clone(),
        pushes: pushes_in,
        targets: turn.targets.subscribe(),
        alertmanager: alertmanager_seen,
        inflow,
        render_metrics: metrics_renderer(&turn, denials),
        clock: wall,
    };
    tracker.spawn(web::serve(listener, web, stop.clone(), tracker.clone()));
    let paths_seen = look_beside(&turn, http, expiries, (&tracker, &stop));
    ready.open();
    turn.record(BEGAN, began);
    let queues = Queues { samples, paths: paths_seen, pushes, hooks, reloads: reload_queue };
    turn.run(&mut signals, queues, &mut answers, &stop).await;
    stop.cancel();
    let Turn { sources, store, recorder, .. } = turn;
    // Ends every call in flight: nobody waits for its answer any more.
    drop(sources);
    tracker.close();
    if tokio::time::timeout(GOODBYE, tracker.wait()).await.is_err() {
        tracing::warn!(tasks = tracker.len(), "left tasks behind that did not end in time");
    }
    close(store, &mut answers);
    recorder.close();
    tracing::info!("stopped");
    Ok(())
}

/// Returns what the ledger holds for a start at this time, and its last entry, which is to be written: that it begins.
fn remember(store: &Store, now: Wall) -> Result<(Vec<LedgerEntry>, LedgerEntry), DriverError> {
    let mut remembered = store.reader().load_for_restore().map_err(DriverError::Ledger)?;
    let fact = Fact::Began { watched_until: store.watched_until() };
    let began = LedgerEntry { at: now, target: TargetId::all(), fact };
    remembered.push(began.clone());
    Ok((remembered, began))
}

/// Makes who tells of events.
fn notify(
    settings: &Settings,
    targets: &BTreeMap<TargetId, Arc<Target>>,
    http: &Http,
    wall: &Arc<dyn Fn() -> Wall + Send + Sync>,
    (tracker, stop): (&TaskTracker, &CancellationToken),
) -> Notify {
    let (notifiers, wall) = (settings.notifiers.clone(), Arc::clone(wall));
    Notify::new(notifiers, qr_pages(targets), http.clone(), wall, tracker.clone(), stop.clone())
}

/// Looks at what is beside the sessions: when tokens end, and whether the network paths are up.
fn look_beside(
    turn: &Turn,
    http: Http,
    expiries: watch::Sender<Expiries>,
    (tracker, stop): (&TaskTracker, &CancellationToken),
) -> mpsc::Receiver<PathSeen> {
    let (paths_in, paths_seen) = mpsc::channel(source::path::QUEUE_MAX);
    let reading = expiry::keep_reading(turn.targets.subscribe(), expiries);
    let looking = source::path::keep_looking(turn.paths.subscribe(), http, paths_in);
    tracker.spawn(stop.clone().run_until_cancelled_owned(reading));
    tracker.spawn(stop.clone().run_until_cancelled_owned(looking));
    paths_seen
}

/// Ends the ledger's thread, once it has written what it was given.
fn close(store: Store, answers: &mut mpsc::Receiver<Answer>) {
    store.close();
    let mut late = std::iter::from_fn(|| answers.try_recv().ok());
    if let Some(error) = late.find_map(|answer| answer.result.err()) {
        tracing::error!(%error, "the last entries of the ledger could not be written");
    }
}

/// What waits to be taken in.
struct Queues {
    samples: mpsc::Receiver<News>,
    paths: mpsc::Receiver<PathSeen>,
    pushes: mpsc::Receiver<web::Push>,
    hooks: mpsc::Receiver<remedy::Answer>,
    reloads: mpsc::Receiver<web::ReloadOrder>,
}

/// The loop's state.
struct Turn {
    watchdog: Watchdog,
    store: Store,
    sources: Sources,
    recorder: Recorder,
    remedies: Remedies,
    notify: Notify,
    /// What became of notifications, as of the newest snapshot.
    notified: watch::Sender<BTreeMap<String, [u64; 3]>>,
    /// What sources and recorder dropped, as of the newest snapshot.
    dropped: watch::Sender<BTreeMap<&'static str, u64>>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    reloads: Reloads,
    orders: Orders,
    /// Network paths that are looked at.
    paths: watch::Sender<Arc<[PathAt]>>,
    /// What orders must carry.
    token: watch::Sender<Option<Secret>>,
    /// Alerts that are taken in.
    alertmanager: watch::Sender<Option<Alertmanager>>,
    /// What became of what was pushed.
    inflow: web::Inflow,
    clock: Clock,
    audience: Option<Audience>,
    manager: Manager,
    /// Why the ledger last could not be written.
    ledger_fault: String,
    /// Something happened since the last snapshot was published.
    is_stale: bool,
    published: Moment,
    /// What is configured ...
    configured: Settings,
    /// ... what was found besides ...
    discovered: Discovered,
    /// ... and all targets as they are asked: some sessions took the place of others.
    targets: watch::Sender<Arc<BTreeMap<TargetId, Arc<Target>>>>,
    adoptions: Adoptions,
    /// How the discoveries do, as of the newest snapshot.
    shown: watch::Sender<BTreeMap<String, metrics::Discovery>>,
    /// When tokens end.
    expiries: watch::Receiver<Expiries>,
}

impl Turn {
    /// Turns until it is told to stop.
    async fn run(
        &mut self,
        signals: &mut Signals,
        queues: Queues,
        answers: &mut mpsc::Receiver<Answer>,
        stop: &CancellationToken,
    ) {
        tracing::info!(targets = self.targets.borrow().len(), "watching");
        self.manager.ready();
        self.turn(signals, queues, answers, stop).await;
        self.manager.stopping();
    }

    async fn turn(
        &mut self,
        signals: &mut Signals,
        queues: Queues,
        answers: &mut mpsc::Receiver<Answer>,
        stop: &CancellationToken,
    ) {
        let Queues { mut samples, mut paths, mut pushes, mut hooks, mut reloads } = queues;
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut sweep = tokio::time::interval(remedy::SWEEP_EVERY);
        loop {
            self.meet_deadline();
            self.carry_out();
            self.publish();
            self.manager.turned((self.clock)());
            let idle = self.idle();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                wish = signals.next() => match wish {
                    Wish::Stop => return,
                    Wish::Reload => drop(self.reload()),
                },
                Some(answer) = answers.recv() => self.recorded(answer.seq, answer.result.map_err(|error| error.to_string())),
                Some(order) = reloads.recv() => {
                    let done = self.reload();
                    // Whoever asked may be gone; the reload happened all the same.
                    drop(order.answer.send(done));
                }
                Some(answer) = hooks.recv() => {
                    if let Some(adopted) = answer.adopted {
                        self.adopt(adopted);
                    }
                    let now = (self.clock)();
                    self.handle(now, Input::StepEnded(answer.attempt, answer.number, answer.end));
                }
                (id, command) = self.orders.next() => {
                    let now = (self.clock)();
                    self.handle(now, Input::Commanded(id, command));
                }
                Some(PathSeen { path, down }) = paths.recv() => {
                    let now = (self.clock)();
                    self.handle(now, Input::PathSeen(path, down));
                }
                report = self.discovered.next() => {
                    if self.discovered.take(report) {
                        let (now, fleet) = ((self.clock)(), self.fleet());
                        self.remedies.adopt(fleet.targets.clone());
                        self.watch(now, fleet);
                    }
                }
                _ = samples.recv_many(&mut batch, BATCH_MAX) => {
                    let now = (self.clock)();
                    for News { target, sample, raw } in batch.drain(..) {
                        // At the same time and in the same order as the engine.
                        self.recorder.take(now.wall, &target, &sample, raw);
                        self.handle(now, Input::Observed(target, sample));
                    }
                }
                Some(push) = pushes.recv() => self.pushed(push, &mut pushes),
                _ = sweep.tick() => self.remedies.sweep(),
                () = tokio::time::sleep(idle) => {}
            }
        }
    }

    fn handle(&mut self, now: Moment, input: Input) {
        self.is_stale = true;
        self.watchdog.handle(now, input);
    }

    fn meet_deadline(&mut self) {
        let now = (self.clock)();
        if self.watchdog.next_deadline().is_some_and(|due| due.uptime <= now.uptime) {
            self.handle(now, Input::DeadlinePassed);
        }
    }

    fn carry_out(&mut self) {
        while let Some(order) = self.watchdog.poll_output() {
            match order {
                Output::Poll(target, ask) => self.sources.ask(&target, ask),
                Output::Record(seq, entry) => self.record(seq, entry),
                Output::Run(order) => self.remedies.run(order),
                Output::Answer(id, answer) => {
                    // Whoever ordered looks next at what came of it.
                    self.publish_now();
                    self.orders.answer(id, answer);
                }
                Output::Announce(event) => {
                    let now = (self.clock)();
                    journal::write(now.wall, &event, &self.ledger_fault);
                    self.notify.tell(now.wall, &event);
                    if let Some(audience) = &mut self.audience {
                        audience(now, &event);
                    }
                }
            }
        }
    }

    fn record(&mut self, seq: Seq, entry: LedgerEntry) {
        if let Err(refusal) = self.store.append(seq, entry) {
            self.recorded(seq, Err(refusal.to_string()));
        }
    }

    fn recorded(&mut self, seq: Seq, result: Result<(), String>) {
        let now = (self.clock)();
        match result {
            Ok(()) => self.watchdog.handle(now, Input::Recorded(seq)),
            Err(error) => {
                self.ledger_fault = error;
                self.handle(now, Input::RecordFailed(seq));
            }
        }
    }

    fn reload(&mut self) -> Result<web::ReloadDone, Vec<String>> {
        self.manager.reloading();
        let done = self.read_anew();
        // Also after a bad file: the old configuration goes on.
        self.manager.ready();
        done
    }

    fn read_anew(&mut self) -> Result<web::ReloadDone, Vec<String>> {
        let now = (self.clock)();
        let (settings, needs_restart) = self.reloads.load(now.wall)?;
        self.token.send_replace(settings.server.token.clone());
        self.alertmanager.send_replace(settings.alertmanager.clone());
        self.paths.send_replace(Arc::clone(&settings.paths));
        self.notify.replace(settings.notifiers.clone(), BTreeMap::new());
        self.discovered.replace(&settings.discoveries);
        self.configured = settings;
        let fleet = self.fleet();
        self.remedies.replace(fleet.targets.clone());
        self.watch(now, fleet);
        Ok(web::ReloadDone { targets: self.targets.borrow().len(), needs_restart })
    }

    /// Returns what is configured and what was found besides.
    fn fleet(&mut self) -> Fleet {
        let asked = self.adoptions.apply(&self.configured.targets);
        self.discovered.merge(&self.configured, asked)
    }

    /// Watches these from here on. Whoever stays the same is not disturbed.
    fn watch(&mut self, now: Moment, fleet: Fleet) {
        let Fleet { targets, policy } = fleet;
        self.notify.link(qr_pages(&targets));
        self.sources.replace(targets.clone());
        self.recorder.reloaded(now.wall, &policy, &targets);
        self.targets.send_replace(Arc::new(targets));
        self.handle(now, Input::PolicyChanged(policy));
    }

    /// Asks for the session that took the place of another one from here on; durable before the step that made it counts as done.
    fn adopt(&mut self, adopted: Adopted) {
        tracing::warn!(old = adopted.old, new = adopted.new, "a session took the place of another one");
        self.adoptions.add(adopted);
        let Fleet { targets, policy: _ } = self.fleet();
        self.remedies.adopt(targets.clone());
        self.sources.replace(targets.clone());
        self.recorder.reloaded((self.clock)().wall, self.watchdog.policy(), &targets);
        self.targets.send_replace(Arc::new(targets));
    }

    fn publish(&mut self) {
        let age = (self.clock)().since(self.published);
        if (self.is_stale && PUBLISH_EVERY <= age) || PUBLISH_ANYWAY <= age {
            self.publish_now();
        }
    }

    fn publish_now(&mut self) {
        let now = (self.clock)();
        self.store.mark(now.wall);
        let found = self.discovered.dropped();
        self.dropped.send_replace(dropped(&self.sources, &self.recorder).into_iter().chain(found).collect());
        self.shown.send_replace(self.discovered.shown());
        self.notified.send_replace(notified(&self.notify));
        let snapshot = self.watchdog.snapshot(now);
        self.manager.show(&snapshot.fleet);
        self.snapshots.send_replace(Arc::new(snapshot));
        self.is_stale = false;
        self.published = now;
    }

    /// How long nothing needs to be done, unless something happens.
    fn idle(&self) -> Duration {
        let now = (self.clock)();
        let pause = if self.is_stale { PUBLISH_EVERY } else { PUBLISH_ANYWAY };
        let publish = self.published.after(pause).uptime.saturating_sub(now.uptime);
        let deadline = self.watchdog.next_deadline().map_or(publish, |due| due.uptime.saturating_sub(now.uptime));
        let sign_of_life = self.manager.due(now).unwrap_or(publish);
        deadline.min(publish).min(sign_of_life)
    }
}

/// Opens the recorder. A watchdog without one watches all the same.
fn recorder(settings: &Settings) -> Recorder {
    if !settings.recorder.enabled {
        return Recorder::off();
    }
    Recorder::open(&settings.recorder).unwrap_or_else(|error| {
        let dir = settings.recorder.dir.display();
        tracing::warn!(%error, %dir, "nothing is recorded: the folder of recordings cannot be used ([recorder] dir)");
        Recorder::off()
    })
}

/// What sources and recorder dropped.
fn dropped(sources: &Sources, recorder: &Recorder) -> BTreeMap<&'static str, u64> {
    sources.dropped().into_iter().chain(recorder.dropped()).collect()
}

/// Where run files lie: beside the ledger, because they matter as long as it does.
fn run_files(settings: &Settings) -> PathBuf {
    let mut name = settings.store.path.clone().into_os_string();
    name.push(".runs");
    name.into()
}

/// The pages on which a person scans.
fn qr_pages(targets: &BTreeMap<TargetId, Arc<Target>>) -> BTreeMap<TargetId, String> {
    let page = |(id, target): (&TargetId, &Arc<Target>)| Some((id.clone(), target.qr_page.clone()?));
    targets.iter().filter_map(page).collect()
}

/// What became of the events of each notifier: sent, failed, dropped.
fn notified(notify: &Notify) -> BTreeMap<String, [u64; 3]> {
    let counts = notify.counts().into_iter();
    counts.map(|(name, counts)| (name, [counts.sent, counts.failed, counts.dropped])).collect()
}

fn warn_of_missing_roots(http: &Http, settings: &Settings) {
    let is_secure = |discovery: &Discovery| discovery.from.place().starts_with("https:");
    let needs_roots = settings.targets.values().any(|target| target.url.starts_with("https:"))
        || settings.discoveries.iter().any(is_secure);
    if let Some(missing) = http.no_roots().filter(|_| needs_roots) {
        tracing::error!("{missing}");
    }
}

/// Joins the engine's snapshot and the shell's own counts for `/metrics`.
fn metrics_renderer(turn: &Turn, denials: web::Denials) -> RenderMetrics {
    let (dropped, notified, reload) = (turn.dropped.subscribe(), turn.notified.subscribe(), turn.reloads.report());
    let hard_stops = turn.remedies.hard_stops();
    let (expiries, inflow) = (turn.expiries.clone(), turn.inflow.clone());
    let discoveries = turn.shown.subscribe();
    Arc::new(move |snapshot: &Snapshot| {
        let shell = metrics::Shell {
            build: metrics::Build::this(),
            reload: *reload.borrow(),
            dropped: dropped.borrow().clone(),
            denials: denials.counts(),
            notifications: notified.borrow().clone(),
            hard_stops: hard_stops.counts(),
            inbound: inflow.counts(),
            credentials: expiries.borrow().clone(),
            discoveries: discoveries.borrow().clone(),
        };
        metrics::render(snapshot, &shell)
    })
}
