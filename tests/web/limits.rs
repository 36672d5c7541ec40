//! The limits of the HTTP side: slow, large, many, and the end.
//!
//! Where a test is about time, tokio's clock is paused: it jumps as soon as both sides only wait.

use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use wa_watchdog::web::{
    BODY_BYTES_MAX, BODY_WITHIN, CONNECTION_AGE_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WITHIN, ORDER_WITHIN,
    RELOAD_WITHIN, ReloadDone, STOP_GRACE,
};

use crate::server::{Server, ask, bounded, read_to_end, send};

const GET: &[u8] = b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

#[tokio::test]
async fn a_head_that_is_too_long_is_a_431() {
    let server = Server::start().await;
    let head = |padding: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(padding))
    };
    let fits = bounded(server.raw(head(HEAD_BYTES_MAX - 100).as_bytes())).await;
    assert!(fits.starts_with("HTTP/1.1 200"), "{fits:.80}");
    let refused = bounded(server.raw(head(HEAD_BYTES_MAX + 100).as_bytes())).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused:.80}");
}

#[tokio::test]
async fn what_is_not_http_is_a_400() {
    let server = Server::start().await;
    let refused = bounded(server.raw(b"\x16\x03\x01 hello\r\n\r\n")).await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused:.80}");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_a_413_however_it_is_sent() {
    let mut server = Server::start().await;
    let announced = format!(
        "POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        BODY_BYTES_MAX + 1
    );
    let refused = bounded(server.raw(announced.as_bytes())).await;
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused:.80}");
    let chunked = format!(
        "POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        BODY_BYTES_MAX + 1,
        "x".repeat(BODY_BYTES_MAX + 1)
    );
    let refused = bounded(server.raw(chunked.as_bytes())).await;
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains(r#""hint""#), "{refused:.80}");
    assert!(server.reloads.try_recv().is_err());
}

#[tokio::test]
async fn a_body_within_the_limit_is_read_and_ignored() {
    let mut server = Server::start().await;
    let request = server.request(Method::POST, "/-/reload").body("x".repeat(BODY_BYTES_MAX));
    let driver = async {
        let order = bounded(server.reloads.recv()).await.expect("an order");
        order.answer.send(Ok(ReloadDone::default())).expect("somebody waits");
    };
    let (reply, ()) = tokio::join!(send(request), driver);
    assert_eq!(reply.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_dribbles_in_is_cut_off() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let began = Instant::now();
    let mut sent = 0;
    // One byte a second never ends the head, and never lets the connection fall idle.
    while sent < GET.len() - 1 && stream.write_all(&GET[sent..=sent]).await.is_ok() {
        sent += 1;
        let mut byte = [0];
        if tokio::time::timeout(Duration::from_secs(1), stream.read(&mut byte)).await.is_ok() {
            break;
        }
    }
    let took = began.elapsed();
    assert!(HEAD_WITHIN <= took && took <= HEAD_WITHIN + Duration::from_secs(2), "{took:?}");
    assert_eq!(server.tracker.len(), 1, "only the listener is left");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_a_while_and_then_closed() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream.write_all(GET).await.expect("it is open");
    read_answer(&mut stream).await;
    tokio::time::advance(HEAD_WITHIN / 2).await;
    stream.write_all(GET).await.expect("it is kept alive");
    read_answer(&mut stream).await;
    let began = Instant::now();
    assert_eq!(read_to_end(&mut stream).await, "");
    let took = began.elapsed();
    assert!(HEAD_WITHIN <= took && took <= HEAD_WITHIN + Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_408() {
    let server = Server::start().await;
    let began = Instant::now();
    let head = b"POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc";
    let refused = server.raw(head).await;
    assert!(refused.starts_with("HTTP/1.1 408"), "{refused:.80}");
    assert!(BODY_WITHIN <= began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_takes_too_long_is_told_so() {
    let server = Server::start().await;
    let began = Instant::now();
    let refused = server.raw(b"POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("the reload takes too long"), "{refused:.300}");
    assert!(RELOAD_WITHIN <= began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_order_that_takes_too_long_is_told_so() {
    let server = Server::start().await;
    let began = Instant::now();
    let body = r#"{"reason":"deploy","who":"ana"}"#;
    let length = body.len();
    let head = format!(
        "POST /api/v1/pause HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let refused = server.raw(head.as_bytes()).await;
    let said = "nobody can say yet whether the order counts";
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains(said), "{refused:.300}");
    assert!(ORDER_WITHIN <= began.elapsed());
    assert_eq!(server.orders.len(), 1, "it may still count");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off() {
    const LARGE: usize = 64 * 1024 * 1024;
    let server = Server::rendering(|_| "x".repeat(LARGE)).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it is open");
    let began = Instant::now();
    while server.tracker.len() < 2 {
        tokio::task::yield_now().await;
    }
    let limit = CONNECTION_AGE_MAX + STOP_GRACE;
    while 1 < server.tracker.len() && began.elapsed() <= 2 * limit {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let took = began.elapsed();
    assert!(limit <= took && took <= limit + Duration::from_secs(5), "{took:?}");
    assert!(read_to_end(&mut stream).await.len() < LARGE, "the rest was not sent");
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = server.connect().await;
        stream.write_all(GET).await.expect("it is open");
        bounded(read_answer(&mut stream)).await;
        held.push(stream);
    }
    let mut late = server.connect().await;
    late.write_all(GET).await.expect("the kernel takes it");
    let mut byte = [0];
    let unheard = tokio::time::timeout(Duration::from_millis(50), late.read(&mut byte)).await;
    assert!(unheard.is_err(), "every place is taken");
    drop(held.pop());
    bounded(read_answer(&mut late)).await;
}

#[tokio::test]
async fn many_clients_at_once_are_all_answered() {
    let server = Server::start().await;
    let asked = (0..4 * CONNECTIONS_MAX).map(|_| {
        let request = server.request(Method::GET, "/metrics").header("connection", "close");
        let (client, request) = request.build_split();
        // Not compared with the document of the API: so many comparisons would take longer than the answers.
        server.tracker.spawn(async move { ask(&client, request.expect("a request")).await })
    });
    for reply in asked.collect::<Vec<_>>() {
        assert_eq!(bounded(reply).await.expect("it is answered").body, "targets 3\n");
    }
}

#[tokio::test]
async fn a_stop_finishes_the_running_answer_and_closes_the_rest() {
    let mut server = Server::start().await;
    let (mut idle, mut fresh) = (server.connect().await, server.connect().await);
    idle.write_all(GET).await.expect("it is open");
    bounded(read_answer(&mut idle)).await;
    let running = server.tracker.spawn(send(server.request(Method::POST, "/-/reload")));
    let order = bounded(server.reloads.recv()).await.expect("an order");

    server.stop.cancel();
    server.tracker.close();
    assert_eq!(bounded(read_to_end(&mut idle)).await, "", "an idle connection ends at once");
    assert_eq!(bounded(read_to_end(&mut fresh)).await, "", "so does one that has not asked yet");
    assert!(TcpStream::connect(server.at).await.is_err(), "nothing new is taken");
    assert!(!running.is_finished());

    order.answer.send(Ok(ReloadDone::default())).expect("somebody waits");
    assert_eq!(bounded(running).await.expect("it ends").status, 200);
    bounded(server.tracker.wait()).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let mut server = Server::start().await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.expect("it is open");
    let order = server.reloads.recv().await.expect("an order");
    let began = Instant::now();
    server.stop.cancel();
    server.tracker.close();
    server.tracker.wait().await;
    let took = began.elapsed();
    assert!(STOP_GRACE <= took && took <= STOP_GRACE + Duration::from_secs(1), "{took:?}");
    assert!(order.answer.is_closed(), "nobody waits any more");
    assert_eq!(read_to_end(&mut stream).await, "");
}

/// Reads one answer of `/-/healthy` and leaves the connection open.
async fn read_answer(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"healthy\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.expect("it answers"), 1, "{}", String::from_utf8_lossy(&answer));
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}
