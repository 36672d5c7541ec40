//! Environment twins: `WA_WATCHDOG__TARGET__SHOP__URL` is `target.shop.url`, and wins over the file.

use std::collections::BTreeMap;

use super::node::{Node, Place, Table, Value, lay_over};
use super::problem::Report;
use super::section::quoted;

/// What the name of every twin begins with.
pub const PREFIX: &str = "WA_WATCHDOG__";

/// Most parts of a name. The deepest key has six: `TARGET__SHOP__POLICY__SILENT_SESSION__NIGHT__FROM`.
const PARTS_MAX: usize = 8;

/// Lays every twin over a tree. An empty variable counts as not set: Compose cannot leave one out.
pub(super) fn lay_twins_over(tree: &mut Table, env: &BTreeMap<String, String>, report: &mut Report) {
    for (variable, text) in env {
        let (Some(path), text) = (variable.strip_prefix(PREFIX), text.trim()) else { continue };
        if text.is_empty() {
            continue;
        }
        let at = Place::file(variable, None);
        match key(path, tree) {
            Ok(key) => lay_over(tree, branch(&key, Node::typed(at.clone(), text), &at)),
            Err((what, hint)) => report.refuse(&at, "", what, hint),
        }
    }
}

/// Returns the key that a variable is the twin of.
fn key(path: &str, tree: &Table) -> Result<Vec<String>, (String, String)> {
    let mut key: Vec<String> = path.split("__").map(str::to_lowercase).collect();
    if PARTS_MAX < key.len() || key.iter().any(String::is_empty) {
        let hint = "write sections and key in capitals with two underscores between, as in WA_WATCHDOG__SERVER__LISTEN";
        return Err(("names no key".to_owned(), hint.to_owned()));
    }
    if let [section, name, ..] = key.as_mut_slice()
        && section == "target"
    {
        *name = target(name, tree)?;
    }
    Ok(key)
}

/// Returns the target that is meant: one that exists, whatever its capitals, or a new one.
fn target(name: &str, tree: &Table) -> Result<String, (String, String)> {
    let Some(Value::Table(targets)) = tree.get("target").map(|node| &node.value) else { return Ok(name.to_owned()) };
    let meant: Vec<&str> = targets.keys().map(String::as_str).filter(|other| folded(other) == name).collect();
    match meant.as_slice() {
        [] => Ok(name.to_owned()),
        [one] => Ok((*one).to_owned()),
        several => {
            let names: Vec<String> = several.iter().copied().map(quoted).collect();
            let hint = "variables cannot tell them apart: rename one, or write the key into the file";
            Err((format!("may mean each of {}", names.join(", ")), hint.to_owned()))
        }
    }
}

/// Folds a name as variables must write it.
fn folded(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

fn branch(key: &[String], leaf: Node, at: &Place) -> Table {
    match key {
        [] => Table::new(),
        [last] => Table::from([(last.clone(), leaf)]),
        [first, rest @ ..] => Table::from([(first.clone(), Node::table(at.clone(), branch(rest, leaf, at)))]),
    }
}
