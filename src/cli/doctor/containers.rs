//! What a Docker daemon tells of containers; asks, and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::config::DockerEndpoint;
use crate::docker::Daemon;
use crate::http::Http;
use crate::http::message::until;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon, or the proxy before it.
#[derive(Debug)]
pub(super) struct Containers {
    daemon: Daemon,
}

/// A container. What a daemon leaves out is as if it were empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) args: Vec<String>,
    pub(super) restart_count: u64,
    pub(super) state: State,
    pub(super) config: Config,
    pub(super) host_config: HostConfig,
    pub(super) mounts: Vec<Mount>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct State {
    pub(super) status: String,
    pub(super) running: bool,
    #[serde(rename = "OOMKilled")]
    pub(super) oom_killed: bool,
    pub(super) exit_code: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Config {
    pub(super) image: String,
    /// May hold secrets: never shown.
    pub(super) env: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) stop_signal: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HostConfig {
    /// 0: none.
    pub(super) memory: u64,
    pub(super) shm_size: u64,
    pub(super) ipc_mode: String,
    pub(super) restart_policy: RestartPolicy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RestartPolicy {
    pub(super) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Mount {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) name: String,
}

/// One of many.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    pub(super) image: String,
    /// `running`, `exited` and others.
    pub(super) state: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    memory_stats: MemoryStats,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MemoryStats {
    usage: Option<u64>,
    stats: BTreeMap<String, serde_json::Value>,
}

impl Containers {
    pub(super) async fn of(endpoint: &DockerEndpoint) -> Result<Self, String> {
        let http = Http::new().map_err(|error| error.to_string())?;
        let daemon = Daemon::at(endpoint, &http, until(PATIENCE)).await.map_err(|trouble| trouble.to_string())?;
        Ok(Self { daemon })
    }

    pub(super) async fn inspect(&self, name: &str) -> Result<Container, String> {
        self.get(&format!("/containers/{name}/json"), &[]).await
    }

    /// Returns the memory that a container uses, in bytes, without what the kernel can take back at once; none where it does not run.
    pub(super) async fn memory(&self, name: &str) -> Result<Option<u64>, String> {
        let path = format!("/containers/{name}/stats");
        let Stats { memory_stats: MemoryStats { usage, stats } } =
            self.get(&path, &[("stream", "false"), ("one-shot", "true")]).await?;
        // The first name is that of cgroup v1, the second that of v2.
        let inactive = ["total_inactive_file", "inactive_file"].iter().find_map(|key| stats.get(*key)?.as_u64());
        let used = |usage: u64| usage.saturating_sub(inactive.filter(|inactive| *inactive < usage).unwrap_or(0));
        Ok(usage.filter(|usage| 0 < *usage).map(used))
    }

    /// Returns who holds a volume, also who does not run.
    pub(super) async fn with_volume(&self, volume: &str) -> Result<Vec<Listed>, String> {
        self.list(true, &json!({ "volume": [volume] })).await
    }

    /// Returns who runs with all these labels.
    pub(super) async fn running_with(&self, labels: &[String]) -> Result<Vec<Listed>, String> {
        self.list(false, &json!({ "label": labels })).await
    }

    /// Returns everybody who runs.
    pub(super) async fn running(&self) -> Result<Vec<Listed>, String> {
        self.list(false, &json!({})).await
    }

    async fn list(&self, all: bool, filters: &serde_json::Value) -> Result<Vec<Listed>, String> {
        let all = if all { "1" } else { "0" };
        self.get("/containers/json", &[("all", all), ("filters", &filters.to_string())]).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, String> {
        let read = self.daemon.read(path, query, until(PATIENCE)).await.map_err(|trouble| trouble.to_string())?;
        serde_json::from_value(read).map_err(|_| "the Docker daemon's answer is not understood".to_owned())
    }
}

impl Listed {
    /// Its name, as a person knows it.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or(self.id.as_str(), |name| name.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_leaves_things_out_is_understood() {
        let container: Container =
            serde_json::from_str(r#"{"Id":"a","Config":{"Env":null,"Labels":null},"Mounts":[{"Type":"bind"}]}"#)
                .unwrap();
        assert_eq!((container.id.as_str(), container.host_config.memory), ("a", 0));
        let stats: Stats = serde_json::from_str(r#"{"read":"0001-01-01T00:00:00Z","memory_stats":{}}"#).unwrap();
        assert_eq!(stats.memory_stats.usage, None);
    }
}
