//! `wipe`: for the init container of a pod, which moves the session aside where the watchdog asked for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Outcome, print};
use crate::config::Vault;
use crate::driver::clock;
use crate::engine::moment::Wall;
use crate::remedy::{marker, vault};

/// How long a marker counts: who finds an older one finds a session that somebody may have made since.
const COUNTS_FOR: Duration = Duration::from_hours(1);

/// Move a session aside where a running watchdog left its marker for it: for an init container in Kubernetes.
///
/// The session's entries go into `.quarantine/RUN` beside them, and the marker goes away. With --if-marker it ends with 0 in any
/// case, so that the service starts: the watchdog sees by the marker whether it was done.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example, in the pod's template:
  initContainers:
    - name: wipe
      command: [\"/wa-watchdog\", \"wipe\", \"--if-marker\", \"--session-dir\", \"/session\"]")]
pub(super) struct Args {
    /// Do nothing where there is no marker.
    #[arg(long)]
    if_marker: bool,
    /// The session's folder.
    #[arg(long, value_name = "DIR")]
    session_dir: PathBuf,
    /// Which of its entries are the session: a name, `*` for anything. Can be said again; by default those of the known builds.
    #[arg(long = "entry", value_name = "NAME")]
    entries: Vec<String>,
    /// The folder may be no mount of its own.
    #[arg(long)]
    allow_non_mount: bool,
}

/// Moves the session aside, if it was asked for.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match wipe(args) {
        Ok(said) => {
            print::line(&said)?;
            Ok(Outcome::Well)
        }
        Err(error) if args.if_marker => {
            print::complain(&format!("error: {error:#}; the service starts with the session as it is"));
            Ok(Outcome::Well)
        }
        Err(error) => Err(error),
    }
}

fn wipe(args: &Args) -> anyhow::Result<String> {
    let dir: &Path = &args.session_dir;
    let Some(mark) = marker::read(dir)? else {
        anyhow::ensure!(args.if_marker, "there is no marker in {}", dir.display());
        return Ok("there is no marker, so nothing was done".to_owned());
    };
    if COUNTS_FOR < (clock::machine())().wall.since(wall(mark.at)) {
        marker::take_away(dir)?;
        return Ok(format!("the marker of run {} is too old to count, so it was taken away", mark.run));
    }
    let mut vault = Vault::of(dir.to_owned());
    vault.allow_non_mount = args.allow_non_mount;
    if !args.entries.is_empty() {
        vault.entries.clone_from(&args.entries);
    }
    let names = vault::quarantine(&vault, &mark.run)?;
    marker::take_away(dir)?;
    Ok(format!("moved to {}/.quarantine/{}: {}", dir.display(), mark.run, names.join(", ")))
}

fn wall(at: SystemTime) -> Wall {
    let age = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Wall::from_millis(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
