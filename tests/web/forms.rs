//! What a person orders from a page: forms, signing in, and who else might send one.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use wa_watchdog::config::Secret;
use wa_watchdog::engine::attempt::{AttemptId, AttemptView, Outcome};
use wa_watchdog::engine::command::{CommandAnswer, OperatorCommand, Wish};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::moment::Wall;
use wa_watchdog::engine::snapshot::{CareView, TargetView};
use wa_watchdog::web::{ORDER_WITHIN, SIGN_IN_IDLE_MAX, WRONG_TOKENS_MAX};

use crate::made_up;
use crate::server::{Reply, Server, bounded, send};

const TOKEN: &str = "0a1b2c3d4e5f";

/// A browser that has a page open.
struct Browser {
    cookie: String,
}

impl Browser {
    fn new() -> Self {
        Self { cookie: String::new() }
    }

    fn ask(&self, server: &Server, method: Method, path: &str) -> RequestBuilder {
        server.request(method, path).header("cookie", &self.cookie)
    }

    async fn get(&self, server: &Server, path: &str) -> Reply {
        send(self.ask(server, Method::GET, path)).await
    }

    /// Sends the form of a page as a browser does, with what it holds hidden and these fields.
    fn submit(&self, server: &Server, page: &Reply, path: &str, fields: &str) -> RequestBuilder {
        let mark = hidden(&page.body, "token");
        self.ask(server, Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", format!("http://{}", server.at))
            .header("sec-fetch-site", "same-origin")
            .body(format!("token={mark}&{fields}"))
    }

    /// Opens the page of an order and sends its form.
    async fn order(&self, server: &mut Server, path: &str, fields: &str) -> (Reply, OperatorCommand) {
        let page = self.get(server, path).await;
        let at = path.split_once('?').map_or(path, |(at, _)| at);
        let request = self.submit(server, &page, at, fields);
        tokio::join!(send(request), server.drive(accepted()))
    }

    /// Opens the page of an order and sends a form that must not reach the driver.
    async fn refused(&self, server: &mut Server, path: &str, fields: &str) -> Reply {
        let page = self.get(server, path).await;
        let at = path.split_once('?').map_or(path, |(at, _)| at);
        let reply = send(self.submit(server, &page, at, fields)).await;
        assert!(server.orders.try_recv().is_err(), "{path} reached the driver");
        reply
    }

    async fn sign_in(&mut self, server: &Server, secret: &str) -> Reply {
        let page = self.get(server, "/sign-in?next=/targets/shop").await;
        let next = hidden(&page.body, "next");
        let reply = send(self.submit(server, &page, "/sign-in", &format!("next={next}&who=ana&secret={secret}"))).await;
        if let Some((pair, _)) = reply.header("set-cookie").split_once(';') {
            pair.clone_into(&mut self.cookie);
        }
        reply
    }
}

fn accepted() -> CommandAnswer {
    CommandAnswer::Accepted { what: "it <begins>".to_owned(), attempt: None }
}

/// The value of a hidden field; empty where there is none.
fn hidden(page: &str, name: &str) -> String {
    let rest = page.split_once("<main").map_or(page, |(_, main)| main);
    let found = rest.split_once(&format!("name=\"{name}\" value=\""));
    found.and_then(|(_, rest)| rest.split_once('"')).map_or_else(String::new, |(value, _)| value.to_owned())
}

async fn guarded() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).expect("a file");
    let server = Server::start().await;
    server.token.send_replace(Some(Secret::File(file)));
    (server, folder)
}

async fn signed_in() -> (Server, tempfile::TempDir, Browser) {
    let (server, folder) = guarded().await;
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(&server, TOKEN).await.status, 303);
    (server, folder, browser)
}

#[tokio::test]
async fn every_order_can_be_placed_by_its_form() {
    let mut server = Server::start().await;
    let browser = Browser::new();
    let until = Some(Wall::from_secs(1_770_195_600 + 7200));
    let remedy = |remedy, force| Wish::Remedy { remedy, force };
    let attempt = AttemptId(0x019c_2a6f_0fff);
    let cases = [
        ("/order/pause", "for=", Wish::Pause { until: None }),
        ("/order/resume", "", Wish::Resume),
        ("/targets/shop/order/pause", "for=2h", Wish::Pause { until }),
        ("/targets/shop/order/resume", "", Wish::Resume),
        ("/targets/shop/order/ack", "", Wish::Ack),
        ("/targets/shop/order/reconnect", "", remedy(Remedy::Reconnect, false)),
        ("/targets/shop/order/restart", "force=true", remedy(Remedy::Restart, true)),
        ("/targets/shop/order/reset", "confirm=shop", remedy(Remedy::Reset, false)),
        (
            "/targets/shop/order/approve?attempt=19c2a6f0fff",
            "attempt=19c2a6f0fff&confirm=shop",
            Wish::Approve { attempt },
        ),
        (
            "/targets/shop/order/restore?attempt=19c2a6f0fff",
            "attempt=19c2a6f0fff",
            Wish::Restore { attempt, force: false },
        ),
    ];
    for (path, fields, wish) in cases {
        let (reply, command) = browser.order(&mut server, path, &format!("who=ana&reason=+a+%26+b+&{fields}")).await;
        assert_eq!(reply.status, 303, "{path}: {reply:?}");
        assert_eq!((command.who.as_str(), command.reason.as_str(), &command.what), ("ana", "a & b", &wish), "{path}");
        let back = reply.header("location").to_owned();
        assert!(back.starts_with(if path.contains("shop") { "/targets/shop?note=" } else { "/?note=" }), "{back}");
        let page = server.get(&back).await.body;
        assert!(page.contains("<p id=\"flash\" role=\"status\" class=\"banner\">it &#60;begins&#62;</p>"), "{page}");
        assert!(!server.get(&back).await.body.contains("id=\"flash\""), "it is told once");
    }
}

#[tokio::test]
async fn looking_at_a_form_orders_nothing_whatever_its_address_says() {
    let mut server = Server::start().await;
    let page = server.get("/targets/shop/order/reset?who=mallory-7&reason=x&confirm=shop&force=true&attempt=1").await;
    assert_eq!(page.status, 200);
    assert!(
        !page.body.contains("mallory-7") && !page.body.contains("value=\"shop\"") && !page.body.contains("checked")
    );
    assert!(page.body.contains("destroys the session") && page.body.contains("data-order=\"reset\""), "{}", page.body);
    assert!(server.orders.try_recv().is_err());
}

#[tokio::test]
async fn what_is_not_understood_comes_back_as_it_was_typed() {
    let mut server = Server::start().await;
    let browser = Browser::new();
    let cases = [
        ("/targets/shop/order/pause", "who=ana&reason=++", "reason is missing", "value=\"ana\""),
        ("/targets/shop/order/pause", "who=&reason=deploy", "who is missing", "value=\"deploy\""),
        ("/order/pause", "who=ana&reason=x&for=2+parsecs", "for is no such span", "value=\"2 parsecs\""),
        ("/targets/shop/order/approve", "who=ana&reason=x", "attempt is missing", "value=\"ana\""),
        (
            "/targets/shop/order/approve",
            "who=ana&reason=x&attempt=zz",
            "this is no number of an attempt",
            "value=\"zz\"",
        ),
        (
            "/targets/shop/order/reset",
            "who=ana&reason=%3Cb%3E&confirm=shop2",
            "type its name, shop",
            "value=\"&#60;b&#62;\"",
        ),
        ("/targets/shop/order/reset", "who=ana&reason=x", "type its name, shop", "aria-invalid=\"true\""),
    ];
    for (path, fields, problem, kept) in cases {
        let reply = browser.refused(&mut server, path, fields).await;
        assert_eq!(reply.status, 400, "{path} {fields}");
        assert!(reply.body.contains("role=\"alert\"") && reply.body.contains(problem), "{problem} in {}", reply.body);
        assert!(reply.body.contains(kept), "{kept} in {}", reply.body);
    }
}

#[tokio::test]
async fn what_destroys_the_session_needs_its_name() {
    let mut server = Server::start().await;
    let browser = Browser::new();
    let who = "who=ana&reason=x";
    browser.refused(&mut server, "/targets/shop/order/reset", who).await;
    // However the number is written, it is the same attempt.
    for attempt in ["19c2a6f0fff", "19C2A6F0FFF", "0019c2a6f0fff", "+19c2a6f0fff"] {
        let fields = format!("{who}&attempt={attempt}&confirm=Shop");
        browser.refused(&mut server, "/targets/shop/order/approve", &fields).await;
    }
    let (reply, _) = browser.order(&mut server, "/targets/shop/order/restart", who).await;
    assert_eq!(reply.status, 303, "a restart keeps the session here");
}

#[tokio::test]
async fn an_order_that_is_refused_says_why_and_offers_force() {
    let mut server = Server::start().await;
    let browser = Browser::new();
    let path = "/targets/shop/order/restart";
    let page = browser.get(&server, path).await;
    let request = browser.submit(&server, &page, path, "who=ana&reason=x");
    let refusal = CommandAnswer::Refused { why: "storm: <many> turned bad".to_owned() };
    let (reply, _) = tokio::join!(send(request), server.drive(refusal));
    assert_eq!(reply.status, 409);
    assert!(
        reply.body.contains("storm: &#60;many&#62; turned bad") && reply.body.contains("name=\"force\""),
        "{}",
        reply.body
    );
    assert!(reply.body.contains("Nothing was ordered:"), "{}", reply.body);
    server.orders.close();
    let reply = send(browser.submit(&server, &page, path, "who=ana&reason=x")).await;
    assert!(reply.status == 503 && reply.body.contains("the watchdog is stopping"), "{}", reply.body);
    assert!(reply.body.contains("Nothing was ordered:"), "{}", reply.body);
}

#[tokio::test]
async fn an_order_that_was_given_up_may_count_all_the_same() {
    let mut server = Server::start().await;
    let browser = Browser::new();
    for (path, advice) in [
        ("/targets/shop/order/restart", "look at the session&#39;s attempts before you order it again"),
        ("/order/pause", "look at the page of all sessions before you order it again"),
    ] {
        let page = browser.get(&server, path).await;
        let request = browser.submit(&server, &page, path, "who=ana&reason=x");
        let driver = async { drop(bounded(server.orders.recv()).await.expect("an order")) };
        let (reply, ()) = tokio::join!(send(request), driver);
        assert_eq!(reply.status, 503);
        assert!(reply.body.contains("It may count all the same:") && reply.body.contains(advice), "{}", reply.body);
        assert!(!reply.body.contains("Nothing was ordered") && !reply.body.contains("/api/v1"), "{}", reply.body);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_of_which_nothing_is_heard_may_count_all_the_same() {
    let mut server = Server::start().await;
    let path = "/targets/shop/order/restart";
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.at);
    let mark = hidden(&server.raw(asked.as_bytes()).await, "token");
    let body = format!("token={mark}&who=ana&reason=x");
    let sent = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        server.at,
        body.len()
    );
    let began = tokio::time::Instant::now();
    let reply = server.raw(sent.as_bytes()).await;
    let took = began.elapsed();
    assert!(ORDER_WITHIN <= took && took <= ORDER_WITHIN + Duration::from_secs(1), "{took:?}");
    assert!(reply.starts_with("HTTP/1.1 503") && reply.contains("It may count all the same:"), "{reply}");
    assert!(server.orders.try_recv().is_ok(), "it still waits to be carried out");
}

#[tokio::test]
async fn a_form_speaks_of_the_attempt_in_its_address_and_of_no_other() {
    let server = Server::start().await;
    let path = "/targets/shop/order/approve?attempt=";
    let waits = server.get(&format!("{path}19c2a6f0fff")).await.body;
    assert!(waits.contains("<h1>Approve reset of shop</h1>") && waits.contains("Type shop to destroy"), "{waits}");
    for other in ["19c2a6f0ffe", "nonsense", ""] {
        let page = server.get(&format!("{path}{other}")).await.body;
        assert!(page.contains("<h1>Approve for shop</h1>") && page.contains("This does not wait"), "{page}");
    }
}

#[tokio::test]
async fn a_form_tells_what_came_of_the_last_time() {
    let server = Server::start().await;
    let outcomes = [
        (Some(Outcome::Helped), "it helped"),
        (Some(Outcome::DidNotHelp), "it did not help"),
        (Some(Outcome::Failed), "it failed"),
        (Some(Outcome::Unmet), "what it needs first was not met, so nothing was done"),
        (Some(Outcome::Interrupted), "it was interrupted"),
        (Some(Outcome::Aborted), "it was aborted"),
        (None, "whether it helped is not known yet"),
    ];
    for (outcome, said) in outcomes {
        let mut snapshot = made_up::snapshot();
        for view in &mut snapshot.targets {
            let attempts = view.care.attempts.iter().map(|attempt| {
                let attempt = AttemptView { outcome, ..AttemptView::clone(attempt) };
                Arc::new(attempt)
            });
            let paths = Arc::from([Arc::from("whatsapp")]);
            let care = CareView { attempts: attempts.collect(), paths, ..CareView::clone(&view.care) };
            *view = Arc::new(TargetView { care: Arc::new(care), ..TargetView::clone(view) });
        }
        server.snapshot.send_replace(Arc::new(snapshot));
        let page = server.get("/targets/shop/order/restart").await.body;
        let said = format!("<li>Last time its steps were: stop, start; {said}.</li>");
        assert!(page.contains(&said), "{said} in {page}");
        let path =
            "The network path whatsapp is down (time-out); what needs it is left alone until it is back. It is done";
        assert!(page.contains(path), "{page}");
    }
}

#[tokio::test]
async fn a_form_that_another_page_sends_is_not_taken() {
    let mut server = Server::start().await;
    let browser = Browser::new();
    let path = "/targets/shop/order/restart";
    let page = browser.get(&server, path).await;
    for (name, value) in
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("host", "evil.example")]
    {
        let mut request = browser.submit(&server, &page, path, "who=ana&reason=x").build().expect("a request");
        request.headers_mut().insert(name, value.parse().expect("a value"));
        let reply = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .expect("a client")
            .execute(request)
            .await
            .expect("it answers");
        assert_eq!(reply.status(), 403, "{name}");
    }
    let other = browser.get(&server, "/targets/shop/order/reconnect").await;
    let none = Reply { body: String::new(), ..browser.get(&server, path).await };
    for wrong in [&other, &none] {
        let reply = send(browser.submit(&server, wrong, path, "who=ana&reason=x")).await;
        assert_eq!(reply.status, 403);
        assert!(reply.body.contains("this form was not made by this watchdog"), "{}", reply.body);
        assert!(reply.body.contains("value=\"ana\""), "what was typed is kept");
    }
    assert!(server.orders.try_recv().is_err());
    let counts = server.denials.counts();
    assert_eq!((counts["no_form_token"], counts["foreign_page"], counts["foreign_host"]), (2, 2, 1));
}

#[tokio::test]
async fn with_a_token_one_signs_in_once_and_out_again() {
    let (mut server, _folder) = guarded().await;
    let mut browser = Browser::new();
    let form = browser.get(&server, "/targets/shop/order/approve?attempt=19c2a6f0fff").await;
    assert_eq!(
        (form.status.as_u16(), form.header("location")),
        (303, "/sign-in?next=%2Ftargets%2Fshop%2Forder%2Fapprove%3Fattempt%3D19c2a6f0fff")
    );
    let wrong = browser.sign_in(&server, "wrong").await;
    assert!(
        wrong.status == 401 && wrong.body.contains("this is not the token") && !wrong.body.contains("wrong\""),
        "{}",
        wrong.body
    );
    let reply = browser.sign_in(&server, TOKEN).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (303, "/targets/shop"));
    let cookie = reply.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let form = browser.get(&server, "/targets/shop/order/restart").await;
    assert!(form.body.contains("value=\"ana\""), "the name is proposed");
    let (reply, command) = browser.order(&mut server, "/targets/shop/order/restart", "who=ana&reason=x").await;
    assert_eq!((reply.status.as_u16(), command.who.as_str()), (303, "ana"));
    // Another browser's form, with this one's cookie.
    let stranger = Browser::new().get(&server, "/sign-in").await;
    let reply = send(browser.submit(&server, &stranger, "/targets/shop/order/restart", "who=ana&reason=x")).await;
    assert_eq!(reply.status, 403);
    let page = browser.get(&server, "/").await;
    let mark =
        page.body.split_once("name=\"token\" value=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a button").0;
    let out = browser.ask(&server, Method::POST, "/sign-out").body(format!("token={mark}"));
    let reply = send(out).await;
    assert!(reply.status == 303 && reply.header("set-cookie").contains("Max-Age=0"), "{reply:?}");
    assert_eq!(browser.get(&server, "/targets/shop/order/restart").await.status, 303);
}

#[tokio::test]
async fn a_sign_in_ends_with_its_token_and_with_time() {
    let (mut server, folder, mut browser) = signed_in().await;
    let page = browser.get(&server, "/targets/shop/order/restart").await;
    std::fs::write(folder.path().join("token"), "another").expect("a file");
    let reply = send(browser.submit(&server, &page, "/targets/shop/order/restart", "who=ana&reason=kept")).await;
    assert!(
        reply.status == 401 && reply.body.contains("/sign-in?next=") && reply.body.contains("kept"),
        "{}",
        reply.body
    );
    assert!(server.orders.try_recv().is_err());
    browser.sign_in(&server, "another").await;
    assert_eq!(browser.get(&server, "/targets/shop/order/restart").await.status, 200);
    server.set_clock(i64::try_from(SIGN_IN_IDLE_MAX.as_millis()).expect("short") + 1000);
    assert_eq!(browser.get(&server, "/targets/shop/order/restart").await.status, 303);
}

#[tokio::test]
async fn the_api_takes_no_notice_of_the_cookie() {
    let (mut server, _folder, browser) = signed_in().await;
    let reply = send(server.order("/api/v1/pause").header("cookie", &browser.cookie)).await;
    assert_eq!(reply.error(401), "orders are taken only with the token");
    send(server.request(Method::POST, "/-/reload").header("cookie", &browser.cookie)).await.error(401);
    // Nor do forms take the token in place of the cookie.
    let page = Browser::new().get(&server, "/sign-in").await;
    let request = Browser::new().submit(&server, &page, "/targets/shop/order/restart", "who=ana&reason=x");
    assert_eq!(send(request.bearer_auth(TOKEN)).await.status, 401);
    assert!(server.orders.try_recv().is_err());
}

#[tokio::test]
async fn wrong_tokens_are_limited_and_the_right_one_signs_in_all_the_same() {
    let (server, _folder) = guarded().await;
    let mut browser = Browser::new();
    for _ in 0..WRONG_TOKENS_MAX {
        assert_eq!(browser.sign_in(&server, "wrong").await.status, 401);
    }
    let reply = browser.sign_in(&server, "wrong").await;
    assert!(reply.status == 429 && reply.body.contains("too many tries"), "{}", reply.body);
    assert_eq!(browser.sign_in(&server, TOKEN).await.status, 303);
}

#[tokio::test]
async fn one_signs_in_from_our_own_page_and_goes_on_to_one_of_ours() {
    let (server, _folder) = guarded().await;
    let browser = Browser::new();
    let page = browser.get(&server, "/sign-in?next=//evil.example").await;
    assert_eq!(hidden(&page.body, "next"), "/");
    let fields = format!("who=ana&secret={TOKEN}&next=https://evil.example");
    let reply = send(browser.submit(&server, &page, "/sign-in", &fields)).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (303, "/"));
    let none = Reply { body: String::new(), ..page };
    assert_eq!(send(browser.submit(&server, &none, "/sign-in", &fields)).await.status, 403);
    let https = browser.get(&server, "/sign-in").await;
    let request = browser.submit(&server, &https, "/sign-in", &fields).header("x-forwarded-proto", "https");
    assert!(send(request).await.header("set-cookie").ends_with("; Secure"));
}

#[tokio::test]
async fn whoever_made_a_link_signs_nobody_in_under_a_name() {
    let (server, _folder) = guarded().await;
    let browser = Browser::new();
    let page = browser.get(&server, "/sign-in?next=/order/pause&who=mallory-7&secret=guess-7&token=mark-7").await;
    assert_eq!(hidden(&page.body, "next"), "/order/pause");
    for from_the_link in ["mallory-7", "guess-7", "mark-7"] {
        assert!(!page.body.contains(from_the_link), "{}", page.body);
    }
    for nobody in ["", "who=&", "who=+++&"] {
        let request = browser.submit(&server, &page, "/sign-in", &format!("{nobody}next=/order/pause&secret={TOKEN}"));
        let reply = send(request).await;
        assert!(reply.status == 400 && reply.body.contains("your name is missing"), "{}", reply.body);
        assert_eq!((reply.header("set-cookie"), hidden(&reply.body, "next").as_str()), ("", "/order/pause"));
        assert!(!reply.body.contains(TOKEN));
    }
}

#[tokio::test]
async fn a_form_is_taken_also_where_the_token_went_after_one_had_signed_in() {
    let (mut server, _folder, browser) = signed_in().await;
    server.token.send_replace(None);
    let (reply, _) = browser.order(&mut server, "/targets/shop/order/restart", "who=ana&reason=x").await;
    assert_eq!(reply.status, 303);
}

#[tokio::test]
async fn without_a_token_on_loopback_nobody_needs_to_sign_in() {
    let server = Server::start().await;
    let page = server.get("/sign-in").await;
    assert!(page.body.contains("That is not needed") && !page.body.contains("type=\"password\""), "{}", page.body);
    assert_eq!(server.get("/sign-out").await.status, 405);
}
