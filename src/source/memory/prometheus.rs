//! What a Prometheus knows of a container's memory.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;
use tokio::time::timeout;

use crate::config::{PrometheusAt, Secret};
use crate::engine::moment::{Wall, words};
use crate::engine::sample::Memory;
use crate::http::{Http, message, read_capped};

/// Longest time for one query.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read, in bytes: one number, or what is wrong.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// A number that is older than this is of the past. Prometheus itself would take one of five minutes ago for the present one.
const FRESH_FOR: Duration = Duration::from_mins(2);
/// The same as Prometheus reads it; versions before 2.38 do not, and take five minutes.
const LOOKBACK: &str = "2m";
/// Longest message that is repeated, in characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// What is asked.
pub(super) struct Queries {
    at: PrometheusAt,
}

impl Queries {
    pub(super) fn of(at: PrometheusAt) -> Self {
        Self { at }
    }

    /// Asks once; none where it does not know what is in use.
    pub(super) async fn read(&self, http: &Http, now: Wall) -> Result<Option<Memory>, String> {
        let headers = headers(self.at.token.as_ref()).await?;
        let ask = async |query: &str| {
            let asked = timeout(PATIENCE, self.ask(http, &headers, query)).await;
            let answer = asked.map_err(|_elapsed| "the Prometheus takes too long".to_owned())??;
            number(&answer, now)
        };
        let Some(used) = ask(&self.at.used).await? else { return Ok(None) };
        let limit = match &self.at.limit {
            Some(query) => ask(query).await?,
            None => None,
        };
        let oom_kills = match &self.at.oom {
            Some(query) => ask(query).await?,
            None => None,
        };
        Ok(Some(Memory { used_bytes: used, limit_bytes: limit.filter(|limit| 0 < *limit), oom_kills }))
    }

    async fn ask(&self, http: &Http, headers: &HeaderMap, query: &str) -> Result<Value, String> {
        let url = format!("{}/api/v1/query", self.at.url);
        let url = Url::parse_with_params(&url, [("query", query), ("lookback_delta", LOOKBACK)]);
        let url = url.map_err(|error| error.to_string())?;
        let response = http.get(&url, headers).await.map_err(|why| format!("the Prometheus does not answer: {why}"))?;
        let status = response.status();
        let body = read_capped(response, ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
        let answer = serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null);
        if status.is_success() && answer.get("status").and_then(Value::as_str) == Some("success") {
            return Ok(answer);
        }
        let why = answer.get("error").and_then(Value::as_str).unwrap_or("its answer is not understood");
        let why: String = why.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect();
        Err(format!("the Prometheus answers {status} to the query {query:?}: {why}"))
    }
}

async fn headers(token: Option<&Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        let secret = message::read(token).await.map_err(|error| error.to_string())?;
        let text = Zeroizing::new(["Bearer ", secret.expose_secret()].concat());
        let mut value = HeaderValue::from_str(&text).map_err(|_| "the token cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Reads the one number that an answer holds; none where it knows none.
fn number(answer: &Value, now: Wall) -> Result<Option<u64>, String> {
    let result = answer.pointer("/data/result");
    let pair = match answer.pointer("/data/resultType").and_then(Value::as_str) {
        Some("scalar") => result,
        Some("vector") => {
            let series = result.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            match series {
                [] => return Ok(None),
                [one] => one.get("value"),
                [_, _, ..] => {
                    let count = series.len();
                    return Err(format!(
                        "the query gives {count} numbers: narrow it by labels, or take sum() or max()"
                    ));
                }
            }
        }
        Some(_) | None => return Err("the query gives no number".to_owned()),
    };
    let part = |place| pair.and_then(|pair| pair.get(place));
    let at = part(0).and_then(Value::as_f64);
    let value = part(1).and_then(Value::as_str).and_then(|text| text.parse::<f64>().ok());
    let Some((at, value)) = at.zip(value) else { return Err("the query gives no number".to_owned()) };
    let age = Duration::try_from_secs_f64(now.secs_f64() - at).unwrap_or_default();
    if FRESH_FOR < age {
        return Err(format!("what the query gives is older than {}", words(FRESH_FOR)));
    }
    Ok(whole(value))
}

/// Returns whole bytes; none for what is no number of bytes.
fn whole(value: f64) -> Option<u64> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is finite and not negative, and beyond u64 it becomes its largest number"
    )]
    let whole = value as u64;
    (value.is_finite() && 0.0 <= value).then_some(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Wall {
        "2026-02-04T09:00:00Z".parse().unwrap()
    }

    fn vector(values: &[&str]) -> Value {
        let series: Vec<Value> =
            values.iter().map(|value| json!({ "metric": {}, "value": [now().secs_f64(), value] })).collect();
        json!({ "status": "success", "data": { "resultType": "vector", "result": series } })
    }

    #[test]
    fn one_number_is_read_and_none_is_unknown() {
        assert_eq!(number(&vector(&["4.18217984e+08"]), now()), Ok(Some(418_217_984)));
        assert_eq!(number(&vector(&[]), now()), Ok(None));
        for unknown in ["NaN", "+Inf", "-Inf", "-1"] {
            assert_eq!(number(&vector(&[unknown]), now()), Ok(None), "{unknown}");
        }
        let scalar = json!({ "data": { "resultType": "scalar", "result": [now().secs_f64(), "7"] } });
        assert_eq!(number(&scalar, now()), Ok(Some(7)));
    }

    #[test]
    fn what_is_old_or_more_than_one_does_not_count() {
        let later = now().after(Duration::from_mins(3));
        assert_eq!(number(&vector(&["7"]), later), Err("what the query gives is older than 2 min".to_owned()));
        assert!(number(&vector(&["7", "8"]), now()).unwrap_err().contains("2 numbers"));
        let garbage = [json!(null), json!({ "data": { "resultType": "matrix", "result": [] } }), vector(&["much"])];
        for odd in garbage {
            assert_eq!(number(&odd, now()), Err("the query gives no number".to_owned()), "{odd}");
        }
        let half = json!({ "data": { "resultType": "vector", "result": [{ "value": [1] }] } });
        assert!(number(&half, now()).is_err());
    }
}
