//! Containers that ask by a label to be watched: they come and go, and each is restarted by its own name.

use super::super::{Daemon, free_address, run, text};
use super::host::Host;

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn containers_with_the_label_come_and_go() {
    let host = Host::of_test();
    let directory = tempfile::tempdir().expect("a temporary folder");
    let one = Labelled::start(&host, "found-1", &["wa-watchdog.name=first"]);
    let _unlabelled = Labelled::plain(&host, "found-none");
    let config = format!(
        "mode = \"act\"\n[policy]\npoll_every = \"1s\"\ntimeout = \"800ms\"\n[discover.box]\nevery = \"5s\"\nprefix = \"\"\n\
         [discover.box.docker]\nendpoint = \"unix://{socket}\"\n[discover.box.target]\ndialect = \"whatsapp-service\"\n\
         [discover.box.target.remedy.restart.docker]\nendpoint = \"unix://{socket}\"\ncontainer = \"{{container}}\"\n\
         stop_timeout = \"3s\"\n",
        socket = host.socket
    );
    let daemon = Daemon::start(directory.path(), &config);
    let is_connected = |daemon: &Daemon, name: &str| {
        daemon.metric(&format!("wa_watchdog_session_state{{target=\"{name}\",state=\"connected\"}}")) == Some(1.0)
    };
    daemon.wait_for("the first", |daemon| is_connected(daemon, "first"));
    assert_eq!(daemon.metric("wa_watchdog_targets"), Some(1.0));

    let two = Labelled::start(&host, "found-2", &[]);
    daemon.wait_for("the second, by its container's name", |daemon| is_connected(daemon, "wa-found-2"));

    // One that is down is still watched: that is what a watchdog is for.
    host.docker(&["stop", "-t", "3", &two.name]);
    daemon
        .wait_for("nobody answers", |daemon| daemon.metric("wa_watchdog_probe_up{target=\"wa-found-2\"}") == Some(0.0));
    let refreshes = "wa_watchdog_discovery_refreshes_total{discovery=\"box\",outcome=\"found\"}";
    let before = daemon.metric(refreshes).unwrap_or_default();
    daemon.wait_for("two more refreshes", |daemon| daemon.metric(refreshes).is_some_and(|now| before + 2.0 <= now));
    assert_eq!(daemon.metric("wa_watchdog_targets"), Some(2.0));

    // The hook of the template restarts the container that was found.
    let url = format!("http://{}", daemon.address);
    let said = run(&["restart", "wa-found-2", "--reason", "it is down", "--who", "ana", "--url", &url]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    daemon.wait_for("it runs again", |daemon| is_connected(daemon, "wa-found-2"));

    drop(one);
    daemon.wait_for("the first to go", |daemon| !daemon.get("/metrics").contains("target=\"first\""));
    assert!(is_connected(&daemon, "wa-found-2"));
    assert_eq!(daemon.stop().0, Some(0));
}

/// A container that shows a connected session; goes with the test.
struct Labelled<'h> {
    host: &'h Host,
    name: String,
}

impl<'h> Labelled<'h> {
    fn start(host: &'h Host, name: &str, labels: &[&str]) -> Self {
        let port = free_address().port();
        let port_label = format!("wa-watchdog.port={port}");
        let labels = labels.iter().copied().chain(["wa-watchdog.enable=true", &port_label]);
        Self::run(host, name, port, labels.flat_map(|label| ["--label", label]).collect())
    }

    fn plain(host: &'h Host, name: &str) -> Self {
        Self::run(host, name, free_address().port(), Vec::new())
    }

    fn run(host: &'h Host, name: &str, port: u16, options: Vec<&str>) -> Self {
        let labelled = Self { host, name: format!("wa-{name}") };
        let env = format!("PORT={port}");
        let mut arguments = vec!["run", "-d", "--name", &labelled.name, "--network", "host", "-e", &env];
        arguments.extend(["-e", "SCAN_AFTER=0"]);
        arguments.extend(options);
        arguments.push("wa-session:test");
        host.docker(&arguments);
        labelled
    }
}

impl Drop for Labelled<'_> {
    fn drop(&mut self) {
        // Whatever became of it in the test.
        drop(self.host.try_docker(&["rm", "-f", &self.name]));
    }
}
