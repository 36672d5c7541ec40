//! A container, as far as it is looked at; what a daemon leaves out is taken for nothing.

use serde::Deserialize;
use serde_json::Value;

/// How Docker shortens an id.
const SHORT_ID: usize = 12;
/// How a process ended that was killed by SIGKILL.
const KILLED: i64 = 137;

/// What an inspection says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) state: State,
    pub(super) restart_count: i64,
    pub(super) host_config: HostConfig,
}

/// What its host was told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HostConfig {
    pub(super) auto_remove: bool,
}

/// How it goes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct State {
    pub(super) status: String,
    pub(super) running: bool,
    pub(super) exit_code: i64,
    pub(super) started_at: String,
}

impl Container {
    /// Reads an inspection.
    pub(super) fn of(inspection: &Value) -> Self {
        Self::deserialize(inspection).unwrap_or_default()
    }

    /// Which container it is, and which start of it.
    pub(super) fn world(&self) -> String {
        format!("{} {}", self.id.get(..SHORT_ID).unwrap_or(&self.id), self.state.started_at)
    }

    /// Tells whether nothing of it runs.
    pub(super) fn is_stopped(&self) -> bool {
        !self.state.running && matches!(self.state.status.as_str(), "created" | "exited" | "dead")
    }

    /// Tells whether it did not end by itself, where it ran a moment ago.
    pub(super) fn was_killed(&self) -> bool {
        self.state.exit_code == KILLED
    }
}
