//! `healthcheck`: for images that have no shell and no curl.

use super::api::Api;
use super::{Outcome, block_on, print};

/// Ask a running watchdog whether it is healthy; exit code 0 if so.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example, in a Dockerfile:
  HEALTHCHECK CMD [\"/wa-watchdog\", \"healthcheck\"]")]
pub(super) struct Args {
    #[command(flatten)]
    api: Api,
}

/// Asks and says.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let said = block_on(args.api.text("/-/healthy"))?;
    print::line(said.trim_end())?;
    Ok(Outcome::Well)
}
