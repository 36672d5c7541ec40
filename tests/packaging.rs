//! What the files of deployment say of one another and of the program.

use std::fs;
use std::path::Path;
use std::process::Command;

const DOCKERFILE: &str = include_str!("../Dockerfile");
const COMPOSE: &str = include_str!("../config/compose.yaml");

#[test]
fn the_image_is_built_with_the_rust_that_the_manifest_asks_for() {
    let manifest = include_str!("../Cargo.toml");
    let wanted = after(manifest, "rust-version = \"").split('"').next().expect("a version");
    assert!(after(DOCKERFILE, "ARG RUST_IMAGE=").starts_with(&format!("rust:{wanted}-")), "{wanted}");
}

#[test]
fn the_image_starts_and_checks_itself_by_commands_that_there_are() {
    for (instruction, command) in [("CMD [\"", "run"), ("CMD [\"/wa-watchdog\", \"", "healthcheck")] {
        assert!(DOCKERFILE.contains(&format!("{instruction}{command}\"]")), "{instruction}{command}");
        let help = Command::new(env!("CARGO_BIN_EXE_wa-watchdog")).args([command, "--help"]).output();
        assert!(help.expect("it runs").status.success(), "{command}");
    }
    assert!(DOCKERFILE.contains("\nENTRYPOINT [\"/wa-watchdog\"]\n"));
    assert!(DOCKERFILE.contains("\nUSER 65532:65532\n"), "Kubernetes sees only from a number that it is not root");
}

#[test]
fn nothing_needs_buildkit() {
    assert!(!DOCKERFILE.contains("# syntax"), "it would be fetched from a registry");
    assert!(!DOCKERFILE.contains("--mount"));
}

#[test]
fn what_the_build_needs_is_not_ignored() {
    let ignored = include_str!("../.dockerignore");
    for line in DOCKERFILE.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let Some((sources, _)) = line.rsplit_once(' ').filter(|_| !line.starts_with("--from")) else { continue };
        for source in sources.split(' ') {
            assert!(ignored.lines().any(|known| known == format!("!{source}")), "{source}");
        }
    }
}

#[test]
fn what_compose_mounts_of_the_repository_is_there() {
    let mounts: Vec<&str> = COMPOSE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.strip_suffix(":ro")?.split_once(':'))
        .map(|(source, _)| source)
        .filter(|source| source.starts_with('.'))
        .collect();
    assert!(4 <= mounts.len(), "{mounts:?}");
    for mount in mounts {
        assert!(root().join("config").join(mount).exists(), "{mount}");
    }
}

#[test]
fn images_of_others_are_pinned() {
    let images: Vec<&str> = COMPOSE.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    assert_eq!(images.len(), 6, "{images:?}");
    for image in images.iter().filter(|image| image.contains('/')) {
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert_eq!(tag.matches('.').count(), 2, "{image} names no exact version");
    }
}

#[test]
fn compose_publishes_ports_on_this_machine_alone() {
    let ports: Vec<&str> = COMPOSE.lines().filter_map(|line| line.trim().strip_prefix("ports: ")).collect();
    assert_eq!(ports.len(), 5);
    assert!(ports.iter().all(|port| port.starts_with("[\"127.0.0.1:")), "{ports:?}");
}

#[test]
fn manifests_and_labels_name_this_version() {
    for file in ["statefulset.yaml", "sidecar.yaml"] {
        let text = fs::read_to_string(root().join("config/kubernetes").join(file)).expect("it is there");
        let images = text.lines().filter(|line| line.contains("/wa-watchdog:"));
        let version = concat!("/wa-watchdog:", env!("CARGO_PKG_VERSION"));
        assert!(images.clone().count() >= 1 && images.clone().all(|line| line.ends_with(version)), "{file}");
    }
}

#[test]
fn the_operator_of_prometheus_gets_the_rules_as_they_are() {
    let made = Command::new("scripts/generate-prometheusrule").current_dir(root()).output().expect("it runs");
    let object = include_str!("../config/kubernetes/monitoring/prometheusrule.yaml");
    let how = "scripts/generate-prometheusrule > config/kubernetes/monitoring/prometheusrule.yaml";
    assert_eq!(String::from_utf8(made.stdout).expect("text"), object, "make it anew: {how}");
}

#[test]
fn grafana_finds_the_dashboard_and_prometheus_where_compose_puts_them() {
    let provider = include_str!("../config/grafana/provisioning/dashboards/wa-watchdog.yaml");
    let path = after(provider, "\n      path: ").lines().next().expect("a path");
    assert!(COMPOSE.contains(&format!("- ../dashboards:{path}:ro\n")), "{path}");
    let source = include_str!("../config/grafana/provisioning/datasources/prometheus.yaml");
    let host = after(source, "\n    url: http://").split(':').next().expect("a host");
    let (_, services) = COMPOSE.split_once("\nservices:\n").expect("services");
    let (services, _) = services.split_once("\nnetworks:\n").expect("what follows them");
    let services: Vec<&str> = services.lines().filter_map(service).collect();
    assert!(services.contains(&host), "{host} is none of {services:?}");
    let address = after(source, "\n    url: http://").lines().next().expect("an address");
    assert!(COMPOSE.contains(&format!("http://127.0.0.1:{}/-/ready", after(address, ":"))), "{address}");
}

/// Returns the name of a service, where a line begins one.
fn service(line: &str) -> Option<&str> {
    line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with([' ', '#']))
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
