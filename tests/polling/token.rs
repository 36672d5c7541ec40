//! Tokens: read at each use, sent where the dialect wants them, shown nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use wa_watchdog::config::{Secret, Target};
use wa_watchdog::engine::Ask;
use wa_watchdog::engine::sample::Reply;
use wa_watchdog::http::Http;
use wa_watchdog::source::{Endpoints, Sources, Unasked};

use crate::server::{Act, Server, http, ok};
use crate::{acme, ask, clock, id, poller, shop, until};

const GOOD: &str = r#"{"success":true,"data":{"id":16548,"status":"connected"}}"#;

#[tokio::test]
async fn a_token_can_be_rotated_between_two_polls() {
    let server = Server::start([vec![ok(GOOD), ok(GOOD)]]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let (poller, endpoints) = (poller(), Endpoints::of(Arc::new(with_token(acme(&server.url), &path))));
    for token in ["first-1f3a", "second-77c0"] {
        fs::write(&path, format!("{token}\n")).unwrap();
        poller.ask(&endpoints, Ask::Status).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert!(request.contains(&format!("\r\nauthorization: Bearer {token}\r\n")), "{request}");
        assert!(request.contains("\r\naccept: application/json\r\n"), "{request}");
    }
}

#[tokio::test]
async fn a_dialect_that_takes_no_token_gets_none() {
    let server = Server::always(ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "first-1f3a").unwrap();
    ask(with_token(shop(&server.url), &path), Ask::Status).await.unwrap();
    assert!(!server.requests()[0].contains("first-1f3a"), "{:?}", server.requests());
}

#[tokio::test]
async fn without_its_token_a_target_is_not_asked() {
    let server = Server::always(ok(GOOD)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let asked = ask(with_token(acme(&server.url), &path), Ask::Status).await;
    assert!(matches!(asked, Err(Unasked::NoToken(_))), "{asked:?}");
    fs::write(&path, "first\nsecond").unwrap();
    let asked = ask(with_token(acme(&server.url), &path), Ask::Status).await;
    assert!(matches!(asked, Err(Unasked::NoToken(_))), "{asked:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn neither_token_nor_body_nor_url_is_ever_shown() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_max_level(LevelFilter::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let server = Server::start([vec![ok(r#"{"data":{"status":"body-9d21"}}"#), Act::Reset], vec![Act::Hang]]).await;
    let mut target = with_token(acme(&server.url), &path);
    target.status_path = Some("/status?key=query-40b7".to_owned());
    let targets = BTreeMap::from([(id("acme"), Arc::new(target.clone()))]);
    let (samples, mut seen) = mpsc::channel(8);
    let sources = Sources::new(targets, Http::new().unwrap(), clock(), samples, TaskTracker::new());

    for token in ["first-1f3a\nsecond-77c0", "second-77c0"] {
        fs::write(&path, token).unwrap();
        sources.ask(&id("acme"), Ask::Status);
        until("the call is over", || sources.in_flight() == 0).await;
    }
    sources.ask(&id("acme"), Ask::Status);
    until("the broken call is sent again", || server.requests().len() == 3).await;
    let in_flight = format!("{sources:?} {target:?} {:?}", seen.try_recv());
    drop((sources, guard));

    let shown = format!("{in_flight} {}", log.text());
    assert!(shown.contains("a target cannot be asked"), "{shown}");
    for secret in ["1f3a", "77c0"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let log = log.text();
    for hidden in ["body-9d21", "query-40b7"] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_told_once_until_it_can() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_max_level(LevelFilter::WARN).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let server = Server::always(Act::Last(http("200 OK", &[], GOOD))).await;
    let targets = BTreeMap::from([(id("acme"), Arc::new(with_token(acme(&server.url), &path)))]);
    let (samples, mut seen) = mpsc::channel(8);
    let sources = Sources::new(targets, Http::new().unwrap(), clock(), samples, TaskTracker::new());
    let told = || log.text().matches("a target cannot be asked").count();

    for unasked in 1..=3 {
        sources.ask(&id("acme"), Ask::Status);
        until("the order is dropped", || sources.dropped()["poll_unasked"] == unasked && sources.in_flight() == 0)
            .await;
    }
    assert_eq!(told(), 1, "{}", log.text());
    assert!(log.text().contains("target_id=acme") && log.text().contains("No such file"), "{}", log.text());
    for _ in 0..3 {
        let sample = seen.try_recv().unwrap().sample;
        assert!(matches!(sample, wa_watchdog::engine::Sample::Poll { reply: Reply::Unasked(_), .. }), "{sample:?}");
    }
    assert!(seen.try_recv().is_err());

    fs::write(&path, "second-77c0").unwrap();
    sources.ask(&id("acme"), Ask::Status);
    seen.recv().await.unwrap();
    fs::remove_file(&path).unwrap();
    sources.ask(&id("acme"), Ask::Status);
    until("it is told again", || told() == 2).await;
}

fn with_token(target: Target, path: &Path) -> Target {
    Target { token: Some(Secret::File(path.to_owned())), ..target }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
