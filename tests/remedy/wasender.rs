//! Connect and restart at the vendor.

use std::fs;
use std::time::Duration;

use serde_json::json;
use wa_watchdog::config::{Call, Secret, WasenderAt, WasenderCall, WasenderDeed};
use wa_watchdog::engine::attempt::{Act, StepEnd, StepOutcome};

use crate::doubles::{Doubles, Health, PAT, SECRETS};
use crate::{Bench, assert_end, single};

const SESSION: u64 = 16548;

async fn doubles(state: &'static str) -> Doubles {
    let doubles = Doubles::start().await;
    doubles.world().sessions.insert(SESSION, state);
    doubles
}

fn bench(doubles: &Doubles, deed: WasenderDeed, token: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pat");
    fs::write(&file, token).unwrap();
    let url = format!("{}/api", doubles.vendor.uri());
    let at = WasenderAt { url, session: SESSION.to_string(), token: Secret::File(file) };
    let (patience, timeout) = (Duration::from_secs(2), Duration::from_secs(8));
    // The token lies in the folder.
    Bench::within(folder, single(Call::Wasender(Box::new(WasenderCall { at, deed, patience, timeout }))))
}

async fn ended(doubles: &Doubles, deed: WasenderDeed) -> StepEnd {
    let end = bench(doubles, deed, PAT).act(Act::Do).await;
    let note = end.note.as_ref().map_or("", |note| note.as_str());
    assert!(SECRETS.iter().chain([&PAT]).all(|secret| !note.contains(secret)), "{note}");
    assert!(note.chars().count() < 160, "it is cut: {note}");
    end
}

#[tokio::test]
async fn each_answer_to_a_connect_has_its_meaning() {
    for (answer, outcome, note) in [
        (json!({ "status": "NEED_SCAN", "qrCode": SECRETS[0] }), StepOutcome::Done, "a person must scan"),
        (json!({ "status": "need_scan", "qrCode": SECRETS[0] }), StepOutcome::Done, "a person must scan"),
        (
            json!({ "status": "NEED_PASSKEY", "passkey": { "token": SECRETS[1], "expires_at": "2026-07-09T12:30:00Z" } }),
            StepOutcome::Unmet,
            "a person must approve",
        ),
        (
            json!({ "status": "CONNECTED", "message": "Session already initialized or connecting. No QR code needed." }),
            StepOutcome::Done,
            "connected, or connecting already",
        ),
        (json!({ "status": SECRETS[2] }), StepOutcome::Done, "does not say how"),
    ] {
        let doubles = doubles("expired").await;
        doubles.world().connects = answer;
        assert_end(&ended(&doubles, WasenderDeed::Connect).await, outcome, note);
        assert_eq!(doubles.acts(), ["connect 16548"]);
    }
}

#[tokio::test]
async fn a_subscription_is_a_persons_business() {
    let doubles = doubles("expired").await;
    doubles.world().health = Health::Unpaid;
    assert_end(&ended(&doubles, WasenderDeed::Connect).await, StepOutcome::Unmet, "subscription");
}

#[tokio::test]
async fn a_session_that_is_gone_is_not_connected() {
    let doubles = Doubles::start().await;
    for deed in [WasenderDeed::Connect, WasenderDeed::Restart] {
        assert_end(&ended(&doubles, deed).await, StepOutcome::Unmet, "does not know session 16548");
    }
    assert!(doubles.acts().is_empty());
}

#[tokio::test]
async fn only_a_connected_session_is_restarted() {
    let doubles = doubles("connected").await;
    assert_end(&ended(&doubles, WasenderDeed::Restart).await, StepOutcome::Done, "restarted session 16548");
    doubles.world().sessions.insert(SESSION, "EXPIRED");
    assert_end(&ended(&doubles, WasenderDeed::Restart).await, StepOutcome::Unmet, "is expired");
    assert_eq!(doubles.acts(), ["restart 16548"]);
}

#[tokio::test]
async fn a_token_that_was_just_rotated_is_read_anew() {
    let doubles = doubles("expired").await;
    doubles.world().health = Health::Refuses(1);
    assert_end(&ended(&doubles, WasenderDeed::Connect).await, StepOutcome::Done, "scan");
    let end = bench(&doubles, WasenderDeed::Connect, "a-session-key").act(Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "pat (401): it wants a personal access token");
    assert_eq!(doubles.acts(), ["connect 16548"]);
}

#[tokio::test]
async fn a_vendor_that_asks_for_a_pause_gets_it() {
    let soon = (bench_now() + 2).to_string();
    let soon: &'static str = Box::leak(soon.into_boxed_str());
    for (header, value) in [("retry-after", "1"), ("x-ratelimit-reset", "1"), ("x-ratelimit-reset", soon)] {
        let doubles = doubles("expired").await;
        doubles.world().health = Health::Throttles(1, header, value);
        assert_end(&ended(&doubles, WasenderDeed::Connect).await, StepOutcome::Done, "scan");
    }
    for (times, value) in [(9, "0"), (1, "3000")] {
        let doubles = doubles("expired").await;
        doubles.world().health = Health::Throttles(times, "retry-after", value);
        assert_end(&ended(&doubles, WasenderDeed::Connect).await, StepOutcome::Failed, "429");
        assert!(doubles.acts().is_empty());
    }
}

/// The time that the clock of the bench shows, in seconds.
fn bench_now() -> i64 {
    let wall: wa_watchdog::engine::Wall = "2026-02-04T09:00:00Z".parse().unwrap();
    wall.millis() / 1000
}

#[tokio::test]
async fn what_is_not_the_vendor_says_nothing() {
    for (health, outcome, note) in [
        (Health::Page(502), StepOutcome::Unknown, "answered 502"),
        (Health::Page(200), StepOutcome::Unknown, "answered 200 without JSON"),
        (Health::Page(302), StepOutcome::Failed, "answered 302"),
        (Health::Page(503), StepOutcome::Failed, "answered 503"),
        (Health::Hangs, StepOutcome::Unknown, "did not answer"),
    ] {
        let doubles = doubles("expired").await;
        doubles.world().health = health.clone();
        assert_end(&ended(&doubles, WasenderDeed::Connect).await, outcome, note);
        if health != Health::Hangs {
            // A restart asks first, and so far nothing was done.
            assert_end(&ended(&doubles, WasenderDeed::Restart).await, StepOutcome::Unmet, note);
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_a_failure() {
    let at = WasenderAt {
        url: "http://127.0.0.1:1/api".to_owned(),
        session: SESSION.to_string(),
        // Cargo sets it for every test.
        token: Secret::Env("CARGO_PKG_NAME".to_owned()),
    };
    let (patience, timeout) = (Duration::from_secs(2), Duration::from_secs(8));
    let call = WasenderCall { at, deed: WasenderDeed::Connect, patience, timeout };
    let end = Bench::new(single(Call::Wasender(Box::new(call)))).act(Act::Do).await;
    assert_end(&end, StepOutcome::Failed, "the vendor was not asked");
}
