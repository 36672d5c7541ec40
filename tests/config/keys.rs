//! The commented file names every key.

use std::fs;

use crate::{problems, root, with};

/// Where keys stand, and the one that no section has.
const SECTIONS: [&str; 43] = [
    "",
    "server",
    "store",
    "recorder",
    "fleet",
    "policy",
    "policy.quiet_hours",
    "policy.budget",
    "policy.cooldown",
    "policy.attempt",
    "policy.hand_off",
    "policy.silent_session.night",
    "target.shop",
    "target.shop.policy",
    "target.shop.logs",
    "target.shop.logs.docker",
    "target.shop.logs.file",
    "target.shop.memory.docker",
    "target.shop.memory.cgroup",
    "target.shop.memory.process",
    "target.shop.memory.prometheus",
    "target.shop.runtime.docker",
    "target.shop.remedy",
    "target.shop.remedy.restart.exec",
    "target.shop.remedy.reconnect.http",
    "target.shop.remedy.reconnect.wasender",
    "target.shop.remedy.reset.wasender-backend",
    "target.shop.remedy.reconnect.http.poll",
    "target.shop.remedy.reset.docker",
    "target.shop.remedy.reset.docker.keep",
    "target.shop.remedy.reset.coolify",
    "target.shop.remedy.reset.kubernetes",
    "target.shop.remedy.reset.sqlite",
    "notify.ops",
    "path.whatsapp",
    "target.shop.inbound",
    "alertmanager",
    "discover.account",
    "discover.account.wasender",
    "discover.account.waha",
    "discover.account.evolution",
    "discover.account.docker",
    "discover.account.file",
];

#[test]
fn the_commented_file_names_every_key() {
    let text = fs::read_to_string(root().join("config/watchdog.toml")).unwrap();
    let patterns = wa_watchdog::engine::pattern::Pattern::ALL.map(|pattern| format!("policy.{pattern}"));
    let mut known = 0;
    for section in SECTIONS.iter().map(|name| (*name).to_owned()).chain(patterns) {
        for key in known_in(&section) {
            // A target's thresholds have the keys of all targets' ones.
            let section = if section == "target.shop.policy" { "policy" } else { &section };
            assert!(names(&text, section, &key), "{section}.{key}");
            known += 1;
        }
    }
    // The hook itself may be of each form; one example of each is enough, and was looked at above.
    let forms = ["exec", "http", "docker", "coolify", "kubernetes", "wasender", "wasender-backend", "sqlite"];
    for key in known_in("target.shop.remedy.reset").iter().filter(|key| !forms.contains(&key.as_str())) {
        assert!(names(&text, "target.shop.remedy.reset", key), "{key}");
        known += 1;
    }
    for key in known_in("target.shop.remedy.reset.step[0]") {
        assert!(names(&text, "target.shop.remedy.reset.step", &key), "step.{key}");
        known += 1;
    }
    assert!(140 < known, "{known} keys");
}

/// Returns the keys that a section has: an unknown one's hint lists them.
fn known_in(section: &str) -> Vec<String> {
    let text = match section.strip_suffix("[0]") {
        None if section.is_empty() => with("zebra", "1"),
        None => with(&format!("{section}.zebra"), "1"),
        Some(list) => with(list, "[{ zebra = 1 }]"),
    };
    let problems = problems(&text);
    let unknown = problems.iter().find(|problem| problem.what == "unknown key").expect("nobody knows a zebra");
    let keys = unknown.hint.strip_prefix("known here: ").expect("no key is like a zebra");
    keys.split(", ").map(str::to_owned).collect()
}

/// Tells whether a file names a key in a section, if only in a comment; a section is a key of the one above it.
fn names(text: &str, section: &str, key: &str) -> bool {
    let (above, last) = section.rsplit_once('.').unwrap_or(("", section));
    let below = if section.is_empty() { String::new() } else { format!("{section}.") };
    let mut current = "";
    for line in text.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            current = header.trim_matches(['[', ']']);
            if current.strip_prefix(&below).is_some_and(|rest| rest.split('.').next() == Some(key)) {
                return true;
            }
        }
        let is_key = line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = "));
        let is_inline = line.starts_with(&format!("{last} = {{ ")) && line.contains(&format!(" {key} = "));
        if (is_key && current == section) || (is_inline && current == above) {
            return true;
        }
    }
    false
}
