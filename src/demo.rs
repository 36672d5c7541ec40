//! A newcomer's first minute: scripted gateways on loopback for the real watchdog to ask over real HTTP.
//!
//! [`Gateways::start`] opens one listener a role and plays each role's script. [`settings()`] writes the configuration that
//! watches them, strict enough to name every scripted failure within [`NAMED_WITHIN`]. [`intro`], [`Narrator`] and [`Summary`]
//! say in plain words what is played, what happens, and whether it came as it should. Also made for game days: the bodies are
//! those of the real services, every name, number and key in them is invented.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Moment;
use crate::engine::ladder::Remedy;
use crate::engine::pattern::Pattern;

mod account;
mod backend;
mod cast;
mod memory;
mod reply;
mod script;
mod server;
mod service;
mod settings;
mod tell;

pub use settings::{Place, settings};
pub use tell::{Narrator, Row, Summary, intro};

/// The time after the start within which every scripted failure has its name, under the policy of [`settings()`].
pub const NAMED_WITHIN: Duration = Duration::from_secs(50);

/// The time after the start within which every remedy has helped, and that is proven.
pub const HELPED_WITHIN: Duration = Duration::from_secs(80);

/// The gateways of the demo, each on its own port of the loopback, until they are stopped.
#[derive(Debug)]
pub struct Gateways {
    targets: Vec<Target>,
}

/// One scripted gateway, as the watchdog must know it and as a person is told of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The dialect that it speaks.
    pub dialect: &'static str,
    /// Its base URL.
    pub url: String,
    /// The session's number, where the gateway holds several.
    pub session: Option<&'static str>,
    /// The token that it is asked with.
    pub token: Option<SecretString>,
    /// The page on which a person would scan its QR code.
    pub qr_page: Option<String>,
    /// What it plays, in plain words.
    pub plays: &'static str,
    /// What the watchdog should say of it; none where it should say nothing.
    pub expects: Option<Pattern>,
    /// Whether it tells how much memory it uses, as a Prometheus would.
    pub tells_memory: bool,
    /// Whether it is not configured by hand but found.
    pub is_found: bool,
    /// The remedies for which it takes a call, as `POST /demo/REMEDY`; the last one mends it. Without any it is only observed.
    pub hooks: Vec<Remedy>,
}

/// The script's own time: the clock of the caller, counted from the start, `speed` times as fast.
#[derive(Clone)]
struct Playtime {
    read: Arc<dyn Fn() -> Moment + Send + Sync>,
    started: Moment,
    speed: NonZeroU32,
}

/// One reading of the script's time.
#[derive(Clone, Copy, Debug)]
struct Tick {
    elapsed: Duration,
    now: Moment,
}

impl Gateways {
    /// Opens every listener and plays every script until `stop` is cancelled; `tracker` then runs empty.
    ///
    /// Time comes from `clock` alone, so that a test may hold it. Scripts run `speed` times as fast as the clock.
    pub async fn start(
        clock: Arc<dyn Fn() -> Moment + Send + Sync>,
        speed: NonZeroU32,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> io::Result<Self> {
        let started = clock();
        let playtime = Playtime { read: clock, started, speed };
        let mut targets = Vec::with_capacity(cast::CAST.len());
        for role in cast::CAST {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            targets.push(role.target(listener.local_addr()?, started.wall));
            let actor = Arc::new(server::Actor::new(role, playtime.clone()));
            tracker.spawn(server::serve(listener, actor, tracker.clone(), stop.clone()));
        }
        Ok(Self { targets })
    }

    /// Returns the gateways in the order in which they are introduced.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }
}

impl Playtime {
    fn tick(&self) -> Tick {
        let now = (self.read)();
        Tick { elapsed: now.since(self.started).saturating_mul(self.speed.get()), now }
    }
}

impl fmt::Debug for Playtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playtime").field("started", &self.started).field("speed", &self.speed).finish_non_exhaustive()
    }
}
