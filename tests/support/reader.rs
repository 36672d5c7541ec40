//! What the configuration reader says of itself: which keys a section has, of which kind, in which range. It is asked by mistakes.

use std::collections::BTreeMap;
use std::path::Path;

use wa_watchdog::config::{self, Problem, Settings};

/// Where keys stand, and the one that no section has. A name that somebody chose is `shop`, `ops`, `whatsapp` or `account`.
pub(crate) const SECTIONS: [&str; 43] = [
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

/// The least that is a target.
const LEAST: [(&str, &str); 2] =
    [("target.shop.dialect", "\"whatsapp-service\""), ("target.shop.url", "\"http://localhost:3001\"")];

/// Reads a text without an environment.
pub(crate) fn settings(text: &str) -> Result<Settings, Vec<Problem>> {
    config::parse(text, "watchdog.toml", Path::new(""), &BTreeMap::new())
}

/// Returns the least that is a target, and one key more.
pub(crate) fn with(key: &str, value: &str) -> String {
    let others = LEAST.iter().filter(|(other, _)| *other != key).map(|(key, value)| format!("{key} = {value}\n"));
    others.chain([format!("{key} = {value}\n")]).collect()
}

/// Returns the keys that a section has, or one of a list of sections (`…[0]`): an unknown one's hint lists them.
pub(crate) fn known_in(section: &str) -> Vec<String> {
    let problems = settings(&with_in(section, "zebra", "1")).expect_err("nobody knows a zebra");
    let unknown = problems.iter().find(|problem| problem.what == "unknown key").expect("nobody knows a zebra");
    let keys = unknown.hint.strip_prefix("known here: ").expect("no key is like a zebra");
    keys.split(", ").map(str::to_owned).collect()
}

/// Returns the least that is a target, and one key more in a section, or in one of a list of sections.
pub(crate) fn with_in(section: &str, key: &str, value: &str) -> String {
    match section.strip_suffix("[0]") {
        None if section.is_empty() => with(key, value),
        None => with(&format!("{section}.{key}"), value),
        Some(list) => with(list, &format!("[{{ {key} = {value} }}]")),
    }
}
