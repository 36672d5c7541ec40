//! Where commands are run: a folder with all that the documents speak of, a gateway, and a running watchdog.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::ports::free_address;

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(30);
/// The binary.
const BINARY: &str = env!("CARGO_BIN_EXE_wa-watchdog");
/// What the gateway says.
const STATUS: &str = r#"{"connected":true,"hasQR":false,"data":{"status":"connected"},"success":true}"#;

/// The stage.
pub(crate) struct Stage {
    folder: TempDir,
    gateway: Gateway,
    address: SocketAddr,
    daemon: Child,
}

impl Stage {
    /// Builds it, and waits until the watchdog has seen the session.
    pub(crate) fn build() -> Self {
        Self::set("", "")
    }

    /// Builds one whose watchdog asks whether it may restart the session; returns the number of the attempt that it offers.
    pub(crate) fn that_asks() -> (Self, String) {
        let faster = "timeout = \"300ms\"\nsteady = \"3s\"\n[policy.unreachable]\nlasts = \"2s\"\n";
        let stage = Self::set("mode = \"approve\"\n", faster);
        stage.gateway.is_well.store(false, Ordering::Relaxed);
        let proposed = |stage: &Self| {
            let target: Value = serde_json::from_str(&stage.get("/api/v1/targets/shop").2).unwrap();
            target["care"]["proposal"]["attempt"].as_str().map(str::to_owned)
        };
        stage.wait_for("a restart is offered", |stage| proposed(stage).is_some());
        let attempt = proposed(&stage).unwrap();
        (stage, attempt)
    }

    /// Builds it with more at the top of the configuration, and in its policy.
    fn set(top: &str, policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start();
        let address = free_address();
        fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(BINARY, folder.path().join("bin/wa-watchdog")).unwrap();
        write(folder.path(), "token", "t0ken");
        write(folder.path(), "secret", "s3cret");
        let config = format!(
            "{top}[server]\nlisten = \"{address}\"\n[store]\npath = \"ledger.db\"\n\
             [policy]\npoll_every = \"1s\"\nhand_off.qr_within = \"1s\"\n{policy}\
             [target.shop]\ndialect = \"whatsapp-service\"\nurl = \"{}\"\n\
             [target.shop.inbound]\nsecret_file = \"secret\"\n\
             [target.shop.remedy.restart.exec]\nargv = [\"/bin/true\"]\n\
             [target.shop.remedy.reset]\nallow_destructive = true\n\
             [target.shop.remedy.reset.exec]\nargv = [\"/bin/true\"]\n",
            gateway.url()
        );
        write(folder.path(), "watchdog.toml", &config);
        // A backend's database in which nobody has a session.
        let users =
            "CREATE TABLE users (id INTEGER, email TEXT, wasender_session_id TEXT, wasender_session_updated_at TEXT)";
        Connection::open(folder.path().join("whatsapp_bot.db")).unwrap().execute_batch(users).unwrap();
        write(folder.path(), "new.toml", &format!("{config}[policy.state_loop]\nreturns_min = 4\n"));
        let daemon = start(folder.path());
        let mut stage = Self { folder, gateway, address, daemon };
        stage.wait_until_seen();
        // Its end writes down what is recorded so far, so that there is something to export.
        kill_process(Pid::from_child(&stage.daemon), Signal::TERM).unwrap();
        assert!(stage.daemon.wait().unwrap().success());
        stage.daemon = start(stage.folder.path());
        stage.wait_until_seen();
        stage
    }

    fn wait_until_seen(&self) {
        self.wait_for("it is up", |stage| TcpStream::connect(stage.address).is_ok());
        self.wait_for("the session is seen", |stage| stage.get("/api/v1/targets").2.contains("\"connected\""));
    }

    /// Puts everything as the documents expect it.
    pub(crate) fn calm(&self) {
        let seen = self.get("/api/v1/targets").2;
        let paused = [("--all", !seen.contains("\"pause\":null")), ("shop", seen.contains("\"paused\":true"))];
        for (who, _) in paused.into_iter().filter(|(_, is_paused)| *is_paused) {
            drop(self.program(&["resume", who, "--reason", "the next command", "--who", "test"]).output().unwrap());
        }
        self.wait_for("no attempt is under way", |stage| {
            !stage.get("/metrics").2.contains("wa_watchdog_attempt_in_progress{target=\"shop\"} 1")
        });
        let recording = include_str!("../corpus/loop-waha-list-form.jsonl");
        for name in ["incident.jsonl", "week.jsonl"] {
            write(self.folder.path(), name, recording);
        }
    }

    /// Runs a line, and returns its exit code and what it said.
    pub(crate) fn perform(&self, line: &str) -> (Option<i32>, String) {
        // The one place where what stands in the documents becomes what is there.
        let daemon = format!("http://{}", self.address);
        let gateway = self.gateway.url();
        let line = line.replace("http://127.0.0.1:9877", &daemon).replace("http://whatsapp-service:3001", &gateway);
        let line =
            line.replace("/run/secrets/wasender_pat", "token").replace("/data/whatsapp_bot.db", "whatsapp_bot.db");
        let line = line.replace("--wasender 16548", &format!("--wasender 16548 --wasender-url {gateway}/api"));
        let line = line.replace("/etc/wa-watchdog/watchdog.toml", "watchdog.toml");
        // It would ask a person to type the name.
        let line = line.replace("wa-watchdog reset shop ", "wa-watchdog reset shop --yes ");
        if line.starts_with("curl ") {
            return self.ask(&crate::shells::words(&line));
        }
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(self.folder.path());
        let command = clean(&mut command).env("PATH", self.path()).env("HOME", self.folder.path()).env("USER", "ana");
        if line.starts_with("wa-watchdog run ") {
            return self.perform_until_up(&line);
        }
        let done = command.env("WA_WATCHDOG_URL", &daemon).stdin(Stdio::null()).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a daemon until it serves, and has it end.
    fn perform_until_up(&self, line: &str) -> (Option<i32>, String) {
        let ledger = self.folder.path().join("another.db");
        let mut exec = Command::new("sh");
        exec.args(["-c", &format!("exec {line}")]).current_dir(self.folder.path());
        let exec = clean(&mut exec).env("PATH", self.path());
        exec.env("WA_WATCHDOG__SERVER__LISTEN", free_address().to_string()).env("WA_WATCHDOG__STORE__PATH", ledger);
        let mut child = exec.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let (told, lines) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        let reader = thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| drop(told.send(line))));
        let (mut said, until) = (String::new(), Instant::now() + PATIENCE);
        while !said.contains("metrics at http://") {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => said = said + &line + "\n",
                Err(_) => break,
            }
        }
        // A word more: it has begun to turn.
        drop(lines.recv_timeout(Duration::from_millis(300)));
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::TERM).unwrap();
        let code = child.wait().unwrap().code();
        reader.join().unwrap();
        (code, said)
    }

    /// Does what curl would, as far as the documents use it; whatever is no success is a failure, with `-f` or without.
    fn ask(&self, words: &[String]) -> (Option<i32>, String) {
        let (mut method, mut headers, mut body, mut url) = ("GET".to_owned(), String::new(), String::new(), None);
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} lacks its value")).clone();
            match word.as_str() {
                "-s" | "-sS" | "-fsS" | "-f" => {}
                "-X" => method = value(),
                "-H" => headers = headers + &value() + "\r\n",
                "-d" => body = value(),
                other if other.starts_with("http://") => url = Some(other.to_owned()),
                other => panic!("this test does not know what curl does with {other}"),
            }
        }
        let url = url.expect("a URL");
        let path = url.strip_prefix(&format!("http://{}", self.address)).expect("it asks the watchdog");
        let (status, _, text) = exchange(self.address, &method, path, &headers, &body);
        (Some(i32::from(!(200..300).contains(&status))), format!("{status} {text}"))
    }

    /// Returns where the watchdog serves.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        get(self.address, path)
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(self.folder.path());
        clean(&mut command).env("WA_WATCHDOG_URL", format!("http://{}", self.address));
        command
    }

    fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}", self.folder.path().join("bin").display())
    }

    fn wait_for(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            assert!(Instant::now() < until, "waited for: {what}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// A running demo.
pub(crate) struct Demo {
    /// Where it serves.
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Demo {
    /// Starts one, and waits until it serves.
    pub(crate) fn start() -> Self {
        let address = free_address();
        let mut demo = Command::new(BINARY);
        demo.args(["--log", "error", "demo", "--for", "3m", "--listen", &address.to_string()]).stdout(Stdio::null());
        let child = clean(&mut demo).spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "the demo does not serve");
            thread::sleep(Duration::from_millis(50));
        }
        Self { address, child }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It clears its folder away where it is told to end.
        drop(kill_process(Pid::from_child(&self.child), Signal::INT).map_err(|error| error.to_string()));
        drop(self.child.wait());
    }
}

/// Gets a path: status, content type, body.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    exchange(address, "GET", path, "", "")
}

fn exchange(host: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (status, kind.to_owned(), body.to_owned())
}

/// Starts the watchdog of a folder.
fn start(folder: &Path) -> Child {
    let mut daemon = Command::new(BINARY);
    daemon.args(["--log", "error", "run"]).current_dir(folder);
    clean(&mut daemon).spawn().unwrap()
}

/// Takes away what the environment of whoever tests would change.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WA_WATCHDOG")) {
        command.env_remove(name);
    }
    command
}

fn write(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A gateway, for as long as the test runs.
struct Gateway {
    address: SocketAddr,
    /// Whether its session is well; else it answers nothing.
    is_well: Arc<AtomicBool>,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_well = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&is_well);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok).filter(|_| shared.load(Ordering::Relaxed)) {
                thread::spawn(move || {
                    let mut chunk = [0; 4096];
                    drop(stream.read(&mut chunk));
                    let length = STATUS.len();
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
                    drop(write!(stream, "{head}Content-Length: {length}\r\n\r\n{STATUS}"));
                });
            }
        });
        Self { address, is_well }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
