//! The tree that files, variables, flags and recordings are turned into: values that know where they came from.
//!
//! serde is no help here: it stops at the first error, and loses the lines of keys that nobody knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) source: Arc<str>,
    pub(super) line: Option<usize>,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
    /// What was typed into a variable, for keys that want text: there `16548` and `15s` need no quotes.
    pub(super) typed: Option<String>,
}

/// A value's form.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Decimal(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// A form that no key wants, in words.
    Other(&'static str),
}

/// Values by key.
pub(super) type Table = BTreeMap<String, Node>;

/// The lines of a text.
struct Lines {
    source: Arc<str>,
    /// Where each line starts, in bytes. Counting anew for each of a fleet's keys would take minutes.
    starts: Vec<usize>,
}

impl Place {
    /// Names a file, or something else that values come from, and a line in it.
    pub(super) fn file(source: &str, line: Option<usize>) -> Self {
        Self { source: source.into(), line }
    }

    /// Makes a problem of this place.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            source: self.source.as_ref().to_owned(),
            line: self.line,
            key: key.to_owned(),
            what: what.into(),
            hint: hint.into(),
        }
    }
}

impl Node {
    /// Makes a table.
    pub(super) fn table(at: Place, table: Table) -> Self {
        Self { at, value: Value::Table(table), typed: None }
    }

    /// Makes a text.
    pub(super) fn text(at: Place, text: impl Into<String>) -> Self {
        Self { at, value: Value::Text(text.into()), typed: None }
    }

    /// Reads what was typed into a variable: TOML if it is, else a text.
    pub(super) fn typed(at: Place, text: &str) -> Self {
        let typed = Some(text.to_owned());
        let value = match DeValue::parse(text) {
            // Its own lines are not those of a file.
            Ok(value) => Self::of_toml(value.get_ref(), &at, &|_| at.clone()).value,
            Err(_) => Value::Text(text.to_owned()),
        };
        Self { at, value, typed }
    }

    /// Reads a value of a recording's header.
    pub(super) fn of_json(value: &serde_json::Value, at: &Place) -> Self {
        use serde_json::Value as Json;
        let value = match value {
            Json::Null => Value::Other("nothing"),
            Json::Bool(flag) => Value::Flag(*flag),
            Json::Number(number) => number.as_i64().map_or_else(|| decimal(number.as_f64()), Value::Integer),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(list) => Value::List(list.iter().map(|value| Self::of_json(value, at)).collect()),
            Json::Object(table) => Value::Table(of_json(table, at)),
        };
        Self { at: at.clone(), value, typed: None }
    }

    /// Recursion ends: the parser refuses more than 80 levels.
    fn of_toml(value: &DeValue<'_>, at: &Place, place: &dyn Fn(usize) -> Place) -> Self {
        let value = match value {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number beyond every limit"), Value::Integer),
            DeValue::Float(number) => decimal(number.as_str().parse().ok()),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Other("a date or time without quotes"),
            DeValue::Array(list) => {
                let item =
                    |item: &Spanned<DeValue<'_>>| Self::of_toml(item.get_ref(), &place(item.span().start), place);
                Value::List(list.iter().map(item).collect())
            }
            DeValue::Table(table) => Value::Table(of_toml(table, place)),
        };
        Self { at: at.clone(), value, typed: None }
    }
}

impl Value {
    /// Names the form for a person.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Decimal(_) => "a decimal number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

impl Lines {
    fn new(text: &str, source: &str) -> Self {
        let starts = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next);
        Self { source: source.into(), starts: starts.collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.starts.partition_point(|start| *start <= offset);
        Place { source: Arc::clone(&self.source), line: Some(before.saturating_add(1)) }
    }
}

/// Reads a TOML file. A syntax error is one problem: what comes after it cannot be trusted.
pub(super) fn parse(text: &str, source: &str) -> Result<Table, Problem> {
    let lines = Lines::new(text, source);
    match DeTable::parse(text) {
        Ok(table) => Ok(of_toml(table.get_ref(), &|offset| lines.place(offset))),
        Err(error) => {
            let at = lines.place(error.span().map_or(0, |span| span.start));
            Err(at.problem(
                "",
                one_line(error.message()),
                "mend the TOML (texts stand in quotes); other problems are looked for then",
            ))
        }
    }
}

/// Reads a header of a recording.
pub(super) fn of_json(header: &serde_json::Map<String, serde_json::Value>, at: &Place) -> Table {
    header.iter().map(|(key, value)| (key.clone(), Node::of_json(value, at))).collect()
}

/// Lays one tree over another: it wins, key by key.
pub(super) fn lay_over(below: &mut Table, above: Table) {
    for (key, node) in above {
        match (below.get_mut(&key).map(|node| &mut node.value), node.value) {
            (Some(Value::Table(under)), Value::Table(over)) if node.typed.is_none() => lay_over(under, over),
            (_, value) => {
                below.insert(key, Node { value, ..node });
            }
        }
    }
}

fn of_toml(table: &DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Table {
    let entry = |(key, value): (&Spanned<toml::de::DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let name = key.get_ref().clone().into_owned();
        // A value begins on its key's line; the key's place also fits a table that no line of its own begins.
        (name, Node::of_toml(value.get_ref(), &place(key.span().start), place))
    };
    table.iter().map(entry).collect()
}

/// Keeps a decimal number if it is one: JSON has no infinity.
fn decimal(number: Option<f64>) -> Value {
    number.filter(|number| number.is_finite()).map_or(Value::Other("a number beyond every limit"), Value::Decimal)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_knows_its_line() {
        let text = "\u{feff}a.b = 1\n\n[c.d]\ne = { f = 1,\n g = [\n2, 3] }\r\n[\"c\".h]\ni = 0x10\n";
        let tree = parse(text, "f").unwrap();
        let lines = ["a", "a.b", "c", "c.d", "c.d.e", "c.d.e.f", "c.d.e.g", "c.h", "c.h.i"].map(|key| line(&tree, key));
        assert_eq!(lines, [1, 1, 3, 3, 4, 4, 5, 7, 8]);
        let Value::List(list) = &node(&tree, "c.d.e.g").value else { panic!("not a list") };
        assert_eq!(list[0].at.line, Some(6));
    }

    #[test]
    fn a_syntax_error_is_one_problem_with_its_line() {
        let problem = parse("a = 1\nb = = 2\nc = = 3\n", "f").unwrap_err();
        assert_eq!((problem.line, problem.key.as_str()), (Some(2), ""));
        assert!(!problem.what.is_empty() && !problem.what.contains('\n'));
        assert_eq!(parse("a = 1\n\nb", "f").unwrap_err().line, Some(3));
        assert!(parse(&"a.".repeat(100_000), "f").is_err());
    }

    #[test]
    fn the_tree_above_wins_key_by_key() {
        let mut tree = parse("a = 1\n[b]\nc = 2\nd = 3\n", "below").unwrap();
        lay_over(&mut tree, parse("a = { x = 1 }\n[b]\nd = 4\n[e]\n", "above").unwrap());
        let sources = ["a", "b.c", "b.d", "e"].map(|key| node(&tree, key).at.source.to_string());
        assert_eq!(sources, ["above", "below", "above", "above"]);
    }

    #[test]
    fn what_was_typed_is_toml_if_it_can_be() {
        let kind = |text| Node::typed(Place::file("v", None), text).value.kind();
        assert_eq!(
            ["15s", "16548", "'x'", "[\"a\"]", "[a"].map(kind),
            ["a text", "a whole number", "a text", "a list", "a text"]
        );
    }

    fn node<'a>(tree: &'a Table, path: &str) -> &'a Node {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        match (&tree[first], rest) {
            (node, None) => node,
            (Node { value: Value::Table(table), .. }, Some(rest)) => node(table, rest),
            (node, Some(_)) => panic!("{first} is {}", node.value.kind()),
        }
    }

    fn line(tree: &Table, path: &str) -> usize {
        node(tree, path).at.line.unwrap()
    }
}
