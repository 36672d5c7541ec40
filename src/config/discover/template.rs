//! What every target gets that is found: the keys of a target's section, read anew for each with what was found of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{Found, Kind, Ready};
use crate::config::dialects::{Dialects, is_path};
use crate::config::mode::Modes;
use crate::config::node::{Node, Place, Table, Value};
use crate::config::policy::Thresholds;
use crate::config::problem::Report;
use crate::config::scope::Scope;
use crate::config::secret;
use crate::config::section::Item;
use crate::config::target::{Reader, SHARED_MAX};
use crate::config::{PathAt, Problem};
use crate::engine::policy::{Limits, Mode};
use crate::engine::target::TargetId;

/// Stands for the name of the container that was found.
const CONTAINER: &str = "{container}";
/// Hooks that are about one service, and would be the same for every target.
const OF_ONE: [&str; 4] = ["coolify", "kubernetes", "sqlite", "wasender-backend"];
/// A dialect with which a template is tried that is for several: it takes a token, and names a session.
const ANY_DIALECT: &str = "waha";

/// What every target gets, with all that is needed to read it.
#[derive(Debug)]
pub(super) struct Template {
    kind: Kind,
    table: Table,
    key: String,
    at: Place,
    thresholds: Thresholds,
    paths: Vec<PathAt>,
    mode: Mode,
    base_dir: PathBuf,
    env: Environment,
}

/// The whole environment, which never shows itself: it holds secrets.
struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl Template {
    /// Takes the template of a section, and tries it on a session that might be found. `owner` is the section's key and place,
    /// `token` names the token with which everything is asked that is found.
    pub(super) fn take(
        kind: Kind,
        item: Option<Item>,
        owner: (String, Place),
        token: Option<(&'static str, Item)>,
        reader: &mut Reader<'_>,
    ) -> Option<Self> {
        let (key, at) = owner;
        let item = item.unwrap_or_else(|| Item { key: format!("{key}.target"), node: Node::table(at, Table::new()) });
        let (key, at) = (item.key.clone(), item.node.at.clone());
        let Value::Table(mut table) = item.node.value else {
            // Says what is wrong with it.
            item.section(reader.scope.report);
            return None;
        };
        let is_well = check(kind, &mut table, &key, reader.scope.report);
        let token_key = token.as_ref().map(|(name, _)| format!("{key}.{name}"));
        if let Some((name, item)) = token {
            table.insert(name.to_owned(), item.node);
        }
        let template = Self {
            kind,
            table,
            key,
            at,
            thresholds: reader.thresholds.clone(),
            paths: reader.paths.to_vec(),
            mode: reader.modes.default(),
            base_dir: reader.scope.base_dir.to_owned(),
            env: Environment(reader.scope.env.clone()),
        };
        let sample = template.sample();
        let item = template.item(&sample);
        // Its problems are those of every target that will be found.
        let read = reader.read("sample", item);
        if let Some(key) = token_key {
            // It was told of the section that has it.
            reader.scope.report.forget(&key);
        }
        (is_well && read.is_some()).then_some(template)
    }

    /// Tells whether it makes the same targets.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.said() == other.said()
    }

    /// Reads what was found.
    pub(super) fn read<'a>(
        &self,
        found: impl IntoIterator<Item = (&'a TargetId, &'a Found)>,
        like: impl IntoIterator<Item = &'a Ready>,
    ) -> Vec<Result<Ready, Vec<Problem>>> {
        let mut dialects = Dialects::new(&self.base_dir);
        let mut shared: Vec<Arc<Limits>> = Vec::new();
        for ready in like {
            let limits = &ready.watch.limits;
            if shared.len() < SHARED_MAX && !shared.iter().any(|other| other == limits) {
                shared.push(Arc::clone(limits));
            }
        }
        let mut all = Vec::new();
        for (id, found) in found {
            let mut report = Report::default();
            let scope = Scope { report: &mut report, base_dir: &self.base_dir, env: &self.env.0 };
            // What it means was told when the configuration was read.
            let modes = Modes::new(self.mode, None);
            let mut reader =
                Reader { scope, dialects, thresholds: &self.thresholds, modes, paths: &self.paths, shared };
            let read = self.may_be(found, &mut reader).and_then(|()| reader.read(id.as_str(), self.item(found)));
            Reader { dialects, shared, .. } = reader;
            all.push(match (read, report.finish(())) {
                (Some((target, watch)), Ok(_)) => Ok(Ready { target: Arc::new(target), watch }),
                (_, Err(problems)) => Err(problems),
                (None, Ok(_)) => Err(Vec::new()),
            });
        }
        all
    }

    /// Refuses a file that whoever labels a container must not name.
    fn may_be(&self, found: &Found, reader: &mut Reader<'_>) -> Option<()> {
        let is_file = self.kind == Kind::Docker && found.dialect.as_deref().is_some_and(is_path);
        if is_file {
            let hint = "a label names a built-in dialect; one of your own stands in the template";
            reader.scope.report.refuse(&self.at, &self.key, "the label wa-watchdog.dialect names a file", hint);
        }
        (!is_file).then_some(())
    }

    /// Writes the section that a person would have written for it.
    fn item(&self, found: &Found) -> Item {
        let mut table = self.table.clone();
        if let Some(container) = &found.container {
            fill(&mut table, container);
        }
        let dialect = found.dialect.as_deref().or_else(|| self.kind.dialect());
        let keys = [
            ("dialect", dialect),
            ("url", Some(found.url.as_str())),
            ("session", found.session.as_deref()),
            ("status_path", found.status_path.as_deref()),
        ];
        for (key, text) in keys {
            if let Some(text) = text {
                table.insert(key.to_owned(), Node::text(self.at.clone(), text));
            }
        }
        Item { key: self.key.clone(), node: Node::table(self.at.clone(), table) }
    }

    /// Makes up what might be found.
    fn sample(&self) -> Found {
        let has_dialect = self.table.contains_key("dialect");
        let dialect = (self.kind.dialect().is_none() && !has_dialect).then(|| ANY_DIALECT.to_owned());
        Found {
            key: String::new(),
            name: String::new(),
            url: "http://gateway".to_owned(),
            dialect,
            session: Some("1".to_owned()),
            status_path: None,
            container: (self.kind == Kind::Docker).then(|| "container".to_owned()),
        }
    }

    /// Returns all that counts in a text: places in the file do not.
    fn said(&self) -> String {
        let Self { kind, table, key: _, at: _, thresholds, paths, mode, base_dir, env: _ } = self;
        format!("{kind:?} {thresholds:?} {paths:?} {mode:?} {} {}", base_dir.display(), plain(table))
    }
}

/// Notes what makes no sense for many, and takes it out, so that nothing else is said of it.
fn check(kind: Kind, table: &mut Table, key: &str, report: &mut Report) -> bool {
    let mut is_well = true;
    let mut refuse = |node: &Node, name: &str, what: &str, hint: &str| {
        report.refuse(&node.at, &format!("{key}.{name}"), what, hint);
        is_well = false;
    };
    let own: &[&str] = match kind {
        Kind::Wasender | Kind::Waha | Kind::Evolution => &["dialect", "url", "session"],
        Kind::Docker | Kind::File => &["url", "session"],
    };
    for name in own {
        if let Some(node) = table.remove(*name) {
            refuse(&node, name, "is found for each target", "take it out");
        }
    }
    for name in secret::TOKEN.keys().iter().filter(|_| kind.dialect().is_some()) {
        if let Some(node) = table.remove(*name) {
            let hint = format!("everything that is found is asked with the token of [discover.NAME.{}]", kind.name());
            refuse(&node, name, "is not the template's", &hint);
        }
    }
    let Some(Value::Table(remedies)) = table.get_mut("remedy").map(|node| &mut node.value) else { return is_well };
    remedies.retain(|remedy, node| {
        let Value::Table(hooks) = &node.value else { return true };
        let of_one = OF_ONE.iter().filter_map(|hook| {
            let node = hooks.get(*hook)?;
            let hint = "use wasender, http or exec, which are told the target; or write the target by hand";
            Some((node, *hook, "is about one service, and the template is for many", hint))
        });
        let docker = hooks.get("docker").and_then(|docker| {
            let (name, what, hint) = fault_of_docker(kind, docker)?;
            Some((docker, name, what, hint))
        });
        let faults: Vec<_> = of_one.chain(docker).collect();
        for (node, name, what, hint) in &faults {
            refuse(node, &format!("remedy.{remedy}.{name}"), what, hint);
        }
        faults.is_empty()
    });
    is_well
}

/// Says why a hook of Docker is not one for many: where, what and what to do.
fn fault_of_docker(kind: Kind, docker: &Node) -> Option<(&'static str, &'static str, &'static str)> {
    match kind {
        Kind::Docker => {
            let Value::Table(keys) = &docker.value else { return None };
            let is_each = |node: &Node| matches!(&node.value, Value::Text(text) if text.contains(CONTAINER));
            // One that is missing is told like everywhere else.
            let is_one = keys.get("container").is_some_and(|node| !is_each(node));
            is_one.then_some((
                "docker.container",
                "is one container, and the template is for many",
                "write container = \"{container}\", which stands for the one that was found",
            ))
        }
        Kind::Wasender | Kind::Waha | Kind::Evolution | Kind::File => Some((
            "docker",
            "is about one container, and the template is for many",
            "nobody knows here in which container a session runs: write the target by hand, or find it by the kind docker",
        )),
    }
}

/// Puts the container's name into every text that asks for it. A name that Docker takes is safe in a path.
fn fill(table: &mut Table, container: &str) {
    for node in table.values_mut() {
        fill_node(node, container);
    }
}

fn fill_node(node: &mut Node, container: &str) {
    match &mut node.value {
        Value::Text(text) if text.contains(CONTAINER) => *text = text.replace(CONTAINER, container),
        Value::Table(table) => fill(table, container),
        Value::List(list) => list.iter_mut().for_each(|node| fill_node(node, container)),
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Flag(_) | Value::Other(_) => {}
    }
    if let Some(typed) = node.typed.as_mut().filter(|typed| typed.contains(CONTAINER)) {
        *typed = typed.replace(CONTAINER, container);
    }
}

/// Returns what a table says, without the places where it says so.
fn plain(table: &Table) -> Json {
    table.iter().map(|(key, node)| (key.clone(), plain_node(node))).collect()
}

fn plain_node(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Decimal(number) => json!(number),
        Value::Flag(flag) => json!(flag),
        Value::List(list) => list.iter().map(plain_node).collect(),
        Value::Table(table) => plain(table),
        Value::Other(kind) => json!(kind),
    }
}
