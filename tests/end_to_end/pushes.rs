//! What is pushed reaches the engine, is judged like an answer, and undoes nothing that was seen since.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::gateway::{Does, Gateway};
use super::{Daemon, exchange, run, text, write_config};

const SECRET: &str = "s3cret-of-the-shop";

fn config(directory: &Path, more: &str) -> String {
    std::fs::write(directory.join("secret"), SECRET).expect("a file");
    let gateway = Gateway::start(Does::Says(r#"{"data":{"status":"connecting"}}"#.to_owned()));
    let target = gateway.target("shop").replace("whatsapp-service", "wasender");
    format!(
        "[policy]\npoll_every = \"60s\"\n{more}{target}session = 16548\n\
         [target.shop.inbound]\nsecret_file = \"secret\"\nprevious_secret_file = \"secret\"\n"
    )
}

fn post(daemon: &Daemon, path: &str, body: &str) -> String {
    let (host, length) = (daemon.address, body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Webhook-Signature: {SECRET}\r\n\
         Authorization: Bearer {SECRET}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(daemon.address, &head)
}

fn status(word: &str, ago_secs: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let at = now.saturating_sub(ago_secs);
    format!(r#"{{"event":"session.status","timestamp":{at},"data":{{"status":"{word}","session_id":"16548"}}}}"#)
}

#[test]
fn a_webhook_tells_the_state_between_two_polls_and_a_late_one_does_not() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let daemon = Daemon::start(directory.path(), &config(directory.path(), ""));
    let is = |word: &str| {
        let series = format!("wa_watchdog_session_state{{target=\"shop\",state=\"{word}\"}}");
        move |daemon: &Daemon| daemon.metric(&series) == Some(1.0)
    };
    let counted = |outcome: &str, times: f64| {
        let series = format!("wa_watchdog_inbound_total{{kind=\"wasender\",outcome=\"{outcome}\"}}");
        move |daemon: &Daemon| daemon.metric(&series) == Some(times)
    };
    daemon.wait_for("the first poll", is("connecting"));
    // Said before that poll, or very long ago.
    for ago_secs in [60, 3600] {
        assert!(post(&daemon, "/hooks/wasender/shop", &status("logged_out", ago_secs)).starts_with("HTTP/1.1 202"));
    }
    daemon.wait_for("both to be left out", counted("outdated", 2.0));
    daemon.wait_for("the state to stay", is("connecting"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(post(&daemon, "/hooks/wasender/shop", &status("connected", 0)).starts_with("HTTP/1.1 202"));
    daemon.wait_for("the state that was pushed", is("connected"));
    daemon.wait_for("its count", counted("taken", 1.0));
    assert_eq!(
        daemon.metric("wa_watchdog_session_state_changes_total{target=\"shop\",state=\"logged_out\"}"),
        Some(0.0)
    );
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn alerts_are_taken_once_a_reload_says_so_and_are_explained() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let daemon = Daemon::start(directory.path(), &config(directory.path(), ""));
    let letter = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"ShopIsSlow","wa":"shop"}}]}"#;
    assert!(post(&daemon, "/hooks/alertmanager", letter).starts_with("HTTP/1.1 403"));
    let more = "[alertmanager]\ntoken_file = \"secret\"\nlabel = \"wa\"\n";
    write_config(directory.path(), daemon.address, &config(directory.path(), more));
    assert!(daemon.post("/-/reload").starts_with("HTTP/1.1 200"));
    assert!(post(&daemon, "/hooks/alertmanager", letter).contains("\"taken\":1"));
    daemon.wait_for("the alert", |daemon| daemon.get("/api/v1/targets/shop").contains("\"name\":\"ShopIsSlow\""));
    let explained = run(&["explain", "shop", "--url", &format!("http://{}", daemon.address)]);
    assert!(text(&explained.stdout).contains("Alertmanager fires: ShopIsSlow since "), "{}", text(&explained.stdout));
    assert!(daemon.get("/api/v1/incidents").contains("\"incidents\":[]"), "an alert opens none");
    assert_eq!(daemon.stop().0, Some(0));
}
