//! HTTP in: the status page, metrics, health, API.
//!
//! | route | method | answers |
//! |---|---|---|
//! | `/` | GET | the status page: every session, worst first; `?q=` a part of the name, `?show=` failing, suspect, unwell, waiting or healthy |
//! | `/targets/NAME` | GET | the page of one session |
//! | `/targets/NAME/order/VERB` | GET, POST | what an order would do, and its form; VERB as in the API below |
//! | `/order/pause`, `/order/resume` | GET, POST | the same for all targets |
//! | `/sign-in` | GET, POST | a form for the token; answers with a cookie |
//! | `/sign-out` | POST | ends that |
//! | `/events` | GET | server-sent events: what changes, as HTML to be put in place; `?view=fleet` or `?target=NAME`, `&after=` what was seen |
//! | `/style.css`, `/live.js` | GET | the stylesheet and the script of the pages |
//! | `/metrics` | GET | every metric, Prometheus text format 0.0.4 |
//! | `/-/healthy` | GET | 200 while the watchdog's loop turns; 503 when its last snapshot is older than [`SNAPSHOT_AGE_MAX`] |
//! | `/-/ready` | GET | 503 until the driver opens the [`Readiness`] latch, then 200 for good |
//! | `/-/reload` | POST | asks the driver to read the configuration anew: 200, or 400 with every problem and the old one kept |
//! | `/api/v1/status` | GET | version, times, and the fleet in numbers |
//! | `/api/v1/targets` | GET | every target in short |
//! | `/api/v1/targets/NAME` | GET | all that is known of one target, what was done for it and what may be done next |
//! | `/api/v1/incidents` | GET | incidents, newest first; `?target=NAME`, `?open=true` or `false`, `?limit=N` |
//! | `/api/v1/attempts` | GET | attempts with their steps, newest first; `?target=NAME`, `?limit=N` |
//! | `/api/v1/targets/NAME/pause` | POST | it only watches and tells; `"for": "2h"`, or `"until"` a time, or until it is resumed |
//! | `/api/v1/targets/NAME/resume` | POST | ends that pause |
//! | `/api/v1/targets/NAME/approve` | POST | releases the attempt that waits under the number `"attempt"`, and no other |
//! | `/api/v1/targets/NAME/ack` | POST | the underlying problem was looked at: resets may run again |
//! | `/api/v1/targets/NAME/restore` | POST | brings back what the reset under the number `"attempt"` took away |
//! | `/api/v1/targets/NAME/reconnect`, `restart`, `reset` | POST | carries out the remedy now; `"force": true` also while a live QR code is shown or a storm is on |
//! | `/api/v1/pause`, `/api/v1/resume` | POST | the same for all targets |
//! | `/hooks/wasender/NAME` | POST | a webhook of `WasenderAPI` (`session.status`, `qrcode.updated`); `X-Webhook-Signature` is the secret |
//! | `/hooks/waha/NAME` | POST | one of WAHA (`session.status`); `X-Webhook-Hmac` signs the body |
//! | `/hooks/evolution/NAME` | POST | one of Evolution API (`connection.update`); `apikey` or a bearer token is the secret |
//! | `/hooks/plain/NAME` | POST | what the status route of the target's gateway would answer; the secret as bearer |
//! | `/api/v1/targets/NAME/activity` | POST | a message passed; `"count"` for several, `"at"` a time; the secret as bearer |
//! | `/api/v1/targets/NAME/log` | POST | lines of its log, as text or `{"lines": […]}`; the secret as bearer |
//! | `/hooks/alertmanager` | POST | alerts of Alertmanager (version 4), shown beside the evidence; a bearer token of their own |
//!
//! The body of an order is a JSON object with `"reason"` and `"who"`, which go into the ledger; a key that means nothing is a 400.
//! An order that counts is answered 200, or 202 where it begins an attempt; one that is refused 409, with why.
//!
//! What is pushed is answered 202 with `"taken"`, how many pieces of news it was; 401 where it does not show the secret of the target
//! (`[target.NAME.inbound]`, read anew each time, compared in constant time, needed on every listener), 403 where there is none, 429
//! beyond `rate_max`, 503 where too much waits. Whether a web page sent it makes no difference: it would have to know the secret.
//! All of it is counted in [`Inflow`].
//!
//! The form of a page orders the same as the API does: it makes the same command. In place of the token it shows the cookie of a
//! sign-in, which the API takes no notice of, and a mark that only the form of this path holds, for who is signed in (an HMAC
//! under a key of this start). What comes of it is told on the page that follows; what is not understood comes back as it was
//! typed. What would destroy a session wants its name typed. A GET never orders anything.
//!
//! HEAD is answered wherever GET is. An error is JSON, `{"error": …, "hint": …}`: 404 for an unknown route or name, 405 with
//! `Allow` for a wrong method, 413 and 408 for a body that is too long or does not come, 400 for a query that is not understood
//! (pages, `/metrics` and the health routes take no notice of one), 503 where the driver does not answer. Only what cannot even be
//! parsed as HTTP gets hyper's own bare 400, 414 or 431. Every answer says `nosniff`, and all but stylesheet and script
//! `no-store`. Readiness and health speak about the watchdog, never about a session: else an orchestrator would restart the sidecar
//! for a fault of its neighbour.
//!
//! Reading is open to whoever reaches the port: a snapshot holds no secret. Ordering is not. With a token every order must carry
//! it, `Authorization: Bearer TOKEN`, on every listener; it is read anew from its file at each order and compared in constant
//! time. Without one orders are taken only on a loopback listener. Either way one on a loopback listener must be addressed to
//! loopback, and none may come from a foreign web page. What has not the right to order is answered 403 (from the wrong place),
//! 401 (without the token), 429 (too often without it) or 503 (the token cannot be read), and counted in [`Denials`].

mod api;
mod attempts;
mod body;
mod health;
mod inbound;
mod live;
mod note;
mod order;
mod page;
mod press;
mod query;
mod reload;
mod reply;
mod route;
mod server;
mod sign_in;
mod warden;
mod zip;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::config::{Alertmanager, Secret, Target};
use crate::engine::command::{CommandAnswer, OperatorCommand};
use crate::engine::moment::Wall;
use crate::engine::snapshot::Snapshot;
use crate::engine::target::TargetId;

pub use health::Readiness;
pub use inbound::{Inflow, Outcome, Push, PushKind};
pub use server::serve;
pub use warden::Denials;

/// Longest head of a request, in bytes; longer ones are answered 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to send the head of a request. Counts from the end of the answer before, so that it also is how
/// long an idle connection is kept alive.
pub const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// Longest body of an order, in bytes; longer ones are answered 413.
pub const BODY_BYTES_MAX: usize = 4 * 1024;
/// Longest body of what is pushed, in bytes.
pub const HOOK_BYTES_MAX: usize = 256 * 1024;
/// Most lines of a log that are looked at in one post; those beyond are dropped and counted.
pub const LOG_LINES_MAX: usize = 1000;
/// How long a client may take to send the body of a request; then it is answered 408.
pub const BODY_WITHIN: Duration = Duration::from_secs(5);
/// Most connections at the same time; those beyond wait in the kernel's queue until one ends.
///
/// [`STREAMS_MAX`] of them may be streams of events; the rest is for scrapes, orders, webhooks, and the further connections that a
/// browser opens beside its streams. A browser itself opens six to one host: a page that is hidden gives its stream back, so that
/// the one that is looked at gets through. One costs a few kilobytes.
pub const CONNECTIONS_MAX: usize = 128;
/// How long one connection is used; then its running answer is the last, and has [`STOP_GRACE`] to leave. Bounds clients that
/// read slowly.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_mins(2);
/// How long running answers may take to leave once the server stops, as far as the process waits for them.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long the driver may take to answer a reload.
pub const RELOAD_WITHIN: Duration = Duration::from_secs(30);
/// How long the driver may take to answer an order: it waits for the ledger's disk.
pub const ORDER_WITHIN: Duration = Duration::from_secs(10);
/// Longest pause with an end.
pub const PAUSE_MAX: Duration = Duration::from_hours(366 * 24);
/// Most requests without the right token that are told so within one second; the others are answered 429. Bounds what they write
/// into the log. No limit on requests makes a short token safe: use a long random one.
pub const WRONG_TOKENS_MAX: u32 = 5;
/// Most people, or browsers, that are signed in at the same time; one more ends the sign-in that was away longest.
pub const SIGN_INS_MAX: usize = 64;
/// How long a sign-in may go unused.
pub const SIGN_IN_IDLE_MAX: Duration = Duration::from_hours(12);
/// Most pages that are live at the same time; one more loads itself anew now and then.
pub const STREAMS_MAX: usize = 40;
/// How often at most open pages are told what changed.
pub const ROUND_EVERY: Duration = Duration::from_secs(1);
/// How often a stream without news says that it still is there.
pub const STREAM_BEAT: Duration = Duration::from_secs(15);
/// After so many beats a stream ends, a little before its connection would; its page opens another.
pub const STREAM_BEATS_MAX: u32 = 7;
/// Most rounds of news that wait for one slow reader; then its stream ends.
const STREAM_QUEUE_MAX: usize = 16;
/// Most notes of what came of orders that wait to be shown.
const NOTES_MAX: usize = 64;
/// Age of the snapshot from which on the watchdog's loop counts as stuck. The driver publishes one far more often, also when
/// nothing happens.
pub const SNAPSHOT_AGE_MAX: Duration = Duration::from_mins(1);
/// Most secrets that are read at the same time.
const SECRETS_MAX: usize = 4;

/// All that the server reads and asks; cheap to clone.
#[derive(Clone)]
pub struct State {
    /// What is believed; each answer is made of one snapshot.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Whether the watchdog is ready.
    pub ready: Readiness,
    /// Where reloads are ordered.
    pub reload: mpsc::Sender<ReloadOrder>,
    /// Where everything else is ordered; bounded by whoever makes it.
    pub orders: mpsc::Sender<Order>,
    /// What orders must carry; a reload of the configuration may change it.
    pub token: watch::Receiver<Option<Secret>>,
    /// Counts the orders that nobody had the right to give.
    pub denials: Denials,
    /// Where pushed news goes; bounded by whoever makes it.
    pub pushes: mpsc::Sender<Push>,
    /// The targets as they are asked; each has its own secret.
    pub targets: watch::Receiver<Arc<BTreeMap<TargetId, Arc<Target>>>>,
    /// Whether alerts are taken; a reload of the configuration may change it.
    pub alertmanager: watch::Receiver<Option<Alertmanager>>,
    /// Counts what was pushed.
    pub inflow: Inflow,
    /// Writes a snapshot's metrics; a closure, because metrics and this module do not know each other.
    pub render_metrics: Arc<dyn Fn(&Snapshot) -> String + Send + Sync>,
    /// Reads the wall clock.
    pub clock: Arc<dyn Fn() -> Wall + Send + Sync>,
}

/// An order of a person.
#[derive(Debug)]
pub struct Order {
    /// What is ordered.
    pub command: OperatorCommand,
    /// Where the driver says what came of it. Dropped unanswered it counts as given up. Whoever ordered may be gone; the order
    /// counts all the same.
    pub answer: oneshot::Sender<CommandAnswer>,
}

/// An order to read the configuration anew.
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
    scrapes: press::Press,
    pages: press::Press,
    gate: warden::Gate,
    sign_ins: sign_in::SignIns,
    marks: sign_in::Marks,
    notes: note::Notes,
    live: live::Hub,
    /// The same for what is pushed.
    pushers: warden::Gate,
    rates: inbound::Rates,
    secrets: Arc<Semaphore>,
}

impl Desk {
    fn new(state: State, loopback_only: bool) -> Self {
        Self {
            state,
            loopback_only,
            scrapes: press::Press::start(),
            pages: press::Press::start(),
            gate: warden::Gate::default(),
            sign_ins: sign_in::SignIns::default(),
            marks: sign_in::Marks::new(),
            notes: note::Notes::default(),
            live: live::Hub::new(),
            pushers: warden::Gate::default(),
            rates: inbound::Rates::default(),
            secrets: Arc::new(Semaphore::new(SECRETS_MAX)),
        }
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
