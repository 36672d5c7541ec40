//! What the vendor's own list says that happened between two polls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::Target;
use wa_watchdog::engine::sample::{Reply, SessionState};
use wa_watchdog::engine::{Ask, Moment, Sample, Wall};
use wa_watchdog::http::Http;
use wa_watchdog::recording::News;
use wa_watchdog::source::Sources;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{PATIENCE, acme, id, reply, state};

const STATUS: &str = "/whatsapp-sessions/16548";
const LOGS: &str = "/whatsapp-sessions/16548/session-logs";

/// A vendor, a watchdog, and the time.
struct Scene {
    vendor: MockServer,
    sources: Sources,
    samples: mpsc::Receiver<News>,
    secs: Arc<AtomicU64>,
}

impl Scene {
    async fn start(change: impl FnOnce(Target) -> Target) -> Self {
        let vendor = MockServer::builder().start().await;
        let secs = Arc::new(AtomicU64::new(0));
        let clock = {
            let secs = Arc::clone(&secs);
            let wall: Wall = "2026-02-04T09:00:00Z".parse().unwrap();
            Arc::new(move || {
                let uptime = Duration::from_secs(secs.load(Ordering::SeqCst));
                Moment { uptime, wall: wall.after(uptime) }
            })
        };
        let (sender, samples) = mpsc::channel(32);
        let target = change(acme(&vendor.uri()));
        let targets = BTreeMap::from([(id("acme"), Arc::new(Target { id: id("acme"), ..target }))]);
        let sources = Sources::new(targets, Http::new().unwrap(), clock, sender, TaskTracker::new());
        Self { vendor, sources, samples, secs }
    }

    /// A minute later: the list is this, and the session is asked once.
    async fn minute(&mut self, logs: ResponseTemplate) -> Vec<SessionState> {
        self.vendor.reset().await;
        let body = json!({ "success": true, "data": { "id": 16548, "status": "connected" } });
        let status = ResponseTemplate::new(200).set_body_json(body);
        Mock::given(path(STATUS)).respond_with(status.clone()).mount(&self.vendor).await;
        Mock::given(path("/status")).respond_with(status).mount(&self.vendor).await;
        Mock::given(path(LOGS)).respond_with(logs).mount(&self.vendor).await;
        self.secs.fetch_add(60, Ordering::SeqCst);
        self.ask().await;
        // The next poll is asked when the list was read, or not.
        self.settle().await;
        std::iter::from_fn(|| self.samples.try_recv().ok()).map(|news| signal(news.sample)).collect()
    }

    async fn ask(&mut self) {
        self.sources.ask(&id("acme"), Ask::Status);
        let news = timeout(PATIENCE, self.samples.recv()).await.unwrap().unwrap();
        assert_eq!(state(&reply(news.sample)), SessionState::Connected);
    }

    /// Waits until nothing is said any more for a moment.
    async fn settle(&mut self) {
        let asked = |requests: &[wiremock::Request]| requests.iter().any(|request| request.url.path() == LOGS);
        for _ in 0..50 {
            if asked(&self.vendor.received_requests().await.unwrap()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    async fn asked(&self) -> Vec<String> {
        let requests = self.vendor.received_requests().await.unwrap();
        requests.iter().map(|request| request.url.path().to_owned()).collect()
    }
}

fn signal(sample: Sample) -> SessionState {
    let Sample::Signal(signal) = sample else { panic!("{sample:?}") };
    signal.state
}

fn logs(rows: &[(u64, &str, &str)]) -> ResponseTemplate {
    let row = |(id, kind, status): &(u64, &str, &str)| {
        json!({ "id": id, "whatsapp_session_id": 16548, "event_type": kind, "status": status,
            "occurred_at": "2026-02-04T08:59:30.000000Z" })
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    ResponseTemplate::new(200)
        .set_body_json(json!({ "success": true, "data": { "current_page": 1, "data": rows, "per_page": 15 } }))
}

#[tokio::test]
async fn changes_between_two_polls_are_told_once_and_in_their_order() {
    let mut scene = Scene::start(|target| target).await;
    let old = [(201, "status_change", "connected"), (200, "status_change", "need_scan")];
    assert_eq!(scene.minute(logs(&old)).await, []);
    assert_eq!(scene.asked().await, [STATUS, LOGS], "one after the other");
    let new = [
        (204, "status_change", "CONNECTED"),
        (203, "session_restarted", "connected"),
        (202, "status_change", "connecting"),
        old[0],
    ];
    assert_eq!(scene.minute(logs(&new)).await, [SessionState::Connecting, SessionState::Connected]);
    assert_eq!(scene.minute(logs(&new)).await, []);
    // Within the minute nobody asks for it.
    scene.ask().await;
    scene.settle().await;
    assert_eq!(scene.asked().await, [STATUS, LOGS, STATUS]);
}

#[tokio::test]
async fn a_list_that_is_not_heard_says_nothing() {
    let mut scene = Scene::start(|target| target).await;
    assert_eq!(scene.minute(logs(&[(1, "status_change", "connected")])).await, []);
    for answer in [
        ResponseTemplate::new(502).set_body_string("<html>"),
        ResponseTemplate::new(404)
            .set_body_json(json!({ "success": false, "error": "The specified session was not found." })),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_json(json!({ "success": true, "data": { "data": [{ "id": "x" }, 7] } })),
    ] {
        assert_eq!(scene.minute(answer).await, []);
    }
    let end = scene.minute(logs(&[(2, "status_change", "expired")])).await;
    assert_eq!(end, [SessionState::Expired], "what was not heard then is heard now");
}

#[tokio::test]
async fn a_vendor_that_is_asked_too_often_is_left_alone() {
    let mut scene = Scene::start(|target| target).await;
    let throttled = ResponseTemplate::new(429).set_body_json(json!({ "retry_after": 7 }));
    Mock::given(path(STATUS)).respond_with(logs(&[])).mount(&scene.vendor).await;
    Mock::given(path(LOGS)).respond_with(throttled).mount(&scene.vendor).await;
    scene.sources.ask(&id("acme"), Ask::Status);
    timeout(PATIENCE, scene.samples.recv()).await.unwrap().unwrap();
    let news = timeout(PATIENCE, scene.samples.recv()).await.unwrap().unwrap();
    assert_eq!(reply(news.sample), Reply::Throttled { retry_after: Some(Duration::from_secs(7)) });
}

#[tokio::test]
async fn the_key_of_a_session_opens_no_list() {
    let mut scene = Scene::start(|target| Target { status_path: Some("/status".to_owned()), ..target }).await;
    assert_eq!(scene.minute(logs(&[])).await, []);
    assert_eq!(scene.asked().await, ["/status"]);
}
