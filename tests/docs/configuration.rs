//! docs/configuration.md, from the configuration reader and the words of the commented file.
//!
//! Kind, range and default are what the reader says itself: it is given mistakes, and the value that is shown beside none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use wa_watchdog::config::{self, Problem, Settings};

use crate::keys::{Key, Section};
use crate::reader::{SECTIONS, known_in, with_in};
use crate::{assert_generated, keys, read};

const HEAD: &str = "# Configuration

<!-- Generated from the configuration reader and config/watchdog.toml. UPDATE_DOCS=1 cargo test --test docs writes it anew. -->

Every key with its kind, its range, its default and its meaning. [config/watchdog.toml](../config/watchdog.toml) is the same as a file to copy
from; [config/examples/](../config/examples) holds short ones. NAME is a name that you choose, REMEDY is `reconnect`, `restart` or `reset`.

- Nothing but a target or a discovery is required. A key that nobody knows is an error, never ignored.
- Time spans read `15s`, `10m`, `1h 30m`, `90d`; sizes `512KiB`, `1MiB`. Relative paths begin at the folder of the file.
- Every key has a twin in the environment, which wins over the file: sections and key in capitals, two underscores between.
  `policy.state_loop.returns_min` is `WA_WATCHDOG__POLICY__STATE_LOOP__RETURNS_MIN`, `target.shop.url` is `WA_WATCHDOG__TARGET__SHOP__URL`.
  A target's name is written in capitals there, with `_` for `-` and `.`. An empty variable counts as not set.
- SIGHUP or `POST /-/reload` reads the file anew; one with a mistake changes nothing.

```sh
wa-watchdog check --config watchdog.toml        # every problem at once, with its line
```

";

/// The least that a section or a key needs beside its target to be valid, by what its name begins with; the longest counts.
const LEAST: &[(&str, &str)] = &[
    ("", "target.shop.dialect = \"whatsapp-service\"\ntarget.shop.url = \"http://whatsapp-service:3001\"\n"),
    ("alertmanager", "alertmanager.token_env = \"ALERTMANAGER_TOKEN\"\n"),
    ("target.shop.inbound", "target.shop.inbound.secret_env = \"WEBHOOK_SECRET\"\n"),
    ("target.shop.logs.docker", "target.shop.logs.docker.container = \"whatsapp-service\"\n"),
    ("target.shop.logs.file", "target.shop.logs.file.path = \"/var/log/whatsapp-service.log\"\n"),
    ("target.shop.memory.docker", "target.shop.memory.docker.container = \"whatsapp-service\"\n"),
    ("target.shop.memory.cgroup", "target.shop.memory.cgroup.path = \"/host/cgroup/system.slice/docker-0123.scope\"\n"),
    ("target.shop.memory.process", "target.shop.memory.process.pid_file = \"/run/whatsapp.pid\"\n"),
    (
        "target.shop.memory.prometheus",
        "target.shop.memory.prometheus.url = \"http://prometheus:9090\"\ntarget.shop.memory.prometheus.used = 'x'\n",
    ),
    ("target.shop.runtime.docker", "target.shop.runtime.docker.container = \"whatsapp-service\"\n"),
    (
        "target.shop.remedy.restart.exec",
        "target.shop.remedy.restart.exec.argv = [\"/usr/local/bin/restart-wa\", \"shop\"]\n",
    ),
    (
        "target.shop.remedy.reconnect.http",
        "target.shop.remedy.reconnect.http.url = \"https://hooks.example/${target}\"\n",
    ),
    (
        "target.shop.remedy.reconnect.http.poll",
        "target.shop.remedy.reconnect.http.url = \"https://hooks.example/${target}\"\n\
         target.shop.remedy.reconnect.http.poll.url = \"https://hooks.example/jobs/${run.key}\"\n\
         target.shop.remedy.reconnect.http.poll.expect_json = { \"/state\" = \"done\" }\n",
    ),
    (
        "target.shop.remedy.reset",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.remedy.reset.exec = { argv = [\"/usr/local/bin/reset-wa\"] }\n",
    ),
    (
        "target.shop.remedy.reset.docker",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.remedy.reset.docker.container = \"whatsapp-service\"\n\
         target.shop.remedy.reset.docker.session_dir = \"/session\"\n",
    ),
    (
        "target.shop.remedy.reset.coolify",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.remedy.reset.coolify.url = \"https://coolify.example\"\n\
         target.shop.remedy.reset.coolify.uuid = \"bsow8kw4s8kgk0ow4c4sw0go\"\n\
         target.shop.remedy.reset.coolify.token_env = \"COOLIFY_TOKEN\"\n\
         target.shop.remedy.reset.coolify.mount_path = \"/app/data\"\n",
    ),
    (
        "target.shop.remedy.reset.kubernetes",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.remedy.reset.kubernetes.workload = \"statefulset/whatsapp-service\"\n\
         target.shop.remedy.reset.kubernetes.session_dir = \"/session\"\n",
    ),
    (
        "target.shop.remedy.reconnect.wasender",
        "target.shop.remedy.reconnect.wasender.session = 16548\n\
         target.shop.remedy.reconnect.wasender.token_env = \"WASENDER_PAT\"\n",
    ),
    (
        "target.shop.remedy.reset.wasender-backend",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.remedy.reset.wasender-backend.url = \"http://backend:5000\"\n\
         target.shop.remedy.reset.wasender-backend.token_env = \"BACKEND_JWT\"\n\
         target.shop.remedy.reset.wasender-backend.phone_env = \"PHONE\"\n\
         target.shop.remedy.reset.wasender-backend.vendor_token_env = \"WASENDER_PAT\"\n\
         target.shop.remedy.reset.wasender-backend.vendor_session = 16548\n",
    ),
    (
        "target.shop.remedy.reset.sqlite",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.session = \"16548\"\n\
         target.shop.remedy.reset.sqlite.path = \"/data/whatsapp_bot.db\"\n\
         target.shop.remedy.reset.sqlite.user = 42\n",
    ),
    (
        "notify.ops",
        "notify.ops.url = \"https://hooks.example/wa\"\nnotify.ops.events = [\"incident.*\", \"scan.*\", \"remedy.*\"]\n",
    ),
    ("discover.account", "discover.account.wasender.token_env = \"WASENDER_PAT\"\n"),
    ("discover.account.waha", "discover.account.waha.url = \"http://waha:3000\"\n"),
    (
        "discover.account.evolution",
        "discover.account.evolution.url = \"http://evolution:8080\"\n\
         discover.account.evolution.token_env = \"EVOLUTION_KEY\"\n",
    ),
    ("discover.account.docker", "discover.account.docker.address = \"name\"\n"),
    ("discover.account.docker.address", "discover.account.docker.endpoint = \"unix:///var/run/docker.sock\"\n"),
    ("discover.account.file", "discover.account.file.path = \"targets/*.json\"\n"),
    ("target.shop.remedy.restart.docker", "target.shop.remedy.restart.docker.container = \"whatsapp-service\"\n"),
    (
        "target.shop.remedy.reset.docker.volumes",
        "target.shop.remedy.reset.allow_destructive = true\n\
         target.shop.remedy.reset.docker.container = \"whatsapp-service\"\n\
         target.shop.remedy.reset.docker.method = \"recreate\"\n",
    ),
];

/// Keys of a hook that count for another remedy than the one under which they are shown.
const ELSEWHERE: [(&str, &str); 1] =
    [("target.shop.remedy.reset.docker.clear_locks", "target.shop.remedy.restart.docker")];

/// Sections whose keys stand under another one.
const AS_ELSEWHERE: [&str; 2] = ["target.shop.policy", "discover.account.target"];

/// Keys of which only one may stand.
const EITHER: [(&str, &str); 2] = [("pid_file", "command"), ("command", "pid_file")];

/// What is said of a key where the file says it once for many.
const SAID: [(&str, &str); 5] = [
    ("ladder", "The remedies in the order in which they are tried."),
    ("endpoint", "The daemon, or the proxy before it."),
    ("lines_max", "How many lines a second are looked at; more are dropped, and counted."),
    ("every", "How often it is read."),
    ("minimum", "A limit below this is told of, once, and is shown."),
];

/// The environment in which secrets are found.
const ENV: [&str; 10] = [
    "OPERATOR_TOKEN",
    "ALERTMANAGER_TOKEN",
    "GATEWAY_TOKEN",
    "WASENDER_PAT",
    "WEBHOOK_SECRET",
    "COOLIFY_TOKEN",
    "BACKEND_JWT",
    "PHONE",
    "EVOLUTION_KEY",
    "PROMETHEUS_TOKEN",
];

/// What the reader says of a key.
#[derive(Debug, PartialEq, Eq)]
enum Default {
    /// It must be there.
    Required,
    /// The value that is shown is that of a file that does not name it.
    Shown,
    /// It makes a difference.
    None,
}

#[test]
fn every_key_is_in_the_reference() {
    let mut sections = keys::read(&read("config/watchdog.toml"));
    let mut text = HEAD.to_owned();
    let mut seen = BTreeSet::new();
    join_lists(&mut sections);
    for section in &sections {
        if section.name.starts_with("discover.account.target.") || section.name == "target.shop.policy.state_loop" {
            continue;
        }
        if !section.name.is_empty() {
            writeln!(text, "## `[{}]`\n", shown_name(&section.name)).unwrap();
        }
        let words = if section.name.is_empty() { &[] } else { section.words.as_slice() };
        for words in words {
            writeln!(text, "{words}\n").unwrap();
        }
        seen.insert(section.name.clone());
        if section.keys.is_empty() || AS_ELSEWHERE.contains(&section.name.as_str()) {
            continue;
        }
        text.push_str("| key | kind | default | meaning |\n|---|---|---|---|\n");
        for key in &section.keys {
            let words = meaning(section, key);
            let row = Row::of(section, key);
            writeln!(text, "| `{}` | {} | {} | {} |", key.name, row.kind, row.default, cell(&words)).unwrap();
            seen.insert(format!("{}.{}", section.name, key.name));
        }
        text.push('\n');
    }
    assert_eq!(missing(&seen), [""; 0], "these have no row");
    assert_generated("docs/configuration.md", &format!("{}\n", text.trim_end()));
}

/// A key, as the reader knows it.
struct Row {
    kind: String,
    default: String,
}

impl Row {
    fn of(section: &Section, key: &Key) -> Self {
        let Some(kind) = kind(&section.name, key) else {
            let default = if default(section, key) == Default::Required { "required" } else { "–" };
            return Self { kind: "table".to_owned(), default: default.to_owned() };
        };
        let told = key.words.split_once("Default: ").and_then(|(_, told)| told.split(['.', ';']).next());
        let default = match (default(section, key), told) {
            (Default::Required, _) if is_one_of_two(&key.name) => "one of both".to_owned(),
            (Default::Required, _) => "required".to_owned(),
            (Default::Shown | Default::None, Some(told)) => told.to_owned(),
            (Default::Shown, None) => format!("`{}`", key.value),
            (Default::None, None) => "–".to_owned(),
        };
        let kind = kind.strip_prefix("a ").unwrap_or(&kind);
        Self { kind: cell(kind), default: cell(&default) }
    }
}

/// Returns what kind of value a key takes, and within which range; none for a section.
fn kind(section: &str, key: &Key) -> Option<String> {
    let section = place(section, &key.name);
    let told = told(section, &key.name, "0.5");
    let what = told.as_deref().unwrap_or_default();
    let kind = what.strip_prefix("is a decimal number, not ").or_else(|| what.strip_prefix("0.5 is not "));
    let kind = kind.unwrap_or_else(|| panic!("{section}.{} = 0.5 is told as {told:?}", key.name));
    if kind == "a table" {
        return None;
    }
    let far = match kind {
        "a time span" => ["\"0s\"", "\"1000000days\""],
        "a size" => ["\"0B\"", "\"1000000GiB\""],
        "a whole number" => ["-1", "9999999999"],
        "a share" => ["\"0%\"", "\"101%\""],
        _ => return Some(kind.to_owned()),
    };
    let range = far.iter().find_map(|value| {
        let problem = problem(section, &key.name, value)?;
        let (from, to) = problem.hint.strip_prefix("write something from ")?.split_once(" to ")?;
        Some(format!("{} … {}", rounded(from), rounded(to)))
    });
    Some(range.map_or_else(|| kind.to_owned(), |range| format!("{kind}, {range}")))
}

/// Writes a size in its largest unit, and a time span of many units in days.
fn rounded(limit: &str) -> String {
    if let Ok(span) = humantime::parse_duration(limit)
        && limit.contains(' ')
    {
        return format!("{} days", span.as_secs() / 86_400);
    }
    let Some(bytes) = limit.strip_suffix('B').and_then(|bytes| bytes.parse::<u64>().ok()) else {
        return limit.to_owned();
    };
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = units.iter().find(|(_, shift)| bytes != 0 && bytes % (1 << shift) == 0);
    fits.map_or_else(|| limit.to_owned(), |(unit, shift)| format!("{} {unit}", bytes >> shift))
}

/// Returns the section in which a key is tried.
fn place<'a>(section: &'a str, key: &str) -> &'a str {
    ELSEWHERE.iter().find(|(name, _)| *name == dotted(section, key)).map_or(section, |(_, place)| place)
}

fn told(section: &str, key: &str, value: &str) -> Option<String> {
    problem(section, key, value).map(|problem| problem.what)
}

/// Returns what the reader says of a value.
fn problem(section: &str, key: &str, value: &str) -> Option<Problem> {
    let (least, name) = (least(section, Some(key)), dotted(section, key));
    let text =
        if section.ends_with("[0]") { with_in(section, key, value) } else { format!("{least}{name} = {value}\n") };
    let problems = parse(&text).err()?;
    problems.into_iter().find(|problem| problem.key.ends_with(&format!(".{key}")) || problem.key == key)
}

/// Finds out what it means to leave a key out.
fn default(section: &Section, key: &Key) -> Default {
    if section.name.ends_with("[0]") {
        return if key.name == "name" { Default::Required } else { Default::None };
    }
    let place = place(&section.name, &key.name);
    let (least, name) = (least(place, Some(&key.name)), dotted(place, &key.name));
    // The section itself stands there, also where the key is its only one.
    let is_open = place.is_empty() || least.lines().any(|line| line.starts_with(&format!("{place}.")));
    let opened = if is_open { least.clone() } else { format!("{least}{place} = {{}}\n") };
    let Ok(without) = parse(&opened) else { return Default::Required };
    match parse(&format!("{least}{name} = {}\n", key.value)) {
        Ok(with) if in_words(&with) == in_words(&without) => Default::Shown,
        Ok(_) | Err(_) => Default::None,
    }
}

fn is_one_of_two(key: &str) -> bool {
    key.ends_with("_file") || key.ends_with("_env") || EITHER.iter().any(|(name, _)| *name == key)
}

/// Returns the settings as text, so that they can be compared.
fn in_words(settings: &Settings) -> String {
    format!("{:?}", Settings { warnings: Vec::new(), ..settings.clone() })
}

fn parse(text: &str) -> Result<Settings, Vec<Problem>> {
    let env = ENV.map(|name| (name.to_owned(), "+491511234567".to_owned()));
    config::parse(text, "watchdog.toml", Path::new(""), &BTreeMap::from(env))
}

/// Returns the least that a section needs, without one key of its own.
fn least(section: &str, without: Option<&str>) -> String {
    let whole = without.map_or_else(|| section.to_owned(), |key| dotted(section, key));
    let fits = |name: &str| {
        whole.strip_prefix(name).is_some_and(|rest| rest.is_empty() || name.is_empty() || rest.starts_with('.'))
    };
    let own = LEAST.iter().filter(|(name, _)| !name.is_empty() && fits(name)).max_by_key(|(name, _)| name.len());
    let lines = [LEAST[0].1, own.map_or("", |(_, lines)| lines)].concat();
    // A secret stands in a file or in the environment, never in both.
    let either = |key: &str| EITHER.iter().find(|(one, _)| *one == key).map(|(_, other)| (*other).to_owned());
    let in_env = |key: &str| key.strip_suffix("_file").map(|stem| format!("{stem}_env"));
    let sibling = |key: &str| either(key).or_else(|| in_env(key)).unwrap_or_default();
    let without: Vec<String> = without.map_or_else(Vec::new, |key| vec![key.to_owned(), sibling(key)]);
    let without: Vec<String> = without.iter().map(|key| format!("{} = ", dotted(section, key))).collect();
    let kept = lines.lines().filter(|line| without.iter().all(|without| !line.starts_with(without.as_str())));
    kept.flat_map(|line| [line, "\n"]).collect()
}

fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Returns what is said of a key: above it, or of its like.
fn meaning(section: &Section, key: &Key) -> String {
    if !key.words.is_empty() {
        return key.words.clone();
    }
    if let Some((_, words)) = SAID.iter().find(|(name, _)| *name == key.name) {
        return (*words).to_owned();
    }
    if let Some(stem) = key.name.strip_suffix("_env") {
        return format!("As `{stem}_file`, but the name of a variable of the environment.");
    }
    panic!("{}.{} has no words in config/watchdog.toml", section.name, key.name);
}

/// Joins sections of a list: the file shows several, which together name the keys that each may have.
fn join_lists(sections: &mut Vec<Section>) {
    let mut joined: Vec<Section> = Vec::new();
    for section in sections.drain(..) {
        match joined.last_mut().filter(|last| last.name == section.name) {
            Some(last) => {
                let news = section.keys.into_iter().filter(|key| last.keys.iter().all(|old| old.name != key.name));
                last.keys.extend(news.collect::<Vec<_>>());
            }
            None => joined.push(section),
        }
    }
    *sections = joined;
}

/// Returns the keys that the reader knows and the reference does not show.
fn missing(seen: &BTreeSet<String>) -> Vec<String> {
    let patterns = wa_watchdog::engine::pattern::Pattern::ALL.map(|pattern| format!("policy.{pattern}"));
    let mut missing = Vec::new();
    // These stand in one line, which is a key of the section above; and what a target may override stands under [policy].
    let inline = ["policy.quiet_hours", "policy.silent_session.night", "target.shop.policy"];
    let sections = SECTIONS.iter().filter(|name| !inline.contains(name)).map(|name| (*name).to_owned());
    for section in sections.chain(patterns) {
        for key in known_in(&section) {
            let name = if section.is_empty() { format!(".{key}") } else { format!("{section}.{key}") };
            let is_section = seen
                .iter()
                .any(|seen| seen.trim_start_matches('.').starts_with(&format!("{}.", name.trim_start_matches('.'))));
            if !seen.contains(&name) && !is_section {
                missing.push(name);
            }
        }
    }
    missing
}

fn shown_name(name: &str) -> String {
    let chosen = ["target.shop", "notify.ops", "path.whatsapp", "discover.account"];
    let mut name = name.to_owned();
    for chosen in chosen {
        if let Some(rest) = name.strip_prefix(chosen) {
            name = format!("{}.NAME{rest}", chosen.split('.').next().unwrap());
        }
    }
    for remedy in ["reconnect", "restart", "reset"] {
        name = name.replace(&format!(".remedy.{remedy}"), ".remedy.REMEDY");
    }
    match name.strip_suffix("[0]") {
        Some(list) => format!("[{list}]"),
        None => name,
    }
}

/// Makes a text fit for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('<', "&lt;").replace('|', "\\|").replace('\n', "<br>")
}
