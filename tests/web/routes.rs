//! What every route answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use wa_watchdog::engine::snapshot::Snapshot;
use wa_watchdog::metrics::{self, Build, Reload, Shell};
use wa_watchdog::web::{ReloadDone, SNAPSHOT_AGE_MAX};

use crate::server::{Server, bounded, send};
use crate::{exposition, made_up};

/// Every route that GET opens, and the content type of its answer.
const PAGES: [(&str, &str); 16] = [
    ("/", "text/html; charset=utf-8"),
    ("/?q=shop&show=failing&utm=x", "text/html; charset=utf-8"),
    ("/targets/shop", "text/html; charset=utf-8"),
    ("/targets/new", "text/html; charset=utf-8"),
    ("/targets/shop/order/restart", "text/html; charset=utf-8"),
    ("/order/pause", "text/html; charset=utf-8"),
    ("/sign-in", "text/html; charset=utf-8"),
    ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
    ("/-/healthy", "text/plain; charset=utf-8"),
    ("/-/ready", "text/plain; charset=utf-8"),
    ("/api/v1/status", "application/json"),
    ("/api/v1/targets", "application/json"),
    ("/api/v1/targets/shop", "application/json"),
    ("/api/v1/incidents", "application/json"),
    ("/api/v1/attempts?target=shop&limit=5", "application/json"),
    ("/api/v1/incidents?target=shop&open=true&limit=5", "application/json"),
];

#[tokio::test]
async fn every_page_has_its_type_and_the_headers_that_keep_it_safe() {
    let server = Server::start().await;
    server.ready.open();
    for (path, kind) in PAGES {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), kind, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert!(!reply.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_does_without_the_body() {
    let server = Server::start().await;
    for (path, kind) in PAGES {
        let (get, head) = (server.get(path).await, send(server.request(Method::HEAD, path)).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
        if head.status == 200 {
            assert_eq!(head.header("content-type"), kind, "{path}");
        }
    }
}

#[tokio::test]
async fn metrics_are_rendered_of_the_newest_snapshot() {
    let server = Server::start().await;
    assert_eq!(server.get("/metrics").await.body, "targets 3\n");
    server.snapshot.send_replace(Arc::new(made_up::fleet(20)));
    assert_eq!(server.get("/metrics?format=prometheus").await.body, "targets 20\n");
}

#[tokio::test]
async fn metrics_can_be_read_by_a_scraper() {
    let server = Server::rendering(|snapshot| {
        let reload = Reload { succeeded: true, last_success: made_up::ago(60) };
        let build = Build::this();
        let [dropped, denials] = [(); 2].map(|()| BTreeMap::new());
        let inbound = BTreeMap::new();
        let (notifications, credentials, hard_stops) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let discoveries = BTreeMap::new();
        let shell =
            Shell { build, reload, dropped, denials, notifications, hard_stops, inbound, credentials, discoveries };
        metrics::render(snapshot, &shell)
    })
    .await;
    let families = exposition::parse(&server.get("/metrics").await.body);
    let targets = &families["wa_watchdog_targets"];
    assert_eq!((targets.kind.as_str(), targets.help.is_empty(), targets.series[0].value), ("gauge", false, 3.0));
    let failing = families["wa_watchdog_pattern_active"].series.iter().filter(|series| 0.5 < series.value);
    let failing: Vec<(&str, &str)> =
        failing.map(|series| (series.labels["target"].as_str(), series.labels["pattern"].as_str())).collect();
    assert_eq!(failing, [("shop", "state_loop")]);
}

#[tokio::test]
async fn metrics_that_cannot_be_rendered_end_one_answer_and_not_the_server() {
    let server = Server::rendering(|snapshot| match snapshot.fleet.targets {
        3 => panic!("this test breaks the first rendering"),
        targets => format!("targets {targets}\n"),
    })
    .await;
    assert_eq!(server.get("/metrics").await.error(500), "the metrics cannot be rendered");
    server.snapshot.send_replace(Arc::new(made_up::fleet(4)));
    assert_eq!(server.get("/metrics").await.body, "targets 4\n");
}

#[tokio::test]
async fn a_stale_snapshot_means_a_stuck_loop() {
    let server = Server::start().await;
    let limit = i64::try_from(SNAPSHOT_AGE_MAX.as_millis()).expect("a short time");
    for (age, status) in [(0, 200), (limit, 200), (-5000, 200), (limit + 1000, 503)] {
        server.set_clock(age);
        assert_eq!(server.get("/-/healthy").await.status, status, "{age} ms old");
    }
    let said = server.get("/-/healthy").await.error(503);
    assert_eq!(said, "the last snapshot is 1 min 1 s old; limit is 1 min");
}

#[tokio::test]
async fn readiness_opens_once() {
    let server = Server::start().await;
    assert_eq!(server.get("/-/ready").await.error(503), "the watchdog is still starting");
    server.ready.open();
    assert_eq!(server.get("/-/ready").await.status, 200);
    server.ready.open();
    assert_eq!(server.get("/-/ready").await.status, 200);
}

#[tokio::test]
async fn targets_are_listed_in_short() {
    let server = Server::start().await;
    let listed = server.get("/api/v1/targets").await.json();
    assert_eq!(listed["at"], "2026-02-04T09:00:00.000Z");
    let names: Vec<&Value> = listed["targets"].as_array().expect("a list").iter().map(|t| &t["target"]).collect();
    assert_eq!(names, ["atelier", "new", "shop"]);
    let expected = json!({
        "target": "shop", "state": "connecting", "word": "OPENING \"<b>\"", "since": "2026-02-04T08:59:40.000Z",
        "last_connected": "2026-02-04T08:59:40.000Z", "up": true, "verdict": "failing", "pattern": "state_loop",
        "evidence": "seen twice within 60 s; the limit is 2", "missing": null,
        "memory": {"verdict": "suspect", "pattern": "memory_pressure", "evidence": null,
                   "missing": "93 % of the limit for 2 min of 5 min"},
        "open": [7], "mode": "approve", "paused": true, "pending": "scan by 09:02:30", "pending_until": "2026-02-04T09:02:30.000Z", "waits_for_person": true, "next_poll": "2026-02-04T09:00:05.000Z",
    });
    assert_eq!(listed["targets"][2], expected);
    assert_eq!(listed["targets"][1]["state"], Value::Null, "what is not known is null");
    assert_eq!((&listed["storm"], &listed["pause"]["who"]), (&json!(true), &json!("ana")));
    assert_eq!(listed["targets"][0]["paused"], true, "all of them are");
}

#[tokio::test]
async fn a_target_tells_everything() {
    let server = Server::start().await;
    let told = server.get("/api/v1/targets/shop").await.json();
    assert_eq!(told["verdict"]["verdict"], "failing");
    assert_eq!(told["verdict"]["evidence"]["sentence"], "seen twice within 60 s; the limit is 2");
    assert_eq!(
        told["verdict"]["evidence"]["samples"][1],
        json!({"at": "2026-02-04T08:55:00.000Z", "seen": "connecting"})
    );
    assert_eq!(told["memory_verdict"]["missing"], "93 % of the limit for 2 min of 5 min");
    assert_eq!(told["findings"][1]["proven"], false);
    assert_eq!(told["open"][0]["duration_seconds"], 300.0);
    assert_eq!(told["timeline"][0]["from"], "2026-02-04T08:59:00.000Z");
    assert_eq!(told["log"][0]["word"], "State changed to: TIMEOUT");
    assert_eq!(told["memory"]["limit_bytes"], 536_870_912);
    assert_eq!(told["counts"]["polls"]["timeout"], 5);
    assert_eq!(told["counts"]["polls"]["answer"], 1000);
    assert_eq!(told["counts"]["connected_seconds"], 72_000.5);
    assert_eq!(told["counts"]["incidents"]["state_loop"], 1);
    let explained: Vec<&str> =
        told["explain"].as_array().expect("lines").iter().map(|line| line.as_str().expect("a line")).collect();
    assert!(explained.iter().any(|line| line.contains("seen twice within 60 s")), "{explained:?}");
}

#[tokio::test]
async fn a_target_tells_what_was_done_and_what_may_be_done_next() {
    let server = Server::start().await;
    let told = server.get("/api/v1/targets/shop").await.json();
    let care = &told["care"];
    assert_eq!(care["mode"], "approve");
    assert_eq!((&care["pause"]["who"], &care["pause"]["all"]), (&json!("ana"), &json!(false)));
    let restart = &care["attempts"][0];
    assert_eq!((&restart["id"], &restart["outcome"]), (&json!("19c2a6f03e0"), &json!("did_not_help")));
    assert_eq!(restart["ended"], json!(["2026-02-04T08:56:12.000Z", "done"]));
    assert_eq!(restart["steps"][1]["step"], "start");
    assert_eq!((&restart["cause"]["incident"], &restart["cause"]["pattern"]), (&json!(7), &json!("state_loop")));
    assert_eq!(care["refused"][0]["reason"], "unapproved");
    assert_eq!(care["proposal"]["attempt"], "19c2a6f0fff");
    assert_eq!(care["proposal"]["steps"], json!(["stop", "quarantine", "start"]));
    assert_eq!(care["hand_off"]["deadline"], "2026-02-04T09:02:30.000Z");
    assert_eq!(care["budget"], json!({"restart": 2, "reset": 1}));
    assert_eq!((&care["destroys"], &care["cooldown_until"]), (&json!(["reset"]), &json!("2026-02-04T09:01:00.000Z")));
    assert_eq!(care["resets"]["grade"], "weekly");
    let remedies = json!([
        {"remedy": "restart", "pattern": "state_loop", "outcome": "did_not_help", "count": 1},
        {"remedy": "reset", "pattern": null, "outcome": "helped", "count": 1},
    ]);
    assert_eq!(told["counts"]["remedies"], remedies);
    assert_eq!(told["counts"]["refusals"][1], json!({"remedy": "reset", "reason": "unapproved", "count": 1}));
}

#[tokio::test]
async fn the_explanation_says_what_was_done_and_what_a_person_can_do() {
    let server = Server::start().await;
    let told = server.get("/api/v1/targets/shop").await.json();
    let explained = told["explain"].as_array().expect("lines");
    let explained: Vec<&str> = explained.iter().map(|line| line.as_str().expect("a line")).collect();
    for line in [
        "incident #7 is open since 08:55:00 (5 min); what fits first is restart; 1 attempt was made for it",
        "a person must scan the QR code: the codes shown end at 09:02:30, all hope at 09:14:30",
        "reset, which destroys the session, waits for a person until 09:50:00 (stop, quarantine, start); release it: \
         wa-watchdog approve shop 19c2a6f0fff --reason \"…\"",
        "no reset by itself any more: resets do not last; once looked at: wa-watchdog ack shop --reason \"…\"",
        "reset is due and not done since 08:59:20, unapproved: mode is approve: a person must release it",
        "restart at 08:56:00 (attempt 19c2a6f03e0) did not help: not connected after 3 min",
        "all targets are paused by ana until 09:30:00: deploy of <gateway>",
        "mode is approve: it asks, and a person releases each attempt",
        "attempts that the budgets have left: restart 2, reset 1 (destroys the session)",
        "after the last attempt nothing new is begun before 09:01:00",
        "resets: 0 in 24 h, 2 in 7 d, 2 in 30 d; weekly: something else is wrong; look at log, memory and network",
    ] {
        assert!(explained.contains(&line), "{line}\nin {explained:#?}");
    }
    let told = server.get("/api/v1/targets/atelier").await.json();
    let explained = told["explain"].to_string();
    assert!(explained.contains("mode is observe") && !explained.contains("resets:"), "{explained}");
}

#[tokio::test]
async fn attempts_are_listed_newest_first() {
    let server = Server::start().await;
    server.snapshot.send_replace(Arc::new(made_up::fleet(150)));
    let listed = server.get("/api/v1/attempts").await.json();
    assert_eq!((&listed["found"], listed["attempts"].as_array().map(Vec::len)), (&json!(150), Some(100)));
    let listed = server.get("/api/v1/attempts?limit=150&target=session-0007").await.json();
    assert_eq!(listed["found"], 1);
    assert_eq!(listed["attempts"][0]["steps"][0]["note"], "exit code 0");
    assert_eq!(server.get("/api/v1/attempts?target=nobody").await.error(404), "no target has this name");
    assert_eq!(server.get("/api/v1/attempts?limit=0").await.error(400), "limit cannot be \"0\"");
}

#[tokio::test]
async fn incidents_are_filtered_and_limited() {
    let server = Server::start().await;
    let ids = async |query: &str| {
        let listed = server.get(&format!("/api/v1/incidents{query}")).await.json();
        let ids = listed["incidents"].as_array().expect("a list").iter().map(|i| i["id"].as_u64().expect("a number"));
        (ids.collect::<Vec<_>>(), listed["found"].as_u64().expect("a number"))
    };
    assert_eq!(ids("").await, (vec![7, 3], 2));
    assert_eq!(ids("?open=true").await, (vec![7], 1));
    assert_eq!(ids("?open=false&target=shop").await, (vec![3], 1));
    assert_eq!(ids("?limit=1").await, (vec![7], 2));
    assert_eq!(ids("?target=atelier").await, (vec![], 0));
    let closed = &server.get("/api/v1/incidents?open=false").await.json()["incidents"][0];
    assert_eq!(closed["closed"], json!({"at": "2026-02-04T06:40:00.000Z", "how": "recovered"}));
    assert_eq!(closed["duration_seconds"], 600.0);
    assert_eq!(server.get("/api/v1/incidents?target=shpo").await.error(404), "no target has this name");
}

#[tokio::test]
async fn status_gives_the_fleet_in_numbers() {
    let server = Server::start().await;
    server.ready.open();
    let status = server.get("/api/v1/status").await.json();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ready"], true);
    assert_eq!(status["uptime_seconds"], 86_400.0);
    let fleet = json!({
        "targets": 3, "failing": 1, "turned_bad_together": 1, "well": 1, "storm": true, "paused": true,
    });
    assert_eq!(status["fleet"], fleet);
    assert_eq!(status["modes"], json!({"observe": 2, "approve": 1, "act": 0}));
    assert_eq!(status["pause"]["reason"], "deploy of <gateway>");
    assert_eq!((&status["states"]["connected"], &status["states"]["expired"]), (&json!(1), &json!(0)));
    assert_eq!((&status["unseen"], &status["suspensions"]), (&json!(1), &json!(4)));
}

#[tokio::test]
async fn what_does_not_exist_is_a_404_with_a_hint() {
    let server = Server::start().await;
    let paths = [
        "/nothing",
        "/metrics/",
        "/api/v1",
        "/api/v2/targets",
        "/api/v1/targets/",
        "/api/v1/targets/nobody",
        "/api/v1/targets/shop/x",
        "/api/v1/targets/%2e%2e%2fshop",
    ];
    for path in paths {
        let reply = server.get(path).await;
        reply.error(404);
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_names_the_right_ones() {
    let mut server = Server::start().await;
    let verbs = ["pause", "resume", "approve", "ack", "reconnect", "restart", "reset", "restore"];
    let orders = verbs.map(|verb| format!("/targets/shop/order/{verb}"));
    let all = ["/order/pause", "/order/resume", "/sign-in"].map(str::to_owned);
    let forms: Vec<String> = orders.into_iter().chain(all).collect();
    let read = PAGES.into_iter().map(|(path, _)| path.to_owned()).filter(|path| !forms.contains(path));
    let paths = (read.map(|path| (path, "GET, HEAD")))
        .chain(forms.iter().map(|path| (path.clone(), "GET, HEAD, POST")))
        .chain(["/-/reload", "/sign-out"].map(|path| (path.to_owned(), "POST")));
    for (path, allow) in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                continue;
            }
            let reply = send(server.request(method.clone(), &path)).await;
            assert!(!reply.error(405).is_empty(), "{method} {path}");
            assert_eq!(reply.header("allow"), allow, "{method} {path}");
        }
    }
    assert!(server.reloads.try_recv().is_err(), "a GET never orders anything");
    assert!(server.orders.try_recv().is_err());
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_a_400() {
    let mut server = Server::start().await;
    let wrong = [
        ("/api/v1/status?x=1", "the query key \"x\" is not known here"),
        ("/api/v1/targets?state=connected", "the query key \"state\" is not known here"),
        ("/api/v1/targets/shop?x", "the query key \"x\" is not known here"),
        ("/api/v1/incidents?opne=true", "the query key \"opne\" is not known here"),
        ("/api/v1/incidents?open=yes", "open cannot be \"yes\""),
        ("/api/v1/incidents?limit=0", "limit cannot be \"0\""),
        ("/api/v1/incidents?limit=1001", "limit cannot be \"1001\""),
        ("/api/v1/incidents?limit=-1", "limit cannot be \"-1\""),
        ("/api/v1/incidents?limit=5&limit=6", "the query key \"limit\" comes twice"),
    ];
    for (path, said) in wrong {
        assert_eq!(server.get(path).await.error(400), said, "{path}");
    }
    assert_eq!(server.post("/-/reload?dry_run=true").await.error(400), "the query key \"dry_run\" is not known here");
    assert!(server.reloads.try_recv().is_err(), "an order that is not understood is not carried out");
}

#[tokio::test]
async fn a_reload_goes_to_the_driver_and_its_outcome_comes_back() {
    let mut server = Server::start().await;
    let request = server.request(Method::POST, "/-/reload");
    let driver = async {
        let order = bounded(server.reloads.recv()).await.expect("an order");
        let done = ReloadDone { targets: 4, needs_restart: vec!["server.listen".to_owned()] };
        order.answer.send(Ok(done)).expect("somebody waits");
    };
    let (reply, ()) = tokio::join!(send(request), driver);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"targets": 4, "needs_restart": ["server.listen"]}));
}

#[tokio::test]
async fn a_reload_that_is_refused_names_every_problem() {
    let mut server = Server::start().await;
    let request = server.request(Method::POST, "/-/reload");
    let driver = async {
        let order = bounded(server.reloads.recv()).await.expect("an order");
        let problems = vec!["line 3: unknown key".to_owned(), "line 9: not a duration".to_owned()];
        order.answer.send(Err(problems)).expect("somebody waits");
    };
    let (reply, ()) = tokio::join!(send(request), driver);
    assert_eq!(reply.error(400), "the configuration was not taken; the one before is still in force");
    assert_eq!(reply.json()["problems"], json!(["line 3: unknown key", "line 9: not a duration"]));
}

#[tokio::test]
async fn a_reload_that_nobody_carries_out_says_so() {
    let mut server = Server::start().await;
    let request = server.request(Method::POST, "/-/reload");
    let driver = async { drop(bounded(server.reloads.recv()).await.expect("an order")) };
    let (reply, ()) = tokio::join!(send(request), driver);
    assert_eq!(reply.error(503), "the reload was given up");
    server.reloads.close();
    assert_eq!(server.post("/-/reload").await.error(503), "the watchdog is stopping");
}

#[tokio::test]
async fn one_reload_runs_at_a_time() {
    let mut server = Server::start().await;
    let waiting = server.tracker.spawn(send(server.request(Method::POST, "/-/reload")));
    bounded(async {
        while server.reloads.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.post("/-/reload").await.error(503), "a reload is running already");
    drop(bounded(server.reloads.recv()).await.expect("the first order"));
    assert_eq!(bounded(waiting).await.expect("it ends").error(503), "the reload was given up");
}

#[tokio::test]
async fn a_foreign_page_or_host_orders_nothing() {
    let mut server = Server::start().await;
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("host", "evil.example")];
    for (name, value) in foreign {
        send(server.request(Method::POST, "/-/reload").header(name, value)).await.error(403);
    }
    assert!(server.reloads.try_recv().is_err());
    assert_eq!(server.get("/api/v1/status").await.status, 200, "reading stays possible");
}

#[tokio::test]
async fn a_fleet_of_a_thousand_is_listed() {
    let server = Server::start().await;
    server.snapshot.send_replace(Arc::new(made_up::fleet(1000)));
    let listed = server.get("/api/v1/targets").await.json();
    assert_eq!(listed["targets"].as_array().map(Vec::len), Some(1000));
    assert_eq!(server.get("/api/v1/targets/session-0999").await.json()["target"], "session-0999");
}

#[tokio::test]
async fn an_empty_watchdog_answers_too() {
    let server = Server::start().await;
    server.snapshot.send_replace(Arc::new(Snapshot::default()));
    assert_eq!(server.get("/api/v1/targets").await.json()["targets"], json!([]));
    assert_eq!(server.get("/api/v1/incidents").await.json()["incidents"], json!([]));
    assert_eq!(server.get("/").await.status, 200);
}
