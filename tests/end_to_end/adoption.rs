//! A session that is gone at the vendor, made anew by its backend: the watchdog asks for the new one from then on, also after a
//! restart.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Daemon;
use super::doubles::{Doubles, PAT, SECRETS};

const CONNECTED: &str = "wa_watchdog_session_state{target=\"shop\",state=\"connected\"}";
const ENDS: &str = "wa_watchdog_credential_expiry_timestamp_seconds{target=\"shop\",credential=\"reset\"}";

#[test]
fn the_new_session_is_watched_from_then_on() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let doubles = runtime.block_on(Doubles::start());
    doubles.world().sessions.insert(16548, "connected");
    let directory = tempfile::tempdir().expect("a temporary folder");
    let config = config(directory.path(), &doubles);
    let first = Daemon::start(directory.path(), &config);
    first.wait_for("the session", |daemon| daemon.metric(CONNECTED) == Some(1.0));
    first.wait_for("when the token ends", |daemon| daemon.metric(ENDS) == Some(4_102_444_800.0));

    doubles.world().sessions.remove(&16548);
    first.wait_for("a new session", |_| doubles.world().sessions.contains_key(&16549));
    // A person scans.
    doubles.world().sessions.insert(16549, "connected");
    first.wait_for("the new session", |daemon| daemon.metric(CONNECTED) == Some(1.0));
    first.wait_for("the end of the incident", |daemon| {
        daemon.get("/api/v1/incidents?open=true").contains("\"incidents\":[]")
    });
    assert_eq!(doubles.acts(), ["delete", "ensure"]);
    let attempts = first.get("/api/v1/attempts");
    assert!(attempts.contains("session 16549 takes the place of 16548"), "{attempts}");
    assert!(SECRETS.iter().chain([&PAT]).all(|secret| !attempts.contains(secret)), "{attempts}");
    // The configuration read anew still names the old one.
    assert!(first.post("/-/reload").starts_with("HTTP/1.1 200"));
    first.wait_for("a poll after the reload", |daemon| daemon.metric(CONNECTED) == Some(1.0));
    assert_eq!(first.stop().0, Some(0));

    doubles.world().sessions.insert(16549, "disconnected");
    let second = Daemon::start(directory.path(), &config);
    second.wait_for("the new session after a restart", |daemon| {
        daemon.metric("wa_watchdog_session_state{target=\"shop\",state=\"disconnected\"}") == Some(1.0)
    });
    assert_eq!(second.stop().0, Some(0));
}

fn config(directory: &Path, doubles: &Doubles) -> String {
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode("{\"exp\":4102444800}"));
    for (name, text) in [("pat", PAT), ("jwt", &jwt), ("phone", "+15550100")] {
        std::fs::write(directory.join(name), text).expect("a file in a temporary folder");
    }
    format!(
        "mode = \"act\"\n[policy]\npoll_every = \"1s\"\ntimeout = \"800ms\"\nsteady = \"2s\"\n\
         [policy.repeated_404]\ntimes_min = 2\nlasts = \"1s\"\n\
         [target.shop]\ndialect = \"wasender\"\nurl = \"{}/api\"\nsession = 16548\ntoken_file = \"pat\"\n\
         [target.shop.remedy.reset]\nallow_destructive = true\n[target.shop.remedy.reset.wasender-backend]\n\
         url = \"{}\"\ntoken_file = \"jwt\"\nphone_file = \"phone\"\n",
        doubles.vendor.uri(),
        doubles.backend.uri()
    )
}
