//! A disk that is full: nothing is done, that is said, and the watch goes on.
//!
//! Needs the right to mount, so `cargo test` alone leaves it out; `scripts/check-full-disk` runs it in a namespace of its own.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::gateway::{Does, Gateway};
use super::{Daemon, write_config};

const CONNECTED: &str = r#"{"connected":true,"hasQR":false}"#;
const POLICY: &str = "mode = \"act\"\n[policy]\npoll_every = \"1s\"\ntimeout = \"300ms\"\nsteady = \"2s\"\n\
    [policy.unreachable]\nlasts = \"2s\"\n";

#[test]
#[ignore = "needs the right to mount a file system: run scripts/check-full-disk"]
fn nothing_is_done_on_a_full_disk_and_the_watch_goes_on() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let disk = directory.path().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&disk).status();
    assert!(mounted.expect("mount runs").success());
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let done = directory.path().join("restarted");
    let hook = directory.path().join("restart.sh");
    std::fs::write(&hook, format!("#!/bin/sh\necho done >> {}\n", done.display())).expect("a file");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let config = format!("{POLICY}{}[target.shop.remedy.restart.exec]\nargv = [{hook:?}]\n", gateway.target("shop"));

    let address = super::free_address();
    let file = write_config(&disk, address, &config);
    let log = std::fs::File::create(directory.path().join("log")).expect("a file");
    let mut command = super::binary();
    command.args(["--log", "info", "run", "--config"]).arg(file).stderr(log).stdout(Stdio::null());
    let daemon = Daemon { child: command.spawn().expect("the binary starts"), address };
    let connected =
        |daemon: &Daemon| daemon.metric("wa_watchdog_session_state{target=\"shop\",state=\"connected\"}") == Some(1.0);
    daemon.wait_for("the session", connected);
    // Every byte that is left.
    let filled = Command::new("dd")
        .args(["if=/dev/zero", "bs=1k"])
        .arg(format!("of={}", disk.join("full").display()))
        .stderr(Stdio::null())
        .status();
    assert!(!filled.expect("dd runs").success(), "the disk is full");

    gateway.now(Does::Closes);
    let refused = "wa_watchdog_refusals_total{target=\"shop\",remedy=\"restart\",reason=\"ledger\"}";
    daemon.wait_for("the refusal", |daemon| daemon.metric(refused).is_some_and(|count| 1.0 <= count));
    assert!(daemon.metric("wa_watchdog_ledger_errors_total").is_some_and(|count| 1.0 <= count));
    assert!(!done.exists(), "nothing was done");
    // Polling goes on.
    gateway.now(Does::Says(CONNECTED.to_owned()));
    daemon.wait_for("the session again", connected);
    assert!(!done.exists(), "nothing was done");
    assert_eq!(daemon.stop().0, Some(0));
    let log = std::fs::read_to_string(directory.path().join("log")).expect("the log");
    assert!(
        log.contains("a ledger entry could not be written") && log.contains("the ledger cannot be written"),
        "{log}"
    );

    let unmounted = Command::new("umount").arg(&disk).status();
    assert!(unmounted.expect("umount runs").success());
}
