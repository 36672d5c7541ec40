//! Announcements sent to real receivers, on loopback: good ones, slow ones, dead ones.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper that fails fails its test"
)]
#![expect(clippy::disallowed_methods, reason = "a test measures on its own clock")]

mod events;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::{Notifier, Secret, Signing};
use wa_watchdog::engine::Wall;
use wa_watchdog::engine::ledger::ScanNews;
use wa_watchdog::http::Http;
use wa_watchdog::http::sign::{Key, signature};
use wa_watchdog::notify::{Counts, Notify, QUEUE_MAX};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use events::{opened, scan, storm};

/// Long enough for a slow machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const QR_PAGE: &str = "http://127.0.0.1:1/qr";

/// Notifiers at work, and how to end them.
struct Bench {
    notify: Notify,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Bench {
    fn new(notifiers: Vec<Notifier>) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let clock = Arc::new(now);
        let notify = Notify::new(notifiers, links(), Http::new().unwrap(), clock, tracker.clone(), stop.clone());
        Self { notify, tracker, stop }
    }

    fn count(&self, name: &str) -> Counts {
        self.notify.counts()[name]
    }

    /// Waits until so many events of a notifier are over.
    async fn until(&self, name: &str, holds: impl Fn(Counts) -> bool) {
        let holds = async {
            while !holds(self.count(name)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, holds).await;
        in_time.unwrap_or_else(|_| panic!("in vain: {:?}", self.count(name)));
    }
}

#[tokio::test]
async fn an_event_arrives_signed_and_says_what_it_is_about() {
    let server = server(ResponseTemplate::new(204)).await;
    let folder = tempfile::tempdir().unwrap();
    let (secret, token) = (folder.path().join("secret"), folder.path().join("token"));
    fs::write(&secret, SECRET).unwrap();
    fs::write(&token, "t0ken").unwrap();
    let mut bench = Bench::new(vec![Notifier {
        signing: Some(Signing { secret: Secret::File(secret), previous: None }),
        token: Some(Secret::File(token)),
        ..notifier("ops", &server.uri(), &["*"])
    }]);
    bench.notify.tell(now(), &opened());
    bench.notify.tell(now(), &scan(ScanNews::Wanted));
    bench.until("ops", |counts| counts.sent == 2).await;

    let requests = server.received_requests().await.unwrap();
    let keys = [Key::parse(&SecretString::from(SECRET)).unwrap()];
    for request in &requests {
        assert_eq!((request.method.as_str(), text(request, "content-type")), ("POST", "application/json"));
        let (id, at) = (text(request, "webhook-id"), text(request, "webhook-timestamp"));
        assert!(id.starts_with("wd_") && !id.contains('.'), "{id}");
        assert_eq!(at, "1770195600");
        assert_eq!(text(request, "webhook-signature"), signature(&keys, id, 1_770_195_600, &request.body));
        assert_eq!(text(request, "authorization"), "Bearer t0ken");
    }
    let bodies: Vec<Value> = requests.iter().map(|request| request.body_json().unwrap()).collect();
    let incident = json!({
        "type": "incident.opened",
        "timestamp": "2026-02-04T09:00:00.000Z",
        "data": {
            "target": "shop", "sentence": "seen twice within 60 s; the limit is 2", "incident": 7, "pattern": "state_loop",
            "remedy": "restart", "attempt": null, "qr_page": null, "deadline": null,
        },
    });
    let wanted = json!({
        "type": "scan.wanted",
        "timestamp": "2026-02-04T09:00:00.000Z",
        "data": {
            "target": "shop", "sentence": "a person must scan the QR code, by 09:01:00", "incident": 7, "pattern": null,
            "remedy": null, "attempt": null, "qr_page": QR_PAGE, "deadline": "2026-02-04T09:01:00.000Z",
        },
    });
    assert_eq!(bodies, [incident, wanted]);
    assert_ne!(text(&requests[0], "webhook-id"), text(&requests[1], "webhook-id"));
}

#[tokio::test]
async fn each_notifier_gets_what_it_wants() {
    let server = server(ResponseTemplate::new(200)).await;
    let mut bench = Bench::new(vec![
        notifier("all", &server.uri(), &["*"]),
        notifier("people", &server.uri(), &["scan.wanted", "person.*"]),
    ]);
    for event in [opened(), scan(ScanNews::Wanted), scan(ScanNews::Reminder), storm(true)] {
        bench.notify.tell(now(), &event);
    }
    bench.notify.tell(now(), &events::state_changed());
    bench.until("all", |counts| counts.sent == 4).await;
    bench.until("people", |counts| counts.sent == 1).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_second_try_keeps_the_id_and_the_order() {
    let server = MockServer::builder().start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "0");
    Mock::given(any()).respond_with(busy).up_to_n_times(2).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let mut bench = Bench::new(vec![notifier("ops", &server.uri(), &["*"])]);
    bench.notify.tell(now(), &storm(true));
    bench.notify.tell(now(), &storm(false));
    bench.until("ops", |counts| counts.sent == 2).await;
    let requests = server.received_requests().await.unwrap();
    let ids: Vec<&str> = requests.iter().map(|request| text(request, "webhook-id")).collect();
    let [first, second, third, last] = ids[..] else { panic!("{ids:?}") };
    assert!(first == second && second == third && third != last, "{ids:?}");
    let last: Value = requests.last().unwrap().body_json().unwrap();
    assert_eq!(last["type"], "storm.ended");
}

#[tokio::test]
async fn tries_come_to_an_end() {
    let busy = server(ResponseTemplate::new(500).insert_header("retry-after", "0")).await;
    let wrong = server(ResponseTemplate::new(400)).await;
    let mut bench = Bench::new(vec![notifier("busy", &busy.uri(), &["*"]), notifier("wrong", &wrong.uri(), &["*"])]);
    bench.notify.tell(now(), &storm(true));
    bench.until("busy", |counts| counts.failed == 1).await;
    bench.until("wrong", |counts| counts.failed == 1).await;
    assert_eq!(busy.received_requests().await.unwrap().len(), 3);
    assert_eq!(wrong.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_nobody() {
    // It takes connections, and nothing else.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let good = server(ResponseTemplate::new(200)).await;
    let mut bench = Bench::new(vec![notifier("silent", &url, &["*"]), notifier("good", &good.uri(), &["*"])]);
    bench.notify.tell(now(), &storm(true));
    // Its task has taken that one, and waits for the answer.
    let _held = tokio::time::timeout(PATIENCE, silent.accept()).await.expect("it is told").unwrap();
    let surplus = 7;
    let began = Instant::now();
    for _ in 0..QUEUE_MAX + surplus {
        bench.notify.tell(now(), &storm(false));
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed() < PATIENCE / 3, "telling took {:?}", began.elapsed());
    let counts = bench.count("silent");
    assert_eq!((counts.sent, counts.failed), (0, 0));
    assert_eq!(counts.dropped, u64::try_from(surplus).unwrap());
    bench.until("good", |counts| 0 < counts.sent).await;
    bench.stop.cancel();
    bench.tracker.close();
    tokio::time::timeout(PATIENCE, bench.tracker.wait()).await.expect("every task ends at once");
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_nothing_until_the_next_reload() {
    let server = server(ResponseTemplate::new(410)).await;
    let notifiers = || vec![notifier("ops", &server.uri(), &["*"])];
    let mut bench = Bench::new(notifiers());
    bench.notify.tell(now(), &storm(true));
    bench.until("ops", |counts| counts.failed == 1).await;
    bench.notify.tell(now(), &storm(false));
    bench.until("ops", |counts| counts.dropped == 1).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    bench.notify.replace(notifiers(), links());
    bench.notify.tell(now(), &storm(true));
    bench.until("ops", |counts| counts.failed == 2).await;
    assert_eq!(bench.count("ops"), Counts { sent: 0, failed: 2, dropped: 1 });
}

#[tokio::test]
async fn a_reload_keeps_what_waits_and_ends_what_is_gone() {
    let (before, after) = (server(ResponseTemplate::new(200)).await, server(ResponseTemplate::new(200)).await);
    let gone = notifier("gone", &before.uri(), &["*"]);
    let mut bench = Bench::new(vec![notifier("ops", &before.uri(), &["*"]), gone]);
    bench.notify.tell(now(), &storm(true));
    bench.until("ops", |counts| counts.sent == 1).await;
    bench.until("gone", |counts| counts.sent == 1).await;
    bench.notify.replace(vec![notifier("ops", &after.uri(), &["scan.*"])], BTreeMap::new());
    bench.notify.tell(now(), &storm(false));
    bench.notify.tell(now(), &scan(ScanNews::Expired));
    bench.until("ops", |counts| counts.sent == 2).await;
    let [request] = &after.received_requests().await.unwrap()[..] else { panic!("not one request") };
    let body: Value = request.body_json().unwrap();
    assert_eq!((&body["type"], &body["data"]["qr_page"]), (&json!("scan.expired"), &Value::Null));
    assert_eq!(bench.notify.counts().into_keys().collect::<Vec<_>>(), ["ops"]);
    assert_eq!(before.received_requests().await.unwrap().len(), 2);
}

/// Starts a receiver of this test alone: one of a pool would hear what an earlier test still sends.
async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::builder().start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

fn notifier(name: &str, url: &str, events: &[&str]) -> Notifier {
    Notifier {
        name: name.to_owned(),
        url: url.to_owned(),
        events: events.iter().map(|filter| (*filter).to_owned()).collect(),
        signing: None,
        token: None,
        timeout: PATIENCE,
        tries_max: 3,
    }
}

fn links() -> BTreeMap<wa_watchdog::engine::TargetId, String> {
    BTreeMap::from([(events::shop(), QR_PAGE.to_owned())])
}

fn now() -> Wall {
    "2026-02-04T09:00:00Z".parse().unwrap()
}

fn text<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}
