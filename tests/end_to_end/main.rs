//! The real binary against real sockets on loopback.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot start its processes, or waits in vain, must fail where it stands"
)]

#[expect(clippy::arithmetic_side_effects, reason = "a test's helper that fails fails its test")]
mod account;
mod adoption;
mod commands;
mod crash;
mod daemon;
#[expect(clippy::arithmetic_side_effects, reason = "a test that fails shall stop")]
mod discover;
mod docker;
mod doctor;
#[path = "../remedy/doubles.rs"]
#[expect(
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the hooks' own tests need more of it; a test's helper that fails fails its test"
)]
mod doubles;
#[expect(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "small numbers of a test that tells what it measured"
)]
mod flood;
mod full_disk;
mod gateway;
#[path = "../support/ports.rs"]
mod ports;
mod pushes;
mod recorder;
mod reset_all_users;
mod scenes;
#[expect(clippy::panic, reason = "a test that waits in vain must fail where it stands")]
mod systemd;
mod terminal;
mod wipe;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ports::free_address;

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running watchdog, ended with the test.
struct Daemon {
    child: Child,
    address: SocketAddr,
}

impl Daemon {
    /// Starts the binary on a configuration and waits until it is ready.
    fn start(directory: &Path, config: &str) -> Self {
        let address = free_address();
        let file = write_config(directory, address, config);
        let child = binary().args(["--log", "warn", "run", "--config"]).arg(file).spawn().expect("the binary starts");
        let daemon = Self { child, address };
        daemon.wait_for("ready", |daemon| daemon.get("/-/ready").starts_with("HTTP/1.1 200"));
        daemon
    }

    fn get(&self, path: &str) -> String {
        exchange(self.address, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
    }

    fn post(&self, path: &str) -> String {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", self.address);
        exchange(self.address, &head)
    }

    /// The value of a series, by its full name with labels.
    fn metric(&self, series: &str) -> Option<f64> {
        let page = self.get("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.wait_within(PATIENCE, what, is_so);
    }

    fn wait_within(&self, most: Duration, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !is_so(self) {
            assert!(begin.elapsed() < most, "waited in vain for: {what}\n{}", self.get("/api/v1/targets"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it and returns its exit code, and how long it took.
    fn stop(mut self) -> (Option<i32>, Duration) {
        let begin = Instant::now();
        self.signal("TERM");
        let code = self.child.wait().expect("it ends").code();
        (code, begin.elapsed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wa-watchdog"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
fn run(arguments: &[&str]) -> Output {
    binary().args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write_config(directory: &Path, address: SocketAddr, config: &str) -> PathBuf {
    let file = directory.join("watchdog.toml");
    let ledger = directory.join("ledger.db");
    let head = format!("[server]\nlisten = \"{address}\"\n[store]\npath = \"{}\"\n", ledger.display());
    // Keys of the top stand before every section.
    let (top, sections) = config.split_at(config.find('[').unwrap_or(config.len()));
    std::fs::write(&file, format!("{top}{head}{sections}")).expect("a file in a temporary folder");
    file
}

/// Sends a request and reads the whole answer; nothing where nobody answers.
fn exchange(address: SocketAddr, request: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut answer = Vec::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_end(&mut answer).is_err() {
        return String::new();
    }
    text(&answer)
}
