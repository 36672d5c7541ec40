//! Orders as tasks: none waits for another, each limit holds, each drop is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::Target;
use wa_watchdog::engine::sample::{Failure, Reply, SessionState};
use wa_watchdog::engine::{Ask, Sample, TargetId};
use wa_watchdog::http::Http;
use wa_watchdog::recording::News;
use wa_watchdog::source::{Clock, Sources};

use crate::server::{Act, CONNECTED, Server, http, ok};
use crate::{PATIENCE, acme, clock, id, reply, shop, state, until};

type Samples = mpsc::Receiver<News>;

#[tokio::test]
async fn a_target_that_hangs_delays_no_other() {
    let (hanging, good) = (Server::always(Act::Hang).await, Server::always(ok(CONNECTED)).await);
    let hanging = Target { timeout: Duration::from_millis(300), ..shop(&hanging.url) };
    let (sources, mut samples) = sources([("hanging", hanging), ("good", shop(&good.url))]);
    sources.ask(&id("hanging"), Ask::Status);
    sources.ask(&id("good"), Ask::Status);

    let (from, sample) = next(&mut samples).await;
    assert_eq!((from, state(&reply(sample))), (id("good"), SessionState::Connected));
    assert_eq!(sources.in_flight(), 1);
    let (from, sample) = next(&mut samples).await;
    assert_eq!((from, reply(sample)), (id("hanging"), Reply::NoAnswer(Failure::Timeout)));
    assert_eq!(sources.in_flight(), 0);
}

#[tokio::test]
async fn a_target_is_asked_the_same_thing_once_at_a_time() {
    let server = Server::always(Act::Hang).await;
    let (sources, _samples) = sources([("acme", acme(&server.url))]);
    for _ in 0..3 {
        sources.ask(&id("acme"), Ask::Status);
    }
    sources.ask(&id("acme"), Ask::Qr);
    until("both are asked", || server.requests().len() == 2).await;
    assert_eq!(sources.in_flight(), 2);
    assert_eq!(dropped(&sources), [("poll_busy", 2)]);
}

#[tokio::test]
async fn a_target_can_be_asked_again_as_soon_as_its_sample_is_there() {
    let server = Server::always(Act::Last(http("200 OK", &[], CONNECTED))).await;
    let (sources, mut samples) = sources([("shop", shop(&server.url))]);
    for _ in 0..20 {
        sources.ask(&id("shop"), Ask::Status);
        next(&mut samples).await;
    }
    assert_eq!(dropped(&sources), []);
}

#[tokio::test]
async fn a_full_queue_drops_the_sample_and_counts_it() {
    let server = Server::always(ok(CONNECTED)).await;
    let targets = [("a", shop(&server.url)), ("b", shop(&server.url)), ("c", shop(&server.url))];
    let (sources, mut samples) = sources_with(targets, clock(), 1);
    for name in ["a", "b", "c"] {
        sources.ask(&id(name), Ask::Status);
    }
    until("all calls are over", || dropped(&sources) == [("poll_queue_full", 2)]).await;
    assert_eq!(state(&reply(next(&mut samples).await.1)), SessionState::Connected);
    assert_eq!(sources.in_flight(), 0);
}

#[tokio::test]
async fn a_call_that_panics_ends_alone() {
    let server = Server::always(ok(CONNECTED)).await;
    let (good, breaks) = (clock(), AtomicBool::new(true));
    let breaks_once: Clock = Arc::new(move || {
        assert!(!breaks.swap(false, Ordering::SeqCst), "this clock breaks once, for a test");
        good()
    });
    let (sources, mut samples) = sources_with([("shop", shop(&server.url))], breaks_once, 8);
    sources.ask(&id("shop"), Ask::Status);
    until("the panic is counted", || dropped(&sources) == [("poll_panicked", 1)]).await;
    assert_eq!(sources.in_flight(), 0);
    sources.ask(&id("shop"), Ask::Status);
    assert_eq!(state(&reply(next(&mut samples).await.1)), SessionState::Connected);
}

#[tokio::test]
async fn other_targets_end_the_calls_to_the_old_ones() {
    let (hanging, good) = (Server::always(Act::Hang).await, Server::always(ok(CONNECTED)).await);
    let (mut sources, mut samples) = sources([("shop", shop(&hanging.url)), ("gone", shop(&hanging.url))]);
    sources.ask(&id("shop"), Ask::Status);
    until("it hangs", || hanging.requests().len() == 1).await;

    sources.replace(targets([("shop", shop(&good.url))]));
    sources.ask(&id("shop"), Ask::Status);
    sources.ask(&id("gone"), Ask::Status);
    assert_eq!(state(&reply(next(&mut samples).await.1)), SessionState::Connected);
    until("the old call is over", || sources.in_flight() == 0).await;
    assert_eq!(dropped(&sources), [("poll_outdated", 1), ("poll_unknown_target", 1)]);
}

#[tokio::test]
async fn who_is_asked_as_before_is_not_disturbed_by_others_that_come_and_go() {
    let server = Server::always(Act::Hang).await;
    let (mut sources, _samples) = sources([("stays", shop(&server.url)), ("goes", shop(&server.url))]);
    sources.ask(&id("stays"), Ask::Status);
    sources.ask(&id("goes"), Ask::Status);
    until("both hang", || server.requests().len() == 2).await;

    // The same settings, read anew.
    sources.replace(targets([("stays", shop(&server.url)), ("comes", shop(&server.url))]));
    until("one call is over", || sources.in_flight() == 1).await;
    sources.ask(&id("stays"), Ask::Status);
    assert_eq!(dropped(&sources), [("poll_busy", 1), ("poll_outdated", 1)], "its call is still in flight");

    let slower = Target { timeout: Duration::from_secs(7), ..shop(&server.url) };
    sources.replace(targets([("stays", slower)]));
    until("its call is over", || sources.in_flight() == 0).await;
    assert_eq!(dropped(&sources), [("poll_busy", 1), ("poll_outdated", 2)], "it is asked otherwise now");
}

#[tokio::test]
async fn nothing_is_left_when_the_sources_are_dropped() {
    let server = Server::always(Act::Hang).await;
    let tracker = TaskTracker::new();
    let (samples, _seen) = mpsc::channel(8);
    let sources =
        Sources::new(targets([("shop", shop(&server.url))]), Http::new().unwrap(), clock(), samples, tracker.clone());
    sources.ask(&id("shop"), Ask::Status);
    until("it hangs", || server.requests().len() == 1).await;
    drop(sources);
    tracker.close();
    timeout(PATIENCE / 4, tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn every_reason_for_a_drop_is_there_from_the_start() {
    let (sources, _samples) = sources([]);
    assert_eq!(sources.dropped().len(), 13);
    assert_eq!(dropped(&sources), []);
}

fn sources<const N: usize>(named: [(&str, Target); N]) -> (Sources, Samples) {
    sources_with(named, clock(), 8)
}

/// Follows what one target says.
pub(crate) fn sources_of(target: Target) -> (Sources, Samples) {
    sources_with([("shop", target)], clock(), 1024)
}

fn sources_with<const N: usize>(named: [(&str, Target); N], clock: Clock, room: usize) -> (Sources, Samples) {
    let (samples, seen) = mpsc::channel(room);
    (Sources::new(targets(named), Http::new().unwrap(), clock, samples, TaskTracker::new()), seen)
}

fn targets<const N: usize>(named: [(&str, Target); N]) -> BTreeMap<TargetId, Arc<Target>> {
    named.into_iter().map(|(name, target)| (id(name), Arc::new(Target { id: id(name), ..target }))).collect()
}

async fn next(samples: &mut Samples) -> (TargetId, Sample) {
    let news = timeout(PATIENCE, samples.recv()).await.unwrap().unwrap();
    (news.target, news.sample)
}

/// Every reason that came up.
fn dropped(sources: &Sources) -> Vec<(&'static str, u64)> {
    sources.dropped().into_iter().filter(|(_, count)| *count != 0).collect()
}
