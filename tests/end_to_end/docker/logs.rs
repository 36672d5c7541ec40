//! The log of a container, followed over a real daemon: what the status does not tell is told by what the service prints.

use std::time::{Duration, Instant};

use super::super::{Daemon, PATIENCE};
use super::connected;
use super::host::Host;
use super::talker::{OwnDaemon, Talker};

/// Longest time from the line that completes the evidence to the incident, and from the line that proves recovery to its end.
const WITHIN: Duration = Duration::from_secs(5);

const POLICY: &str = r#"
[policy]
poll_every = "1s"
timeout = "800ms"
settle = "1s"
steady = "1s"
[policy.state_loop]
within = "60s"
[policy.conflict]
lasts = "2s"
"#;

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn what_the_log_alone_tells_is_named_and_recovers() {
    let host = Host::of_test();
    let talker = Talker::start(&host, "tells", &[]);
    // What was said before anybody listened is old.
    talker.say(&["📴 Disconnected [04.02.2026 12:02:31]: LOGOUT"]);
    let daemon = follow(&talker);

    talker.say(&[
        "🔄 State changed to: CONFLICT (after 812ms)",
        "📴 Disconnected [04.02.2026 12:02:31]: CONFLICT",
        "⚠️ CONFLICT: Another WhatsApp Web session detected!",
    ]);
    within(&daemon, "the conflict", |daemon| is_open(daemon, "conflict"));
    talker.say(&["✅ WhatsApp client is ready! [04.02.2026 12:03:31]"]);
    within(&daemon, "its end", |daemon| !is_open(daemon, "conflict"));

    // Steps of a loop: the first connection is no return, and the third return completes it. In between a code is drawn, which
    // nobody may see.
    for round in 0..4 {
        talker.say(&["🔄 State changed to: OPENING (after 812ms)", "🔄 State changed to: PAIRING (after 812ms)"]);
        talker.say(&["█▀▀▀▀▀█ ▄█ ▀▄ █▀▀▀▀▀█", "█ ███ █ 2@AbCdEfGhIjKl █ ███ █"]);
        daemon.wait_for("the steps", |daemon| signals(daemon) == 4 + 3 * round + 2);
        assert!(!is_open(&daemon, "state_loop"), "round {round}");
        talker.say(&["🔄 State changed to: CONNECTED (after 812ms)"]);
    }
    within(&daemon, "the loop", |daemon| is_open(daemon, "state_loop"));
    within(&daemon, "its end", |daemon| !is_open(daemon, "state_loop"));

    talker.shows(false, false);
    daemon.wait_for("the status", |daemon| !connected(daemon));
    assert!(daemon.get("/api/v1/incidents?open=true").contains(r#""incidents":[]"#), "the status alone tells nothing");
    talker.say(&["📴 Disconnected [04.02.2026 12:09:31]: LOGOUT", "⚠️ LOGOUT: User logged out from WhatsApp"]);
    within(&daemon, "the logout", |daemon| is_open(daemon, "session_expired"));
    talker.shows(true, false);
    talker.say(&[
        "🔐 Authenticated successfully [04.02.2026 12:10:31]",
        "✅ WhatsApp client is ready! [04.02.2026 12:10:31]",
    ]);
    within(&daemon, "its end", |daemon| !is_open(daemon, "session_expired"));

    assert_eq!(signals(&daemon), 3 + 1 + 12 + 2 + 2);
    assert_eq!(daemon.metric("wa_watchdog_dropped_total{reason=\"log_qr\"}"), Some(8.0));
    let shown = daemon.get("/api/v1/targets/shop") + &daemon.get("/api/v1/incidents");
    assert!(!shown.contains("2@") && !shown.contains('█'), "{shown}");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn no_line_is_lost_or_doubled_where_the_service_is_restarted_or_made_anew() {
    let host = Host::of_test();
    for options in [&[][..], &["--tty"]] {
        let talker = Talker::start(&host, "again", options);
        let daemon = follow(&talker);
        // Stopped in the middle of it, and killed in the middle of it: the daemon knows how much was said.
        talker.say_numbered(0..900);
        host.docker(&["restart", "-t", "1", talker.name()]);
        talker.say_numbered(900..1800);
        host.docker(&["kill", talker.name()]);
        host.docker(&["start", talker.name()]);
        talker.say_numbered(1800..1810);
        let before = all_heard(&daemon, &talker, 0);

        talker.make_anew(options);
        talker.say_numbered(1810..1820);
        assert_eq!(all_heard(&daemon, &talker, before), before + 10);
        assert_eq!(daemon.stop().0, Some(0));
    }
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn no_line_is_lost_or_doubled_where_the_daemon_is_restarted() {
    // A daemon of its own: other tests are at work on theirs.
    let mut own = OwnDaemon::start();
    let host = Host { socket: own.host.socket.clone() };
    let talker = Talker::start(&host, "daemon", &["--restart", "always"]);
    let daemon = follow(&talker);
    talker.say_numbered(0..900);
    own.restart();
    talker.say_numbered(900..910);
    let heard = all_heard(&daemon, &talker, 0);
    own.restart();
    talker.shows(false, false);
    talker.say_numbered(910..915);
    assert_eq!(all_heard(&daemon, &talker, 0), heard + 5);
    talker.say(&["📴 Disconnected [04.02.2026 12:09:31]: LOGOUT"]);
    within(&daemon, "the logout", |daemon| is_open(daemon, "session_expired"));
    assert_eq!(signals(&daemon), heard + 6);
    assert_eq!(daemon.stop().0, Some(0));
}

/// Waits until everything that was said was heard, once, after what was heard from earlier containers.
fn all_heard(daemon: &Daemon, talker: &Talker<'_>, before: u64) -> u64 {
    daemon.wait_for("everything to be said", |_| talker.is_done());
    let written = || before.saturating_add(u64::try_from(talker.numbered()).expect("a number"));
    daemon.wait_for("everything to be heard", |daemon| written() <= signals(daemon));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(signals(daemon), written(), "of lines in all");
    for reason in ["log_over_rate", "log_old", "poll_queue_full"] {
        let series = format!("wa_watchdog_dropped_total{{reason=\"{reason}\"}}");
        assert!(daemon.metric(&series).is_none_or(|count| count == 0.0), "{reason}");
    }
    written()
}

/// Starts a watchdog that follows what a container says, and sees it connected.
fn follow(talker: &Talker<'_>) -> Daemon {
    let daemon = Daemon::start(talker.directory(), &format!("{POLICY}{}", talker.target("shop")));
    daemon.wait_for("the session", connected);
    // One line tells that it is followed; one that was said a moment too early is old.
    let begin = Instant::now();
    while daemon.metric("wa_watchdog_dropped_total{reason=\"log_meaningless\"}") == Some(0.0) {
        assert!(begin.elapsed() < PATIENCE, "it is not followed");
        talker.say(&["🚀 Service running on port 3001"]);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(signals(&daemon), 0, "old lines are no news");
    daemon
}

fn within(daemon: &Daemon, what: &str, is_so: impl Fn(&Daemon) -> bool) {
    daemon.wait_within(WITHIN, what, is_so);
}

fn is_open(daemon: &Daemon, pattern: &str) -> bool {
    daemon.metric(&format!("wa_watchdog_incident_open{{target=\"shop\",pattern=\"{pattern}\"}}")) == Some(1.0)
}

/// How many lines meant something, as the page of the target says.
fn signals(daemon: &Daemon) -> u64 {
    let page = daemon.get("/api/v1/targets/shop");
    let body = page.split_once("\r\n\r\n").expect("a body").1;
    let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
    json["counts"]["signals"].as_u64().expect("a number")
}
