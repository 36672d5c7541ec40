//! Logs that are followed: over a daemon that breaks off, and in files that are rotated.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::{DockerAt, DockerEndpoint, Logs, LogsAt, Senses, Target};
use wa_watchdog::engine::Sample;
use wa_watchdog::http::Http;
use wa_watchdog::recording::{News, Raw};
use wa_watchdog::source::Sources;

use crate::docker::{Container, Docker, State};
use crate::{PATIENCE, clock, id, shop, until};

/// Who follows one log.
struct Follower {
    sources: Sources,
    samples: mpsc::Receiver<News>,
}

impl Follower {
    fn of(at: LogsAt) -> Self {
        Self::with(at, 10_000)
    }

    fn with(at: LogsAt, lines_max: u32) -> Self {
        let (sender, samples) = mpsc::channel(4096);
        let sources = Sources::new(targets(at, lines_max), Http::new().unwrap(), clock(), sender, TaskTracker::new());
        Self { sources, samples }
    }

    /// Returns the next lines that meant something.
    async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let news =
                timeout(PATIENCE, self.samples.recv()).await.unwrap_or_else(|_| panic!("only {lines:?}")).unwrap();
            let (Sample::Signal(signal), Raw::Log(line)) = (news.sample, news.raw) else { panic!("a line") };
            assert_eq!(signal.line.as_str(), line);
            lines.push(line);
        }
        lines
    }

    /// Checks that nothing more is told, a moment after everything was read.
    async fn says_no_more(&mut self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(self.samples.try_recv().ok(), None);
    }

    fn dropped(&self, reason: &str) -> u64 {
        *self.sources.dropped().get(reason).unwrap()
    }
}

fn targets(at: LogsAt, lines_max: u32) -> BTreeMap<wa_watchdog::engine::TargetId, Arc<Target>> {
    let senses = Senses { logs: Some(Logs { at, lines_max }), ..Senses::default() };
    let target = Target { id: id("shop"), senses, ..shop("http://127.0.0.1:9") };
    BTreeMap::from([(id("shop"), Arc::new(target))])
}

fn container(docker: &Docker) -> LogsAt {
    let endpoint = match docker.address.strip_prefix('/') {
        Some(_) => DockerEndpoint::Unix(docker.address.clone().into()),
        None => DockerEndpoint::Tcp(docker.address.clone()),
    };
    LogsAt::Docker(DockerAt { endpoint, container: "wa".to_owned() })
}

fn with(container: Container) -> State {
    State { container: Some(container), ..State::default() }
}

/// A line that means something, and is not like any other.
fn line(number: usize) -> String {
    let state = match number % 3 {
        0 => "OPENING",
        1 => "PAIRING",
        _ => "CONNECTED",
    };
    format!("🔄 State changed to: {state} (after {number}ms)")
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(line).collect()
}

fn say(docker: &Docker, numbers: std::ops::Range<usize>) {
    let lines = numbered(numbers);
    docker.say(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_container_is_followed_from_its_end_however_its_frames_are_divided() {
    let folder = tempfile::tempdir().unwrap();
    let docker = Docker::over_socket(&folder.path().join("sock"), State { piece: 3, ..with(Container::new("a")) });
    docker.say(&["📴 Disconnected: LOGOUT"]);
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    docker.say(&[
        "🚀 Service running",
        "⚠️ CONFLICT: Another WhatsApp Web session detected!",
        "\u{1b}[31m📴 Disconnected: CONFLICT\u{1b}[0m",
    ]);
    say(&docker, 0..50);
    assert_eq!(
        follower.lines(2).await,
        ["⚠️ CONFLICT: Another WhatsApp Web session detected!", "📴 Disconnected: CONFLICT"]
    );
    assert_eq!(follower.lines(50).await, numbered(0..50));
    follower.says_no_more().await;
    assert_eq!(follower.dropped("log_meaningless"), 1);
    assert!(docker.state().asked[0].ends_with("tail=0"), "{:?}", docker.state().asked);
}

#[tokio::test]
async fn a_broken_connection_loses_no_line_and_doubles_none() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    let mut expected = Vec::new();
    for (round, breaks_after) in [1, 7, 8, 9, 60, 100, 333, 700].into_iter().enumerate() {
        // Four of the same time, two of them equal: some are read before it breaks, some after.
        let at = Timestamp::now();
        for line in [line(3 * round), line(3 * round), line(3 * round + 1), line(3 * round + 2)] {
            docker.say_at(at, &line);
            expected.push(line);
        }
        docker.state().breaks_after = Some(breaks_after);
        docker.break_off();
        let asked = docker.state().asked.len();
        until("it is followed again, and breaks", || asked < docker.state().asked.len()).await;
    }
    assert_eq!(follower.lines(expected.len()).await, expected);
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 100..103);
    assert_eq!(follower.lines(3).await, numbered(100..103));
    follower.says_no_more().await;
}

#[tokio::test]
async fn what_is_said_before_the_first_line_and_while_nobody_listens_is_heard() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    docker.break_off();
    say(&docker, 0..2);
    assert_eq!(follower.lines(2).await, numbered(0..2));
    follower.says_no_more().await;
}

#[tokio::test]
async fn a_service_that_is_restarted_is_followed_on() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 0..2);
    docker.state().container.as_mut().unwrap().is_running = false;
    assert_eq!(follower.lines(2).await, numbered(0..2));
    until("it stands still, and is read out", || 2 <= docker.state().asked.len() && docker.open() == 0).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(docker.state().asked.len(), 2, "a log that is read out is not read again");
    docker.state().container.as_mut().unwrap().is_running = true;
    say(&docker, 2..4);
    assert_eq!(follower.lines(2).await, numbered(2..4));
    follower.says_no_more().await;
}

#[tokio::test]
async fn a_terminal_sends_no_frames() {
    let docker =
        Docker::over_tcp(State { piece: 5, ..with(Container { has_terminal: true, ..Container::new("a") }) }).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 0..5);
    docker.break_off();
    say(&docker, 5..9);
    assert_eq!(follower.lines(9).await, numbered(0..9));
    follower.says_no_more().await;
}

#[tokio::test]
async fn a_container_made_anew_is_read_from_its_start_and_the_old_one_is_known_again() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 0..2);
    assert_eq!(follower.lines(2).await, numbered(0..2));

    let old = docker.state().container.replace(Container::new("b"));
    say(&docker, 2..5);
    assert_eq!(follower.lines(3).await, numbered(2..5));
    docker.state().container = old;
    say(&docker, 5..6);
    assert_eq!(follower.lines(1).await, numbered(5..6), "it was put back, and said something more");
    follower.says_no_more().await;
    assert_eq!(follower.dropped("log_unread"), 0);
}

#[tokio::test]
async fn a_container_that_was_not_there_is_read_from_its_start() {
    let docker = Docker::over_tcp(State::default()).await;
    let mut follower = Follower::of(container(&docker));
    until("it is counted", || follower.dropped("log_unread") == 2).await;
    docker.state().container = Some(Container::new("a"));
    say(&docker, 0..3);
    assert_eq!(follower.lines(3).await, numbered(0..3));
    follower.says_no_more().await;
}

#[tokio::test]
async fn what_was_said_long_ago_is_no_news() {
    let docker = Docker::over_tcp(State::default()).await;
    let mut follower = Follower::of(container(&docker));
    until("it is counted", || follower.dropped("log_unread") == 1).await;
    docker.state().container = Some(Container::new("a"));
    docker.say_at(Timestamp::now().checked_sub(SignedDuration::from_mins(6)).unwrap(), "📴 Disconnected: LOGOUT");
    say(&docker, 0..1);
    assert_eq!(follower.lines(1).await, numbered(0..1));
    assert_eq!(follower.dropped("log_old"), 1);
}

#[tokio::test]
async fn a_proxy_that_denies_is_counted_and_the_log_is_followed_once_it_allows() {
    let docker = Docker::over_tcp(State { is_denied: true, ..with(Container::new("a")) }).await;
    docker.say(&["📴 Disconnected: LOGOUT"]);
    let mut follower = Follower::of(container(&docker));
    until("it is counted", || follower.dropped("log_unread") == 2).await;
    docker.state().is_denied = false;
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 0..2);
    assert_eq!(follower.lines(2).await, numbered(0..2), "what was said before it could be read is old");
    assert_eq!(docker.state().asked.len(), 1);
}

#[tokio::test]
async fn a_connection_that_is_dead_without_saying_so_is_left() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 0..1);
    assert_eq!(follower.lines(1).await, numbered(0..1));
    docker.state().is_dead = true;
    tokio::time::sleep(Duration::from_millis(20)).await;

    // Another container: that is seen by asking.
    docker.state().container = Some(Container::new("b"));
    say(&docker, 1..3);
    pass(Duration::from_secs(16)).await;
    until("it is asked for anew", || docker.state().asked.len() == 2).await;
    docker.state().is_dead = false;
    assert_eq!(follower.lines(2).await, numbered(1..3));

    // The same one: nothing but silence tells.
    docker.state().is_dead = true;
    tokio::time::sleep(Duration::from_millis(20)).await;
    say(&docker, 3..5);
    pass(Duration::from_secs(61)).await;
    until("it is asked for anew", || docker.state().asked.len() == 3).await;
    docker.state().is_dead = false;
    assert_eq!(follower.lines(2).await, numbered(3..5));
    follower.says_no_more().await;
    assert!(docker.state().asked[2].contains("tail=12000"), "{:?}", docker.state().asked);
}

/// Lets time pass for everybody at once.
async fn pass(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_reload_that_leaves_the_section_as_it_is_loses_no_line() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::of(container(&docker));
    until("it is followed", || docker.open() == 1).await;
    say(&docker, 0..2);
    follower.sources.replace(targets(container(&docker), 10_000));
    say(&docker, 2..4);
    assert_eq!(follower.lines(4).await, numbered(0..4));
    assert_eq!(docker.state().asked.len(), 1);
}

#[tokio::test]
async fn what_is_not_told_is_counted_and_no_secret_is_kept() {
    let docker = Docker::over_tcp(with(Container::new("a"))).await;
    let mut follower = Follower::with(container(&docker), 5);
    until("it is followed", || docker.open() == 1).await;
    // All in one second, so that the limit is certain.
    let at = Timestamp::now();
    let long = format!("🔄 State changed to: CONFLICT (after 7ms) {}", "x".repeat(100_000));
    for line in [
        "█▀▀▀▀▀█ ▄ Disconnected: LOGOUT █▀▀▀▀▀█",
        "📩 Message → 15550100",
        "❌ Auth failed: token=abc 2@AbCdEf,gh== of 15550100123@c.us",
        &long,
        "📴 Connection closed. Reason: 440",
        "📴 Connection closed. Reason: 401",
        "📴 Connection closed. Reason: 403",
    ] {
        docker.say_at(at, line);
    }
    let lines = follower.lines(3).await;
    assert_eq!(lines[0], "❌ Auth failed: token=… … of …");
    assert!(lines[1].starts_with("🔄 State changed to: CONFLICT") && lines[1].len() < 700, "{}", lines[1]);
    assert_eq!(lines[2], "📴 Connection closed. Reason: 440");
    follower.says_no_more().await;
    let counts = ["log_qr", "log_meaningless", "log_cut", "log_over_rate"].map(|reason| follower.dropped(reason));
    assert_eq!(counts, [1, 1, 1, 2]);
}

#[tokio::test]
async fn a_file_is_followed_through_every_way_to_rotate_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.log");
    append(&path, "📴 Disconnected: LOGOUT\n🔄 State changed to: OPENING");
    let mut follower = Follower::of(LogsAt::File(path.clone()));
    // What it was begun with is seen by what is told of it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    append(&path, " (after 0ms)\n");
    assert_eq!(follower.lines(1).await, ["🔄 State changed to: OPENING (after 0ms)"]);

    // Renamed and made anew, with half a line before, and a writer that is late.
    let whole = line(2);
    let (first, rest) = whole.split_at(10);
    append(&path, &format!("{}\n{first}", line(1)));
    let aside = folder.path().join("service.log.1");
    fs::rename(&path, &aside).unwrap();
    append(&path, "");
    append(&aside, &format!("{rest}\n"));
    append(&path, &format!("{}\n", line(3)));
    assert_eq!(follower.lines(3).await, numbered(1..4));

    // Copied and truncated.
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    append(&path, &format!("{}\n", line(4)));
    assert_eq!(follower.lines(1).await, numbered(4..5));

    // Deleted, and made anew later; with bytes that are no text.
    fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut bytes = b"\xff\xfe\n".to_vec();
    bytes.extend_from_slice(format!("{}\n", line(5)).as_bytes());
    fs::write(&path, bytes).unwrap();
    assert_eq!(follower.lines(1).await, numbered(5..6));
    follower.says_no_more().await;
    assert_eq!((follower.dropped("log_unread"), follower.dropped("log_meaningless")), (0, 1));
}

#[tokio::test]
async fn a_file_that_appears_later_is_read_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.log");
    let mut follower = Follower::of(LogsAt::File(path.clone()));
    until("it is counted", || 1 <= follower.dropped("log_unread")).await;
    append(&path, &format!("{}\n{}", line(0), line(1)));
    assert_eq!(follower.lines(1).await, numbered(0..1));
    follower.says_no_more().await;
    append(&path, "\n");
    assert_eq!(follower.lines(1).await, numbered(1..2));
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
