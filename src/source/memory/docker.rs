//! What a Docker daemon says of a container's memory.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::config::DockerAt;
use crate::docker::{Daemon, Trouble};
use crate::engine::sample::Memory;
use crate::http::{Http, message};

/// Longest time for one reading; without `one-shot` a daemon takes two seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the limit of a container counts as known while nothing changes.
const LIMIT_LASTS: Duration = Duration::from_mins(2);
/// A daemon knows `one-shot` from this version of its API on.
const ONE_SHOT: (u16, u16) = (1, 41);
/// The kernel rounds limits to pages; the largest ones have so many bytes.
const PAGE_BYTES_MAX: u64 = 64 << 10;
/// A date that stands for never: nothing runs.
const NEVER: &str = "0001-";

/// A container whose memory is read, and what is known of it.
pub(super) struct Stats {
    at: DockerAt,
    daemon: Option<Daemon>,
    limit: Option<Known>,
    /// The daemon, or the proxy before it, does not take `one-shot`.
    is_slow: bool,
}

/// What an inspection said.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// As a person set it, in bytes; 0: none.
    limit: u64,
    at: Instant,
    /// What the statistics said at the same time.
    key: u64,
}

/// One reading of the statistics, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    used: u64,
    /// The limit in force: that of the host where there is none.
    limit: u64,
    /// Changes where the container or its limit does.
    key: u64,
}

impl Stats {
    pub(super) fn of(at: DockerAt) -> Self {
        Self { at, daemon: None, limit: None, is_slow: false }
    }

    /// Reads once; none where it does not run.
    pub(super) async fn read(&mut self, http: &Http) -> Result<Option<Memory>, Trouble> {
        let (now, until) = (message::until(Duration::ZERO), message::until(PATIENCE));
        let daemon = match self.daemon.take() {
            Some(daemon) => daemon,
            None => Daemon::at(&self.at.endpoint, http, until).await?,
        };
        let memory = self.ask(&daemon, now, until).await?;
        // Kept only where it answers: another one may stand there meanwhile, of another version.
        self.daemon = Some(daemon);
        Ok(memory)
    }

    async fn ask(&mut self, daemon: &Daemon, now: Instant, until: Instant) -> Result<Option<Memory>, Trouble> {
        let stats = self.stats(daemon, until).await?;
        let Some(read) = parse(&stats) else { return Ok(None) };
        let known = self.limit.filter(|known| known.key == read.key && now.duration_since(known.at) < LIMIT_LASTS);
        let limit = if let Some(known) = known {
            known.limit
        } else {
            let path = format!("/containers/{}/json", self.at.container);
            let container = daemon.read(&path, &[], until).await?;
            let limit = container.pointer("/HostConfig/Memory").and_then(Value::as_u64).unwrap_or(0);
            self.limit = Some(Known { limit, at: now, key: read.key });
            limit
        };
        Ok(Some(Memory { used_bytes: read.used, limit_bytes: true_limit(limit, read.limit), oom_kills: None }))
    }

    async fn stats(&mut self, daemon: &Daemon, until: Instant) -> Result<Value, Trouble> {
        let path = format!("/containers/{}/stats", self.at.container);
        let (major, minor) = ONE_SHOT;
        if daemon.speaks(major, minor) && !self.is_slow {
            match daemon.read(&path, &[("stream", "false"), ("one-shot", "true")], until).await {
                Err(Trouble::Refused(_)) => self.is_slow = true,
                read => return read,
            }
        }
        daemon.read(&path, &[("stream", "false")], until).await
    }
}

/// Reads the statistics of a container; none where it does not run.
fn parse(stats: &Value) -> Option<Read> {
    let number = |place: &str| stats.pointer(place).and_then(Value::as_u64);
    if stats.get("read").and_then(Value::as_str).is_some_and(|read| read.starts_with(NEVER)) {
        return None;
    }
    let usage = number("/memory_stats/usage").filter(|usage| 0 < *usage)?;
    // What the kernel can take back at once. The first name is that of cgroup v1, the second that of v2.
    let cache = ["total_inactive_file", "inactive_file"];
    let cache = cache.iter().find_map(|name| number(&format!("/memory_stats/stats/{name}")));
    let used = usage.saturating_sub(cache.filter(|cache| *cache < usage).unwrap_or(0));
    let limit = number("/memory_stats/limit").unwrap_or(0);
    let id = stats.get("id").and_then(Value::as_str).unwrap_or_default();
    let key = crate::http::retry::hash(&[id.as_bytes(), &limit.to_le_bytes()]);
    Some(Read { used, limit, key })
}

/// Returns what limits a container: what a person set, unless the host itself has less.
fn true_limit(set: u64, in_force: u64) -> Option<u64> {
    let is_above_host = 0 < in_force && in_force.saturating_add(PAGE_BYTES_MAX) < set;
    (0 < set && !is_above_host).then_some(set)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Docker 20.10 on cgroup v1 answered (API 1.41).
    const V1: &str = include_str!("../../../tests/fixtures/docker/stats-v1.json");
    /// The keys that Docker 26.1 answers on cgroup v2 (API 1.45).
    const V2: &str = include_str!("../../../tests/fixtures/docker/stats-v2.json");

    fn read(text: &str) -> Option<Read> {
        parse(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn cache_that_can_be_dropped_is_not_in_use() {
        let v1 = read(V1).unwrap();
        assert_eq!((v1.used, v1.limit), (5_017_600 - 3_964_928, 67_108_864));
        let v2 = read(V2).unwrap();
        assert_eq!((v2.used, v2.limit), (418_217_984 - 24_576_000, 1_073_741_824));
        assert_ne!(v1.key, v2.key);
    }

    #[test]
    fn what_does_not_run_has_no_reading() {
        let stopped = json!({ "read": "0001-01-01T00:00:00Z", "memory_stats": {} });
        let zeros = json!({ "read": "0001-01-01T00:00:00Z", "memory_stats": { "usage": 0, "limit": 0 } });
        for nothing in [stopped, zeros, json!({}), json!([]), json!(null), json!({ "memory_stats": { "usage": -1 } })] {
            assert_eq!(parse(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn odd_numbers_are_survived() {
        let more_cache = json!({ "memory_stats": { "usage": 5, "stats": { "inactive_file": 9 } } });
        assert_eq!(parse(&more_cache).map(|read| (read.used, read.limit)), Some((5, 0)));
        let words = json!({ "memory_stats": { "usage": 5, "limit": "much", "stats": "none" } });
        assert_eq!(parse(&words).map(|read| (read.used, read.limit)), Some((5, 0)));
    }

    #[test]
    fn the_limit_is_what_a_person_set() {
        assert_eq!(true_limit(0, 25_276_502_016), None, "the host's memory is no limit");
        assert_eq!(true_limit(512 << 20, 512 << 20), Some(512 << 20));
        assert_eq!(true_limit((64 << 20) + 1, 64 << 20), Some((64 << 20) + 1), "the kernel rounds to pages");
        assert_eq!(true_limit(64 << 30, 32 << 30), None, "the host has less");
        assert_eq!(true_limit(64 << 20, 0), Some(64 << 20));
    }
}
