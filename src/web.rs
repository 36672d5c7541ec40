//! HTTP in: metrics, health, API.
//!
//! | route | method | answers |
//! |---|---|---|
//! | `/` | GET | a page with the numbers of the fleet and a link to every other route |
//! | `/metrics` | GET | every metric, Prometheus text format 0.0.4 |
//! | `/-/healthy` | GET | 200 while the watchdog's loop turns; 503 when its last snapshot is older than [`SNAPSHOT_AGE_MAX`] |
//! | `/-/ready` | GET | 503 until the driver opens the [`Readiness`] latch, then 200 for good |
//! | `/-/reload` | POST | asks the driver to read the configuration anew: 200, or 400 with every problem and the old one kept |
//! | `/api/v1/status` | GET | version, times, and the fleet in numbers |
//! | `/api/v1/targets` | GET | every target in short |
//! | `/api/v1/targets/NAME` | GET | all that is known of one target |
//! | `/api/v1/incidents` | GET | incidents, newest first; `?target=NAME`, `?open=true` or `false`, `?limit=N` |
//!
//! HEAD is answered wherever GET is. An error is JSON, `{"error": …, "hint": …}`: 404 for an unknown route or name, 405 with
//! `Allow` for a wrong method, 400 for a query that is not understood (`/`, `/metrics` and the health routes take no notice
//! of a query), 503 where the driver does not answer. Only what cannot even be parsed as HTTP gets hyper's own bare 400, 414
//! or 431. Every answer says `nosniff` and `no-store`. Readiness and health speak about the watchdog, never about a session:
//! else an orchestrator would restart the sidecar for a fault of its neighbour.
//!
//! Reading is open to whoever reaches the port: a snapshot holds no secret. Commanding is not, see [`ReloadOrder`].

mod api;
mod command;
mod health;
mod page;
mod query;
mod reply;
mod route;
mod server;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::engine::moment::Wall;
use crate::engine::snapshot::Snapshot;

pub use health::Readiness;
pub use server::serve;

/// Longest head of a request, in bytes; longer ones are answered 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to send the head of a request. Counts from the end of the answer before, so that it also is how
/// long an idle connection is kept alive.
pub const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// Longest body of a request, in bytes; longer ones are answered 413.
pub const BODY_BYTES_MAX: usize = 4 * 1024;
/// How long a client may take to send the body of a request; then it is answered 408.
pub const BODY_WITHIN: Duration = Duration::from_secs(5);
/// Most connections at the same time; those beyond wait in the kernel's queue until one ends.
pub const CONNECTIONS_MAX: usize = 64;
/// How long one connection is used; then its running answer is the last, and has [`STOP_GRACE`] to leave. Bounds clients that
/// read slowly.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_mins(2);
/// How long running answers may take to leave once the server stops, as far as the process waits for them.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long the driver may take to answer a reload.
pub const RELOAD_WITHIN: Duration = Duration::from_secs(30);
/// Age of the snapshot from which on the watchdog's loop counts as stuck. The driver publishes one far more often, also when
/// nothing happens.
pub const SNAPSHOT_AGE_MAX: Duration = Duration::from_mins(1);
/// Most scrapes that are rendered at the same time: each holds a family of every target in memory.
const RENDERS_MAX: usize = 1;

/// All that the server reads and asks; cheap to clone.
#[derive(Clone)]
pub struct State {
    /// What is believed; each answer is made of one snapshot.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Whether the watchdog is ready.
    pub ready: Readiness,
    /// Where reloads are ordered.
    pub reload: mpsc::Sender<ReloadOrder>,
    /// Writes a snapshot's metrics; a closure, because metrics and this module do not know each other.
    pub render_metrics: Arc<dyn Fn(&Snapshot) -> String + Send + Sync>,
    /// Reads the wall clock.
    pub clock: Arc<dyn Fn() -> Wall + Send + Sync>,
}

/// An order to read the configuration anew.
///
/// Taken over HTTP only on a loopback listener, by a request that is addressed to loopback and comes from no foreign web page:
/// there are no operator tokens that would make more than that safe.
#[derive(Debug)]
pub struct ReloadOrder {
    /// Where the driver says what came of it: done, or every problem in words. Dropped unanswered it counts as failed.
    pub answer: oneshot::Sender<Result<ReloadDone, Vec<String>>>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReloadDone {
    /// How many targets are watched from here on.
    pub targets: usize,
    /// Keys that changed but only count after a restart.
    pub needs_restart: Vec<String>,
}

/// What one server shares between its connections.
#[derive(Debug)]
struct Desk {
    state: State,
    /// Whether only this machine can reach the listener.
    loopback_only: bool,
    renders: Arc<Semaphore>,
}

impl Desk {
    fn new(state: State, loopback_only: bool) -> Self {
        Self { state, loopback_only, renders: Arc::new(Semaphore::new(RENDERS_MAX)) }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.state.snapshot.borrow())
    }

    fn now(&self) -> Wall {
        (self.state.clock)()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("ready", &self.ready).finish_non_exhaustive()
    }
}
