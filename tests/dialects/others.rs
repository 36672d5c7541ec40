//! Log lines, deep probes, QR endpoints and paths.

use std::time::Duration;

use wa_watchdog::dialect::{Dialect, Heard, Pace, Route};
use wa_watchdog::engine::sample::{Deep, Failure, QrMark, Sample};
use wa_watchdog::engine::{Ask, Wall};

use super::show::{BARE, check, check_log};

#[test]
fn the_log_of_the_service_on_whatsapp_web_js_is_understood() {
    check_log(
        "whatsapp-service",
        "
        🔄 Starting initialization sequence... => -
        🔄 Starting force cleanup... => -
        🧹 Cleaning up Chromium processes and locks... => -
        ✅ Cleanup completed! => -
        ✅ Ready to initialize client => -
        🔄 Initializing WhatsApp client... => connecting
        ✅ WhatsApp client initialization started successfully => -
        🚀 Service running on port 3001 => -
        📱 QR CODE GENERATED => needs_scan
        📱 [04.02.2026 12:02:31] QR CODE GENERATED => needs_scan
        ⏰ Scan within 3 minutes => -
        ▄▄▄▄▄ State changed to: CONFLICT █▀▀ => -
        🔐 Authenticated successfully => connecting linked
        🔐 Authenticated successfully [04.02.2026 12:02:31] => connecting linked
        ⏳ Waiting for WhatsApp to connect... => -
        ⏳ Loading: 60% - Loading contacts... => -
        ✅ WhatsApp client is ready! => connected
        ✅ WhatsApp client is ready! [04.02.2026 12:02:31] => connected
        🎉 You can now send and receive messages! => -
        🔄 State changed to: OPENING (after 812ms) => connecting opening
        🔄 State changed to: PAIRING (after 812ms) => connecting pairing
        🔄 State changed to: CONNECTED (after 812ms) => connecting linked
        🔄 State changed to: CONFLICT (after 812ms) => conflict
        🔄 State changed to: UNPAIRED (after 812ms) => needs_scan
        🔄 State changed to: TIMEOUT (after 812ms) => connecting
        🔄 State changed to: TOS_BLOCK (after 812ms) => blocked
        State changed to: DREAMING => -
        ⚠️ CONNECTION LOOP DETECTED! => -
        🔄 States repeating: OPENING,PAIRING,CONNECTED => -
        💡 Possible causes: => -
        1. Session corruption - Delete volume and rescan QR => -
        3. WhatsApp conflict - Another device using same number => -
        📴 Disconnected [04.02.2026 12:02:31]: CONFLICT => conflict
        ⚠️ CONFLICT: Another WhatsApp Web session detected! => conflict
        💡 Action: Close other WhatsApp Web/Desktop instances => -
        📴 Disconnected [04.02.2026 12:02:31]: NAVIGATION => disconnected
        📴 Disconnected: NAVIGATION => disconnected
        ⚠️ NAVIGATION: Page navigation detected => disconnected
        🔄 Will attempt reconnect after cleanup... => -
        📴 Disconnected [04.02.2026 12:02:31]: UNPAIRED => logged_out
        ⚠️ UNPAIRED: Session expired or device was unlinked => logged_out
        💡 Action: Need to scan QR code again => -
        📴 Disconnected [04.02.2026 12:02:31]: LOGOUT => logged_out
        ⚠️ LOGOUT: User logged out from WhatsApp => logged_out
        📴 Disconnected [04.02.2026 12:02:31]: Max qrcode retries reached => disconnected
        📴 Disconnected [04.02.2026 12:02:31]: TOS_BLOCK => blocked
        🔄 Client will attempt to reconnect... => -
        ❌ Auth failed [04.02.2026 12:02:31]: restored session is invalid => expired
        ❌ Auth failed: restored session is invalid => expired
        🔄 Will retry with cleanup... => -
        ❌ Failed to initialize WhatsApp client: auth timeout => connecting
        🔄 Attempting recovery... => -
        ✅ WhatsApp client recovered and initialized => -
        ❌ Recovery failed: auth timeout => disconnected
        🛑 Service will continue running, but WhatsApp client is not available => -
        ❌ Uncaught Exception: Error: read ECONNRESET => disconnected
        ❌ Unhandled Rejection at: Promise { <rejected> } reason: Error: EBUSY => -
        🛑 Received SIGTERM, shutting down gracefully... => -
        📴 Closing WhatsApp client... => -
        📩 Message → 15550100 => -
        ✅ Delivered (200) => -
        ❌ Webhook error: Request failed with status code 401 => -
    ",
    );
}

#[test]
fn the_log_of_the_service_on_baileys_is_understood() {
    check_log(
        "whatsapp-service",
        "
        🔄 Starting Baileys WhatsApp client... => connecting
        📱 Using WA version: 2.3000.1, isLatest: true => -
        ⏳ Connecting to WhatsApp... => connecting
        📱 [04.02.2026 12:02:31] QR CODE GENERATED => needs_scan
        ✅ WhatsApp connected successfully! [04.02.2026 12:02:31] => connected
        \u{1b}[31m📴 Connection closed. Reason: 440\u{1b}[0m => conflict
        📴 Connection closed. Reason: 440 => conflict
        📴 Connection closed. Reason: 401 => logged_out
        📴 Connection closed. Reason: 402 => blocked
        📴 Connection closed. Reason: 403 => blocked
        📴 Connection closed. Reason: 405 => blocked
        📴 Connection closed. Reason: 406 => blocked
        📴 Connection closed. Reason: 411 => blocked
        📴 Connection closed. Reason: 408 => disconnected
        📴 Connection closed. Reason: 428 => disconnected
        📴 Connection closed. Reason: 500 => disconnected
        📴 Connection closed. Reason: 503 => disconnected
        📴 Connection closed. Reason: 515 => disconnected
        📴 Connection closed. Reason: unknown => disconnected
        🔄 Reconnecting: true => -
        🔄 Reconnecting: false => logged_out
        ❌ Failed to connect: getaddrinfo ENOTFOUND web.whatsapp.com => disconnected
        🔄 Retrying in 5 seconds... => -
        🛑 Shutting down... => -
        ❌ Webhook failed: timeout of 10000ms exceeded => -
        ❌ Failed to send message: Connection Closed => -
    ",
    );
}

#[test]
fn the_log_of_the_backend_is_understood() {
    check_log(
        "wasender-backend",
        "
        ❌ Error getting status for session 16548: Request failed with status code 404 => missing
        ❌ Error getting status for session 16548: Request failed with status code 401 => -
        ❌ Error getting status for session 16548: Request failed with status code 429 => -
        ❌ Error getting status for session 16548: Request failed with status code 502 => -
        ❌ Error getting status for session 16548: timeout of 15000ms exceeded => -
        🔍 Mapped status: \"logged_out\" -> \"qr\", meNumber: \"null\" => -
    ",
    );
}

/// A recording holds nothing else of a line.
#[test]
fn what_is_kept_of_a_line_means_the_same_in_every_dialect() {
    let long = format!("{} ", "a long beginning ".repeat(20));
    let keyed = "token=".to_owned();
    let mut read = 0;
    for (name, _) in wa_watchdog::dialect::builtins() {
        let dialect = Dialect::builtin(name).expect("built in");
        for line in LINES {
            for line in [line.to_owned(), format!("{long}{line}"), format!("{keyed}{line}"), format!("{line} {long}")] {
                let Some(signal) = dialect.read_log(&line) else { continue };
                assert_eq!(dialect.read_log(signal.line.as_str()), Some(signal), "{name}: {line}");
                read += 1;
            }
        }
    }
    assert!(80 <= read, "{read} lines meant something");
}

/// One line for each rule of each dialect.
const LINES: [&str; 24] = [
    "✅ WhatsApp client is ready! [04.02.2026 12:02:31]",
    "✅ WhatsApp connected successfully! [04.02.2026 12:02:31]",
    "🔐 Authenticated successfully [04.02.2026 12:02:31]",
    "⏳ Connecting to WhatsApp...",
    "🔄 Initializing WhatsApp client...",
    "🔄 Starting Baileys WhatsApp client...",
    "📱 [04.02.2026 12:02:31] QR CODE GENERATED",
    "🔄 State changed to: OPENING (after 812ms)",
    "🔄 State changed to: CONFLICT (after 812ms)",
    "🔄 State changed to: SMB_TOS_BLOCK (after 1770200000000000000ms)",
    "📴 Disconnected [04.02.2026 12:02:31]: LOGOUT",
    "📴 Disconnected [04.02.2026 12:02:31]: Max qrcode retries reached",
    "⚠️ UNPAIRED: Session expired or device was unlinked",
    "📴 Connection closed. Reason: 440",
    "📴 Connection closed. Reason: unknown",
    "🔄 Reconnecting: false",
    "❌ Auth failed [04.02.2026 12:02:31]: 2@AbCdEfGh,IjKl for 15550100123@c.us",
    "❌ Failed to initialize WhatsApp client: auth timeout",
    "❌ Recovery failed: auth timeout",
    "❌ Failed to connect: getaddrinfo ENOTFOUND web.whatsapp.com",
    "❌ Uncaught Exception: Error: token=0123456789abcdef0123456789abcdef",
    "❌ Error getting status for session 16548: Request failed with status code 404",
    "status_change logged_out",
    "status_change need_scan",
];

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
