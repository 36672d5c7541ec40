//! A flood of pushes, half of them by somebody who does not know the secret: none of those counts, polls go on as if nothing were,
//! what is dropped is counted, and memory stays where it was.
//!
//! `FLOOD_SECS=30 cargo test --test end_to_end flood` floods for longer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;

use super::{Daemon, binary, free_address, write_config};

const PER_SECOND: u32 = 1000;
const SECS: u32 = 5;
const CONNECTIONS: u32 = 8;
const SECRET: &str = "s3cret-of-the-shop";
const POLL_EVERY: Duration = Duration::from_secs(1);
/// A poll may come this late on a machine that does other things too.
const LATE_MAX: Duration = Duration::from_millis(1500);
/// By this much memory may grow: connections, their buffers, the queue.
const GROWTH_MAX_KIB: u64 = 24 * 1024;
const TARGETS: u32 = 2;
const RATE_MAX: u32 = 50;

/// A gateway that notes when it was asked, by the first part of the path.
#[derive(Clone)]
struct Gateway {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(bool, Instant)>>>,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let gateway = Self { address, asked: Arc::default() };
        let shared = gateway.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || shared.answer(stream));
            }
        });
        gateway
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut head = [0; 2048];
        let read = stream.read(&mut head).unwrap_or(0);
        let is_waha = head[..read].starts_with(b"GET /api/sessions");
        let body =
            if is_waha { r#"{"name":"default","status":"WORKING"}"# } else { r#"{"connected":true,"hasQR":false}"# };
        if is_waha || head[..read].starts_with(b"GET /status") {
            self.asked.lock().expect("nobody panics with it").push((is_waha, Instant::now()));
        }
        let length = body.len();
        // Whoever asked may be gone.
        drop(write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"));
    }

    /// The longest time between two polls of a target from a moment on, and how many there were.
    fn longest_gap(&self, is_waha: bool, from: Instant) -> (Duration, usize) {
        let asked = self.asked.lock().expect("nobody panics with it");
        let times: Vec<Instant> =
            asked.iter().filter(|(waha, at)| *waha == is_waha && from <= *at).map(|(_, at)| *at).collect();
        let gaps = times.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0]));
        (gaps.max().unwrap_or(Duration::MAX), times.len())
    }
}

/// How many of each answer came to pushes with the secret, and to those without.
#[derive(Debug, Default)]
struct Answers {
    taken: u32,
    too_many: u32,
    full: u32,
    refused: u32,
    /// What should never come.
    other: Vec<String>,
}

#[test]
fn a_flood_of_pushes_disturbs_no_poll_and_lets_nobody_in() {
    let secs = std::env::var("FLOOD_SECS").ok().and_then(|secs| secs.parse().ok()).unwrap_or(SECS);
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start();
    let (daemon, log) = start(directory.path(), &gateway);
    for target in ["shop", "waha"] {
        let series = format!("wa_watchdog_session_state{{target=\"{target}\",state=\"connected\"}}");
        daemon.wait_for(&series, |daemon| daemon.metric(&series) == Some(1.0));
    }
    let before = resident_kib(&daemon);
    let began = Instant::now();
    let all = flood(daemon.address, secs);
    let took = began.elapsed();
    let after = resident_kib(&daemon);
    // What waited is taken in, and shown.
    thread::sleep(Duration::from_secs(1));

    let sent = PER_SECOND * secs;
    let gaps = [false, true].map(|is_waha| gateway.longest_gap(is_waha, began));
    println!(
        "{sent} pushes in {took:.1?}, {all:?}; polls of each target: {gaps:.2?}; memory {before} KiB, then {after} KiB"
    );
    assert_eq!(all.other, Vec::<String>::new(), "every answer is one of those that are meant");
    assert_eq!(all.refused, sent / 2, "whoever knows not the secret is refused, and nobody else");
    assert_eq!(all.taken + all.too_many + all.full, sent / 2);
    let seconds = u32::try_from(took.as_secs()).expect("not for ever") + 2;
    assert!(0 < all.taken && all.taken <= RATE_MAX * TARGETS * seconds, "{all:?} in {took:?}");

    // Each is counted once, as what it was answered.
    let counted = |outcome: &str| {
        let of = |kind| daemon.metric(&format!("wa_watchdog_inbound_total{{kind=\"{kind}\",outcome=\"{outcome}\"}}"));
        ["plain", "activity", "waha"].map(|kind| of(kind).expect("a count")).iter().sum::<f64>()
    };
    let numbers =
        [("taken", all.taken), ("too_many", all.too_many), ("queue_full", all.full), ("refused", all.refused)];
    for (outcome, answered) in numbers {
        assert!(
            (counted(outcome) - f64::from(answered)).abs() < 0.5,
            "{outcome}: {} is not {answered}",
            counted(outcome)
        );
    }
    assert!(counted("outdated").abs() < 0.5 && counted("not_understood").abs() < 0.5);

    // Nothing that was refused had a say: those pushes tell of a session that logged out.
    for (target, state) in
        [("shop", "needs_scan"), ("waha", "needs_scan"), ("shop", "disconnected"), ("waha", "disconnected")]
    {
        let series = format!("wa_watchdog_session_state_changes_total{{target=\"{target}\",state=\"{state}\"}}");
        assert_eq!(daemon.metric(&series), Some(0.0), "{series}");
    }
    for (gap, polls) in gaps {
        assert!(gap < POLL_EVERY + LATE_MAX, "a poll came only after {gap:?}");
        assert!(took.as_secs() / 2 <= u64::try_from(polls).expect("few"), "{polls} polls in {took:?}");
    }
    assert!(after < before + GROWTH_MAX_KIB, "memory grew from {before} to {after} KiB");
    assert_eq!(daemon.stop().0, Some(0));
    let log = std::fs::read_to_string(log).expect("the log");
    assert!(log.contains("a push was not taken") && !log.contains("s3cret"), "{log}");
    assert!(log.lines().count() < 100 + usize::try_from(seconds * 10).expect("small"), "{} lines", log.lines().count());
}

fn start(directory: &Path, gateway: &Gateway) -> (Daemon, std::path::PathBuf) {
    std::fs::write(directory.join("secret"), SECRET).expect("a file");
    let inbound = |name: &str| format!("[target.{name}.inbound]\nsecret_file = \"secret\"\nrate_max = {RATE_MAX}\n");
    let config = format!(
        "[policy]\npoll_every = \"1s\"\ntimeout = \"800ms\"\n\
         [target.shop]\ndialect = \"whatsapp-service\"\nurl = \"http://{0}\"\n{1}\
         [target.waha]\ndialect = \"waha\"\nurl = \"http://{0}\"\nsession = \"default\"\n{2}",
        gateway.address,
        inbound("shop"),
        inbound("waha")
    );
    let address = free_address();
    let file = write_config(directory, address, &config);
    let log = directory.join("log");
    let mut command = binary();
    command.args(["--log", "warn", "run", "--config"]).arg(file);
    command.stderr(std::fs::File::create(&log).expect("a file"));
    let daemon = Daemon { child: command.spawn().expect("the binary starts"), address };
    daemon.wait_for("ready", |daemon| daemon.get("/-/ready").starts_with("HTTP/1.1 200"));
    (daemon, log)
}

/// Posts at an even pace over a few connections, and waits for every answer.
fn flood(address: SocketAddr, secs: u32) -> Answers {
    let began = Instant::now();
    let each = PER_SECOND * secs / CONNECTIONS;
    let post = move |number: u32| {
        let mut answers = Answers::default();
        let mut stream = BufReader::new(TcpStream::connect(address).expect("it listens"));
        for turn in 0..each {
            let due = Duration::from_micros(u64::from((turn * CONNECTIONS + number) * (1_000_000 / PER_SECOND)));
            thread::sleep(due.saturating_sub(began.elapsed()));
            let (request, is_right) = request(turn, number);
            let status = exchange(&mut stream, &request);
            match (is_right, status.as_str()) {
                (true, "202") => answers.taken += 1,
                (true, "429") => answers.too_many += 1,
                (true, "503") => answers.full += 1,
                (false, "401") => answers.refused += 1,
                (is_right, other) => answers.other.push(format!("{is_right}: {other}")),
            }
        }
        answers
    };
    let threads: Vec<_> = (0..CONNECTIONS).map(|number| thread::spawn(move || post(number))).collect();
    threads.into_iter().map(|thread| thread.join().expect("it ends")).fold(Answers::default(), |mut sum, one| {
        sum.taken += one.taken;
        sum.too_many += one.too_many;
        sum.full += one.full;
        sum.refused += one.refused;
        sum.other.extend(one.other);
        sum
    })
}

/// One push of several kinds; every second one does not show the secret, and lies.
fn request(turn: u32, number: u32) -> (String, bool) {
    let is_right = (turn + number).is_multiple_of(2);
    let secret = if is_right { SECRET } else { "s3cret-that-was-guessed" };
    let (path, body) = match ((turn / 2) % 3, is_right) {
        (0, true) => ("/hooks/plain/shop", r#"{"connected":true,"hasQR":false}"#),
        (0, false) => ("/hooks/plain/shop", r#"{"connected":false,"hasQR":true}"#),
        (1, true) => {
            ("/hooks/waha/waha", r#"{"event":"session.status","session":"default","payload":{"status":"WORKING"}}"#)
        }
        (1, false) => (
            "/hooks/waha/waha",
            r#"{"event":"session.status","session":"default","payload":{"status":"SCAN_QR_CODE"}}"#,
        ),
        (_, _) => ("/api/v1/targets/shop/activity", ""),
    };
    let (length, signature) = (body.len(), signature(secret, body));
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nX-Webhook-Hmac: {signature}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    (head, is_right)
}

fn signature(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Sends a request on a connection that stays open, and returns the status of its answer.
fn exchange(stream: &mut BufReader<TcpStream>, request: &str) -> String {
    stream.get_mut().write_all(request.as_bytes()).expect("it takes them");
    let (mut status, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.chars().take(3).collect();
        }
        if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = given.parse().expect("a number");
        }
    }
    stream.read_exact(&mut vec![0; length]).expect("a whole answer");
    status
}

/// What the kernel says of the memory that the process uses.
fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
