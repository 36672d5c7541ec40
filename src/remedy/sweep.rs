//! What was moved aside is live credentials: it is kept no longer than the configuration says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Remedies;
use super::vault::{self, Pruned};
use crate::config::{Call, DockerDeed, Target, Vault};
use crate::engine::target::TargetId;

/// How often it is looked at. A remedy adds to it at most once in hours.
pub const SWEEP_EVERY: Duration = Duration::from_hours(1);

impl Remedies {
    /// Removes what was moved aside too long ago, or is too much. Returns at once.
    pub fn sweep(&self) {
        let since_epoch = u64::try_from((self.clock)().millis()).unwrap_or(0);
        let now: SystemTime = UNIX_EPOCH.checked_add(Duration::from_millis(since_epoch)).unwrap_or(UNIX_EPOCH);
        for vault in vaults(&self.targets) {
            self.tracker.spawn_blocking(move || {
                let dir = vault.dir.display();
                match vault::prune(&vault, now) {
                    Ok(Pruned { removed: 0, .. }) => {}
                    Ok(Pruned { removed, kept, bytes }) => {
                        tracing::info!(%dir, removed, kept, bytes, "removed old quarantines");
                    }
                    Err(error) => tracing::warn!(%dir, %error, "old quarantines cannot be looked at"),
                }
            });
        }
    }
}

/// The folders of all hooks, each once.
fn vaults(targets: &BTreeMap<TargetId, Arc<Target>>) -> Vec<Vault> {
    let calls = targets.values().flat_map(|target| target.hooks.values()).flat_map(|hook| hook.calls());
    let vault = |call: &Call| match call {
        Call::Docker(call) => {
            if let DockerDeed::Quarantine(vault) = &call.deed {
                Some(vault.clone())
            } else {
                None
            }
        }
        Call::Exec(_)
        | Call::Http(_)
        | Call::Wasender(_)
        | Call::WasenderBackend(_)
        | Call::Sqlite(_)
        | Call::Coolify(_)
        | Call::Kubernetes(_) => None,
    };
    let by_dir: BTreeMap<PathBuf, Vault> = calls.filter_map(vault).map(|vault| (vault.dir.clone(), vault)).collect();
    by_dir.into_values().collect()
}
