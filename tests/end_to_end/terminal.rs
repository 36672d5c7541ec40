//! What a person sees: the real binary in a pseudo terminal.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::io::ioctl_fionbio;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::gateway::{Does, Gateway};
use super::{Daemon, PATIENCE, binary, text};

const CONNECTED: &str = r#"{"connected":true,"hasQR":false}"#;
const FAST: &str =
    "[policy]\npoll_every = \"1s\"\ntimeout = \"300ms\"\nsteady = \"3s\"\n[policy.unreachable]\nlasts = \"2s\"\n";
const LONG: &str = "acc-16548-a-session-with-a-very-long-name-indeed";
const RED: &str = "\u{1b}[31mfailing";
/// The person's page and the cursor are given back.
const RESTORED: &str = "\u{1b}[?25h\u{1b}[?1049l";

#[test]
fn status_and_history_fit_the_window_and_have_colours_only_where_they_suit() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let [good, bad] = [Does::Says(CONNECTED.to_owned()), Does::Closes].map(Gateway::start);
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}{}", good.target(LONG), bad.target("shop")));
    daemon.wait_for("an incident", |daemon| daemon.get("/api/v1/incidents?open=true").contains("unreachable"));
    let (url, ledger) = (url(&daemon), directory.path().join("ledger.db").display().to_string());
    let status = ["status", "--url", &url];
    let history = ["history", "--ledger", &ledger];
    let opened = |said: &str| said.contains("incident #1 opened");
    daemon.wait_for("its line in the ledger", |_| opened(&text(&super::run(&history).stdout)));
    for columns in [200, 120, 80, 60, 40] {
        for (arguments, code, told) in [(&status, 1, "failing"), (&history, 0, "incident #1 opened")] {
            let seen = Seat::take(columns, 30, binary().args(arguments)).end(code);
            assert!(seen.contains("\u{1b}[31m"), "{columns}: {seen}");
            assert!(seen.contains(told), "{columns}: {seen}");
            for line in bare(&seen).lines() {
                assert!(line.chars().count() <= usize::from(columns), "{columns}: {line:?}");
            }
        }
    }
    let plain = |command: &mut Command| Seat::take(80, 30, command).end(1);
    for seen in [
        plain(binary().args(status).env("NO_COLOR", "1")),
        plain(binary().args(status).env("TERM", "dumb")),
        plain(binary().args(status).args(["--color", "never"])),
    ] {
        assert!(!seen.contains('\u{1b}') && seen.contains("failing"), "{seen}");
    }
    assert!(plain(binary().args(status).args(["--color", "always"]).env("NO_COLOR", "1")).contains(RED));
    let narrow = plain(binary().args(status).env("COLUMNS", "40"));
    assert!(bare(&narrow).lines().all(|line| line.chars().count() <= 40), "{narrow}");

    let piped =
        |name: &str, value: &str| text(&binary().args(status).env(name, value).output().expect("it runs").stdout);
    assert!(!piped("TERM", "xterm").contains('\u{1b}'));
    assert!(piped("CLICOLOR_FORCE", "1").contains(RED));
    let whole = piped("COLUMNS", "40");
    assert_eq!(whole.lines().count(), 4, "a summary, a head and a line a session, however long:\n{whole}");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_watched_status_follows_the_session_the_window_and_the_daemon_and_gives_the_screen_back() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}", gateway.target("shop")));
    let url = url(&daemon);
    let watch = || Seat::take(80, 24, binary().args(["status", "--watch=100ms", "--url", &url]));
    let (seat, other) = (watch(), watch());
    seat.wait_for("all 1 well");
    gateway.now(Does::Closes);
    seat.wait_for(RED);
    assert!(seat.seen().starts_with("\u{1b}[?1049h\u{1b}[?25l"), "another page, no cursor: {:?}", seat.seen());
    other.wait_for(RED);
    other.signal("TERM");
    let seen = other.end(0);
    assert!(seen.contains(RESTORED), "{seen:?}");

    seat.resize(40, 24);
    seat.wait_for("shop  failing  unreachable");
    drop(daemon);
    seat.wait_for("NO ANSWER for ");
    seat.signal("INT");
    let seen = seat.end(0);
    let (_, after) = seen.split_once(RESTORED).expect("the screen is given back");
    assert!(after.contains("NO ANSWER for ") && after.contains("shop  failing"), "what was seen last stays: {after}");
    assert!(!after.contains("\u{1b}[?"), "{after:?}");
}

#[test]
fn where_nothing_can_be_drawn_over_a_watched_status_is_a_line_a_change() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}", gateway.target("shop")));
    daemon.wait_for("the session", |daemon| daemon.get("/api/v1/targets").contains("\"state\":\"connected\""));
    let url = url(&daemon);
    let mut piped = Piped::start(&["status", "--watch=100ms", "--url", &url]);
    assert!(piped.line().ends_with("  shop  healthy, connected, observe\n"));
    gateway.now(Does::Closes);
    piped.line_with("  shop  failing unreachable, ");
    drop(daemon);
    piped.line_with("  all  no watchdog answers at ");
    piped.signal("INT");
    assert_eq!(ended(&mut piped.child), Some(0));
}

#[test]
fn a_followed_history_tells_what_comes_and_ends_quietly_where_nobody_reads_it() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}", gateway.target("shop")));
    let ledger = directory.path().join("ledger.db").display().to_string();
    let follow = ["history", "--follow", "--ledger", &ledger];
    let seat = Seat::take(80, 24, binary().args(follow));
    seat.wait_for("first seen -> connected");
    let mut quits = Piped::start(&follow);
    quits.line_with("first seen -> connected");
    gateway.now(Does::Closes);
    seat.wait_for("incident #1 opened, unreachable");
    assert_eq!(bare(&seat.seen()).matches("TIME      TARGET  WHAT").count(), 1, "{}", seat.seen());
    seat.signal("INT");
    seat.end(0);

    // Nobody reads the next line.
    drop(quits.out.take());
    gateway.now(Does::Says(CONNECTED.to_owned()));
    assert_eq!(ended(&mut quits.child), Some(0));
    let mut said = String::new();
    quits.child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn who_waits_longer_than_a_second_at_a_terminal_is_told_so() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Hangs);
    let file = directory.path().join("watchdog.toml");
    std::fs::write(&file, format!("[policy]\ntimeout = \"2500ms\"\n{}", gateway.target("shop"))).expect("a file");
    let file = file.display().to_string();
    for (arguments, told) in [
        (vec!["check", "--live", "--config", &file], "0 of 1 gateways asked"),
        (vec!["probe", "shop", "--config", &file], "asking shop"),
    ] {
        let seen = Seat::take(80, 24, binary().args(&arguments)).end(1);
        // A busy machine may not come to it within the first second.
        let shown = Regex::new(&format!("\r{told} \\([12] s\\)\u{1b}\\[K")).expect("a pattern");
        assert!(shown.is_match(&seen), "{seen:?}");
        let piped = binary().args(&arguments).output().expect("it runs");
        assert!(!text(&piped.stderr).contains(told), "{}", text(&piped.stderr));
    }
}

/// A person's seat at a terminal, with a program on it.
struct Seat {
    child: Child,
    master: OwnedFd,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Seat {
    fn take(columns: u16, rows: u16, command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it opens");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let name = Path::new(name.to_str().expect("plain")).to_owned();
        let other = || File::options().read(true).write(true).open(&name).expect("its other end");
        tcsetwinsize(&master, size(columns, rows)).expect("its size");
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm-256color");
        }
        let child = command.stdin(other()).stdout(other()).stderr(other()).spawn().expect("the binary starts");
        // The command keeps its ends open; with them the terminal would never end.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (shared, mut reads) = (Arc::clone(&seen), File::from(master.try_clone().expect("another handle")));
        // The terminal ends where nobody holds its other end any more.
        let reader = thread::spawn(move || {
            let mut chunk = [0_u8; 4096];
            while let Ok(length @ 1..) = reads.read(&mut chunk) {
                shared.lock().expect("nobody panics with it").extend_from_slice(&chunk[..length]);
            }
        });
        Self { child, master, seen, reader }
    }

    fn resize(&self, columns: u16, rows: u16) {
        tcsetwinsize(&self.master, size(columns, rows)).expect("its size");
    }

    fn seen(&self) -> String {
        text(&self.seen.lock().expect("nobody panics with it"))
    }

    fn wait_for(&self, what: &str) {
        wait_until(|| self.seen().contains(what), || format!("{what:?}: {:?}", self.seen()));
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for its end, and returns all that was seen.
    fn end(mut self, code: i32) -> String {
        let ended = ended(&mut self.child);
        wait_until(|| self.reader.is_finished(), || format!("the end of what is seen: {:?}", self.seen()));
        let seen = self.seen();
        assert_eq!(ended, Some(code), "{seen}");
        seen
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program whose lines are read one by one.
struct Piped {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Piped {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            binary().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let out = child.stdout.take().expect("piped");
        // Who reads looks at the clock while nothing comes.
        ioctl_fionbio(&out, true).expect("a pipe");
        Self { child, out: Some(BufReader::new(out)) }
    }

    /// The next line; nothing where it ended.
    fn line(&mut self) -> String {
        let out = self.out.as_mut().expect("piped");
        let mut line = String::new();
        let is_read = || match out.read_line(&mut line) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            read => read.map(|_| true).expect("a line"),
        };
        wait_until(is_read, || "a line".to_owned());
        line
    }

    fn line_with(&mut self, what: &str) {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "it ended without {what:?}");
            if line.contains(what) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for the end of a program; returns its exit code.
fn ended(child: &mut Child) -> Option<i32> {
    let mut status = None;
    let is_over = || {
        status = child.try_wait().expect("it is ours");
        status.is_some()
    };
    wait_until(is_over, || "the end of a program".to_owned());
    status.and_then(|status| status.code())
}

fn wait_until(mut is_so: impl FnMut() -> bool, what: impl Fn() -> String) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {}", what());
        thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn url(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address)
}

/// What stands there, without colours: where a line was begun anew, as by a progress, only its newest text.
fn bare(seen: &str) -> String {
    let plain = Regex::new("\u{1b}\\[[0-9]*[mK]").expect("a pattern").replace_all(seen, "").into_owned();
    let newest = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().to_owned();
    plain.split('\n').map(newest).collect::<Vec<_>>().join("\n")
}
