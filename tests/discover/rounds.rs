//! A section asked again and again: what it reports, and what changes nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wa_watchdog::config::Discovery;
use wa_watchdog::discover::{Counted, Counts, Desk, Held, Report, follow};
use wa_watchdog::http::Http;
use wiremock::{MockServer, ResponseTemplate};

use crate::{PATIENCE, account, always, clock, row};

/// Far shorter than a configuration may say.
const EVERY: Duration = Duration::from_millis(40);

#[tokio::test]
async fn sessions_come_and_go_and_who_stays_is_the_same_target() {
    let server = MockServer::start().await;
    list(&server, json!([row(1, "a"), row(2, "b"), row(3, "b")])).await;
    let mut section = Section::begin(account(&server, "wasender"));
    let first = section.next().await;
    assert_eq!(names(&first), ["a-a", "a-b", "a-b-3"]);
    list(&server, json!([row(4, "d"), row(3, "b"), row(1, "renamed")])).await;
    let second = section.next().await;
    assert_eq!(names(&second), ["a-a", "a-b-3", "a-d"], "names are kept for as long as a session exists");
    let target = |held: &Held, id: &str| Arc::clone(&held[id].ready.as_ref().unwrap().target);
    assert!(Arc::ptr_eq(&target(&first, "a-b-3"), &target(&second, "a-b-3")));
    list(&server, json!([])).await;
    assert!(section.next().await.is_empty(), "a clean list that is empty means that there are none");
}

#[tokio::test]
async fn a_refresh_that_fails_changes_nothing() {
    let server = MockServer::start().await;
    list(&server, json!([row(1, "a"), row(2, "b")])).await;
    let mut section = Section::begin(account(&server, "wasender"));
    assert_eq!(section.next().await.len(), 2);
    let empty = json!({ "success": true, "data": [] });
    for (response, outcome) in [
        (ResponseTemplate::new(500).set_body_json(&empty), "bad_status"),
        (ResponseTemplate::new(401).set_body_json(&empty), "refused"),
        (ResponseTemplate::new(202).set_body_json(&empty), "bad_status"),
        (ResponseTemplate::new(200).set_body_string("<html>"), "not_understood"),
    ] {
        let before = section.counts.now().refreshes[outcome];
        always(&server, response).await;
        section.until(|counted| before + 2 <= counted.refreshes[outcome]).await;
        let counted = section.counts.now();
        assert_eq!(counted.up, Some(false));
        assert!(counted.last_success.is_some());
    }
    assert!(section.reports.try_recv().is_err(), "nobody was told anything");
    list(&server, json!([row(2, "b")])).await;
    let last = section.next().await;
    assert_eq!(names(&last), ["a-b"]);
    assert_eq!(section.counts.now().up, Some(true));
}

#[tokio::test]
async fn the_same_list_is_reported_once() {
    let server = MockServer::start().await;
    list(&server, json!([row(1, "a")])).await;
    let mut section = Section::begin(account(&server, "wasender"));
    assert_eq!(section.next().await.len(), 1);
    section.until(|counted| 4 <= counted.refreshes["found"]).await;
    assert!(section.reports.try_recv().is_err());
}

#[tokio::test]
async fn a_gateway_that_asks_for_a_pause_gets_it() {
    let server = MockServer::start().await;
    always(&server, ResponseTemplate::new(429).insert_header("retry-after", "30")).await;
    let section = Section::begin(account(&server, "wasender"));
    section.until(|counted| counted.refreshes["throttled"] == 1).await;
    tokio::time::sleep(EVERY * 5).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    // Where it does not say for how long, the pauses grow.
    let other = MockServer::start().await;
    always(&other, ResponseTemplate::new(429)).await;
    let section = Section::begin(account(&other, "wasender"));
    section.until(|counted| counted.refreshes["throttled"] == 3).await;
    let times = other.received_requests().await.unwrap().len();
    tokio::time::sleep(EVERY * 6).await;
    assert_eq!(other.received_requests().await.unwrap().len(), times, "the next one comes after eight pauses");
}

#[tokio::test]
async fn what_is_too_much_or_cannot_be_watched_is_counted() {
    let server = MockServer::start().await;
    list(&server, json!([row(1, "a"), row(2, "b"), row(3, "c")])).await;
    let mut discovery = account(&server, "wasender");
    discovery.max = 2;
    let mut section = Section::begin(discovery);
    let first = section.next().await;
    assert_eq!(names(&first), ["a-a", "a-b"]);
    section.until(|counted| 1 <= counted.over_max).await;
    list(&server, json!([row(3, "c"), row(2, "b"), row(1, "a")])).await;
    let before = section.counts.now().refreshes["found"];
    section.until(|counted| before + 2 <= counted.refreshes["found"]).await;
    assert!(section.reports.try_recv().is_err(), "who is watched stays");

    // A session whose name cannot stand in a path is found, and is no target.
    let waha = MockServer::start().await;
    always(&waha, ResponseTemplate::new(200).set_body_json(json!([{ "name": ".." }, { "name": "good" }]))).await;
    let mut section = Section::begin(account(&waha, "waha"));
    let held = section.next().await;
    let ready: Vec<&str> = held.iter().filter(|(_, entry)| entry.ready.is_some()).map(|(id, _)| id.as_str()).collect();
    assert_eq!((ready, held.len()), (vec!["a-good"], 2));
    section.until(|counted| 2 <= counted.unusable).await;
    assert!(section.reports.try_recv().is_err(), "it is told once");
}

/// A section under way.
struct Section {
    counts: Arc<Counts>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<()>,
}

impl Section {
    fn begin(mut discovery: Discovery) -> Self {
        discovery.every = EVERY;
        let of = Arc::new(discovery);
        let (sender, reports) = mpsc::channel(1);
        let counts = Arc::<Counts>::default();
        let desk = Desk { http: Http::new().unwrap(), clock: clock(), reports: sender };
        let task = tokio::spawn(follow(of, Arc::default(), Arc::clone(&counts), desk));
        Self { counts, reports, task }
    }

    async fn next(&mut self) -> Arc<Held> {
        timeout(PATIENCE, self.reports.recv()).await.unwrap().unwrap().held
    }

    async fn until(&self, is_so: impl Fn(&Counted) -> bool) {
        let waiting = async {
            while !is_so(&self.counts.now()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, waiting).await.is_ok(), "in vain: {:?}", self.counts.now());
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn list(server: &MockServer, rows: Value) {
    always(server, ResponseTemplate::new(200).set_body_json(json!({ "success": true, "data": rows }))).await;
}

fn names(held: &Held) -> Vec<&str> {
    held.keys().map(wa_watchdog::engine::TargetId::as_str).collect()
}
