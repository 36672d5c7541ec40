//! Calls that bring no answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use wa_watchdog::config::Target;
use wa_watchdog::engine::sample::{Failure, Reply, SessionState};
use wa_watchdog::engine::{Ask, Sample};
use wa_watchdog::source::{Endpoints, Unasked};

use crate::server::{Act, CHUNKED, CONNECTED, Server, http, ok};
use crate::{acme, ask, failure, poller, reply, shop, state, target};

#[tokio::test]
async fn a_connection_is_kept_between_two_polls() {
    let server = Server::start([vec![ok(CONNECTED), ok(CONNECTED)]]).await;
    poll_twice(&server).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_has_closed_is_no_failure() {
    for end in [Act::Close, Act::Reset] {
        let server = Server::start([vec![ok(CONNECTED), end], vec![ok(CONNECTED)]]).await;
        poll_twice(&server).await;
        assert_eq!((server.connections(), server.requests().len()), (2, 3));
    }
}

#[tokio::test]
async fn a_server_that_breaks_every_connection_is_told_and_asked_twice_at_most() {
    for act in [Act::Close, Act::Reset] {
        let server = Server::always(act).await;
        assert_eq!(failure(shop(&server.url)).await, Failure::Reset);
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_connection_closed_before_the_question_is_a_failure() {
    let server = Server::start([vec![]]).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::Reset);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_and_not_asked_again() {
    let cut = http("200 OK", &[], CONNECTED).replace("hasQR", "has");
    let server = Server::always(Act::Last(cut)).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::Reset);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up_in_time() {
    let server = Server::always(Act::Hang).await;
    assert_times_out(&server).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_does_not_hold_us_longer_than_silence() {
    let server = Server::always(Act::Flood(CHUNKED.to_owned(), "1\r\nx\r\n".to_owned())).await;
    assert_times_out(&server).await;
}

#[tokio::test]
async fn a_port_without_a_listener_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(failure(shop(&url)).await, Failure::ConnectionRefused);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told() {
    // A label longer than DNS allows (RFC 1035, 2.3.4) fails without a question to any name server.
    let url = format!("http://{}.invalid", "x".repeat(70));
    assert_eq!(failure(shop(&url)).await, Failure::Dns);
}

#[tokio::test]
async fn a_target_that_cannot_be_asked_gives_no_sample() {
    let without_session = target("wasender", "http://127.0.0.1:9");
    assert!(matches!(ask(without_session, Ask::Status).await, Err(Unasked::NoEndpoint)));
    assert!(matches!(ask(acme("not a URL"), Ask::Status).await, Err(Unasked::NoEndpoint)));
    assert!(matches!(ask(acme("ftp://127.0.0.1"), Ask::Status).await, Err(Unasked::Ourselves(_))));
}

/// The times are virtual.
async fn assert_times_out(server: &Server) {
    let limit = Duration::from_secs(5);
    let sample = ask(Target { timeout: limit, ..shop(&server.url) }, Ask::Status).await.unwrap();
    let Sample::Poll { reply, latency } = sample else { panic!("{sample:?}") };
    assert_eq!(reply, Reply::NoAnswer(Failure::Timeout));
    assert!((limit..limit.saturating_add(Duration::from_millis(10))).contains(&latency), "{latency:?}");
}

async fn poll_twice(server: &Server) {
    let (poller, endpoints) = (poller(), Endpoints::of(Arc::new(shop(&server.url))));
    for _ in 0..2 {
        let reply = reply(poller.ask(&endpoints, Ask::Status).await.unwrap().sample);
        assert_eq!(state(&reply), SessionState::Connected);
    }
}
