//! The whole configuration, from its tree.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::dialects::Dialects;
use super::mode::{self, Modes};
use super::node::{Place, Table};
use super::policy::{self, Thresholds, set};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::target::Reader;
use super::twins::lay_twins_over;
use super::{
    PathAt, Problem, Recorder, Server, Settings, Store, TARGETS_MAX, Target, discover, fleet, inbound, notify, path,
    secret,
};
use crate::engine::policy::{Policy, TOGETHER, Watch};
use crate::engine::target::TargetId;

/// Where metrics and API are served by default: this machine alone sees them.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9877);
/// Where the ledger is by default.
const STORE_PATH_DEFAULT: &str = "/var/lib/wa-watchdog/ledger.db";
/// How long entries are kept by default.
const KEEP_DEFAULT: Duration = Duration::from_hours(90 * 24);
/// How long entries may be kept: a month at least, because budgets and the frequency of resets are read from them.
const KEEP: RangeInclusive<Duration> = Duration::from_hours(30 * 24)..=Duration::from_hours(3650 * 24);

/// The folder of recordings, beside the ledger.
const RECORDINGS: &str = "recordings";
/// How long recordings are kept by default.
const RECORDINGS_KEEP_DEFAULT: Duration = Duration::from_hours(7 * 24);
/// How long recordings may be kept.
const RECORDINGS_KEEP: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(3650 * 24);
/// How many bytes of recordings are kept by default.
const RECORDINGS_BYTES_DEFAULT: u64 = 256 << 20;
/// How many bytes of recordings may be kept.
const RECORDINGS_BYTES: RangeInclusive<u64> = (1 << 20)..=(1 << 40);

/// Sections that a person may look for here.
const ELSEWHERE: [(&str, &str); 5] = [
    ("discovery", "who tells which sessions there are stands in a section of its own, as [discover.NAME.wasender]"),
    ("targets", "each target is a section of its own, [target.NAME]"),
    ("remedy", "the hooks of a target stand in its own sections, as in [target.NAME.remedy.restart.exec]"),
    ("hooks", "the hooks of a target stand in its own sections, as in [target.NAME.remedy.restart.exec]"),
    ("notifiers", "whom to tell stands in a section of its own, [notify.NAME]"),
];

/// Reads a tree, with environment twins laid over it.
pub(super) fn read(
    mut tree: Table,
    source: &str,
    base_dir: &Path,
    env: &BTreeMap<String, String>,
) -> Result<Settings, Vec<Problem>> {
    let mut report = Report::default();
    lay_twins_over(&mut tree, env, &mut report);
    read_tree(tree, source, base_dir, env, report)
}

/// Reads a tree as it is.
pub(super) fn read_tree(
    tree: Table,
    source: &str,
    base_dir: &Path,
    env: &BTreeMap<String, String>,
    mut report: Report,
) -> Result<Settings, Vec<Problem>> {
    let mut root = Section::root(Place::file(source, None), tree);
    let mode_item = root.take("mode");
    let mode = mode_item.as_ref().and_then(|item| mode::read(item, &mut report)).unwrap_or_default();
    let mut scope = Scope { report: &mut report, base_dir, env };
    let server = server(&mut root, &mut scope);
    let alertmanager = inbound::take_alertmanager(&mut root, &mut scope);
    let notifiers = notify::take(&mut root, &mut scope);
    let paths: Arc<[PathAt]> = path::take(&mut root, &mut scope).into();
    let fleet = fleet::take(&mut root, &mut report);
    let store = store(&mut root, &mut report, base_dir);
    let recorder = recorder(&mut root, &mut report, base_dir, &store);
    let (thresholds, together) = thresholds(&mut root, &mut report);
    let found = discover::take(&mut root, &mut report);
    let items = target_items(&mut root, &mut report, found.is_empty());
    root.finish_with(&mut report, |name| {
        let of_policy = policy::is_key(name).then(|| "write it under [policy]".to_owned());
        of_policy.or_else(|| ELSEWHERE.iter().find(|(key, _)| *key == name).map(|(_, hint)| (*hint).to_owned()))
    });
    let dialects = Dialects::new(base_dir);
    let scope = Scope { report: &mut report, base_dir, env };
    let modes = Modes::new(mode, mode_item);
    let mut reader = Reader { scope, dialects, thresholds: &thresholds, modes, paths: &paths, shared: Vec::new() };
    let (watched, targets) = targets(&mut reader, items);
    let discoveries = discover::read(&mut reader, found);
    let names = paths.iter().map(|path| Arc::clone(&path.name)).collect();
    let policy = Policy { targets: watched, together, fleet, paths: names };
    let limits = thresholds.limits;
    let settings = Settings {
        server,
        alertmanager,
        store,
        recorder,
        policy,
        limits,
        targets,
        discoveries,
        notifiers,
        paths,
        warnings: Vec::new(),
    };
    let (settings, warnings) = report.finish(settings)?;
    Ok(Settings { warnings, ..settings })
}

fn server(root: &mut Section, scope: &mut Scope<'_>) -> Server {
    let mut server = Server { listen: LISTEN_DEFAULT, token: None };
    let Some(mut section) = root.take_section(scope.report, "server") else { return server };
    let has_token = ["token_file", "token_env"].iter().any(|key| section.peek(key).is_some());
    server.token = secret::take(&mut section, scope, &secret::TOKEN);
    let item = section.take("listen");
    let address = |text: &str| text.parse::<SocketAddr>().ok();
    let hint = "write a number and a port, as in \"127.0.0.1:9877\", \"0.0.0.0:9877\" or \"[::1]:9877\"";
    let read = item.as_ref().and_then(|item| item.word(scope.report, address, "an address to listen at", hint));
    if let (Some(item), Some(listen)) = (item, read) {
        server.listen = listen;
        if !has_token && !listen.ip().is_loopback() {
            let what = "is seen from other machines, and there is no token: orders of operators are refused";
            item.warn(scope.report, what, "write token_file or token_env into [server], or listen at 127.0.0.1");
        }
    }
    section.finish_with(scope.report, |name| {
        (name == "token")
            .then(|| "a token is read from token_file or token_env, and never stands in the configuration".to_owned())
    });
    server
}

fn store(root: &mut Section, report: &mut Report, base_dir: &Path) -> Store {
    let mut store = Store { path: STORE_PATH_DEFAULT.into(), keep: KEEP_DEFAULT };
    if let Some(mut section) = root.take_section(report, "store") {
        if let Some(path) = section.take("path").and_then(|item| item.text(report).map(|path| base_dir.join(path))) {
            store.path = path;
        }
        if let Some(keep) = section.take("keep").and_then(|item| item.span(report, KEEP)) {
            store.keep = keep;
        }
        section.finish(report);
    }
    store
}

fn recorder(root: &mut Section, report: &mut Report, base_dir: &Path, store: &Store) -> Recorder {
    let mut recorder = Recorder {
        enabled: true,
        dir: store.path.with_file_name(RECORDINGS),
        keep: RECORDINGS_KEEP_DEFAULT,
        bytes_max: RECORDINGS_BYTES_DEFAULT,
    };
    if let Some(mut section) = root.take_section(report, "recorder") {
        let Recorder { enabled, dir, keep, bytes_max } = &mut recorder;
        set(enabled, section.take("enabled").and_then(|item| item.flag(report)));
        set(dir, section.take("dir").and_then(|item| item.text(report).map(|path| base_dir.join(path))));
        set(keep, section.take("keep").and_then(|item| item.span(report, RECORDINGS_KEEP)));
        set(bytes_max, section.take("max_bytes").and_then(|item| item.size(report, RECORDINGS_BYTES)));
        section.finish(report);
    }
    recorder
}

fn thresholds(root: &mut Section, report: &mut Report) -> (Thresholds, Duration) {
    let base = Thresholds::default();
    let Some(mut section) = root.take_section(report, "policy") else { return (base, TOGETHER) };
    let thresholds = policy::read(&mut section, report, &base);
    let together = policy::together(&mut section, report).unwrap_or(TOGETHER);
    section.finish(report);
    (thresholds, together)
}

/// Takes the sections of targets, in the order of the file.
fn target_items(root: &mut Section, report: &mut Report, is_needed: bool) -> Vec<(String, Item)> {
    let hint = "write a section for each session to watch, as in [target.shop], with dialect and url";
    let mut items = match root.take("target") {
        None => Vec::new(),
        Some(item) => match item.section(report) {
            None => return Vec::new(),
            Some(mut section) => section.take_all(),
        },
    };
    if items.is_empty() && is_needed {
        root.missing(report, "target", hint);
    }
    if TARGETS_MAX < items.len() {
        let what = format!("has {} targets, more than {TARGETS_MAX}", items.len());
        report.refuse(&root.at, "target", what, "watch the fleet with several watchdogs");
        return Vec::new();
    }
    items.sort_by_key(|(_, item)| item.node.at.line.unwrap_or(usize::MAX));
    items
}

type Watched = (BTreeMap<TargetId, Watch>, BTreeMap<TargetId, Arc<Target>>);

fn targets(reader: &mut Reader<'_>, items: Vec<(String, Item)>) -> Watched {
    let (mut watched, mut targets) = (BTreeMap::new(), BTreeMap::new());
    let mut asked: BTreeMap<_, TargetId> = BTreeMap::new();
    for (name, item) in items {
        let (at, key) = (item.node.at.clone(), item.key.clone());
        let Some((target, watch)) = reader.read(&name, item) else { continue };
        // One URL may hold several sessions: told apart by name, by path, or by the key that selects one.
        let session = (target.url.clone(), target.session.clone(), target.status_path.clone(), target.token.clone());
        if let Some(other) = asked.get(&session) {
            let what = format!("asks for the same session as target.{other}: same url, session, path and token");
            reader.scope.report.refuse(&at, &key, what, "take one of them out, or name another session");
            continue;
        }
        asked.insert(session, target.id.clone());
        watched.insert(target.id.clone(), watch);
        targets.insert(target.id.clone(), Arc::new(target));
    }
    (watched, targets)
}
