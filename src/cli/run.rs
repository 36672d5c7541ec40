//! `run`: the daemon.

use std::collections::BTreeMap;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::site::Site;
use super::{Outcome, block_on};
use crate::driver::systemd::Manager;
use crate::driver::{self, Parts, clock};
use crate::store::{QUEUE_MAX, Store};

/// Watch sessions until told to stop.
///
/// Polls every target, writes what happens to the ledger, and serves metrics and an API. SIGHUP or POST /-/reload reads the
/// configuration anew; a bad one changes nothing. SIGTERM ends it.
///
/// The ledger lies where the path of the section `store` says; that of a session named by flags is wa-watchdog.db in this folder, unless its
/// twin in the environment says otherwise.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog run --config watchdog.toml
  wa-watchdog run --service http://whatsapp-service:3001
  wa-watchdog run --wasender 16548 --token-file /run/secrets/wasender_pat
  WA_WATCHDOG__SERVER__LISTEN=127.0.0.1:9900 wa-watchdog run --config watchdog.toml

Every key of the file has a twin in the environment: [policy.state_loop] returns_min is
WA_WATCHDOG__POLICY__STATE_LOOP__RETURNS_MIN. It wins over the file.")]
pub(super) struct Args {
    #[command(flatten)]
    site: Site,
}

/// Runs the daemon.
pub(super) fn run(args: Args, env: BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let settings = args.site.settings(&env)?;
    block_on(async move {
        let listen = settings.server.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen} ([server] listen); is another watchdog running?"))?;
        let path = settings.store.path.clone();
        let ledger = Store::open(&path, settings.store.keep, QUEUE_MAX)
            .with_context(|| format!("cannot open the ledger {} ([store] path)", path.display()))?;
        tracing::info!("metrics at http://{}/metrics", listener.local_addr()?);
        let manager = Manager::of(&env);
        let load = Box::new(move || args.site.load(&env));
        let parts = Parts { settings, load, ledger, listener, clock: clock::machine(), audience: None, manager };
        driver::run(parts, CancellationToken::new()).await?;
        Ok(Outcome::Well)
    })
}
