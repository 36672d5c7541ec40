//! The scripted gateways over real HTTP, at the seconds of their scripts that matter. A held clock stands in for time.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on shall stop")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wa_watchdog::config;
use wa_watchdog::demo::{Gateways, Place, Target, settings};
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::{Moment, Wall};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_failure_of_the_demo_has_its_gateway_and_three_are_well() {
    let stage = Stage::open(1).await;
    let cast: Vec<_> = stage.gateways.targets().iter().map(|target| (target.name, target.expects)).collect();
    let expected = [
        ("healthy", None),
        ("restarting", None),
        ("loop", Some(Pattern::StateLoop)),
        ("conflict", Some(Pattern::Conflict)),
        ("stuck-qr", Some(Pattern::StuckQr)),
        ("down", Some(Pattern::Unreachable)),
        ("wasender", Some(Pattern::Repeated404)),
        ("leak", Some(Pattern::MemoryPressure)),
        ("bot", None),
        ("hung", Some(Pattern::NeverReady)),
        ("expired", Some(Pattern::SessionExpired)),
    ];
    assert_eq!(cast, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_configuration_that_watches_them_is_well() {
    let stage = Stage::open(1).await;
    let folder = tempfile::tempdir().unwrap();
    let targets = stage.gateways.targets();
    let place = Place::new(folder.path(), targets).unwrap();
    let text = settings(targets, "127.0.0.1:9877".parse().unwrap(), &place);
    let settings = config::parse(&text, "demo.toml", folder.path(), &BTreeMap::new()).unwrap();
    // It acts, and the reset that it shows has no restart before it: both are meant.
    let warned: Vec<&str> = settings.warnings.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(warned, ["target.hung.mode", "target.expired"]);
    assert_eq!(settings.targets["wasender"].timeout, Duration::from_millis(800));
    assert_eq!((settings.targets.len(), settings.discoveries.len()), (10, 1), "one of them is found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hook_mends_its_session_once_an_id() {
    let stage = Stage::open(1).await;
    stage.set_millis(10_000);
    assert_eq!(stage.status("expired")["state"], "LOGOUT");
    assert_eq!(stage.call("expired", "reset", ""), 400, "a call without an id is none");
    assert_eq!(stage.call("expired", "reset", "webhook-id: wd_1\r\n"), 200);
    stage.set_millis(13_000);
    assert_eq!(stage.status("expired")["hasQR"], true);
    assert_eq!(stage.call("expired", "reset", "webhook-id: wd_1\r\n"), 200, "the same call again");
    stage.set_millis(25_000);
    assert_eq!(stage.status("expired")["connected"], true, "the script has scanned");
    assert_eq!(stage.call("healthy", "reset", "webhook-id: wd_2\r\n"), 404, "it has no hook");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_healthy_session_stays_connected_while_messages_pass() {
    let stage = Stage::open(1).await;
    assert_eq!(
        stage.get_ok("healthy", "/status"),
        r#"{"connected":true,"hasQR":false,"state":"connected","lastMessageAt":"2026-02-04T09:00:00.000Z","timestamp":"2026-02-04T09:00:00.000Z"}"#
    );
    stage.set_millis(7500);
    assert_eq!(
        stage.get_ok("healthy", "/status"),
        r#"{"connected":true,"hasQR":false,"state":"connected","lastMessageAt":"2026-02-04T09:00:06.000Z","timestamp":"2026-02-04T09:00:07.500Z"}"#
    );
    stage.set_millis(3_600_000);
    assert_eq!(stage.status("healthy")["lastMessageAt"], "2026-02-04T10:00:00.000Z");
    assert_eq!(
        stage.get_ok("healthy", "/health"),
        r#"{"status":"ok","whatsapp":{"ready":true,"hasQR":false,"connectionState":"connected"},"timestamp":"2026-02-04T10:00:00.000Z"}"#
    );
    assert_eq!(
        stage.get_ok("healthy", "/qr"),
        r#"{"status":"connected","authenticated":true,"message":"WhatsApp is connected"}"#
    );
    assert!(stage.get_ok("healthy", "/qr-display").contains("Connected!"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_loop_connects_and_falls_again_and_again() {
    let stage = Stage::open(1).await;
    let seen: Vec<String> = (0..15).map(|second| stage.at(second).word("loop")).collect();
    let round = ["CONNECTED+", "CONNECTED+", "CONNECTED+", "OPENING-", "OPENING-", "PAIRING-", "PAIRING-"];
    let expected: Vec<&str> = round.iter().copied().cycle().take(15).collect();
    assert_eq!(seen, expected);
    assert_eq!(stage.at(7 * 1000 + 5).word("loop"), "PAIRING-", "it never ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_conflict_comes_once_and_stays() {
    let stage = Stage::open(1).await;
    assert_eq!(stage.at(7).word("conflict"), "CONNECTED+");
    assert_eq!(
        stage.at(8).get_ok("conflict", "/status"),
        r#"{"connected":false,"hasQR":false,"state":"CONFLICT","lastDisconnectReason":"CONFLICT","timestamp":"2026-02-04T09:00:08.000Z"}"#
    );
    assert_eq!(stage.at(3600).word("conflict"), "CONFLICT-");
    assert_eq!(stage.get_ok("conflict", "/qr"), r#"{"status":"initializing","message":"No QR code yet"}"#);
    assert!(stage.get_ok("conflict", "/qr-display").contains("Initializing..."));
    assert!(stage.get_ok("conflict", "/health").starts_with(r#"{"status":"ok","#), "health is well whatever happens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stuck_qr_wants_a_scan_for_ever_and_its_code_lives() {
    let stage = Stage::open(1).await;
    assert_eq!(
        stage.get_ok("stuck-qr", "/status"),
        r#"{"connected":false,"hasQR":true,"state":"connecting","timestamp":"2026-02-04T09:00:00.000Z"}"#
    );
    let qr = |second| stage.at(second).get_ok("stuck-qr", "/qr");
    assert_eq!(qr(0), r#"{"status":"pending","qr":"2@DEMO0000NOTACODE,key,id,adv","expiresIn":"120s"}"#);
    assert_eq!(qr(0), qr(4));
    assert_ne!(qr(4), qr(5));
    assert_ne!(qr(3600), qr(3605));
    assert_eq!(stage.at(86_400).status("stuck-qr")["hasQR"], true);
    let page = stage.get_ok("stuck-qr", "/qr-display");
    assert!(page.contains(r#"http-equiv="refresh" content="5""#) && page.contains("src=\"data:image"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restart_shows_the_proxy_first_and_heals_by_itself() {
    let stage = Stage::open(1).await;
    assert_eq!(stage.at(9).word("restarting"), "connected+");
    for second in 10..13 {
        let answer = stage.at(second).get("restarting", "/status", None);
        assert_eq!((answer.status, answer.body.starts_with("<html>")), (503, true));
    }
    let after: Vec<String> = (13..18).map(|second| stage.at(second).word("restarting")).collect();
    assert_eq!(after, ["connecting-", "connecting-", "connecting-", "connected+", "connected+"]);
    assert_eq!(stage.at(86_400).word("restarting"), "connected+");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_service_that_hangs_takes_the_question_and_says_nothing() {
    let stage = Stage::open(1).await;
    let mut stream = stage.ask("down", "/status", None);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let waited = stream.read(&mut [0; 16]).unwrap_err();
    assert!(matches!(waited.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{waited}");
    stage.close().await;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "stopping cuts it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wasender_account_wants_its_token() {
    let stage = Stage::open(1).await;
    let target = stage.target("wasender");
    assert_eq!((target.dialect, target.session), ("wasender", Some("16548")));
    assert!(target.url.ends_with("/api"));
    for token in [None, Some("wrong"), Some(SESSION_KEY)] {
        for path in ["/whatsapp-sessions/16548", "/whatsapp-sessions", "/whatsapp-sessions/1"] {
            let answer = stage.get("wasender", path, token);
            assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"message":"Unauthenticated."}"#));
        }
    }
    let account_token = stage.token();
    let status = |token| stage.get("wasender", "/status", token);
    assert_eq!(status(None).seen(), (401, r#"{"success":false,"message":"API key is required"}"#.to_owned()));
    let invalid = (401, r#"{"success":false,"message":"Invalid API key"}"#.to_owned());
    assert_eq!(status(Some(&account_token)).seen(), invalid, "the account's token is no session key");
    assert_eq!(status(Some(SESSION_KEY)).seen(), (200, r#"{"status":"connected"}"#.to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wasender_session_is_there_and_then_deleted() {
    let stage = Stage::open(1).await;
    let token = stage.token();
    let detail = |second| stage.at(second).get("wasender", "/whatsapp-sessions/16548", Some(&token));
    let before: Value = serde_json::from_str(&detail(11).body).unwrap();
    assert_eq!(before["success"], true);
    assert_eq!((&before["data"]["id"], &before["data"]["status"]), (&16548.into(), &"connected".into()));
    assert_eq!(before["data"]["api_key"], SESSION_KEY);
    assert_eq!(before["data"]["webhook_secret"].as_str().unwrap().len(), 32);
    let list = stage.get("wasender", "/whatsapp-sessions", Some(&token)).body;
    assert_eq!(serde_json::from_str::<Value>(&list).unwrap()["data"][0]["id"], 16548);
    assert!(!list.contains("api_key"), "only the detail holds the key");

    let gone = r#"{"message":"No query results for model [App\\Models\\WhatsappSession] 16548"}"#.to_owned();
    assert_eq!(detail(12).seen(), (404, gone.clone()));
    assert_eq!(detail(3600).seen(), (404, gone));
    let list = stage.get("wasender", "/whatsapp-sessions", Some(&token));
    assert_eq!(list.seen(), (200, r#"{"success":true,"data":[]}"#.to_owned()));
    assert_eq!(stage.get("wasender", "/status", Some(SESSION_KEY)).status, 401, "the key dies with its session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn memory_fills_up_and_stays_below_the_limit() {
    let stage = Stage::open(1).await;
    let mib = |name: &str, second: u64, query: &str| {
        let path = format!("/api/v1/query?query={query}&lookback_delta=2m");
        let answer: Value = serde_json::from_str(&stage.at(second).get_ok(name, &path)).unwrap();
        assert_eq!((&answer["status"], &answer["data"]["resultType"]), (&"success".into(), &"scalar".into()));
        answer["data"]["result"][1].as_str().unwrap().parse::<u64>().unwrap() >> 20
    };
    assert_eq!([0, 5, 10, 3600].map(|second| mib("leak", second, "used_bytes")), [300, 400, 500, 500]);
    assert_eq!(mib("leak", 0, "limit_bytes"), 512);
    assert!(mib("healthy", 3600, "used_bytes") * 2 < mib("healthy", 3600, "limit_bytes"));
    assert_eq!(stage.get("leak", "/api/v1/query?query=up", None).status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bot_backend_wants_a_token_and_is_well() {
    let stage = Stage::open(1).await;
    let status = |token| stage.get("bot", "/api/whatsapp/user/status", token).seen();
    assert_eq!(status(None).0, 401);
    let answer = r#"{"data":{"status":"ready","sessionId":"16548","qrAvailable":false}}"#.to_owned();
    assert_eq!(status(Some("any")), (200, answer));
    assert_eq!(stage.get("bot", "/status", Some("any")).seen(), (404, "404 page not found".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_gateway_takes_notifications() {
    let stage = Stage::open(1).await;
    for target in stage.gateways.targets() {
        assert_eq!(stage.call(target.name, "notice", ""), 200, "{}", target.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_nobody_offers_is_not_found() {
    let stage = Stage::open(1).await;
    for name in ["healthy", "loop", "conflict", "stuck-qr"] {
        assert_eq!(stage.get(name, "/restart", None).status, 404);
        assert_eq!(stage.get(name, "/", None).status, 404);
    }
    let token = stage.token();
    let answer = stage.get("wasender", "/nothing", Some(&token));
    assert_eq!(answer.seen(), (404, r#"{"message":"The route api/nothing could not be found."}"#.to_owned()));
    let foreign = stage.get("wasender", "/whatsapp-sessions/7", Some(&token));
    assert_eq!((foreign.status, foreign.body.ends_with("WhatsappSession] 7\"}")), (404, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_script_may_run_faster_than_the_clock() {
    let stage = Stage::open(4).await;
    assert_eq!(stage.at(1).word("conflict"), "CONNECTED+");
    assert_eq!(stage.at(2).word("conflict"), "CONFLICT-");
    assert_eq!(stage.status("conflict")["timestamp"], "2026-02-04T09:00:02.000Z", "the service's own clock is right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stopping_ends_every_listener() {
    let stage = Stage::open(1).await;
    let addresses: Vec<String> = stage.gateways.targets().iter().map(address).collect();
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()));
    stage.close().await;
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()));
}

const PATIENCE: Duration = Duration::from_secs(5);
const SESSION_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The gateways, and the clock that they read.
struct Stage {
    millis: Arc<AtomicU64>,
    gateways: Gateways,
    tracker: TaskTracker,
    stop: CancellationToken,
}

struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn seen(self) -> (u16, String) {
        (self.status, self.body)
    }
}

impl Stage {
    async fn open(speed: u32) -> Self {
        let (millis, tracker, stop) = (Arc::new(AtomicU64::new(0)), TaskTracker::new(), CancellationToken::new());
        let start = Moment { uptime: Duration::from_secs(500), wall: "2026-02-04T09:00:00Z".parse::<Wall>().unwrap() };
        let held = Arc::clone(&millis);
        let clock = Arc::new(move || start.after(Duration::from_millis(held.load(Ordering::SeqCst))));
        let speed = NonZeroU32::new(speed).unwrap();
        let gateways = Gateways::start(clock, speed, &tracker, &stop).await.unwrap();
        Self { millis, gateways, tracker, stop }
    }

    async fn close(&self) {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.unwrap();
    }

    fn set_millis(&self, millis: u64) {
        self.millis.store(millis, Ordering::SeqCst);
    }

    fn at(&self, second: u64) -> &Self {
        self.set_millis(second.checked_mul(1000).unwrap());
        self
    }

    fn target(&self, name: &str) -> &Target {
        self.gateways.targets().iter().find(|target| target.name == name).unwrap()
    }

    fn token(&self) -> String {
        self.target("wasender").token.as_ref().unwrap().expose_secret().to_owned()
    }

    /// The gateway's word for the state, `+` when it says connected and `-` when not.
    fn word(&self, name: &str) -> String {
        let status = self.status(name);
        let sign = if status["connected"].as_bool().unwrap() { '+' } else { '-' };
        format!("{}{sign}", status["state"].as_str().unwrap())
    }

    fn status(&self, name: &str) -> Value {
        serde_json::from_str(&self.get_ok(name, "/status")).unwrap()
    }

    fn get_ok(&self, name: &str, path: &str) -> String {
        let answer = self.get(name, path, None);
        assert_eq!(answer.status, 200, "{name}{path}: {}", answer.body);
        answer.body
    }

    fn get(&self, name: &str, path: &str, token: Option<&str>) -> Answer {
        answer(self.ask(name, path, token))
    }

    /// Calls a hook, under an id.
    fn call(&self, name: &str, remedy: &str, id: &str) -> u16 {
        let mut stream = TcpStream::connect(address(self.target(name))).unwrap();
        let head = format!("POST /demo/{remedy} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\nContent-Length: 0\r\n");
        write!(stream, "{head}{id}\r\n").unwrap();
        answer(stream).status
    }

    /// Sends a request by hand, so that the answer is seen as it is on the wire.
    fn ask(&self, name: &str, path: &str, token: Option<&str>) -> TcpStream {
        let target = self.target(name);
        let base = target.url.split_once("//").unwrap().1.split_once('/').map_or("", |(_, base)| base);
        let slash = if base.is_empty() { "" } else { "/" };
        let auth = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let mut stream = TcpStream::connect(address(target)).unwrap();
        write!(stream, "GET {slash}{base}{path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n{auth}\r\n").unwrap();
        stream
    }
}

fn address(target: &Target) -> String {
    let rest = target.url.strip_prefix("http://").unwrap();
    rest.split_once('/').map_or(rest, |(address, _)| address).to_owned()
}

fn answer(mut stream: TcpStream) -> Answer {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), body: body.to_owned() }
}
