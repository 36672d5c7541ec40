//! The configuration that watches the scripted gateways, as text for `config::parse`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::{Target, memory, server};
use crate::engine::ladder::Remedy;

/// Where a demo keeps its ledger and its invented tokens: a directory of its own, removed when dropped.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
}

/// How many names are tried for the directory before giving up: those of demos that were killed lie about.
const NAMES_MAX: u32 = 100;

impl Place {
    /// Makes a directory for this user alone below `parent`, and writes the tokens that `targets` want into it.
    ///
    /// `parent` is the temporary directory of the system, as a rule.
    pub fn new(parent: &Path, targets: &[Target]) -> io::Result<Self> {
        let place = Self { dir: fresh_dir(parent)? };
        let found: Vec<&Target> = targets.iter().filter(|target| target.is_found).collect();
        if !found.is_empty() {
            fs::write(place.found_file(), as_found(&found))?;
        }
        for target in targets {
            if let Some(token) = &target.token {
                // Not readable by others, though the token is invented: whoever copies this copies it right.
                let mut file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(place.token_file(target))?;
                file.write_all(token.expose_secret().as_bytes())?;
            }
        }
        Ok(place)
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn ledger(&self) -> PathBuf {
        self.dir.join("ledger.db")
    }

    /// Where a discovery looks.
    fn found_file(&self) -> PathBuf {
        self.dir.join("found.json")
    }

    fn token_file(&self, target: &Target) -> PathBuf {
        self.dir.join(format!("{}.token", target.name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(err) = fs::remove_dir_all(&self.dir) {
            tracing::debug!(dir = %self.dir.display(), error = %err, "directory of the demo stays");
        }
    }
}

fn fresh_dir(parent: &Path) -> io::Result<PathBuf> {
    let pid = std::process::id();
    for number in 0..NAMES_MAX {
        let dir = parent.join(format!("wa-watchdog-demo-{pid}-{number}"));
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(err),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every name for the directory of the demo is taken"))
}

/// Writes the configuration: the targets, and thresholds so strict that a minute shows everything.
///
/// Only targets that take calls have hooks, and only there the mode is `act`; all others are observed.
#[must_use]
pub fn settings(targets: &[Target], listen: SocketAddr, place: &Place) -> String {
    let server = format!("[server]\nlisten = {}\n", quoted(&listen.to_string()));
    let store =
        format!("[store]\npath = {}\n\n[recorder]\nenabled = false\n", quoted(&place.ledger().to_string_lossy()));
    let sections = [server, store, POLICY.to_owned()].into_iter();
    let sections = sections.chain(targets.iter().map(|target| section(target, place)));
    sections.chain(targets.first().map(surroundings)).collect::<Vec<String>>().join("\n")
}

/// Writes what is beside the targets: a network path that is looked at, and somebody who is told. Both are the first gateway.
fn surroundings(first: &Target) -> String {
    let (path, notice) = (quoted(&first.url), quoted(&format!("{}{}", first.url, server::NOTICE)));
    format!(
        "[path.loopback]\nurl = {path}\nevery = \"5s\"\n\n\
         [notify.listener]\nurl = {notice}\nevents = [\"incident.*\", \"scan.*\", \"remedy.*\"]\n"
    )
}

/// Writes targets in the form of a file for service discovery.
fn as_found(targets: &[&Target]) -> String {
    let group = |target: &&Target| serde_json::json!({ "targets": [target.url], "labels": { "name": target.name, "dialect": target.dialect } });
    targets.iter().map(group).collect::<serde_json::Value>().to_string()
}

/// Thresholds for a demo. Real ones are minutes, not seconds: with these a watchdog would cry wolf.
const POLICY: &str = "\
# Most of the gateways fail here on purpose and together: in earnest that is a storm, in which nothing must be done.
[fleet]
storm_targets = 100

[policy]
poll_every = \"1s\"
timeout = \"800ms\"
qr_every = \"2s\"
settle = \"2s\"
steady = \"10s\"

[policy.conflict]
lasts = \"5s\"

[policy.repeated_404]
lasts = \"5s\"

[policy.unreachable]
lasts = \"5s\"

[policy.state_loop]
returns_min = 3
within = \"60s\"

[policy.attempt]
restart_helps_in = \"20s\"

[policy.hand_off]
after = \"2s\"
round = \"30s\"
window = \"60s\"
qr_within = \"20s\"

[policy.memory_pressure]
lasts_fast = \"8s\"

[policy.never_ready]
lasts = \"8s\"
reconnects_for = \"8s\"

[policy.stuck_qr]
lasts = \"15s\"
frozen_after = \"30s\"
";

fn section(target: &Target, place: &Place) -> String {
    if target.is_found {
        let token = quoted(&place.token_file(target).to_string_lossy());
        let (name, file) = (target.name, quoted(&place.found_file().to_string_lossy()));
        return format!(
            "[discover.{name}]\nevery = \"5s\"\nprefix = \"\"\n\n[discover.{name}.file]\npath = {file}\n\n\
             [discover.{name}.target]\ntoken_file = {token}\n"
        );
    }
    let token_file = target.token.is_some().then(|| place.token_file(target).to_string_lossy().into_owned());
    let keys = [
        ("dialect", Some(target.dialect.to_owned())),
        ("url", Some(target.url.clone())),
        ("session", target.session.map(str::to_owned)),
        ("token_file", token_file),
        ("qr_page", target.qr_page.clone()),
    ];
    let mut text = format!("[target.{}]\n", target.name);
    for (key, value) in keys {
        if let Some(value) = value {
            text.extend([key, " = ", &quoted(&value), "\n"]);
        }
    }
    if !target.hooks.is_empty() {
        // On one host they would wait for each other.
        text.extend(["mode = \"act\"\ngroup = ", &quoted(target.name), "\n"]);
    }
    if target.tells_memory {
        let (url, used, limit) = (quoted(&target.url), quoted(memory::USED), quoted(memory::LIMIT));
        let keys = format!("url = {url}\nused = {used}\nlimit = {limit}\nevery = \"1s\"\n");
        text.extend(["[target.", target.name, ".memory.prometheus]\n", &keys]);
    }
    for remedy in &target.hooks {
        let (section, url) =
            (format!("target.{}.remedy.{remedy}", target.name), format!("{}/demo/{remedy}", target.url));
        if *remedy == Remedy::Reset {
            text.extend(["[", &section, "]\nallow_destructive = true\n"]);
        }
        text.extend(["[", &section, ".http]\nurl = ", &quoted(&url), "\n"]);
    }
    text
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::SecretString;

    use super::*;

    #[test]
    fn the_text_is_toml_and_says_how_to_ask_each_target() {
        let parent = tempfile::tempdir().unwrap();
        let targets = [plain(), with_token()];
        let place = Place::new(parent.path(), &targets).unwrap();
        let text = settings(&targets, "127.0.0.1:9877".parse().unwrap(), &place);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["server"]["listen"].as_str(), Some("127.0.0.1:9877"));
        let ledger = table["store"]["path"].as_str().unwrap();
        assert!(Path::new(ledger).starts_with(place.dir()), "{ledger}");
        let plain = &table["target"]["stuck-qr"];
        assert_eq!(plain["url"].as_str(), Some("http://127.0.0.1:1"));
        assert_eq!(plain["qr_page"].as_str(), Some("http://127.0.0.1:1/qr-display"));
        assert!(plain.get("session").is_none() && plain.get("token_file").is_none());
        let account = &table["target"]["wasender"];
        assert_eq!(account["session"].as_str(), Some("16548"));
        assert_eq!(fs::read_to_string(account["token_file"].as_str().unwrap()).unwrap(), "secret \"of\" demo");
    }

    #[test]
    fn what_a_discovery_finds_is_in_its_file_and_not_among_the_targets() {
        let parent = tempfile::tempdir().unwrap();
        let targets = [plain(), Target { is_found: true, ..with_token() }];
        let place = Place::new(parent.path(), &targets).unwrap();
        let table: toml::Table = settings(&targets, "127.0.0.1:9877".parse().unwrap(), &place).parse().unwrap();
        assert!(table["target"].get("wasender").is_none());
        let found = fs::read_to_string(table["discover"]["wasender"]["file"]["path"].as_str().unwrap()).unwrap();
        let expected = r#"[{"labels":{"dialect":"wasender","name":"wasender"},"targets":["http://127.0.0.1:1"]}]"#;
        assert_eq!(found, expected);
        let token = table["discover"]["wasender"]["target"]["token_file"].as_str().unwrap();
        assert_eq!(fs::read_to_string(token).unwrap(), "secret \"of\" demo");
    }

    #[test]
    fn a_token_is_in_its_file_alone() {
        let parent = tempfile::tempdir().unwrap();
        let targets = [with_token()];
        let place = Place::new(parent.path(), &targets).unwrap();
        assert!(!settings(&targets, "127.0.0.1:9877".parse().unwrap(), &place).contains("secret"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.token_file(&targets[0])), 0o600);
        assert_eq!(mode(place.dir()), 0o700);
    }

    #[test]
    fn a_place_is_removed_with_all_that_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let place = Place::new(parent.path(), &[with_token()]).unwrap();
        let other = Place::new(parent.path(), &[]).unwrap();
        assert_ne!(place.dir(), other.dir());
        drop((place, other));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn odd_paths_stay_whole() {
        let odd = "/tmp/a \"b\" \\c\n'd'";
        let table: toml::Table = format!("path = {}", quoted(odd)).parse().unwrap();
        assert_eq!(table["path"].as_str(), Some(odd));
    }

    fn plain() -> Target {
        Target {
            name: "stuck-qr",
            dialect: "whatsapp-service",
            url: "http://127.0.0.1:1".to_owned(),
            session: None,
            token: None,
            qr_page: Some("http://127.0.0.1:1/qr-display".to_owned()),
            plays: "",
            expects: None,
            tells_memory: false,
            is_found: false,
            hooks: Vec::new(),
        }
    }

    fn with_token() -> Target {
        Target {
            name: "wasender",
            dialect: "wasender",
            session: Some("16548"),
            token: Some(SecretString::from("secret \"of\" demo")),
            qr_page: None,
            ..plain()
        }
    }
}
