//! Discoveries against servers and files that do what real ones do, and what no good one does.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on shall stop; helpers of tests"
)]

mod kinds;
mod rounds;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wa_watchdog::config::{self, Discovery};
use wa_watchdog::discover::{self, Clock, Failed, Heard};
use wa_watchdog::engine::Moment;
use wa_watchdog::http::Http;
use wiremock::matchers::{header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(20);
/// The account's token.
const TOKEN: &str = "1084|personal";
/// What stands in a vendor's list and must never leave it.
const SECRETS: [&str; 2] = ["api-key-of-a-session", "webhook-secret-of-a-session"];

/// Reads the one section of a configuration; `TOKEN` lies in the file `token`.
fn discovery(folder: &Path, text: &str) -> Discovery {
    fs::write(folder.join("token"), TOKEN).unwrap();
    config::parse(text, "f", folder, &BTreeMap::new()).unwrap().discoveries.remove(0)
}

/// A section of an account at a server.
fn account(server: &MockServer, kind: &str) -> Discovery {
    let folder = tempfile::tempdir().unwrap().keep();
    let url = format!("{}{}", server.uri(), if kind == "wasender" { "/api" } else { "" });
    discovery(&folder, &format!("[discover.a.{kind}]\nurl = \"{url}\"\ntoken_file = \"token\"\n"))
}

async fn ask(discovery: &Discovery) -> Result<Heard, Failed> {
    discover::ask(discovery, &Http::new().unwrap(), &clock(), &BTreeMap::new()).await
}

fn clock() -> Clock {
    let begun = std::time::Instant::now();
    Arc::new(move || Moment { uptime: begun.elapsed(), wall: "2026-02-04T09:00:00Z".parse().unwrap() })
}

/// A row of a vendor's list, as it comes.
fn row(id: u64, name: &str) -> Value {
    json!({
        "id": id, "name": name, "phone_number": "+15550100", "status": "connected", "account_protection": true,
        "log_messages": true, "webhook_url": null, "webhook_enabled": false, "webhook_events": null,
        "api_key": SECRETS[0], "webhook_secret": SECRETS[1], "created_at": "2025-09-20T09:00:00Z",
    })
}

/// Answers the vendor's list, one page.
async fn page(server: &MockServer, number: u64, body: &Value) {
    let mock = Mock::given(method("GET"))
        .and(path("/api/whatsapp-sessions"))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .and(header("accept", "application/json"));
    let mock = if number == 1 {
        mock.and(query_param_is_missing("page"))
    } else {
        mock.and(query_param("page", number.to_string()))
    };
    mock.respond_with(ResponseTemplate::new(200).set_body_json(body)).mount(server).await;
}

/// Answers everything the same.
async fn always(server: &MockServer, response: ResponseTemplate) {
    server.reset().await;
    Mock::given(method("GET")).respond_with(response).mount(server).await;
}
