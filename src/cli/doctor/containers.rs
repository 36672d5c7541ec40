//! What a Docker daemon tells of containers; asks, and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

use crate::config::DockerEndpoint;
use crate::http::{Http, NoReply, read_capped};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Longest complaint that is shown, in characters.
const COMPLAINT_CHARS_MAX: usize = 200;

/// A daemon, or the proxy before it.
#[derive(Debug)]
pub(super) struct Containers {
    http: Http,
    base: String,
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
    pub(super) fn of(endpoint: &DockerEndpoint) -> Result<Self, String> {
        let (http, base) = match endpoint {
            // A host must stand in the URL; the socket is what counts.
            DockerEndpoint::Unix(path) => (Http::over_socket(path), "http://docker".to_owned()),
            DockerEndpoint::Tcp(base) => (Http::new(), base.clone()),
        };
        Ok(Self { http: http.map_err(|error| error.to_string())?, base })
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
        let mut url = Url::parse(&format!("{}{path}", self.base)).map_err(|_| "its address is no URL".to_owned())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let call = async {
            let response = self.http.get(&url, &HeaderMap::new()).await.map_err(|error| match error {
                NoReply::Theirs(_) => "nobody answers".to_owned(),
                NoReply::Ours(_) => {
                    "its socket may not be used: give this user the socket's group, or a proxy".to_owned()
                }
            })?;
            let status = response.status();
            let body = read_capped(response, ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((status, body))
        };
        let asked = timeout(PATIENCE, call).await;
        let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
        let (status, body) = asked.unwrap_or_else(late).map_err(|why| format!("the Docker daemon: {why}"))?;
        if !status.is_success() {
            return Err(format!("the Docker daemon answers {status}: {}", complaint(&body)));
        }
        serde_json::from_slice(&body).map_err(|_| "the Docker daemon's answer is not understood".to_owned())
    }
}

/// Reads what a daemon complains of: JSON of its own, or whatever a proxy says.
fn complaint(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    let text = serde_json::from_slice(body).map(|Message { message }| message);
    let text = text.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned());
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(COMPLAINT_CHARS_MAX).collect()
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

    #[test]
    fn a_complaint_is_read_from_a_daemon_and_from_a_proxy() {
        assert_eq!(complaint(br#"{"message":"No such container: wa"}"#), "No such container: wa");
        assert_eq!(
            complaint(b"<h1>403 Forbidden</h1>\nRequest  forbidden"),
            "<h1>403 Forbidden</h1> Request forbidden"
        );
    }
}
