//! As few rights as possible, and what is said where one is missing.

use super::super::{Daemon, free_address, run, text, write_config};
use super::host::{Host, Service};
use super::{POLICY, attempts, connected, proxy};

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn the_rights_of_the_example_are_enough_for_a_reset_and_for_nothing_else() {
    let host = Host::of_test();
    let service = Service::start(&host, "rights", &[]);
    let endpoint = proxy::of_example(&host.socket, service.name());
    let config = format!("{POLICY}{}{}", service.target("shop"), service.hooks_over("shop", &endpoint));
    let daemon = Daemon::start(service.directory(), &config);
    daemon.wait_for("the session", connected);
    let old = service.linked();
    let url = format!("http://{}", daemon.address);
    let said = run(&["reset", "shop", "--yes", "--reason", "to see", "--who", "ana", "--url", &url]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    daemon.wait_long_for("the new session", |daemon| {
        attempts(daemon).contains(r#""outcome":"helped""#) && service.linked().is_some_and(|new| Some(new) != old)
    });
    assert_eq!(daemon.stop().0, Some(0));

    let docker = |arguments: &[&str]| {
        let ran = std::process::Command::new("docker").env("DOCKER_HOST", &endpoint).args(arguments).output();
        ran.expect("docker runs").status.success()
    };
    for forbidden in
        [vec!["ps"], vec!["kill", service.name()], vec!["exec", service.name(), "sh"], vec!["volume", "ls"]]
    {
        assert!(!docker(&forbidden), "{forbidden:?}");
    }
    assert!(service.is_running());
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_look_at_the_hooks_names_what_is_missing_and_changes_nothing() {
    let host = Host::of_test();
    let service = Service::start(&host, "preflight", &[]);
    let before = host.inspect(service.name());
    let check = |hooks: &str| {
        let file =
            write_config(service.directory(), free_address(), &format!("{POLICY}{}{hooks}", service.target("shop")));
        let said = run(&["check", "--live", "--config", &file.display().to_string()]);
        (said.status.code(), text(&said.stdout))
    };
    let socket = format!("unix://{}", host.socket);
    let (code, said) = check(&service.hooks_over("shop", &socket));
    assert_eq!(code, Some(0), "{said}");
    for line in ["restart: it may be stopped", "reset: it may be started", "reset: the session is in"] {
        assert!(said.contains(&format!("ok  shop: {line}")), "{line}: {said}");
    }
    let (code, said) = check(&service.hooks_over("shop", &proxy::of_example(&host.socket, service.name())));
    assert_eq!(code, Some(0), "{said}");
    let denied = proxy::start(&host.socket, proxy::Says::Forbidden, |line| line.contains("/stop"));
    let (code, said) = check(&service.hooks_over("shop", &denied));
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("the proxy denies POST /containers/{}/stop", service.name())), "{said}");
    let (code, said) = check(&service.hooks_over("shop", &socket).replace(service.name(), "wa-nobody"));
    assert_eq!(code, Some(1));
    assert!(said.to_lowercase().contains("no such container: wa-nobody"), "{said}");
    let elsewhere = service.directory().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let dir = service.session_dir().display().to_string();
    let (code, said) = check(&service.hooks_over("shop", &socket).replace(&dir, &elsewhere.display().to_string()));
    assert_eq!(code, Some(1));
    assert!(said.contains("is no mount: mount the session's volume there"), "{said}");
    let after = host.inspect(service.name());
    assert_eq!(before.pointer("/State"), after.pointer("/State"), "nothing was stopped or started");
}
