//! Each kind of finder, asked once.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use wa_watchdog::discover::{self, Failed, Held, name, read_all};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{SECRETS, TOKEN, account, always, ask, discovery, page, row};

#[tokio::test]
async fn an_account_is_read_page_by_page() {
    let server = MockServer::start().await;
    let page_of = |number: u64, rows: Value| {
        let next = (number < 3).then(|| format!("http://evil.example/api/whatsapp-sessions?page={}", number + 1));
        json!({ "success": true, "data": { "current_page": number, "data": rows, "last_page": 3, "next_page_url": next } })
    };
    // The list moved between two pages: one session is on both.
    page(&server, 1, &page_of(1, json!([row(30, "third"), row(20, "second")]))).await;
    page(&server, 2, &page_of(2, json!([row(20, "second"), row(9, "")]))).await;
    page(&server, 3, &page_of(3, json!([row(100, "Käthes Laden")]))).await;
    let account = account(&server, "wasender");
    let heard = ask(&account).await.unwrap();
    let told: Vec<(&str, &str)> =
        heard.found.iter().map(|found| (found.session.as_deref().unwrap(), found.name.as_str())).collect();
    assert_eq!(told, [("9", "9"), ("20", "second"), ("30", "third"), ("100", "Käthes Laden")]);
    assert!(SECRETS.iter().all(|secret| !format!("{heard:?}").contains(secret)));

    let (named, over) = name(&BTreeMap::new(), heard.found, &account.prefix, account.max);
    let (held, problems) = read_all(&account, named, &Held::new());
    let ids: Vec<&str> = held.keys().map(wa_watchdog::engine::TargetId::as_str).collect();
    assert_eq!((ids, over), (vec!["a-9", "a-K-thes-Laden-100", "a-second", "a-third"], 0));
    assert!(problems.is_empty(), "{problems:?}");
    let target = &held["a-9"].ready.as_ref().unwrap().target;
    assert_eq!((target.dialect.name(), target.url.as_str()), ("wasender", format!("{}/api", server.uri()).as_str()));
    assert!(target.token.is_some());
}

#[tokio::test]
async fn an_account_that_shows_its_list_whole_is_asked_once() {
    let server = MockServer::start().await;
    page(&server, 1, &json!({ "success": true, "data": [row(1, "shop")] })).await;
    assert_eq!(ask(&account(&server, "wasender")).await.unwrap().found.len(), 1);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    page(&server, 1, &json!({ "success": true, "data": [] })).await;
}

#[tokio::test]
async fn a_list_that_never_ends_is_not_believed() {
    let server = MockServer::start().await;
    always(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({ "data": { "data": [row(1, "a")], "last_page": 1000 } })),
    )
    .await;
    let failed = ask(&account(&server, "wasender")).await.unwrap_err();
    assert_eq!(failed, Failed::NotUnderstood("it has more than 100 pages".to_owned()));
}

#[tokio::test]
async fn every_answer_but_a_plain_list_is_a_failure() {
    let server = MockServer::start().await;
    let text = |status: u16, text: &str| ResponseTemplate::new(status).set_body_string(text);
    let list = r#"{"success":true,"data":[{"id":1,"name":"a"}]}"#;
    for (response, outcome) in [
        (text(401, r#"{"message":"Unauthenticated."}"#), "refused"),
        (text(403, list), "refused"),
        (text(500, list), "bad_status"),
        (text(502, "<html>"), "bad_status"),
        (text(302, "").insert_header("location", "/login"), "bad_status"),
        (text(204, ""), "bad_status"),
        (text(200, ""), "not_understood"),
        (text(200, "<html>login</html>"), "not_understood"),
        (text(200, list.trim_end_matches('}')), "not_understood"),
        (text(200, r#"{"success":false,"data":[]}"#), "not_understood"),
        (text(200, r#"{"success":true}"#), "not_understood"),
        (text(200, r#"{"success":true,"data":[{"name":"no number"}]}"#), "not_understood"),
        (text(200, &"x".repeat(9 << 20)), "not_understood"),
    ] {
        always(&server, response).await;
        let failed = ask(&account(&server, "wasender")).await.unwrap_err();
        assert_eq!(failed.outcome(), outcome, "{failed}");
    }
    let folder = tempfile::tempdir().unwrap();
    let nobody = "[discover.a.wasender]\nurl = \"http://127.0.0.1:1/api\"\ntoken_file = \"token\"\n";
    assert_eq!(ask(&discovery(folder.path(), nobody)).await.unwrap_err().outcome(), "no_answer");
}

#[tokio::test]
async fn what_is_told_of_a_failure_repeats_nothing_of_the_answer() {
    let server = MockServer::start().await;
    always(&server, ResponseTemplate::new(200).set_body_json(json!({ "data": SECRETS[0] }))).await;
    let failed = format!("{:?}", ask(&account(&server, "wasender")).await.unwrap_err());
    assert!(!failed.contains(SECRETS[0]), "{failed}");
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_read() {
    let server = MockServer::start().await;
    let throttled = || ResponseTemplate::new(429);
    for (response, pause) in [
        (throttled().insert_header("retry-after", "17"), Some(17)),
        (throttled().set_body_json(json!({ "message": "slow down", "retry_after": 3 })), Some(3)),
        (throttled().insert_header("x-ratelimit-reset", "9"), Some(9)),
        (throttled(), None),
    ] {
        always(&server, response).await;
        let expected = Failed::Throttled(pause.map(Duration::from_secs));
        assert_eq!(ask(&account(&server, "wasender")).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn waha_lists_stopped_sessions_too() {
    let server = MockServer::start().await;
    let list = json!([
        { "name": "default", "status": "WORKING", "me": { "id": "15550100@c.us" } },
        { "name": "old shop", "status": "STOPPED" },
    ]);
    Mock::given(path("/api/sessions"))
        .and(query_param("all", "true"))
        .and(header("x-api-key", TOKEN))
        .respond_with(ResponseTemplate::new(200).set_body_json(list))
        .mount(&server)
        .await;
    let found = ask(&account(&server, "waha")).await.unwrap().found;
    let sessions: Vec<&str> = found.iter().map(|found| found.session.as_deref().unwrap()).collect();
    assert_eq!(sessions, ["default", "old shop"]);
    always(&server, ResponseTemplate::new(200).set_body_json(json!({ "message": "not a list" }))).await;
    assert_eq!(ask(&account(&server, "waha")).await.unwrap_err().outcome(), "not_understood");
}

#[tokio::test]
async fn evolution_lists_its_instances() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/instance/fetchInstances"))
        .and(header("apikey", TOKEN))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([
            { "id": "1", "name": "shop", "connectionStatus": "open", "token": SECRETS[0] },
        ])))
        .mount(&server)
        .await;
    let found = ask(&account(&server, "evolution")).await.unwrap().found;
    assert_eq!(found[0].session.as_deref(), Some("shop"));
    assert!(!format!("{found:?}").contains(SECRETS[0]));
}

#[tokio::test]
async fn a_daemon_lists_its_containers_and_one_without_a_port_is_odd() {
    let server = MockServer::start().await;
    Mock::given(path("/_ping"))
        .respond_with(ResponseTemplate::new(200).insert_header("api-version", "1.44"))
        .mount(&server)
        .await;
    let containers = json!([
        { "Names": ["/shop"], "State": "running", "Labels": { "wa-watchdog.enable": "true", "wa-watchdog.port": "3001" } },
        { "Names": ["/odd"], "State": "running", "Labels": { "wa-watchdog.enable": "true" }, "Ports": [] },
    ]);
    Mock::given(path("/v1.44/containers/json"))
        .and(query_param("all", "1"))
        .and(query_param("filters", r#"{"label":["wa-watchdog.enable=true"]}"#))
        .respond_with(ResponseTemplate::new(200).set_body_json(containers))
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[discover.d.docker]\nendpoint = \"tcp://{}\"\n[discover.d.target]\ndialect = \"whatsapp-service\"\n",
        server.address()
    );
    let discovery = discovery(folder.path(), &text);
    let heard = ask(&discovery).await.unwrap();
    assert_eq!((heard.found.len(), heard.found[0].url.as_str()), (1, "http://shop:3001"));
    assert_eq!(heard.odd, [("odd".to_owned(), "it has no label wa-watchdog.port, and exposes no port".to_owned())]);
    always(&server, ResponseTemplate::new(403).set_body_string("<html>Forbidden")).await;
    assert_eq!(ask(&discovery).await.unwrap_err().outcome(), "refused");
}

#[tokio::test]
async fn a_file_is_read_anew_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let discovery = discovery(folder.path(), "[discover.f.file]\npath = \"targets/*.json\"\n");
    assert_eq!(ask(&discovery).await.unwrap_err().outcome(), "no_answer", "there is no such folder");
    fs::create_dir(folder.path().join("targets")).unwrap();
    assert!(ask(&discovery).await.unwrap().found.is_empty());
    let file = folder.path().join("targets/a.json");
    fs::write(&file, r#"[{"targets":["http://a:1","b:2"],"labels":{"dialect":"whatsapp-service"}}]"#).unwrap();
    assert_eq!(ask(&discovery).await.unwrap().found.len(), 2);
    fs::write(&file, r#"[{"targets":["http://a:1","b:2"#).unwrap();
    assert_eq!(ask(&discovery).await.unwrap_err().outcome(), "not_understood", "half written");
    fs::write(&file, r#"[{"targets":["b:2"],"labels":{"dialect":"whatsapp-service","name":"bee"}}]"#).unwrap();
    assert_eq!(ask(&discovery).await.unwrap().found[0].name, "bee");
}

#[tokio::test]
async fn a_token_that_is_gone_is_our_own_fault() {
    let server = MockServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = server.uri();
    let discovery = discovery(folder.path(), &format!("[discover.a.waha]\nurl = \"{url}\"\ntoken_file = \"token\"\n"));
    fs::remove_file(folder.path().join("token")).unwrap();
    assert_eq!(ask(&discovery).await.unwrap_err().outcome(), "not_asked");
    assert!(server.received_requests().await.unwrap().is_empty());
    assert_eq!(discover::OUTCOMES.len(), 7);
}
