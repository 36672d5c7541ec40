//! Log lines, deep probes, QR endpoints and paths.

use std::time::Duration;

use wa_watchdog::dialect::{Dialect, Heard, Pace, Route};
use wa_watchdog::engine::sample::{Deep, Failure, QrMark, Sample};
use wa_watchdog::engine::{Ask, Wall};

use super::show::{BARE, check, check_log};

#[test]
fn guide_1s_log_is_understood() {
    check_log(
        "whatsapp-service",
        "
        🔄 State changed to: OPENING (after 812ms) => connecting opening
        🔄 State changed to: PAIRING (after 812ms) => connecting pairing
        🔄 State changed to: CONNECTED (after 812ms) => connecting linked
        🔄 State changed to: CONFLICT (after 812ms) => conflict
        State changed to: DREAMING => -
        📴 Disconnected [04.02.2026 12:02:31]: CONFLICT => conflict
        📴 Disconnected [04.02.2026 12:02:31]: LOGOUT => logged_out
        📴 Disconnected: UNPAIRED => logged_out
        📴 Disconnected: NAVIGATION => disconnected
        📴 Disconnected: Max qrcode retries reached => disconnected
        \u{1b}[31m📴 Connection closed. Reason: 440\u{1b}[0m => conflict
        📴 Connection closed. Reason: 401 => logged_out
        📴 Connection closed. Reason: 405 => blocked
        📴 Connection closed. Reason: 408 => disconnected
        📴 Connection closed. Reason: unknown => disconnected
        📱 [04.02.2026 12:02:31] QR CODE GENERATED => needs_scan
        ❌ Auth failed [04.02.2026 12:02:31]: restored session is invalid => expired
        ✅ WhatsApp client is ready! [04.02.2026 12:02:31] => connected
        ✅ WhatsApp connected successfully! [04.02.2026 12:02:31] => connected
        🔐 Authenticated successfully => connecting linked
        ⚠️ CONNECTION LOOP DETECTED! => -
        🔄 States repeating: OPENING,PAIRING,CONNECTED => -
        ▄▄▄▄▄ State changed to: CONFLICT █▀▀ => -
        📩 Message → 15550100 => -
    ",
    );
    check_log(
        "wasender-backend",
        "
        ❌ Error getting status for session 16548: Request failed with status code 404 => missing
        ❌ Error getting status for session 16548: Request failed with status code 502 => -
    ",
    );
}

#[test]
fn a_kept_line_shows_no_secret() {
    let dialect = Dialect::builtin("whatsapp-service").expect("built in");
    let signal =
        dialect.read_log("Auth failed: api_key=abc123 for 15550100123@c.us, code 2@AbCdEf,gh==").expect("a signal");
    assert_eq!(signal.line.as_str(), "Auth failed: api_key=… for …, code …");
}

#[test]
fn a_word_shows_no_secret() {
    check(
        "whatsapp-service",
        BARE,
        r#"
        200 {"state":"2@AbCdEfGh,IjKl,MnOp=="} => unknown: …
        200 {"state":"0123456789abcdef0123456789abcdef"} => unknown: …
        200 {"error":"token=abc refused"} => unknown: token=… refused
    "#,
    );
}

#[test]
fn a_deep_probe_fails_only_on_proof() {
    let deep = |name: &str, heard| {
        let dialect = Dialect::builtin(name).expect("built in");
        let Sample::Deep(deep) = dialect.read(Ask::Deep, BARE, Wall::default(), Duration::ZERO, heard) else {
            panic!("a deep answer is one");
        };
        match deep {
            Deep::Failed(why) => format!("failed: {why}"),
            Deep::TimedOut => "timed out".to_owned(),
            Deep::Passed => "passed".to_owned(),
            Deep::Unclear => "unclear".to_owned(),
        }
    };
    let answer = |status, body: &'static str| Heard::Reply { status, pace: Pace::default(), body: body.as_bytes() };
    assert_eq!(deep("waha", answer(200, r#"[{"id":"1@c.us","name":"Target closed"}]"#)), "passed");
    assert_eq!(deep("waha", Heard::Failed(Failure::Timeout)), "timed out");
    assert_eq!(deep("waha", Heard::Failed(Failure::ConnectionRefused)), "unclear");
    let error =
        r#"{"statusCode":500,"exception":{"message":"Protocol error (Runtime.callFunctionOn): TARGET CLOSED."}}"#;
    assert_eq!(deep("waha", answer(500, error)), "failed: Target closed (HTTP 500)");
    assert_eq!(
        deep("waha", answer(200, r#"{"success":false,"error":"Session closed"}"#)),
        "failed: Session closed (HTTP 200)"
    );
    assert_eq!(deep("waha", answer(500, r#"{"message":"limit must be a number"}"#)), "unclear");
    assert_eq!(deep("waha", answer(422, r#"{"error":"Session status is not as expected"}"#)), "unclear");
    assert_eq!(deep("waha", answer(200, "<html>")), "unclear");
    assert_eq!(deep("wppconnect", answer(200, r#"{"status":true,"message":"Connected"}"#)), "passed");
    assert_eq!(deep("wppconnect", answer(200, r#"{"status":false,"message":"Disconnected"}"#)), "failed: Disconnected");
    assert_eq!(deep("wasender", answer(500, "Target closed")), "unclear");
}

#[test]
fn a_qr_endpoint_gives_a_mark() {
    let qr = |name: &str, status, body: &str| -> Option<QrMark> {
        let dialect = Dialect::builtin(name).expect("built in");
        let heard = Heard::Reply { status, pace: Pace::default(), body: body.as_bytes() };
        let Sample::Qr(mark) = dialect.read(Ask::Qr, BARE, Wall::default(), Duration::ZERO, heard) else {
            panic!("a QR answer is one");
        };
        mark
    };
    assert_eq!(qr("waha", 200, r#"{"value":"2@AAA"}"#), qr("wasender", 200, r#"{"data":{"qrCode":"2@AAA"}}"#));
    assert!(qr("waha", 200, r#"{"value":"2@AAA"}"#).is_some());
    assert_eq!(qr("waha", 422, r#"{"value":"2@AAA"}"#), None);
    assert_eq!(qr("wwebjs-api", 200, r#"{"success":false,"message":"qr code not ready"}"#), None);
    assert_eq!(qr("waha", 200, "PNG"), None);
}

#[test]
fn paths_are_filled_in() {
    let path = |name: &str, ask, session, status_path| {
        Dialect::builtin(name).expect("built in").path(ask, Route { session, status_path })
    };
    let is = |path: &str| Some(path.to_owned());
    assert_eq!(path("waha", Ask::Status, Some("my shop"), None), is("/api/sessions/my%20shop"));
    assert_eq!(path("waha", Ask::Status, None, None), None);
    assert_eq!(path("waha", Ask::Status, None, Some("/api/sessions")), is("/api/sessions"));
    assert_eq!(path("waha", Ask::Deep, Some("shop"), Some("/api/sessions")), is("/api/shop/chats?limit=1"));
    assert_eq!(path("waha", Ask::Qr, Some("shop"), None), is("/api/shop/auth/qr?format=raw"));
    assert_eq!(path("go-whatsapp", Ask::Status, None, None), is("/app/status"));
    assert_eq!(path("go-whatsapp", Ask::Status, Some("org_2"), None), is("/app/status?device_id=org_2"));
    assert_eq!(path("whatsapp-service", Ask::Deep, None, None), None);
    let needs = |name: &str, status_path| Dialect::builtin(name).expect("built in").needs_session(status_path);
    assert!(needs("wasender", None) && !needs("wasender", Some("/status")) && !needs("go-whatsapp", None));
}
