//! What the files of deployment say of one another and of the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use wa_watchdog::config;
use wa_watchdog::engine::ladder::Remedy;

const DOCKERFILE: &str = include_str!("../Dockerfile");
const COMPOSE: &str = include_str!("../config/compose.yaml");
const UNIT: &str = include_str!("../config/systemd/wa-watchdog.service");

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

/// Editors and `git` replace a file by another one, and a container in which the file itself is mounted keeps the old one for ever.
#[test]
fn compose_mounts_no_single_file_of_the_configuration() {
    let mounts = COMPOSE.lines().filter_map(|line| line.trim().strip_prefix("- ./"));
    for mount in mounts.filter_map(|mount| mount.split(':').next()) {
        assert!(root().join("config").join(mount).is_dir(), "{mount}");
    }
}

#[test]
fn what_compose_tells_the_programs_to_read_is_in_what_it_mounts() {
    for (named, folder) in
        [("WA_WATCHDOG_CONFIG: /etc/wa-watchdog/", "examples"), ("--config.file=/etc/prometheus/", "prometheus")]
    {
        let file = after(COMPOSE, named).lines().next().expect("a line");
        assert!(root().join("config").join(folder).join(file).is_file(), "{named}{file}");
    }
}

/// What a person says in `.env` has a default, so that the file also stands without one.
#[test]
fn compose_asks_for_nothing() {
    let asked = COMPOSE.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    let names: Vec<&str> = asked.map(|one| one.split_once(":-").expect("a default").0).collect();
    assert_eq!(names, ["SESSION_IMAGE", "SESSION_UID", "SESSION_GID", "DOCKER_GID"]);
}

#[test]
fn the_example_for_systemd_needs_no_more_than_its_unit_allows() {
    let example = root().join("config/examples/systemd.toml");
    let settings = config::load(&example, &BTreeMap::new()).expect("it is well");
    let state = set_by("StateDirectory");
    assert!(set_by("ProtectSystem") == "strict" && settings.store.path.starts_with(format!("/var/lib/{state}")));
    assert!(settings.server.listen.ip().is_loopback(), "whoever reaches its page can read it");
    let is_near = |url: &str| url.starts_with("http://127.0.0.1:");
    assert!(settings.targets.values().all(|target| is_near(&target.url)), "no container's name is known there");
    // The token that the unit loads is the one that it names.
    let (credential, _) = set_by("LoadCredential").split_once(':').expect("a name and a file");
    let named = format!("WA_WATCHDOG__SERVER__TOKEN_FILE=/run/credentials/wa-watchdog.service/{credential}");
    assert_eq!(set_by("Environment"), named);
    // What the steps install is what the unit reads, and it is edited before it is started.
    let steps = include_str!("../docs/deploy.md");
    let installed = "config/examples/systemd.toml /etc/wa-watchdog/watchdog.toml";
    assert!(set_by("ExecStart").ends_with("--config /etc/wa-watchdog/watchdog.toml"));
    let place = |what: &str| steps.find(what).unwrap_or_else(|| unwritten(what));
    assert!(place(installed) < place("sudoedit /etc/wa-watchdog/watchdog.toml"));
    assert!(place("sudoedit /etc/wa-watchdog/watchdog.toml") < place("systemctl enable --now wa-watchdog"));
}

/// The twins in the environment make a whole configuration, also those that are commented out.
#[test]
fn coolify_can_reset_by_what_stands_there_in_comments() {
    let text = fs::read_to_string(root().join("config/compose.coolify.yaml")).expect("it is there");
    let mut env = BTreeMap::from([("COOLIFY_TOKEN".to_owned(), "1|t".to_owned())]);
    env.insert("OPERATOR_TOKEN".to_owned(), "t".to_owned());
    let twins = text.lines().map(|line| line.trim().trim_start_matches("# "));
    for (name, value) in twins.filter_map(|line| line.split_once(": ")).filter(|(name, _)| name.contains("__")) {
        env.insert(name.to_owned(), filled(value.trim_matches('"')));
    }
    let settings = config::parse("", "environment", Path::new(""), &env).expect("it is well");
    let hooks: Vec<Remedy> = settings.targets["shop"].hooks.keys().copied().collect();
    // What a reset moved aside comes back by the same hook.
    assert_eq!(hooks, [Remedy::Restart, Remedy::Reset, Remedy::Restore]);
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
    let label = concat!("org.opencontainers.image.version=\"", env!("CARGO_PKG_VERSION"), "\"");
    assert!(DOCKERFILE.contains(label), "{label}");
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

/// What the unit sets a key to.
fn set_by(key: &str) -> &'static str {
    let mut lines = UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.next().unwrap_or_else(|| unwritten(key))
}

/// Writes a value in the place of what Coolify asks for: its default, else something that fits.
fn filled(value: &str) -> String {
    let Some(asked) = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return value.to_owned() };
    match asked.split_once(":-") {
        Some((_, default)) => default.to_owned(),
        None if asked.starts_with("SESSION_URL") => "http://whatsapp-service:3001".to_owned(),
        None => "bsow8kw4s8kgk0ow4c4sw0go".to_owned(),
    }
}

#[expect(clippy::panic, reason = "helper of tests")]
fn unwritten(what: &str) -> ! {
    panic!("nobody writes {what}")
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
