//! Under systemd, whose side the test plays: a datagram socket that hears what the watchdog says of itself.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use super::gateway::{Does, Gateway};
use super::{Daemon, PATIENCE, binary, free_address, write_config};

/// What the manager is told to be patient for, in microseconds: a sign of life is due every half of it.
const USEC: u64 = 600_000;

#[test]
fn systemd_hears_that_it_is_up_alive_reading_anew_and_ending() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let (daemon, heard) = start(directory.path(), path.to_str().expect("text"), socket);

    heard.wait_for("READY=1");
    assert!(daemon.get("/-/ready").starts_with("HTTP/1.1 200"), "ready when it says so");
    heard.wait_for("STATUS=");
    for _ in 0..3 {
        heard.wait_for("WATCHDOG=1");
    }

    daemon.signal("HUP");
    let reloading = heard.wait_for("RELOADING=1\nMONOTONIC_USEC=");
    assert!(reloading.rsplit('=').next().expect("a value").parse::<u64>().is_ok_and(|since| 0 < since), "{reloading}");
    heard.wait_for("READY=1");

    assert_eq!(daemon.stop().0, Some(0));
    heard.wait_for("STOPPING=1");
}

#[test]
fn a_loop_that_hangs_falls_silent_under_a_name_that_is_no_file() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let name = format!("wa-watchdog-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("a socket");
    let (daemon, heard) = start(directory.path(), &format!("@{name}"), socket);
    heard.wait_for("WATCHDOG=1");

    // The loop reads its configuration itself, and this one never comes.
    let config = directory.path().join("watchdog.toml");
    std::fs::remove_file(&config).expect("it was there");
    assert!(Command::new("mkfifo").arg(&config).status().expect("mkfifo runs").success());
    daemon.signal("HUP");
    heard.wait_for("RELOADING=1");
    let silence = Duration::from_micros(USEC * 2);
    assert_eq!(heard.next(silence), None, "systemd would end it now");

    // It comes: the loop goes on, and is heard again.
    std::fs::write(&config, "mode = 7\n").expect("the loop waits for it");
    heard.wait_for("READY=1");
    heard.wait_for("WATCHDOG=1");
    drop(daemon);
}

/// What the manager's socket hears.
struct Heard(UnixDatagram);

impl Heard {
    /// Waits for news that begin so, past all others.
    fn wait_for(&self, news: &str) -> String {
        let begin = Instant::now();
        while let Some(heard) = self.next(PATIENCE.saturating_sub(begin.elapsed())) {
            if heard.starts_with(news) {
                return heard;
            }
        }
        panic!("waited in vain for {news}");
    }

    fn next(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience.max(Duration::from_millis(1)))).expect("a time-out");
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).ok()?;
        Some(super::text(&buffer[..length]))
    }
}

/// Starts a watchdog as systemd would.
fn start(directory: &std::path::Path, place: &str, socket: UnixDatagram) -> (Daemon, Heard) {
    let gateway = Gateway::start(Does::Says(r#"{"connected":true,"hasQR":false}"#.to_owned()));
    let address = free_address();
    let config = write_config(directory, address, &gateway.target("shop"));
    let mut command = binary();
    command.args(["--log", "warn", "run", "--config"]).arg(config);
    command.env("NOTIFY_SOCKET", place).env("WATCHDOG_USEC", USEC.to_string());
    (Daemon { child: command.spawn().expect("the binary starts"), address }, Heard(socket))
}
