//! What a discovery finds, and the target that it becomes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::Target;
use crate::engine::policy::Watch;

/// One session that somebody told of. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What tells it apart from the others of its section, for as long as it exists.
    pub key: String,
    /// What its target is named after.
    pub name: String,
    /// Where its gateway is.
    pub url: String,
    /// Its dialect, where the finder knows it.
    pub dialect: Option<String>,
    /// Its name or number at the gateway.
    pub session: Option<String>,
    /// A status path other than the dialect's own.
    pub status_path: Option<String>,
    /// The container that it runs in.
    pub container: Option<String>,
}

/// A target that was made of something found.
#[derive(Clone, Debug)]
pub struct Ready {
    /// How it is asked.
    pub target: Arc<Target>,
    /// How it is judged.
    pub watch: Watch,
}
