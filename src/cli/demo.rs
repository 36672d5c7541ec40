//! `demo`: scripted gateways and the real watchdog, on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::site::{Misuse, list};
use super::{Outcome, block_on, print};
use crate::config;
use crate::demo::{Gateways, Narrator, Place, intro, settings};
use crate::driver::systemd::Manager;
use crate::driver::{self, Parts, clock};
use crate::store::{QUEUE_MAX, Store};

/// See it at work: scripted gateways that fail in different ways, and the real watchdog asking them over real HTTP.
///
/// Needs nothing but this program, talks to loopback only, and leaves nothing behind. Says in plain words what happens and where
/// to look. Two of the gateways may be mended: one by a restart, one by a reset and a scan, which the script makes. Exit code 0 if
/// every scripted failure was named, what may be mended was, and the healthy session was left in peace.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog demo --for 90s
  wa-watchdog demo                                 until Ctrl-C; look at http://127.0.0.1:9877/ meanwhile
  wa-watchdog status                               in another terminal")]
pub(super) struct Args {
    /// End by itself after this time.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    lasts: Option<Duration>,
    /// Where metrics and API are served; loopback only.
    #[arg(long, default_value = "127.0.0.1:9877", value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Plays the demo.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    if !args.listen.ip().is_loopback() {
        return Err(
            Misuse(format!("--listen {}: the demo is for this machine only; use 127.0.0.1:PORT", args.listen)).into()
        );
    }
    block_on(play(args.clone()))
}

async fn play(args: Args) -> anyhow::Result<Outcome> {
    let (stop, tracker, clock) = (CancellationToken::new(), TaskTracker::new(), clock::machine());
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}; --listen 127.0.0.1:0 takes any free port", args.listen))?;
    let listen = listener.local_addr()?;
    let gateways = Gateways::start(Arc::clone(&clock), NonZeroU32::MIN, &tracker, &stop).await?;
    let place = Place::new(&std::env::temp_dir(), gateways.targets())?;
    let text = settings(gateways.targets(), listen, &place);
    let directory = place.dir().to_owned();
    let load = move || config::parse(&text, "demo.toml", &directory, &BTreeMap::new());
    let settings = load().map_err(|problems| Misuse(list(&problems)))?;
    print::line(&intro(gateways.targets(), listen))?;
    let narrator = Arc::new(Mutex::new(Narrator::new(gateways.targets(), clock().wall)));
    let hears = Arc::clone(&narrator);
    let audience: driver::Audience = Box::new(move |now, event| {
        let told = hears.lock().unwrap_or_else(PoisonError::into_inner).hear(now.wall, event);
        // A demo whose reader went away plays on until it is stopped.
        drop(told.map(|line| print::line(&line)));
    });
    let ledger = Store::open(&settings.store.path, settings.store.keep, QUEUE_MAX)?;
    let parts = Parts {
        settings,
        load: Box::new(load),
        ledger,
        listener,
        clock: Arc::clone(&clock),
        audience: Some(audience),
        manager: Manager::default(),
    };
    if let Some(lasts) = args.lasts {
        let stop = stop.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(lasts) => stop.cancel(),
                () = stop.cancelled() => {}
            }
        });
    }
    driver::run(parts, stop.clone()).await?;
    tracker.close();
    tracker.wait().await;
    let summary = narrator.lock().unwrap_or_else(PoisonError::into_inner).summary(clock().wall);
    print::line(&summary.to_string())?;
    Ok(if summary.is_as_expected() { Outcome::Well } else { Outcome::NotWell })
}
