//! A JSON text rewritten leaf by leaf, with everything else as it was but the white space between.

use serde_json::Value;

/// The way from the root to a leaf.
pub(crate) type Path = [Step];

/// One step of that way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into an object; empty before its first key.
    Key(String),
    /// Into an array.
    Index(usize),
}

/// A value that holds no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf<'a> {
    /// The key of a member.
    Key(&'a str),
    /// A text.
    Text(&'a str),
    /// A number, as it is written.
    Number(&'a str),
}

/// Rewrites a JSON text; none where it is no JSON. `each` returns what stands in the place of a leaf, as a text; none: it stays.
pub(crate) fn rewrite(json: &[u8], each: &mut dyn FnMut(&Path, Leaf<'_>) -> Option<String>) -> Option<String> {
    // Whatever a dialect takes for JSON is JSON here, and nothing else.
    serde_json::from_slice::<Value>(json).ok()?;
    let mut rest = std::str::from_utf8(json).ok()?;
    let mut writer = Writer { out: String::with_capacity(rest.len()), path: Vec::new(), is_key_next: false, each };
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => text_length(rest),
            _ if is_plain(first) => rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, later) = rest.split_at_checked(length)?;
        writer.write(first, token);
        rest = later;
    }
    Some(writer.out)
}

struct Writer<'e> {
    out: String,
    path: Vec<Step>,
    is_key_next: bool,
    each: &'e mut dyn FnMut(&Path, Leaf<'_>) -> Option<String>,
}

impl Writer<'_> {
    fn write(&mut self, first: char, token: &str) {
        match first {
            '"' => return self.text(token),
            '-' | '0'..='9' => {
                let instead = (self.each)(&self.path, Leaf::Number(token));
                return self.put(token, instead);
            }
            '{' => self.path.push(Step::Key(String::new())),
            '[' => self.path.push(Step::Index(0)),
            '}' | ']' => drop(self.path.pop()),
            ',' => {
                if let Some(Step::Index(index)) = self.path.last_mut() {
                    *index = index.saturating_add(1);
                }
            }
            _ if first.is_ascii_whitespace() => return,
            _ => {}
        }
        self.is_key_next = matches!(first, '{' | ',') && matches!(self.path.last(), Some(Step::Key(_)));
        self.out.push_str(token);
    }

    fn text(&mut self, token: &str) {
        // It was parsed before.
        let text: String = serde_json::from_str(token).unwrap_or_default();
        if !std::mem::take(&mut self.is_key_next) {
            let instead = (self.each)(&self.path, Leaf::Text(&text));
            return self.put(token, instead);
        }
        let instead = (self.each)(&self.path, Leaf::Key(&text));
        self.put(token, instead);
        if let Some(Step::Key(key)) = self.path.last_mut() {
            *key = text;
        }
    }

    fn put(&mut self, token: &str, instead: Option<String>) {
        match instead {
            Some(text) => self.out.push_str(&Value::String(text).to_string()),
            None => self.out.push_str(token),
        }
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')
}

/// Returns how long a text is, with its quotes.
fn text_length(json: &str) -> usize {
    let mut is_escaped = false;
    let end = json.bytes().enumerate().skip(1).find(|(_, byte)| match byte {
        _ if std::mem::take(&mut is_escaped) => false,
        b'\\' => {
            is_escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    end.map_or(json.len(), |(at, _)| at.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_leaf_is_met_with_its_way() {
        let json = br#" { "a" : [ 1, "x\"y", { "b\n": -2.5e+3 } ], "c": null, "d": true, "": "" } "#;
        let mut met = Vec::new();
        let text = rewrite(json, &mut |path, leaf| {
            met.push(format!("{path:?} {leaf:?}"));
            None
        });
        assert_eq!(text.unwrap(), r#"{"a":[1,"x\"y",{"b\n":-2.5e+3}],"c":null,"d":true,"":""}"#);
        assert_eq!(met[1], r#"[Key("a"), Index(0)] Number("1")"#);
        assert_eq!(met[2], r#"[Key("a"), Index(1)] Text("x\"y")"#);
        assert_eq!(met[4], r#"[Key("a"), Index(2), Key("b\n")] Number("-2.5e+3")"#);
        assert_eq!(met.last().unwrap(), r#"[Key("")] Text("")"#);
        assert_eq!(rewrite(b"{", &mut |_, _| None), None);
    }

    #[test]
    fn a_leaf_is_replaced_by_a_text() {
        let text = rewrite(br#"{"a":7,"b":["x"]}"#, &mut |_, leaf| match leaf {
            Leaf::Key(key) => (key == "b").then(|| "k".to_owned()),
            Leaf::Text(text) | Leaf::Number(text) => Some(format!("<{text}>")),
        });
        assert_eq!(text.unwrap(), r#"{"a":"<7>","k":["<x>"]}"#);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_not_replaced_stays(value in json()) {
            let spread = serde_json::to_vec_pretty(&value).unwrap();
            prop_assert_eq!(rewrite(&spread, &mut |_, _| None).unwrap(), value.to_string());
        }
    }
}
