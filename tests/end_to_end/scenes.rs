//! The four scenes in which every general tool resets too often, played over real HTTP against the real binary.
//!
//! 23 sessions in one watchdog: a permanent conflict, an endless loop, twenty that an outage of two minutes takes down together, and
//! one that expires, that one reset mends, and that a person scans 150 s later. All times are a fifth of the original, in the
//! services and in the policy alike; budgets are not scaled.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Daemon;

/// A fifth of the original times.
const fn scaled(secs: u64) -> Duration {
    Duration::from_millis(secs.saturating_mul(200))
}

/// The outage, after the start.
const OUTAGE: (Duration, Duration) = (scaled(60), scaled(180));
/// A person needs this long to scan.
const SCAN: Duration = scaled(150);
/// The session expires.
const EXPIRES: Duration = scaled(30);
/// All of it takes this long, as the tools were measured.
const LASTS: Duration = scaled(480);
/// The one session that needs a reset has this long to be well and proven so.
const MENDED_WITHIN: Duration = scaled(900);

/// The thresholds of the defaults, a fifth of each.
const POLICY: &str = r#"
mode = "act"
[fleet]
storm_exit = "24s"
storm_jitter = "12s"
[policy]
poll_every = "1s"
timeout = "800ms"
settle = "12s"
steady = "24s"
gap = "36s"
together = "2m"
[policy.cooldown]
first = "1m"
[policy.attempt]
restart_helps_in = "36s"
[policy.hand_off]
after = "4s"
round = "36s"
window = "3m"
qr_within = "1m"
[policy.conflict]
lasts = "12s"
within = "2m"
act_after = "2m"
[policy.session_expired]
scan_for = "12s"
scan_after_down = "1m"
gave_up_for = "12s"
[policy.unreachable]
lasts = "26s"
[policy.state_loop]
within = "2m"
[policy.never_ready]
lasts = "1m"
reconnects_for = "90s"
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scene {
    Conflict,
    Loop,
    Outage,
    Expired,
}

/// One scripted session service.
#[derive(Clone, Debug)]
struct Service {
    scene: Scene,
    reset_at: Option<Instant>,
    resets: u32,
    restarts: u32,
    /// Resets and restarts while a person was supposed to scan.
    disturbed: u32,
}

struct Stage {
    begin: Instant,
    services: BTreeMap<String, Service>,
}

impl Stage {
    fn new() -> Self {
        let service = |scene| Service { scene, reset_at: None, resets: 0, restarts: 0, disturbed: 0 };
        let mut services: BTreeMap<String, Service> =
            (0..20).map(|n| (format!("outage-{n:02}"), service(Scene::Outage))).collect();
        let others = [("conflict", Scene::Conflict), ("loop", Scene::Loop), ("expired", Scene::Expired)];
        services.extend(others.map(|(name, scene)| (name.to_owned(), service(scene))));
        Self { begin: Instant::now(), services }
    }

    /// What `/status` answers.
    fn status(&self, name: &str) -> (u16, &'static str) {
        let Some(service) = self.services.get(name) else { return (404, "{}") };
        let since = self.begin.elapsed();
        let connected = r#"{"connected":true,"hasQR":false,"state":"CONNECTED"}"#;
        if service.reset_at.is_some_and(|at| at.elapsed() < SCAN) {
            return (200, r#"{"connected":false,"hasQR":true,"state":"connecting"}"#);
        }
        match service.scene {
            Scene::Conflict => (200, r#"{"connected":false,"hasQR":false,"state":"CONFLICT"}"#),
            Scene::Loop => match since.as_millis() % 4000 {
                0..1000 => (200, r#"{"connected":false,"hasQR":false,"state":"OPENING"}"#),
                1000..2000 => (200, r#"{"connected":false,"hasQR":false,"state":"PAIRING"}"#),
                _ => (200, connected),
            },
            Scene::Outage if OUTAGE.0 <= since && since < OUTAGE.1 => (503, "{}"),
            Scene::Expired if EXPIRES <= since && service.reset_at.is_none() => {
                (200, r#"{"connected":false,"hasQR":false,"state":"LOGOUT"}"#)
            }
            Scene::Outage | Scene::Expired => (200, connected),
        }
    }

    fn act(&mut self, name: &str, remedy: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        if service.reset_at.is_some_and(|at| at.elapsed() < SCAN) {
            service.disturbed = service.disturbed.saturating_add(1);
        }
        match remedy {
            "reset" => {
                service.resets = service.resets.saturating_add(1);
                service.reset_at = Some(Instant::now());
            }
            _ => service.restarts = service.restarts.saturating_add(1),
        }
    }

    fn count(&self, scene: Scene, what: impl Fn(&Service) -> u32) -> u32 {
        self.services.values().filter(|service| service.scene == scene).map(what).sum()
    }
}

/// Serves every session and takes every hook; its thread ends with the test process.
fn serve(stage: &Arc<Mutex<Stage>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let stage = Arc::clone(stage);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let stage = Arc::clone(&stage);
            std::thread::spawn(move || drop(answer(stream, &stage)));
        }
    });
    address
}

fn answer(mut stream: TcpStream, stage: &Mutex<Stage>) -> std::io::Result<()> {
    // A request of the watchdog comes in one piece; what matters stands in its first line.
    let mut head = [0_u8; 8 * 1024];
    let length = stream.read(&mut head)?;
    let head = String::from_utf8_lossy(head.get(..length).unwrap_or_default()).into_owned();
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let mut parts = path.trim_start_matches('/').split('/');
    let (name, what) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let mut stage = stage.lock().expect("nobody panics with it");
    let (status, body) = match (method, what) {
        ("GET", "status") => stage.status(name),
        ("POST", "restart" | "reset") => {
            stage.act(name, what);
            (200, "{}")
        }
        _ => (404, "{}"),
    };
    drop(stage);
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    write!(stream, "{head}Connection: close\r\n\r\n{body}")
}

fn config(address: SocketAddr, names: impl Iterator<Item = String>) -> String {
    names.fold(POLICY.to_owned(), |mut text, name| {
        let url = format!("http://{address}/{name}");
        write!(
            text,
            "[target.{name}]\ndialect = \"whatsapp-service\"\nurl = \"{url}\"\ngroup = \"{name}\"\n\
             [target.{name}.remedy.restart.http]\nurl = \"{url}/restart\"\n\
             [target.{name}.remedy.reset]\nallow_destructive = true\n\
             [target.{name}.remedy.reset.http]\nurl = \"{url}/reset\"\n"
        )
        .expect("memory takes it");
        text
    })
}

#[test]
fn four_scenes_in_which_every_general_tool_resets_too_often() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let stage = Arc::new(Mutex::new(Stage::new()));
    let address = serve(&stage);
    let names: Vec<String> = stage.lock().expect("nobody panics with it").services.keys().cloned().collect();
    let daemon = Daemon::start(directory.path(), &config(address, names.into_iter()));
    let begin = {
        let mut stage = stage.lock().expect("nobody panics with it");
        stage.begin = Instant::now();
        stage.begin
    };

    let connected = |daemon: &Daemon, name: &str| {
        daemon.metric(&format!("wa_watchdog_session_state{{target=\"{name}\",state=\"connected\"}}")) == Some(1.0)
    };
    // All that the outage took down are back as soon as it is over.
    sleep_until(begin, OUTAGE.1 + Duration::from_secs(5));
    let back = (0..20).filter(|n| connected(&daemon, &format!("outage-{n:02}"))).count();
    assert_eq!(back, 20, "all are back");

    sleep_until(begin, LASTS);
    let open = daemon.get("/api/v1/incidents?open=true");
    assert!(open.contains("\"pattern\":\"state_loop\""), "the loop is named: {open}");
    assert!(open.contains("\"pattern\":\"conflict\""), "the conflict is named: {open}");

    // The one that expired is mended by exactly one reset, and that is proven.
    let helped = "wa_watchdog_remedies_total{target=\"expired\",remedy=\"reset\",pattern=\"session_expired\",outcome=\"helped\"}";
    while begin.elapsed() < MENDED_WITHIN && daemon.metric(helped) != Some(1.0) {
        std::thread::sleep(Duration::from_millis(500));
    }
    let stage = stage.lock().expect("nobody panics with it");
    let counts = |what: fn(&Service) -> u32| {
        [Scene::Conflict, Scene::Loop, Scene::Outage, Scene::Expired].map(|scene| stage.count(scene, what))
    };
    let [resets, restarts, disturbed] =
        [counts(|service| service.resets), counts(|service| service.restarts), counts(|service| service.disturbed)];
    // The figures of the README's table, whatever they are.
    let figures =
        format!("conflict, loop, outage, expired: resets {resets:?}, restarts {restarts:?}, disturbed {disturbed:?}");
    std::io::stderr().write_all(format!("{figures}\n").as_bytes()).expect("standard error");
    assert_eq!(daemon.metric(helped), Some(1.0), "{}", daemon.get("/api/v1/targets/expired"));
    assert_eq!(disturbed, [0; 4], "nobody who was to scan was disturbed");
    assert_eq!((resets[0], resets[2], resets[3]), (0, 0, 1));
    assert!(resets[1] <= 1, "{resets:?}");
    assert_eq!(restarts[2], 0, "an outage that heals by itself needs nothing");
    assert!(connected(&daemon, "expired"));
}

fn sleep_until(begin: Instant, then: Duration) {
    std::thread::sleep(then.saturating_sub(begin.elapsed()));
}
