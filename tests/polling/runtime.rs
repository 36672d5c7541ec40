//! What a daemon does with a container, over events that break off, come again and make no sense.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wa_watchdog::config::{RuntimeFrom, Senses, Target};
use wa_watchdog::engine::Sample;
use wa_watchdog::engine::sample::{Runtime, Word};
use wa_watchdog::recording::{News, Raw};
use wa_watchdog::source::Sources;

use crate::daemon::Daemon;
use crate::fleet::sources_of;
use crate::{PATIENCE, shop, until};

/// When the container of a test first started.
const BORN: &str = "2026-02-04T08:00:00.5Z";
const SEC: u64 = 1_000_000_000;
/// A moment after that, in nanoseconds.
const LATER: u64 = 1_770_195_600 * SEC;

fn follow(daemon: &Daemon) -> (Sources, mpsc::Receiver<News>) {
    let senses = Senses { runtime: Some(RuntimeFrom { at: daemon.container() }), ..Senses::default() };
    sources_of(Target { senses, ..shop("http://127.0.0.1:1") })
}

fn container(born: &str, image: &str, runs: bool) -> impl Fn(&str) -> (u16, String) + Send + 'static {
    let state = json!({ "Running": runs, "StartedAt": born, "OOMKilled": false, "ExitCode": 0 });
    let inspect =
        json!({ "Image": "sha256:0123456789abcdef", "Config": { "Image": image, "Labels": null }, "State": state });
    move |path| (200, if path.contains("/json") { inspect.to_string() } else { "OK".to_owned() })
}

/// An event, so many nanoseconds later.
fn event(after: u64, action: &str, attributes: &[(&str, &str)]) -> String {
    let all: BTreeMap<&str, &str> = [("image", "wa:1"), ("name", "wa")].iter().chain(attributes).copied().collect();
    let nanos = LATER + after;
    let actor = json!({ "ID": "a2d8", "Attributes": all });
    json!({ "Type": "container", "Action": action, "Actor": actor, "time": nanos / SEC, "timeNano": nanos }).to_string()
}

fn died(exit_code: i64, oom_killed: bool) -> Runtime {
    Runtime::Died { exit_code: Some(exit_code), oom_killed }
}

fn image(text: &str) -> Runtime {
    Runtime::VersionChanged(Word::new(text))
}

async fn next(samples: &mut mpsc::Receiver<News>) -> Runtime {
    let news = timeout(PATIENCE, samples.recv()).await.unwrap().unwrap();
    let Sample::Runtime(runtime) = news.sample else { panic!("{news:?}") };
    assert_eq!(news.raw, Raw::Runtime(runtime.clone()));
    runtime
}

#[tokio::test]
async fn events_are_told_as_they_come() {
    let daemon = Daemon::start(container(BORN, "wa:1", true)).await;
    let (sources, mut samples) = follow(&daemon);
    assert_eq!(next(&mut samples).await, image("wa:1 0123456789ab"), "what it runs is seen first");
    let asked = daemon.asked("/events");
    assert!(asked[0].starts_with("GET /v1.41/events?filters=") && !asked[0].contains("since="), "{asked:?}");

    // Killed for memory with everything in it; nobody waits for more.
    daemon.say(&event(1, "oom", &[]));
    daemon.say(&event(2, "die", &[("exitCode", "137")]));
    assert_eq!(next(&mut samples).await, died(137, true));
    daemon.say(&event(3, "start", &[]));
    assert_eq!(next(&mut samples).await, Runtime::Started);
    daemon.say(&event(4, "health_status: unhealthy", &[]));
    assert_eq!(next(&mut samples).await, Runtime::Health(Word::new("unhealthy")));
    // Something in it was killed, and it lives on: that is known when nothing follows.
    daemon.say(&event(5 * SEC, "oom", &[]));
    assert_eq!(next(&mut samples).await, Runtime::OomKilled);
    // Somebody stops it, another one of a like name dies, and its own end comes.
    daemon.say(&event(9 * SEC, "kill", &[("signal", "15")]));
    daemon.say(&event(10 * SEC, "die", &[("exitCode", "137"), ("name", "wa-2")]));
    daemon.say(&event(11 * SEC, "die", &[("exitCode", "137")]));
    assert_eq!(next(&mut samples).await, died(137, false));
    assert_eq!(sources.dropped()["event_unread"], 0);
}

#[tokio::test]
async fn after_a_break_it_goes_on_where_it_stopped() {
    let daemon = Daemon::start(container(BORN, "wa:1", true)).await;
    let (_sources, mut samples) = follow(&daemon);
    next(&mut samples).await;
    let (stop, start) = (event(7, "die", &[("exitCode", "0")]), event(8, "start", &[]));
    daemon.say(&stop);
    daemon.say(&start);
    assert_eq!([next(&mut samples).await, next(&mut samples).await], [died(0, false), Runtime::Started]);
    // The newest comes again, and what was missed with it.
    daemon.hang_up(&[start, event(9, "oom", &[]), event(10, "die", &[("exitCode", "137")])]);
    assert_eq!(next(&mut samples).await, died(137, true));
    let asked = daemon.asked("/events");
    assert!(asked[1].ends_with("&since=1770195600.000000008 HTTP/1.1"), "{asked:?}");
    assert!(samples.try_recv().is_err(), "nothing is told twice");
}

#[tokio::test]
async fn what_nobody_told_is_seen_by_a_look() {
    let daemon = Daemon::start(container(BORN, "wa:1", true)).await;
    let (_sources, mut samples) = follow(&daemon);
    next(&mut samples).await;
    // The daemon itself was restarted: it has forgotten its events.
    daemon.answers(container("2026-02-04T09:30:00Z", "wa:2", true));
    daemon.hang_up(&[]);
    assert_eq!([next(&mut samples).await, next(&mut samples).await], [Runtime::Started, image("wa:2 0123456789ab")]);
    daemon.answers(|path| match path {
        _ if path.contains("/json") => (404, r#"{"message":"No such container: wa"}"#.to_owned()),
        _ => (200, "OK".to_owned()),
    });
    until("it listens again", || daemon.listeners() == 1).await;
    daemon.hang_up(&[]);
    assert_eq!(next(&mut samples).await, Runtime::Died { exit_code: None, oom_killed: false });
}

#[tokio::test]
async fn what_makes_no_sense_is_counted_and_passed_over() {
    let daemon = Daemon::start(container(BORN, "wa:1", true)).await;
    let (sources, mut samples) = follow(&daemon);
    next(&mut samples).await;
    for garbage in ["{", "null", r#"{"Action":"die"}"#, &"x".repeat(600_000)] {
        daemon.say(garbage);
    }
    daemon.say(&event(3, "start", &[]));
    assert_eq!(next(&mut samples).await, Runtime::Started);
    assert_eq!(sources.dropped()["event_unread"], 4);
}

#[tokio::test]
async fn a_daemon_that_is_away_is_asked_until_it_is_back() {
    let daemon = Daemon::start(|_: &str| (500, r#"{"message":"not yet"}"#.to_owned())).await;
    let (_sources, mut samples) = follow(&daemon);
    until("it was asked in vain", || !daemon.asked("/containers/wa/json").is_empty()).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    daemon.answers(container(BORN, "wa:1", true));
    assert_eq!(next(&mut samples).await, image("wa:1 0123456789ab"));
}
