//! JSON that is written as TOML.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::node::{Node, Value};
use super::placeholder;
use super::problem::Report;
use super::section::Item;

/// Longest body, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Most places of an answer that are looked at.
const POINTERS_MAX: usize = 16;

/// Reads a body: a table, with placeholders in its texts.
pub(super) fn body(item: &Item, report: &mut Report) -> Option<Json> {
    let Value::Table(_) = item.node.value else {
        item.wrong(report, "a table", "write it as in { text = \"${target} was restarted\" }");
        return None;
    };
    let json = of_node(item, &item.node, report)?;
    if let Err((what, hint)) = check_texts(&json) {
        item.refuse(report, what, hint);
        return None;
    }
    if BODY_BYTES_MAX < json.to_string().len() {
        item.refuse(report, format!("is longer than {BODY_BYTES_MAX} bytes"), "write less");
        return None;
    }
    Some(json)
}

/// Reads what must stand where in an answer: JSON Pointers (RFC 6901) and values.
pub(super) fn expected(item: Item, report: &mut Report) -> Option<BTreeMap<String, Json>> {
    let whole = item.clone();
    let hint = "write JSON Pointers and the values that must stand there, as in { \"/success\" = true }";
    let mut section = match item.node.value {
        Value::Table(_) => item.section(report)?,
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Flag(_) | Value::List(_) | Value::Other(_) => {
            item.wrong(report, "a table", hint);
            return None;
        }
    };
    let items = section.take_all();
    if items.is_empty() || POINTERS_MAX < items.len() {
        whole.refuse(report, format!("has {} pointers", items.len()), format!("write 1 to {POINTERS_MAX}"));
        return None;
    }
    let mut expected = BTreeMap::new();
    for (pointer, item) in items {
        if !is_pointer(&pointer) {
            item.refuse(report, "is not a JSON Pointer", hint);
            return None;
        }
        expected.insert(pointer, of_node(&item, &item.node, report)?);
    }
    Some(expected)
}

/// Recursion ends: the parser refuses more than 80 levels.
fn of_node(item: &Item, node: &Node, report: &mut Report) -> Option<Json> {
    Some(match &node.value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Decimal(number) => Json::from(*number),
        Value::Flag(flag) => Json::from(*flag),
        Value::List(list) => Json::Array(list.iter().map(|node| of_node(item, node, report)).collect::<Option<_>>()?),
        Value::Table(table) => {
            let entry = |(key, node): (&String, &Node)| Some((key.clone(), of_node(item, node, report)?));
            Json::Object(table.iter().map(entry).collect::<Option<_>>()?)
        }
        Value::Other(kind) => {
            let hint = "JSON has texts, numbers, true, false, lists and tables";
            report.refuse(&node.at, &item.key, format!("holds {kind}"), hint);
            return None;
        }
    })
}

fn check_texts(json: &Json) -> Result<(), (String, String)> {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
        Json::String(text) => placeholder::check(text),
        Json::Array(list) => list.iter().try_for_each(check_texts),
        Json::Object(table) => table.iter().try_for_each(|(key, value)| {
            if placeholder::is_in(key) {
                let hint = "placeholders stand in texts; write keys as they are";
                return Err(("has a placeholder in a key".to_owned(), hint.to_owned()));
            }
            check_texts(value)
        }),
    }
}

fn is_pointer(text: &str) -> bool {
    let is_escape = |part: &str| part.starts_with(['0', '1']);
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(is_escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_begin_with_a_slash() {
        assert!(["", "/", "/a/0/b", "/a~1b~0c"].into_iter().all(is_pointer));
        assert!(["a", "success", "/a~", "/a~2"].into_iter().all(|text| !is_pointer(text)));
    }
}
