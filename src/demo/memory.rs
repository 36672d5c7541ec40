//! How much memory a scripted service uses, told in the wire form of a Prometheus that answers one query with one number.

use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;

use super::Tick;
use super::reply::{JSON, Reply};

/// What a service uses, in MiB: it grows from the start on, up to a most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// What it may use.
    pub(super) limit: u64,
    /// What it uses at the start.
    pub(super) first: u64,
    /// What it uses more each second.
    pub(super) each_sec: u64,
    /// What it uses at most.
    pub(super) most: u64,
}

/// Where a Prometheus takes queries.
pub(super) const PATH: &str = "/api/v1/query";
/// The query for what is in use.
pub(super) const USED: &str = "used_bytes";
/// The query for the limit.
pub(super) const LIMIT: &str = "limit_bytes";

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    data: Data,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: &'static str,
    result: (f64, String),
}

/// Answers a query as the script has it. `query` is the part of the URL behind the question mark.
pub(super) fn answer(memory: &Memory, tick: Tick, query: &str) -> Reply {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("query="));
    let mib = match asked {
        Some(USED) => memory.used_mib(tick.elapsed),
        Some(LIMIT) => memory.limit,
        Some(_) | None => {
            let error = serde_json::json!({ "status": "error", "errorType": "bad_data", "error": "unknown query" });
            return Reply::json(StatusCode::BAD_REQUEST, JSON, &error);
        }
    };
    let result = (tick.now.wall.secs_f64(), mib.saturating_mul(1 << 20).to_string());
    Reply::json(StatusCode::OK, JSON, &Answer { status: "success", data: Data { result_type: "scalar", result } })
}

impl Memory {
    fn used_mib(&self, elapsed: Duration) -> u64 {
        self.first.saturating_add(self.each_sec.saturating_mul(elapsed.as_secs())).min(self.most)
    }
}
