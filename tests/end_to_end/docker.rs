//! Remedies on a real Docker daemon: `scripts/check-docker` starts one, and an image whose service is scripted by its session's files.

mod anew;
mod crash;
mod discover;
mod host;
mod logs;
mod memory;
mod proxy;
mod rights;
mod talker;

use std::time::Duration;

use self::host::{Host, Service};
use super::{Daemon, run, text};

/// The thresholds of the defaults, much shorter.
const POLICY: &str = r#"
mode = "act"
[policy]
poll_every = "1s"
timeout = "800ms"
settle = "1s"
steady = "3s"
[policy.cooldown]
first = "1s"
[policy.attempt]
restart_helps_in = "8s"
[policy.hand_off]
after = "1s"
[policy.state_loop]
within = "40s"
"#;

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_loop_is_restarted_then_reset_by_quarantine_then_scanned_and_can_be_restored() {
    let host = Host::of_test();
    let service = Service::start(&host, "loop", &["--memory", "64m"]);
    let old = service.linked().expect("a session");
    let config = format!("{POLICY}{}{}", service.target("shop"), service.hooks("shop"));
    let daemon = Daemon::start(service.directory(), &config);
    daemon.wait_for("the session", connected);

    service.break_session();
    daemon.wait_long_for("a restart that does not help", |daemon| {
        attempts(daemon).contains(r#""remedy":"restart""#) && attempts(daemon).contains("did_not_help")
    });
    daemon.wait_long_for("a reset that helped", |daemon| {
        attempts(daemon).contains(r#""remedy":"reset""#) && attempts(daemon).contains(r#""outcome":"helped""#)
    });
    let new = service.linked().expect("a session that was scanned");
    assert_ne!(new, old);
    daemon.wait_for("the incident's end", |daemon| {
        daemon.get("/api/v1/incidents?open=true").contains(r#""incidents":[]"#)
    });
    let aside = service.quarantines();
    assert_eq!(aside.len(), 1, "{aside:?}");
    // The restart had kept the session, and the reset moved it aside as it was.
    assert_eq!(service.linked_aside(&aside[0]).as_deref(), Some(old.as_str()));
    assert_eq!(daemon.metric("wa_watchdog_resets_total{target=\"shop\",pattern=\"state_loop\"}"), Some(1.0));

    // The session that was moved aside comes back, and the present one is aside in its place.
    service.mend_aside(&aside[0]);
    let url = format!("http://{}", daemon.address);
    let order = ["restore", "shop", &aside[0], "--reason", "it was not the session", "--who", "ana", "--url", &url];
    let said = run(&order);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    daemon.wait_long_for("the old session", |_| service.linked().as_deref() == Some(old.as_str()));
    daemon.wait_for("the session", connected);
    daemon.wait_for("the end of the restore", |daemon| {
        attempts(daemon).contains(r#""remedy":"restore","destroys":false"#)
    });
    let aside = service.quarantines();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(service.linked_aside(&aside[0]).as_deref(), Some(new.as_str()));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn stopping_and_removing_the_volume_by_hand_fails() {
    let host = Host::of_test();
    let service = Service::start(&host, "byhand", &[]);
    host.docker(&["stop", "-t", "5", service.name()]);
    let refused = host.try_docker(&["volume", "rm", &service.volume()]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("volume is in use"), "{}", text(&refused.stderr));
    let forced = host.try_docker(&["volume", "rm", "--force", &service.volume()]);
    assert!(!forced.status.success(), "{}", text(&forced.stdout));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_service_that_ignores_the_signal_is_counted_as_killed() {
    let host = Host::of_test();
    let service = Service::start(&host, "stubborn", &["--init=false", "--stop-signal", "SIGUSR2"]);
    let config = format!("{POLICY}{}{}", service.target("shop"), service.hooks("shop"));
    let daemon = Daemon::start(service.directory(), &config);
    daemon.wait_for("the session", connected);
    let url = format!("http://{}", daemon.address);
    let said = run(&["restart", "shop", "--reason", "to see", "--who", "ana", "--url", &url]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    daemon
        .wait_long_for("its end", |daemon| daemon.metric("wa_watchdog_hard_stops_total{target=\"shop\"}") == Some(1.0));
    daemon.wait_long_for("the session", |daemon| {
        attempts(daemon).contains("was killed, which can damage a session") && connected(daemon)
    });
    assert_eq!(daemon.stop().0, Some(0));
}

fn connected(daemon: &Daemon) -> bool {
    daemon.metric("wa_watchdog_session_state{target=\"shop\",state=\"connected\"}") == Some(1.0)
}

fn attempts(daemon: &Daemon) -> String {
    daemon.get("/api/v1/attempts?target=shop")
}

impl Daemon {
    /// Waits as long as a reset and a scan may take.
    fn wait_long_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.wait_within(Duration::from_mins(2), what, is_so);
    }
}
