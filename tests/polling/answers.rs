//! Answers of every status.

use std::time::Duration;

use wa_watchdog::config::{Secret, Target, VendorAt};
use wa_watchdog::engine::sample::{Deep, Failure, Reply, SessionState};
use wa_watchdog::engine::{Ask, Sample};

use crate::server::{Act, CHUNKED, CONNECTED, Server, http, ok};
use crate::{acme, ask, failure, poll, shop, state, target};

#[tokio::test]
async fn a_good_answer_is_understood() {
    let server = Server::always(ok(CONNECTED)).await;
    assert_eq!(state(&poll(shop(&server.url)).await), SessionState::Connected);
    let [request] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    let request = request.to_lowercase();
    assert!(request.starts_with("get /status http/1.1\r\n"), "{request}");
    assert!(request.contains("\r\naccept: application/json\r\n"), "{request}");
    let agent = format!("\r\nuser-agent: wa-watchdog/{}\r\n", env!("CARGO_PKG_VERSION"));
    assert!(request.contains(&agent), "{request}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::always(ok(CONNECTED)).await;
    let location = format!("Location: {}/status", elsewhere.url);
    let server = Server::always(Act::Say(http("302 Found", &[&location], ""))).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::UnexpectedStatus(302));
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_refused_token_and_a_missing_session_are_told_apart() {
    let refused = http("401 Unauthorized", &[], r#"{"message":"Unauthenticated."}"#);
    let server = Server::always(Act::Say(refused)).await;
    assert_eq!(poll(acme(&server.url)).await, Reply::Refused { status: 401, of_session: false });

    let missing =
        http("404 Not Found", &[], r#"{"message":"No query results for model [App\\Models\\WhatsappSession] 16548"}"#);
    let list = http("200 OK", &[], r#"{"success":true,"data":[]}"#);
    let server = Server::start([vec![Act::Last(missing)], vec![Act::Last(list)]]).await;
    let reply = poll(acme(&server.url)).await;
    assert!(matches!(reply, Reply::Missing(_)), "{reply:?}");
    assert!(server.requests()[1].starts_with("GET /whatsapp-sessions "), "{:?}", server.requests());
    assert!(server.requests()[0].starts_with("GET /whatsapp-sessions/16548 "), "{:?}", server.requests());
}

#[tokio::test]
async fn a_gateway_that_wants_to_be_left_alone_says_for_how_long() {
    for (header, secs) in [("Retry-After: 17", 17), ("X-RateLimit-Reset: 23", 23)] {
        let server = Server::always(Act::Say(http("429 Too Many Requests", &[header], "{}"))).await;
        assert_eq!(poll(acme(&server.url)).await, Reply::Throttled { retry_after: Some(Duration::from_secs(secs)) });
    }
    let server = Server::always(Act::Say(http("429 Too Many Requests", &[], "{}"))).await;
    assert_eq!(poll(acme(&server.url)).await, Reply::Throttled { retry_after: None });
}

#[tokio::test]
async fn what_is_not_json_is_no_answer() {
    let page = http("200 OK", &["Content-Type: text/html"], "<!DOCTYPE html><title>Sign in</title>");
    let half = http("200 OK", &["Content-Type: application/json"], r#"{"connected":tr"#);
    let empty = http("200 OK", &[], "");
    let another_language = "SSH-2.0-OpenSSH_9.9\r\n".to_owned();
    for answer in [page, half, empty, another_language] {
        let server = Server::always(Act::Last(answer.clone())).await;
        assert_eq!(failure(shop(&server.url)).await, Failure::NotJson, "{answer}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_too_large() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let server = Server::always(Act::Flood(CHUNKED.to_owned(), chunk)).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::TooLarge);
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_too_large() {
    let server = Server::always(Act::Say(http("200 OK", &[], &"x".repeat(10_000_000)))).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::TooLarge);
}

#[tokio::test]
async fn a_body_may_be_as_long_as_the_limit() {
    let server = Server::always(ok(CONNECTED)).await;
    let mut target = shop(&server.url);
    target.body_bytes_max = CONNECTED.len();
    assert_eq!(state(&poll(target.clone()).await), SessionState::Connected);
    target.body_bytes_max -= 1;
    assert_eq!(failure(target).await, Failure::TooLarge);
}

#[tokio::test]
async fn a_content_length_is_not_believed() {
    let lie = format!("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000\r\n\r\n{CONNECTED}");
    let server = Server::always(Act::Last(lie)).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::Reset);
}

#[tokio::test]
async fn a_status_of_failure_speaks_for_itself_however_long_its_page() {
    let server = Server::always(Act::Say(http("502 Bad Gateway", &[], &"<p>".repeat(100_000)))).await;
    assert_eq!(failure(shop(&server.url)).await, Failure::ServerError(502));
}

#[tokio::test]
async fn each_ask_has_its_own_endpoint() {
    let server = Server::always(ok(r#"{"success":true,"data":{"qrCode":"2@made,up,for,this,test"}}"#)).await;
    let sample = ask(acme(&server.url), Ask::Qr).await.unwrap();
    assert!(matches!(sample, Sample::Qr(Some(_))), "{sample:?}");
    assert!(server.requests()[0].starts_with("GET /whatsapp-sessions/16548/qrcode "), "{:?}", server.requests());

    let server = Server::always(ok(r#"[{"id":"1@c.us"}]"#)).await;
    let waha = Target { session: Some("default".to_owned()), ..target("waha", &server.url) };
    let sample = ask(waha, Ask::Deep).await.unwrap();
    assert_eq!(sample, Sample::Deep(Deep::Passed));
    assert!(server.requests()[0].contains("default"), "{:?}", server.requests());
}

#[tokio::test]
async fn a_404_of_everything_says_nothing_of_one_session() {
    let nothing = http("404 Not Found", &[], "404");
    let server = Server::always(Act::Say(nothing)).await;
    assert_eq!(failure(acme(&server.url)).await, Failure::UnexpectedStatus(404));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_a_backend_does_not_know_its_vendor_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, token: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, token).unwrap();
        Secret::File(path)
    };
    let unknown = http("200 OK", &[], r#"{"success":true,"data":{"status":"unknown","sessionId":16548}}"#);
    let backend = Server::always(Act::Say(unknown)).await;
    let expired = http("200 OK", &[], r#"{"success":true,"data":{"id":16548,"status":"expired"}}"#);
    let vendor = Server::always(Act::Say(expired)).await;
    let alone = Target { token: Some(secret("jwt", "backend-51aa")), ..target("wasender-backend", &backend.url) };
    assert!(matches!(poll(alone.clone()).await, Reply::Missing(_)));
    let at = VendorAt { url: vendor.url.clone(), token: secret("pat", "vendor-77c0") };
    let reply = poll(Target { vendor: Some(at), ..alone }).await;
    assert_eq!(state(&reply), SessionState::Expired);
    let asked = vendor.requests().concat();
    assert!(asked.starts_with("GET /whatsapp-sessions/16548 "), "{asked}");
    assert!(asked.contains("vendor-77c0") && !asked.contains("backend-51aa"), "each gets its own token");
    assert!(!backend.requests().concat().contains("vendor-77c0"), "each gets its own token");
}
