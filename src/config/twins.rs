//! Environment twins: `WA_WATCHDOG__TARGET__SHOP__URL` is `target.shop.url`, and wins over the file.

use std::collections::BTreeMap;

use super::node::{Node, Place, Table, Value, lay_over};
use super::problem::Report;
use super::section::quoted;

/// What the name of every twin begins with.
pub const PREFIX: &str = "WA_WATCHDOG__";

/// Sections whose keys are names that somebody chose.
const NAMED: [&str; 3] = ["target", "notify", "discover"];

/// Most parts of a name. The deepest key has as many: `DISCOVER__ALL__TARGET__REMEDY__RESTART__HTTP__POLL__URL`.
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
        && NAMED.contains(&section.as_str())
    {
        *name = named(section, name, tree)?;
    }
    Ok(key)
}

/// Returns the one of a section that is meant: one that exists, whatever its capitals, or a new one.
fn named(section: &str, name: &str, tree: &Table) -> Result<String, (String, String)> {
    let Some(Value::Table(known)) = tree.get(section).map(|node| &node.value) else { return Ok(name.to_owned()) };
    let meant: Vec<&str> = known.keys().map(String::as_str).filter(|other| folded(other) == name).collect();
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::{Settings, parse};
    use super::*;
    use crate::engine::ladder::{Ladder, Remedy};

    const FILE: &str = "\
[policy]
poll_every = \"20s\"
[target.Shop-1]
dialect = \"whatsapp-service\"
url = \"http://file:3001\"
[target.\"a.b\"]
dialect = \"waha\"
url = \"http://waha:3000\"
session = \"file\"
";

    #[test]
    fn a_variable_wins_over_the_file() {
        let settings = read(&[
            ("WA_WATCHDOG__MODE", "observe"),
            ("WA_WATCHDOG__SERVER__LISTEN", "0.0.0.0:80"),
            ("WA_WATCHDOG__STORE__KEEP", "40d"),
            ("WA_WATCHDOG__POLICY__POLL_EVERY", " 30s\n"),
            ("WA_WATCHDOG__POLICY__STATE_LOOP__RETURNS_MIN", "4"),
            ("WA_WATCHDOG__POLICY__REPEATED_404__LADDER", "[\"notify\", \"reset\"]"),
            ("WA_WATCHDOG__POLICY__CONFLICT__LADDER", "restart"),
            ("WA_WATCHDOG__POLICY__MEMORY_PRESSURE__PERCENT_MIN", "80%"),
            ("WA_WATCHDOG__POLICY__SILENT_SESSION__NIGHT__FROM", "23:00"),
            ("WA_WATCHDOG__TARGET__SHOP_1__URL", "http://variable:3001/"),
            ("WA_WATCHDOG__TARGET__A_B__SESSION", "16548"),
            ("WA_WATCHDOG__TARGET__A_B__POLICY", "{ poll_every = \"7s\", conflict.times_min = 5 }"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.server.listen.to_string(), "0.0.0.0:80");
        assert_eq!(settings.store.keep, Duration::from_hours(40 * 24));
        let limits = &settings.policy.targets["Shop-1"].limits;
        assert_eq!(limits.poll_every, Duration::from_secs(30));
        assert_eq!(limits.state_loop.returns_min, 4);
        assert_eq!(limits.repeated_404.ladder, Ladder::new(Remedy::Notify, &[Remedy::Reset]));
        assert_eq!(limits.conflict.ladder, Ladder::new(Remedy::Restart, &[]));
        assert_eq!(limits.memory_pressure.percent_min, 80);
        assert_eq!(limits.silent_session.night.from, 23);
        assert_eq!(settings.targets["Shop-1"].url, "http://variable:3001");
        assert_eq!(settings.targets["a.b"].session.as_deref(), Some("16548"));
        assert_eq!(settings.policy.targets["a.b"].limits.poll_every, Duration::from_secs(7));
        assert_eq!(settings.policy.targets["a.b"].limits.conflict.times_min, 5);
    }

    #[test]
    fn variables_alone_are_a_configuration() {
        let env = env(&[
            ("WA_WATCHDOG__TARGET__SHOP__DIALECT", "\"generic\""),
            ("WA_WATCHDOG__TARGET__SHOP__URL", "http://gateway"),
            ("WA_WATCHDOG__TARGET__SHOP__SESSION", ""),
        ]);
        let settings = parse("", "environment", Path::new(""), &env).unwrap();
        assert_eq!(settings.targets["shop"].url, "http://gateway");
        assert_eq!(settings.targets["shop"].session, None, "an empty variable counts as not set");
    }

    #[test]
    fn other_variables_are_none_of_ours() {
        assert!(read(&[("PATH", "/bin"), ("WA_WATCHDOG_LOG", "debug"), ("XWA_WATCHDOG__MODE", "act")]).is_ok());
    }

    #[test]
    fn a_problem_names_the_variable() {
        let refused = read(&[
            ("WA_WATCHDOG__POLCY__POLL_EVERY", "15s"),
            ("WA_WATCHDOG__POLICY__POLL_EVERY", "15 parsecs"),
            ("WA_WATCHDOG__POLICY__STATE_LOOP__RETURNS_MIN", "many"),
            ("WA_WATCHDOG__POLICY__CONFLICT__LADDER", "[\"notify\", \"reset\"]"),
            ("WA_WATCHDOG__SERVER", "127.0.0.1:1"),
            ("WA_WATCHDOG__TARGET__OTHER__DIALECT", "waha"),
            ("WA_WATCHDOG__TARGET__SHOP_1__QR_PAGE", "16548"),
            ("WA_WATCHDOG__", "x"),
            ("WA_WATCHDOG__A____B", "x"),
            ("WA_WATCHDOG__A__B__C__D__E__F__G__H__I", "x"),
        ]);
        let problems: Vec<String> = refused.unwrap_err().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @r#"
        WA_WATCHDOG__: names no key
          hint: write sections and key in capitals with two underscores between, as in WA_WATCHDOG__SERVER__LISTEN
        WA_WATCHDOG__A__B__C__D__E__F__G__H__I: names no key
          hint: write sections and key in capitals with two underscores between, as in WA_WATCHDOG__SERVER__LISTEN
        WA_WATCHDOG__A____B: names no key
          hint: write sections and key in capitals with two underscores between, as in WA_WATCHDOG__SERVER__LISTEN
        WA_WATCHDOG__POLCY__POLL_EVERY: polcy: unknown key
          hint: did you mean "policy"?
        WA_WATCHDOG__POLICY__CONFLICT__LADDER: policy.conflict.ladder: reset is never done about conflict: the other client stays, and takes a new session as well
          hint: allowed here: notify, reconnect, restart
        WA_WATCHDOG__POLICY__POLL_EVERY: policy.poll_every: "15 parsecs" is not a time span
          hint: write a number and a unit, as in "15s", "10m" or "1h 30m"
        WA_WATCHDOG__POLICY__STATE_LOOP__RETURNS_MIN: policy.state_loop.returns_min: "many" is not a whole number
          hint: write digits alone, as in 3
        WA_WATCHDOG__SERVER: server: is a text, not a table
          hint: write it as a section, [server]
        WA_WATCHDOG__TARGET__OTHER__DIALECT: target.other.url: is missing
          hint: write where the gateway is, as in url = "http://localhost:3001"
        WA_WATCHDOG__TARGET__OTHER__DIALECT: target.other.session: is missing
          hint: dialect waha asks by session: write its name or number
        WA_WATCHDOG__TARGET__SHOP_1__QR_PAGE: target.Shop-1.qr_page: is not a URL: relative URL without a base
          hint: write it as in "http://localhost:3001"
        "#);
    }

    #[test]
    fn a_name_that_fits_two_targets_is_a_problem() {
        let file = FILE.replace("a.b", "SHOP.1");
        let env = env(&[("WA_WATCHDOG__TARGET__SHOP_1__URL", "http://h")]);
        let problems = parse(&file, "f", Path::new(""), &env).unwrap_err();
        insta::assert_snapshot!(problems[0], @r#"
        WA_WATCHDOG__TARGET__SHOP_1__URL: may mean each of "SHOP.1", "Shop-1"
          hint: variables cannot tell them apart: rename one, or write the key into the file
        "#);
        assert_eq!(problems.len(), 1);
    }

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<super::super::Problem>> {
        parse(FILE, "watchdog.toml", Path::new(""), &env(pairs))
    }

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}
