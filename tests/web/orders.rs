//! What a person orders over HTTP.

use reqwest::Method;
use serde_json::json;
use wa_watchdog::engine::attempt::AttemptId;
use wa_watchdog::engine::command::{CommandAnswer, Wish};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::moment::Wall;
use wa_watchdog::web::BODY_BYTES_MAX;

use crate::server::{Server, bounded, send};

/// Every route that takes orders.
const ORDERS: [&str; 9] = [
    "/api/v1/pause",
    "/api/v1/resume",
    "/api/v1/targets/shop/pause",
    "/api/v1/targets/shop/resume",
    "/api/v1/targets/shop/approve",
    "/api/v1/targets/shop/ack",
    "/api/v1/targets/shop/reconnect",
    "/api/v1/targets/shop/restart",
    "/api/v1/targets/shop/reset",
];

fn accepted(attempt: Option<AttemptId>) -> CommandAnswer {
    CommandAnswer::Accepted { what: "it is done".to_owned(), attempt }
}

#[tokio::test]
async fn every_order_reaches_the_driver_as_it_was_meant() {
    let mut server = Server::start().await;
    let remedy = |remedy, force| Wish::Remedy { remedy, force };
    let until = Some(Wall::from_secs(1_770_195_600 + 7200));
    let cases = [
        ("/api/v1/pause", "", Wish::Pause { until: None }),
        ("/api/v1/resume", "", Wish::Resume),
        ("/api/v1/targets/shop/pause", r#","for":"2h""#, Wish::Pause { until }),
        ("/api/v1/targets/shop/pause", r#","until":"2026-02-04T12:00:00+01:00""#, Wish::Pause { until }),
        ("/api/v1/targets/shop/resume", "", Wish::Resume),
        (
            "/api/v1/targets/shop/approve",
            r#","attempt":"19c2a6f0fff""#,
            Wish::Approve { attempt: AttemptId(0x019c_2a6f_0fff) },
        ),
        ("/api/v1/targets/shop/ack", "", Wish::Ack),
        ("/api/v1/targets/shop/reconnect", "", remedy(Remedy::Reconnect, false)),
        ("/api/v1/targets/shop/restart", r#","force":true"#, remedy(Remedy::Restart, true)),
        ("/api/v1/targets/shop/reset", r#","force":false"#, remedy(Remedy::Reset, false)),
    ];
    for (path, more, wish) in cases {
        let body = format!(r#"{{"reason":" deploy ","who":"ana"{more}}}"#);
        let request = server.request(Method::POST, path).body(body);
        let (reply, command) = tokio::join!(send(request), server.drive(accepted(None)));
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_eq!(reply.json(), json!({"result": "accepted", "what": "it is done", "attempt": null}));
        assert_eq!(command.what, wish, "{path}");
        assert_eq!(command.target.map(|target| target.to_string()), path.contains("shop").then(|| "shop".to_owned()));
        assert_eq!((command.who.as_str(), command.reason.as_str()), ("ana", "deploy"));
    }
}

#[tokio::test]
async fn an_order_that_begins_an_attempt_is_a_202_with_its_number() {
    let mut server = Server::start().await;
    let request = server.order("/api/v1/targets/shop/restart");
    let (reply, _) = tokio::join!(send(request), server.drive(accepted(Some(AttemptId(0x19c)))));
    assert_eq!(reply.status, 202);
    assert_eq!(reply.json()["attempt"], "0000000019c");
}

#[tokio::test]
async fn an_order_that_is_refused_is_a_409_that_says_why() {
    let mut server = Server::start().await;
    let request = server.order("/api/v1/targets/shop/reset");
    let why = "no_hook: no hook is configured for reset".to_owned();
    let (reply, _) = tokio::join!(send(request), server.drive(CommandAnswer::Refused { why: why.clone() }));
    assert_eq!(reply.error(409), why);
}

#[tokio::test]
async fn nothing_but_a_post_orders_anything() {
    let mut server = Server::start().await;
    for path in ORDERS {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let reply = send(server.request(method, path)).await;
            assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "POST"), "{path}");
        }
    }
    assert!(server.orders.try_recv().is_err());
}

#[tokio::test]
async fn what_cannot_be_ordered_does_not_exist() {
    let mut server = Server::start().await;
    for path in [
        "/api/v1/ack",
        "/api/v1/reset",
        "/api/v1/targets/shop/notify",
        "/api/v1/targets/shop/",
        "/api/v1/targets/shop/pause/",
        "/api/v1/targets/shop/x/pause",
        "/api/v1/targets/nobody/pause",
        "/api/v1/targets/*/pause",
        "/api/v1/targets//pause",
    ] {
        send(server.order(path)).await.error(404);
    }
    assert!(server.orders.try_recv().is_err());
}

#[tokio::test]
async fn a_body_that_is_not_understood_orders_nothing() {
    let mut server = Server::start().await;
    let cases = [
        ("/api/v1/pause", "", "reason is missing"),
        ("/api/v1/pause", r#"{"reason":"deploy"}"#, "who is missing"),
        ("/api/v1/pause", r#"{"reason":"deploy","who":"ana","force":true}"#, "force means nothing here"),
        ("/api/v1/targets/shop/approve", r#"{"reason":"deploy","who":"ana"}"#, "attempt is missing"),
    ];
    for (path, body, said) in cases {
        assert_eq!(send(server.request(Method::POST, path).body(body)).await.error(400), said);
    }
    let unknown = r#"{"reason":"deploy","who":"ana","untill":"2h"}"#;
    let said = send(server.request(Method::POST, "/api/v1/pause").body(unknown)).await.error(400);
    assert!(said.contains("unknown field `untill`"), "{said}");
    let query = send(server.order("/api/v1/pause?for=2h")).await.error(400);
    assert_eq!(query, "the query key \"for\" is not known here");
    let long = "x".repeat(BODY_BYTES_MAX + 1);
    send(server.request(Method::POST, "/api/v1/pause").body(long)).await.error(413);
    assert!(server.orders.try_recv().is_err());
}

#[tokio::test]
async fn an_order_that_nobody_carries_out_says_so() {
    let mut server = Server::start().await;
    let request = server.order("/api/v1/pause");
    let driver = async { drop(bounded(server.orders.recv()).await.expect("an order")) };
    let (reply, ()) = tokio::join!(send(request), driver);
    assert_eq!(reply.error(503), "the order was given up");

    let waiting = server.tracker.spawn(send(server.order("/api/v1/pause")));
    bounded(async {
        while server.orders.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(send(server.order("/api/v1/pause")).await.error(503), "too many orders wait already");
    server.drive(accepted(None)).await;
    assert_eq!(bounded(waiting).await.expect("it ends").status, 200);
    server.orders.close();
    assert_eq!(send(server.order("/api/v1/pause")).await.error(503), "the watchdog is stopping");
}

#[tokio::test]
async fn a_foreign_page_or_host_orders_nothing() {
    let mut server = Server::start().await;
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("host", "evil.example")];
    for path in ORDERS {
        for (name, value) in foreign {
            send(server.order(path).header(name, value)).await.error(403);
        }
    }
    assert!(server.orders.try_recv().is_err());
    let counts = server.denials.counts();
    assert_eq!((counts["foreign_page"], counts["foreign_host"]), (18, 9));
}
