//! What the files of deployment say of one another and of the program.

use std::fs;
use std::path::Path;

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
    let rules = fs::read_to_string(root().join("config/prometheus/rules.yml")).expect("the rules");
    let object = include_str!("../config/kubernetes/monitoring/prometheusrule.yaml");
    let (_, spec) = object.split_once("\nspec:\n").expect("a specification");
    let indented: Vec<String> = rules.lines().map(indent).collect();
    let made = "scripts/generate-prometheusrule > config/kubernetes/monitoring/prometheusrule.yaml";
    assert_eq!(spec.lines().collect::<Vec<_>>(), indented, "make it anew: {made}");
}

fn indent(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("  {line}") }
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
