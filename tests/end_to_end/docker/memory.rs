//! Memory of real containers: near its limit, killed whole, killed in part, and gone.

use super::super::{Daemon, free_address};
use super::host::Host;

/// The thresholds of the defaults, much shorter.
const POLICY: &str = r#"
[policy]
poll_every = "1s"
timeout = "800ms"
settle = "1s"
steady = "10s"
[policy.memory_pressure]
lasts = "3s"
lasts_fast = "2s"
fast = "2s"
"#;

/// Takes half a megabyte at a time: a hundred times at once, and then slowly, through the last tenth of 64 MiB.
const GROWS: &str = r#"BEGIN { while (1) { a[i++] = sprintf("%500000s", ""); if (100 < i) system("sleep 0.5") } }"#;
/// Takes all that there is.
const TAKES_ALL: &str = r#"BEGIN { while (1) a[i++] = sprintf("%500000s", "") }"#;
/// Waits until it is told to go on.
const WAITS: &str = "while [ ! -e /tmp/go ]; do sleep 0.1; done";

/// A container of 64 MiB, and a watchdog that watches it. The container goes with the test.
struct Watched<'h> {
    host: &'h Host,
    container: String,
    daemon: Daemon,
    _directory: tempfile::TempDir,
}

impl<'h> Watched<'h> {
    fn start(host: &'h Host, name: &str, command: &[&str]) -> Self {
        let container = format!("wa-memory-{name}");
        let options =
            ["run", "-d", "--name", &container, "--network", "none", "--memory", "64m", "--memory-swap", "64m"];
        host.docker(&[&options[..], &["wa-session:test"], command].concat());
        let directory = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "{POLICY}[target.shop]\ndialect = \"whatsapp-service\"\nurl = \"http://{}\"\n[target.shop.memory.docker]\n\
             container = \"{container}\"\nendpoint = \"unix://{}\"\nevery = \"1s\"\n",
            free_address(),
            host.socket
        );
        let daemon = Daemon::start(directory.path(), &config);
        let watched = Self { host, container, daemon, _directory: directory };
        watched.daemon.wait_for("a reading", |_| watched.used().is_some());
        watched
    }

    fn go(&self) {
        self.host.docker(&["exec", &self.container, "sh", "-c", ": > /tmp/go"]);
    }

    fn used(&self) -> Option<f64> {
        self.daemon.metric("wa_watchdog_memory_used_bytes{target=\"shop\"}")
    }

    /// Waits for an incident, and returns its evidence.
    fn evidence(&self) -> String {
        let incidents = |daemon: &Daemon| daemon.get("/api/v1/incidents?open=true");
        self.daemon.wait_for("an incident", |daemon| incidents(daemon).contains(r#""pattern":"memory_pressure""#));
        let said = incidents(&self.daemon);
        let (_, sentence) = said.split_once(r#""sentence":""#).expect("evidence");
        sentence.split('"').next().expect("its end").to_owned()
    }

    fn is_running(&self) -> bool {
        self.host.docker(&["inspect", "--format", "{{.State.Running}}", &self.container]) == "true"
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // Whatever became of it in the test.
        drop(self.host.try_docker(&["rm", "-f", &self.container]));
    }
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn memory_near_its_limit_is_told_before_the_kill_and_what_is_stopped_has_none() {
    let host = Host::of_test();
    let watched = Watched::start(&host, "grows", &["awk", GROWS]);
    let evidence = watched.evidence();
    assert!(watched.is_running(), "it was told in time");
    assert!(evidence.starts_with("uses ") && evidence.contains(" MiB of 64 MiB (9"), "{evidence}");
    let metric = |name: &str| watched.daemon.metric(&format!("wa_watchdog_{name}{{target=\"shop\"}}"));
    assert_eq!(metric("memory_limit_bytes"), Some(67_108_864.0));
    assert_eq!(metric("memory_minimum_bytes"), Some(536_870_912.0));
    assert_eq!(metric("oom_kills_total"), Some(0.0));
    let told = watched.daemon.get("/api/v1/targets/shop");
    assert!(told.contains("its memory is limited to 64 MiB, less than the 512 MiB that it needs at least"), "{told}");
    assert!(told.contains(r#""image":"wa-session:test "#), "{told}");

    host.docker(&["stop", "-t", "0", &watched.container]);
    watched.daemon.wait_for("no reading", |_| watched.used().is_none());
    assert_eq!(metric("memory_limit_bytes"), None);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(watched.used(), None, "and it stays so");
    host.docker(&["start", &watched.container]);
    watched.daemon.wait_for("a reading", |_| watched.used().is_some());
    watched.daemon.wait_for("its start", |_| metric("foreign_restarts_total") == Some(1.0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_service_that_is_killed_for_memory_is_named_so() {
    let host = Host::of_test();
    let command = format!("{WAITS}; exec awk '{TAKES_ALL}'");
    let watched = Watched::start(&host, "main", &["sh", "-c", &command]);
    watched.go();
    let evidence = watched.evidence();
    assert!(evidence.starts_with("killed for memory at "), "{evidence}");
    assert!(!watched.is_running());
    assert_eq!(watched.daemon.metric("wa_watchdog_oom_kills_total{target=\"shop\"}"), Some(1.0));
    watched.daemon.wait_for("no reading", |_| watched.used().is_none());
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_child_that_is_killed_for_memory_is_named_so() {
    let host = Host::of_test();
    let command = format!("{WAITS}; awk '{TAKES_ALL}'; while :; do sleep 1; done");
    let watched = Watched::start(&host, "child", &["sh", "-c", &command]);
    watched.go();
    let evidence = watched.evidence();
    let expected = "a child process was killed for memory while the service itself lives on";
    assert!(evidence.starts_with(expected), "{evidence}");
    assert!(watched.is_running() && watched.used().is_some());
}
