//! A container, as far as its log needs it.

use serde::Deserialize;
use serde_json::Value;

/// What an inspection says; what a daemon leaves out is taken for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Container {
    pub(super) id: String,
    state: State,
    config: Config,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    running: bool,
    started_at: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    tty: bool,
}

impl Container {
    /// Reads an inspection.
    pub(super) fn of(inspection: &Value) -> Self {
        Self::deserialize(inspection).unwrap_or_default()
    }

    /// Tells whether it has a terminal, whose output is one stream.
    pub(super) fn has_terminal(&self) -> bool {
        self.config.tty
    }

    pub(super) fn is_running(&self) -> bool {
        self.state.running
    }

    /// Which start of which container it is.
    pub(super) fn start(&self) -> (String, String) {
        (self.id.clone(), self.state.started_at.clone())
    }
}
