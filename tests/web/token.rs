//! Who holds the token may order; nobody else may.

use std::path::PathBuf;

use reqwest::Method;
use tempfile::TempDir;
use wa_watchdog::config::Secret;
use wa_watchdog::engine::command::CommandAnswer;
use wa_watchdog::web::{ReloadDone, WRONG_TOKENS_MAX};

use crate::server::{Reply, Server, bounded, send};

const RIGHT: &str = "Bearer 0a1b2c3d4e5f";

/// A server that wants a token, and the file that holds it.
struct Guarded {
    server: Server,
    file: PathBuf,
    _folder: TempDir,
}

impl Guarded {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("token");
        std::fs::write(&file, "0a1b2c3d4e5f\n").expect("a file");
        let server = Server::start().await;
        server.token.send_replace(Some(Secret::File(file.clone())));
        Self { server, file, _folder: folder }
    }

    /// Orders a pause with this header, while the driver is ready to take it.
    async fn pause(&mut self, authorization: &str) -> Reply {
        let request = self.server.order("/api/v1/pause").header("authorization", authorization);
        let answer = CommandAnswer::Accepted { what: "paused".to_owned(), attempt: None };
        tokio::select! {
            reply = send(request) => reply,
            _ = self.server.drive(answer) => panic!("the answer follows the order"),
        }
    }
}

/// Sends an order that must reach the driver.
async fn taken(guarded: &mut Guarded, authorization: &str) {
    let request = guarded.server.order("/api/v1/pause").header("authorization", authorization);
    let answer = CommandAnswer::Accepted { what: "paused".to_owned(), attempt: None };
    let (reply, _) = tokio::join!(send(request), guarded.server.drive(answer));
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn only_the_token_opens() {
    let mut guarded = Guarded::start().await;
    taken(&mut guarded, RIGHT).await;
    taken(&mut guarded, "bearer 0a1b2c3d4e5f").await;
    let bare = send(guarded.server.order("/api/v1/pause")).await;
    assert_eq!(bare.error(401), "orders are taken only with the token");
    assert_eq!(bare.header("www-authenticate"), "Bearer realm=\"wa-watchdog\"");
    for wrong in ["Bearer 0a1b2c3d4e5", "Bearer 0a1b2c3d4e5f0"] {
        let reply = guarded.pause(wrong).await;
        assert_eq!(reply.error(401), "this is not the token");
        assert!(reply.header("www-authenticate").contains("invalid_token"));
        assert!(!reply.body.contains("0a1b2c"), "neither token is repeated");
    }
    let basic = guarded.pause("Basic MGExYjJjM2Q0ZTVm").await;
    assert_eq!(basic.error(401), "orders are taken only with the token");
    assert!(guarded.server.orders.try_recv().is_err());
    let counts = guarded.server.denials.counts();
    assert_eq!((counts["no_token"], counts["wrong_token"]), (2, 2));
}

#[tokio::test]
async fn reading_needs_no_token_and_a_reload_does() {
    let mut guarded = Guarded::start().await;
    assert_eq!(guarded.server.get("/api/v1/targets").await.status, 200);
    guarded.server.post("/-/reload").await.error(401);
    assert!(guarded.server.reloads.try_recv().is_err());
    let request = guarded.server.request(Method::POST, "/-/reload").header("authorization", RIGHT);
    let driver = async {
        let order = bounded(guarded.server.reloads.recv()).await.expect("an order");
        order.answer.send(Ok(ReloadDone::default())).expect("somebody waits");
    };
    let (reply, ()) = tokio::join!(send(request), driver);
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn the_token_does_not_excuse_a_foreign_page_or_host() {
    let mut guarded = Guarded::start().await;
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "same-site"), ("host", "evil.example")]
    {
        let request = guarded.server.order("/api/v1/pause").header("authorization", RIGHT).header(name, value);
        send(request).await.error(403);
    }
    assert!(guarded.server.orders.try_recv().is_err());
}

#[tokio::test]
async fn a_token_that_is_rotated_counts_from_the_next_order_on() {
    let mut guarded = Guarded::start().await;
    taken(&mut guarded, RIGHT).await;
    std::fs::write(&guarded.file, "another-token").expect("a file");
    guarded.pause(RIGHT).await.error(401);
    taken(&mut guarded, "Bearer another-token").await;
    guarded.server.token.send_replace(Some(Secret::Env("CARGO_PKG_NAME".to_owned())));
    taken(&mut guarded, "Bearer wa-watchdog").await;
}

#[tokio::test]
async fn a_token_that_cannot_be_read_stops_every_order() {
    let mut guarded = Guarded::start().await;
    for content in [Some(""), None] {
        match content {
            Some(text) => std::fs::write(&guarded.file, text).expect("a file"),
            None => std::fs::remove_file(&guarded.file).expect("it is there"),
        }
        for given in [RIGHT, "Bearer x"] {
            let reply = guarded.pause(given).await;
            assert_eq!(reply.error(503), "the token for orders cannot be read, so none is taken");
            assert!(!reply.body.contains("token\":"), "{}", reply.body);
        }
    }
    assert!(guarded.server.orders.try_recv().is_err());
}

#[tokio::test]
async fn wrong_tokens_are_limited_and_the_right_one_passes_all_the_same() {
    let mut guarded = Guarded::start().await;
    for _ in 0..WRONG_TOKENS_MAX {
        guarded.pause("Bearer wrong").await.error(401);
    }
    let refused = guarded.pause("Bearer wrong").await;
    assert_eq!(refused.error(429), "too many orders without the right token came in this second");
    assert_eq!(refused.header("retry-after"), "1");
    send(guarded.server.order("/api/v1/pause")).await.error(429);
    taken(&mut guarded, RIGHT).await;
    guarded.server.set_clock(1000);
    guarded.pause("Bearer wrong").await.error(401);
    let counts = guarded.server.denials.counts();
    assert_eq!((counts["too_many"], counts["wrong_token"]), (2, u64::from(WRONG_TOKENS_MAX) + 1));
}
