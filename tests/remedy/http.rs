//! URLs that answer, answer late, answer nonsense, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use wa_watchdog::config::{Call, Hook, HttpCall, HttpPoll, Retry, Secret, Signing};
use wa_watchdog::engine::attempt::{Act, StepEnd, StepOutcome};
use wa_watchdog::engine::sample::Word;
use wa_watchdog::http::sign::{Key, signature};
use wiremock::matchers::{any, header, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::{Bench, assert_end, order, post, single};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECRET_BEFORE: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// How long a call of these tests may take that takes too long.
const SHORT: Duration = Duration::from_secs(1);

async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::builder().start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

async fn ended(call: HttpCall, act: Act) -> StepEnd {
    let call = Call::Http(Box::new(call));
    let mut hook = single(call.clone());
    if act == Act::Check {
        hook.steps[0].check = Some(call);
    }
    Bench::new(hook).act(act).await
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

fn text<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

/// Answers with one after the other; the last one stays.
struct InTurn(Vec<ResponseTemplate>, AtomicU32);

impl Respond for InTurn {
    fn respond(&self, _request: &Request) -> ResponseTemplate {
        let turn = usize::try_from(self.1.fetch_add(1, Ordering::SeqCst)).unwrap();
        self.0[turn.min(self.0.len() - 1)].clone()
    }
}

async fn server_in_turn(responses: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::builder().start().await;
    Mock::given(any()).respond_with(InTurn(responses, AtomicU32::new(0))).mount(&server).await;
    server
}

fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

/// A failure that may be tried again at once.
fn busy(code: u16) -> ResponseTemplate {
    status(code).insert_header("retry-after", "0")
}

#[tokio::test]
async fn the_event_is_signed_with_both_keys_under_one_id() {
    let server = server_in_turn(vec![busy(503), status(204)]).await;
    let bench = Bench::http(post(server.uri()));
    let files = [("new", SECRET), ("old", SECRET_BEFORE)].map(|(name, secret)| {
        fs::write(bench.path(name), secret).unwrap();
        Secret::File(bench.path(name))
    });
    let [secret, previous] = files;
    let call = HttpCall { signing: Some(Signing { secret, previous: Some(previous) }), ..post(server.uri()) };
    assert_end(&ended(call, Act::Do).await, StepOutcome::Done, "");

    let requests = requests(&server).await;
    assert_eq!(requests.len(), 2);
    let key = order(Act::Do).key();
    let keys = [SECRET, SECRET_BEFORE].map(|secret| Key::parse(&SecretString::from(secret)).unwrap());
    for request in &requests {
        assert_eq!((request.method.as_str(), text(request, "content-type")), ("POST", "application/json"));
        assert!(text(request, "user-agent").starts_with("wa-watchdog/"));
        assert_eq!((text(request, "webhook-id"), text(request, "idempotency-key")), (key.as_str(), key.as_str()));
        let at: i64 = text(request, "webhook-timestamp").parse().unwrap();
        assert_eq!(at, 1_770_195_600);
        assert_eq!(text(request, "webhook-signature"), signature(&keys, &key, at, &request.body));
        assert_eq!(text(request, "webhook-signature").split(' ').count(), 2);
        let event: Value = request.body_json().unwrap();
        assert_eq!(event["type"], "remediation.step.requested");
        assert_eq!(event["timestamp"], "2026-02-04T09:00:00.000Z");
        assert_eq!(event["data"]["target"], "shop");
    }
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_sends_nothing() {
    let server = server(status(200)).await;
    let signing = Signing { secret: Secret::File("/nowhere/secret".into()), previous: None };
    let retry = Retry { only_unsent: false, tries_max: 1 };
    let end = ended(HttpCall { signing: Some(signing), retry, ..post(server.uri()) }, Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "a secret cannot be read");
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn bodies_and_urls_are_filled_in() {
    let server = server_in_turn(vec![busy(503), status(200)]).await;
    let call = HttpCall {
        method: "PUT".to_owned(),
        url: format!("{}/restart/${{target}}?try=${{run.try}}&why=${{reason}}", server.uri()),
        body: Some(json!({"text": "${remedy} of ${target}: ${reason}", "try": "${run.try}", "n": [1, "${pattern}"]})),
        ..post(String::new())
    };
    assert_end(&ended(call, Act::Do).await, StepOutcome::Done, "");
    let requests = requests(&server).await;
    let reason = "connecting%206%20times%20within%2010%20min%3B%20the%20limit%20is%205";
    for (tries, request) in (1..).zip(&requests) {
        assert_eq!(request.method.as_str(), "PUT");
        assert_eq!(request.url.path(), "/restart/shop");
        assert_eq!(request.url.query().unwrap(), format!("try={tries}&why={reason}"));
        let body: Value = request.body_json().unwrap();
        let text = "restart of shop: connecting 6 times within 10 min; the limit is 5";
        assert_eq!(body, json!({"text": text, "try": tries, "n": [1, "state_loop"]}));
    }
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn the_status_says_what_came_of_it() {
    for (code, outcome, tries) in [
        (200, StepOutcome::Done, 1),
        (202, StepOutcome::Done, 1),
        (404, StepOutcome::Failed, 1),
        (409, StepOutcome::Failed, 1),
        (429, StepOutcome::Failed, 3),
        (500, StepOutcome::Failed, 3),
        // Somebody in between had no answer either.
        (502, StepOutcome::Unknown, 3),
        (504, StepOutcome::Unknown, 3),
    ] {
        let server = server(busy(code)).await;
        assert_end(&ended(post(server.uri()), Act::Do).await, outcome, "");
        assert_eq!(requests(&server).await.len(), tries, "{code}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = server(status(200)).await;
    let server = server(status(307).insert_header("location", other.uri().as_str())).await;
    assert_end(&ended(post(server.uri()), Act::Do).await, StepOutcome::Failed, "answered 307");
    assert!(requests(&other).await.is_empty());
}

#[tokio::test]
async fn only_the_expected_answer_is_a_success() {
    let expected = BTreeMap::from([("/success".to_owned(), json!(true))]);
    for (response, outcome, note) in [
        (status(200).set_body_json(json!({"success": true, "more": 1})), StepOutcome::Done, ""),
        (status(200).set_body_json(json!({"success": "true"})), StepOutcome::Failed, "/success is not true"),
        (status(200).set_body_json(json!([])), StepOutcome::Failed, "/success is not true"),
        (status(200).set_body_string("<html>"), StepOutcome::Failed, "without JSON"),
        (status(200).set_body_string("x".repeat(70_000)), StepOutcome::Failed, "cut off"),
        (status(201).set_body_json(json!({"success": true})), StepOutcome::Failed, "answered 201"),
    ] {
        let server = server(response).await;
        let call = HttpCall { expect_status: vec![200], expect_json: expected.clone(), ..post(server.uri()) };
        assert_end(&ended(call, Act::Do).await, outcome, note);
    }
    // Where nobody asks for its body, it may be as long as it likes.
    let server = server(status(200).set_body_string("x".repeat(5_000_000))).await;
    assert_end(&ended(post(server.uri()), Act::Do).await, StepOutcome::Done, "");
}

#[tokio::test]
async fn a_check_says_whether_it_is_done_and_nothing_else() {
    let expected = BTreeMap::from([("/up".to_owned(), json!(true))]);
    for (response, outcome) in [
        (status(200).set_body_json(json!({"up": true})), StepOutcome::Done),
        (status(200).set_body_json(json!({"up": false})), StepOutcome::Unmet),
        (status(404), StepOutcome::Unmet),
        (busy(503), StepOutcome::Unknown),
        (status(403), StepOutcome::Unknown),
    ] {
        let server = server(response).await;
        let call = HttpCall { method: "GET".to_owned(), expect_json: expected.clone(), ..post(server.uri()) };
        assert_end(&ended(call, Act::Check).await, outcome, "");
        let request = &requests(&server).await[0];
        assert!(request.body.is_empty());
        assert_ne!(text(request, "webhook-id"), order(Act::Do).key(), "a question under the key of the deed");
    }
    let call = HttpCall { retry: Retry { only_unsent: false, tries_max: 1 }, ..post(refused()) };
    assert_end(&ended(call, Act::Check).await, StepOutcome::Unknown, "connection");
}

#[tokio::test]
async fn what_was_certainly_not_sent_is_tried_again_and_fails() {
    let retry = Retry { only_unsent: true, tries_max: 2 };
    let end = ended(HttpCall { retry, ..post(refused()) }, Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "it was not sent");
}

#[tokio::test]
async fn what_may_have_been_done_is_unknown() {
    for (only_unsent, tries) in [(true, 1), (false, 2)] {
        let server = server(status(200).set_delay(crate::PATIENCE)).await;
        let retry = Retry { only_unsent, tries_max: 2 };
        let end = ended(HttpCall { retry, timeout: SHORT, ..post(server.uri()) }, Act::Do).await;
        assert_end(&end, StepOutcome::Unknown, "no answer came");
        assert_eq!(requests(&server).await.len(), tries);
    }
}

#[tokio::test]
async fn once_sent_it_stays_unknown_though_later_tries_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let broken = std::thread::spawn(move || {
        // Reads the request and closes, the listener too.
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        assert!(0 < stream.read(&mut [0; 4096]).unwrap());
    });
    let retry = Retry { only_unsent: false, tries_max: 2 };
    let end = ended(HttpCall { retry, ..post(url) }, Act::Do).await;
    assert_end(&end, StepOutcome::Unknown, "it was not sent");
    broken.join().unwrap();
}

#[tokio::test]
async fn a_server_error_is_not_repeated_where_that_is_not_safe() {
    let server = server(busy(500)).await;
    let retry = Retry { only_unsent: true, tries_max: 5 };
    assert_end(&ended(HttpCall { retry, ..post(server.uri()) }, Act::Do).await, StepOutcome::Failed, "answered 500");
    assert_eq!(requests(&server).await.len(), 1);
}

#[tokio::test]
async fn a_rotated_token_is_read_again() {
    let server = MockServer::builder().start().await;
    let bench = Bench::http(post(server.uri()));
    let token = bench.path("token");
    fs::write(&token, "old").unwrap();
    let rotated = token.clone();
    let refuse = move |_: &Request| {
        fs::write(&rotated, "new").unwrap();
        status(401)
    };
    Mock::given(header("authorization", "Bearer old")).respond_with(refuse).mount(&server).await;
    Mock::given(header("authorization", "Bearer new")).respond_with(status(200)).mount(&server).await;
    let retry = Retry { only_unsent: true, tries_max: 1 };
    let call = HttpCall { token: Some(Secret::File(token)), retry, ..post(server.uri()) };
    assert_end(&ended(call, Act::Do).await, StepOutcome::Done, "");
    assert_eq!(requests(&server).await.len(), 2);
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_a_failure() {
    let server = server(status(401)).await;
    let bench = Bench::http(post(server.uri()));
    fs::write(bench.path("token"), "wrong").unwrap();
    let call = HttpCall { token: Some(Secret::File(bench.path("token"))), ..post(server.uri()) };
    assert_end(&ended(call, Act::Do).await, StepOutcome::Failed, "answered 401");
    assert_eq!(requests(&server).await.len(), 2);
}

#[tokio::test]
async fn a_hook_that_is_gone_is_off_until_the_next_reload() {
    let server = server(status(410)).await;
    let mut bench = Bench::http(post(server.uri()));
    assert_end(&bench.act(Act::Do).await, StepOutcome::Failed, "answered 410");
    assert_end(&bench.act(Act::Do).await, StepOutcome::Unmet, "gone");
    assert_eq!(requests(&server).await.len(), 1);
    bench.remedies.replace(crate::targets(single(Call::Http(Box::new(post(server.uri()))))));
    assert_end(&bench.act(Act::Do).await, StepOutcome::Failed, "answered 410");
    assert_eq!(requests(&server).await.len(), 2);
}

fn polled(server: &MockServer, within: Duration) -> HttpCall {
    let poll = HttpPoll {
        url: format!("{}/state/${{run.key}}", server.uri()),
        expect_json: BTreeMap::from([("/state".to_owned(), json!("done"))]),
        every: Duration::from_millis(20),
        within,
    };
    HttpCall { poll: Some(poll), ..post(format!("{}/start", server.uri())) }
}

#[tokio::test]
async fn work_that_was_begun_is_asked_about_until_it_is_done() {
    let server = MockServer::builder().start().await;
    Mock::given(path("/start")).respond_with(status(202)).mount(&server).await;
    let state = |word: &str| status(200).set_body_json(json!({"state": word}));
    let states = InTurn(vec![state("busy"), status(500), state("done")], AtomicU32::new(0));
    Mock::given(path(format!("/state/{}", order(Act::Do).key()))).respond_with(states).mount(&server).await;
    assert_end(&ended(polled(&server, crate::PATIENCE), Act::Do).await, StepOutcome::Done, "");
    let methods: Vec<String> = requests(&server).await.iter().map(|request| request.method.to_string()).collect();
    assert_eq!(methods, ["POST", "GET", "GET", "GET"]);
}

#[tokio::test]
async fn work_that_is_not_done_in_time_is_unknown() {
    let server = MockServer::builder().start().await;
    Mock::given(path("/start")).respond_with(status(202)).mount(&server).await;
    Mock::given(any()).respond_with(status(200).set_body_json(json!({"state": "busy"}))).mount(&server).await;
    // Long enough for one answer on a machine that is busy.
    let end = ended(polled(&server, 4 * SHORT), Act::Do).await;
    assert_end(&end, StepOutcome::Unknown, "not done in time: answered 200, but /state is not \"done\"");
}

#[tokio::test]
async fn an_answer_is_the_world_that_is_seen() {
    for (response, world) in [
        (status(200).set_body_json(json!({"id": "web-1", "started": 5})), Some(r#"{"id":"web-1","started":5}"#)),
        (status(200).set_body_json(json!("web-1")), Some("web-1")),
        (status(200).set_body_string("web-1 since 5\n"), Some("web-1 since 5")),
        (status(204), None),
    ] {
        let server = server(response).await;
        let look = Some(Call::Http(Box::new(post(server.uri()))));
        let mut bench = Bench::new(Hook { look, ..single(Call::Http(Box::new(post(server.uri())))) });
        let end = bench.act(Act::Look).await;
        assert_eq!((end.outcome, end.world.as_ref().map(Word::as_str)), (StepOutcome::Done, world));
    }
}

/// A URL at which nobody listens.
fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}
