//! The commented file names every key.

use std::fs;

use crate::reader::{SECTIONS, known_in};
use crate::root;

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
