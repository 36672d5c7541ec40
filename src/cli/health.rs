//! `healthcheck`: for images that have no shell and no curl.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::api::Api;
use super::operate::reachable;
use super::{Outcome, block_on, print};
use crate::config;

/// Ask a running watchdog whether it is healthy; exit code 0 if so.
///
/// Asks where --url says, else where the configuration says that it listens.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example, in a Dockerfile:
  HEALTHCHECK CMD [\"/wa-watchdog\", \"healthcheck\"]")]
pub(super) struct Args {
    #[command(flatten)]
    api: Api,
    /// The configuration file that says where it listens.
    #[arg(long, env = "WA_WATCHDOG_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Asks and says.
pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<Outcome> {
    let api = match args.api.named() {
        Some(_) => args.api.clone(),
        None => args.api.clone().or(listener(args.config.as_deref(), env)),
    };
    let said = block_on(api.text("/-/healthy"))?;
    print::line(said.trim_end())?;
    Ok(Outcome::Well)
}

/// Returns where the watchdog listens. A bad file is not its fault: it goes on with what it read before, so its twin in the
/// environment is asked instead.
fn listener(file: Option<&Path>, env: &BTreeMap<String, String>) -> Option<String> {
    let file = file.filter(|file| !file.as_os_str().is_empty());
    let settings = file.and_then(|file| config::load(file, env).ok());
    let twin = || env.get("WA_WATCHDOG__SERVER__LISTEN")?.parse().ok();
    settings.map(|settings| settings.server.listen).or_else(twin).map(reachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_where_the_watchdog_listens() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("watchdog.toml");
        let env = |listen: &str| BTreeMap::from([("WA_WATCHDOG__SERVER__LISTEN".to_owned(), listen.to_owned())]);
        let none = BTreeMap::new();

        assert_eq!(listener(None, &none), None);
        assert_eq!(listener(None, &env("0.0.0.0:9900")).as_deref(), Some("http://127.0.0.1:9900"));
        let good = "[server]\nlisten = \"127.0.0.1:9901\"\n[target.a]\ndialect = \"waha\"\nurl = \"http://a\"\nsession = \"b\"\n";
        std::fs::write(&file, good).unwrap();
        assert_eq!(listener(Some(&file), &none).as_deref(), Some("http://127.0.0.1:9901"));
        assert_eq!(listener(Some(&file), &env("0.0.0.0:9900")).as_deref(), Some("http://127.0.0.1:9900"));
        std::fs::write(&file, "mode = 7").unwrap();
        assert_eq!(listener(Some(&file), &none), None);
        assert_eq!(listener(Some(&file), &env("0.0.0.0:9900")).as_deref(), Some("http://127.0.0.1:9900"));
    }
}
