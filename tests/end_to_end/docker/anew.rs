//! A container made anew: it equals the old one, and what fails in the middle is undone.

use serde_json::{Value, json};

use super::super::gateway::{Does, Gateway};
use super::super::{Daemon, run, text};
use super::host::{Host, Service};
use super::proxy::{self, Says};
use super::{POLICY, attempts};

/// A container with everything that must be kept, on a network of its own.
const OPTIONS: [&str; 24] = [
    "--label",
    "com.docker.compose.project=mlh",
    "--label",
    "com.docker.compose.service=wa",
    "--memory",
    "48m",
    "--pids-limit",
    "64",
    "--restart",
    "unless-stopped",
    "--stop-signal",
    "SIGTERM",
    "--stop-timeout",
    "7",
    "--env",
    "BACKEND_URL=http://backend:8000",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--read-only",
    "--tmpfs=/tmp",
    "--volume",
    "/cache",
];

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_container_made_anew_equals_the_old_one_and_its_session_is_gone() {
    let host = Host::of_test();
    let service = Service::start(&host, "anew", &OPTIONS);
    let before = host.inspect(service.name());
    let old = service.linked().expect("a session");
    let volume = host.docker(&["volume", "inspect", "--format", "{{json .Labels}}", &service.volume()]);
    let daemon = reset(&service, &format!("unix://{}", host.socket));
    daemon.wait_long_for("the end of the reset", |daemon| {
        attempts(daemon).contains(r#""ended""#) && ends(daemon) == ["done"]
    });
    let after = host.inspect(service.name());
    assert_ne!(before.pointer("/Id"), after.pointer("/Id"), "it is a new one");
    assert_eq!(essence(&before), essence(&after));
    assert!(service.is_running());
    let place = host.docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &service.volume()]);
    let session = std::fs::read_to_string(format!("{place}/session/Default/linked")).unwrap_or_default();
    assert_ne!(session.trim(), old, "its session is gone");
    assert_eq!(host.docker(&["volume", "inspect", "--format", "{{json .Labels}}", &service.volume()]), volume);
    assert_eq!(
        host.docker(&["ps", "-aq", "--filter", &format!("name={}-", service.name())]),
        "",
        "nothing is left over"
    );
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn networks_addresses_and_aliases_are_kept() {
    let host = Host::of_test();
    let networks = [Network::of(&host, "wa-front", "172.30.17.0/24"), Network::of(&host, "wa-back", "172.30.18.0/24")];
    let [front, back] = networks.each_ref().map(|network| network.1);
    let options = ["--ip", "172.30.17.9", "--network-alias", "whatsapp", "--hostname", "wa-1"];
    let service = Service::start_on(&host, "networks", front, &options);
    host.docker(&["network", "connect", "--alias", "session", back, service.name()]);
    let before = host.inspect(service.name());
    let daemon = reset(&service, &format!("unix://{}", host.socket));
    daemon.wait_long_for("the end of the reset", |daemon| ends(daemon) == ["done"]);
    let after = host.inspect(service.name());
    assert_ne!(before.pointer("/Id"), after.pointer("/Id"), "it is a new one");
    assert_eq!(essence(&before), essence(&after));
    assert_eq!(after.pointer("/Config/Hostname"), Some(&json!("wa-1")));
    assert_eq!(after.pointer("/NetworkSettings/Networks/wa-front/IPAddress"), Some(&json!("172.30.17.9")));
    for (network, alias) in [(front, "whatsapp"), (back, "session")] {
        let aliases =
            after.pointer(&format!("/NetworkSettings/Networks/{network}/Aliases")).cloned().unwrap_or_default();
        let has = |wanted: &str| aliases.as_array().is_some_and(|all| all.iter().any(|one| one == wanted));
        let old_id = before.pointer("/Id").and_then(Value::as_str).and_then(|id| id.get(..12)).unwrap_or_default();
        assert!(has(alias) && !has(old_id), "{network}: {aliases}");
    }
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_new_container_that_cannot_be_made_leaves_the_old_one_running() {
    let host = Host::of_test();
    let service = Service::start(&host, "nonew", &OPTIONS);
    let (before, session) = (host.inspect(service.name()), service.linked());
    let endpoint = proxy::start(&host.socket, Says::Failed, |line| line.contains("/containers/create"));
    let daemon = reset(&service, &endpoint);
    daemon.wait_long_for("the end of the reset", |daemon| ends(daemon) == ["failed"]);
    let after = host.inspect(service.name());
    assert_eq!(before.pointer("/Id"), after.pointer("/Id"), "it is the old one: {}", attempts(&daemon));
    assert_eq!((after.pointer("/State/Running"), service.linked()), (Some(&json!(true)), session));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_volume_that_cannot_be_removed_leaves_the_same_container_running_on_it() {
    let host = Host::of_test();
    let service = Service::start(&host, "novolume", &OPTIONS);
    let (before, session) = (host.inspect(service.name()), service.linked());
    let endpoint =
        proxy::start(&host.socket, Says::Failed, |line| line.starts_with("DELETE") && line.contains("/volumes/"));
    let daemon = reset(&service, &endpoint);
    daemon.wait_long_for("the end of the reset", |daemon| ends(daemon) == ["failed"]);
    let after = host.inspect(service.name());
    assert_eq!(essence(&before), essence(&after), "{}", attempts(&daemon));
    assert_eq!((after.pointer("/State/Running"), service.linked()), (Some(&json!(true)), session));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn a_proxy_that_forbids_a_call_is_named_and_nothing_is_done() {
    let host = Host::of_test();
    let service = Service::start(&host, "denied", &[]);
    let before = host.inspect(service.name());
    let endpoint = proxy::start(&host.socket, Says::Forbidden, |line| line.contains("/stop"));
    let daemon = reset(&service, &endpoint);
    daemon.wait_long_for("the end of the reset", |daemon| !ends(daemon).is_empty());
    let said = attempts(&daemon);
    assert!(said.contains(&format!("the proxy denies POST /containers/{}/stop", service.name())), "{said}");
    assert_eq!(before.pointer("/State/StartedAt"), host.inspect(service.name()).pointer("/State/StartedAt"));
    assert_eq!(daemon.stop().0, Some(0));
}

/// A network that goes with the test.
struct Network<'h>(&'h Host, &'static str);

impl<'h> Network<'h> {
    fn of(host: &'h Host, name: &'static str, subnet: &str) -> Self {
        host.docker(&["network", "create", "--subnet", subnet, name]);
        Self(host, name)
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        drop(self.0.try_docker(&["network", "rm", self.1]));
    }
}

/// Orders a reset by making the container anew.
fn reset(service: &Service<'_>, endpoint: &str) -> Daemon {
    let gateway = Gateway::start(Does::Says(r#"{"connected":true,"hasQR":false}"#.to_owned()));
    let (container, volume) = (service.name(), service.volume());
    let hook = format!(
        "[target.shop.remedy.reset]\nallow_destructive = true\n[target.shop.remedy.reset.docker]\nendpoint = \"{endpoint}\"\n\
         container = \"{container}\"\nstop_timeout = \"3s\"\nmethod = \"recreate\"\nvolumes = [\"{volume}\"]\n"
    );
    let daemon = Daemon::start(service.directory(), &format!("{POLICY}{}{hook}", gateway.target("shop")));
    let url = format!("http://{}", daemon.address);
    let said = run(&["reset", "shop", "--yes", "--reason", "to see", "--who", "ana", "--url", &url]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    daemon
}

/// How the runs of attempts ended.
fn ends(daemon: &Daemon) -> Vec<String> {
    let answer = attempts(daemon);
    let json: Value =
        answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default();
    let all = json.get("attempts").and_then(Value::as_array).cloned().unwrap_or_default();
    all.iter().filter_map(|attempt| attempt.pointer("/ended/1").and_then(Value::as_str).map(str::to_owned)).collect()
}

/// What a person configured, without what the daemon makes up for each container anew.
fn essence(inspection: &Value) -> Value {
    let part = |pointer: &str| inspection.pointer(pointer).cloned().unwrap_or_default();
    let without = |pointer: &str, names: &[&str]| {
        let mut all = part(pointer).as_object().cloned().unwrap_or_default();
        all.retain(|name, _| !names.contains(&name.as_str()));
        all
    };
    let networks = part("/NetworkSettings/Networks");
    let networks: Vec<&String> = networks.as_object().into_iter().flat_map(|all| all.keys()).collect();
    let mounts = part("/Mounts");
    let mount = |mount: &Value| ["Type", "Name", "Destination", "RW"].map(|name| mount.get(name).cloned());
    let mut mounts: Vec<String> =
        mounts.as_array().into_iter().flatten().map(|one| format!("{:?}", mount(one))).collect();
    mounts.sort();
    json!({
        "name": part("/Name"),
        "image": part("/Image"),
        "config": without("/Config", &["Hostname", "Image", "AttachStdout", "AttachStderr", "Volumes"]),
        // A volume without a name gets its place in words now; the mounts tell.
        "host": without("/HostConfig", &["Binds"]),
        "networks": networks,
        "mounts": mounts,
    })
}
