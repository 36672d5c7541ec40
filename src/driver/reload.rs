//! The configuration read anew; a bad one changes nothing.

use tokio::sync::watch;

use super::Load;
use crate::config::Settings;
use crate::engine::Wall;
use crate::metrics::Reload;

/// Reads the configuration anew, and remembers how that went.
pub(super) struct Reloads {
    load: Load,
    report: watch::Sender<Reload>,
    /// What the watchdog started with: some of it counts until a restart.
    started: Settings,
}

impl Reloads {
    /// Starts with the configuration that was just read.
    pub(super) fn new(load: Load, settings: &Settings, now: Wall) -> Self {
        let report = watch::Sender::new(Reload { succeeded: true, last_success: now });
        Self { load, report, started: settings.clone() }
    }

    /// Returns how the last reload went.
    pub(super) fn report(&self) -> watch::Receiver<Reload> {
        self.report.subscribe()
    }

    /// Reads it; returns with it the keys that changed but count only after a restart. The problems of a bad one are logged and
    /// returned.
    pub(super) fn load(&mut self, now: Wall) -> Result<(Settings, Vec<String>), Vec<String>> {
        match (self.load)() {
            Ok(settings) => {
                tracing::info!(targets = settings.targets.len(), "configuration read anew");
                self.report.send_replace(Reload { succeeded: true, last_success: now });
                let needs_restart: Vec<String> =
                    self.started.needs_restart(&settings).into_iter().map(str::to_owned).collect();
                for key in &needs_restart {
                    tracing::warn!(key, "changed, but counts only after a restart");
                }
                Ok((settings, needs_restart))
            }
            Err(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                tracing::error!(problems = lines.join("; "), "the configuration is bad; the old one stays in force");
                self.report.send_modify(|report| report.succeeded = false);
                Err(lines)
            }
        }
    }
}
