//! Targets asked over real connections, on loopback: every nasty way to answer, and what comes of it.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper that fails fails its test"
)]
#![expect(clippy::disallowed_methods, reason = "a test's clock is its own, and so is its environment")]

mod answers;
mod daemon;
mod docker;
mod environment;
mod failures;
mod fleet;
mod history;
mod logs;
mod memory;
mod path;
mod runtime;
mod server;
mod tls;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::config::{Senses, Target};
use wa_watchdog::dialect::Dialect;
use wa_watchdog::engine::sample::{Failure, Reply, SessionState};
use wa_watchdog::engine::{Ask, Moment, Sample, TargetId, Wall};
use wa_watchdog::http::Http;
use wa_watchdog::source::{Clock, Endpoints, Poller, Unasked};

/// Long enough for a slow machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A target of the dialect whatsapp-service.
fn shop(url: &str) -> Target {
    target("whatsapp-service", url)
}

/// A session at Wasender.
fn acme(url: &str) -> Target {
    Target { session: Some("16548".to_owned()), ..target("wasender", url) }
}

fn target(dialect: &str, url: &str) -> Target {
    Target {
        id: id(dialect),
        dialect: Dialect::builtin(dialect).unwrap(),
        dialect_at: dialect.to_owned(),
        url: url.to_owned(),
        session: None,
        status_path: None,
        token: None,
        timeout: PATIENCE,
        body_bytes_max: 64 * 1024,
        qr_page: None,
        vendor: None,
        senses: Senses::default(),
        hooks: BTreeMap::new(),
    }
}

fn id(name: &str) -> TargetId {
    TargetId::new(name).unwrap()
}

fn clock() -> Clock {
    let start = tokio::time::Instant::now();
    let wall: Wall = "2026-02-04T09:00:00Z".parse().unwrap();
    Arc::new(move || Moment { uptime: start.elapsed(), wall: wall.after(start.elapsed()) })
}

fn poller() -> Poller {
    Poller::new(Http::new().unwrap(), clock())
}

async fn ask(target: Target, ask: Ask) -> Result<Sample, Unasked> {
    poller().ask(&Endpoints::of(Arc::new(target)), ask).await.map(|seen| seen.sample)
}

/// Asks for the status once.
async fn poll(target: Target) -> Reply {
    reply(ask(target, Ask::Status).await.unwrap())
}

/// Asks for the status once, in vain.
async fn failure(target: Target) -> Failure {
    match poll(target).await {
        Reply::NoAnswer(failure) => failure,
        reply @ (Reply::Answer(_)
        | Reply::Missing(_)
        | Reply::Refused { .. }
        | Reply::Throttled { .. }
        | Reply::Unasked(_)) => {
            panic!("{reply:?}")
        }
    }
}

fn reply(sample: Sample) -> Reply {
    let Sample::Poll { reply, latency: _ } = sample else { panic!("{sample:?}") };
    reply
}

fn state(reply: &Reply) -> SessionState {
    let Reply::Answer(answer) = reply else { panic!("{reply:?}") };
    answer.state
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let holds = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}
