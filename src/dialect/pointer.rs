//! Where in a body something stands.

use serde_json::Value;

use super::leaves::{self, Path};

/// A JSON Pointer (RFC 6901), split once so that following it allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    steps: Vec<Step>,
}

/// One step of a pointer.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) key: String,
    /// The same step as a place in an array, if it can be one.
    index: Option<usize>,
}

impl Pointer {
    /// Splits and checks a pointer; says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self { steps: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("{text:?} does not start with '/'"));
        };
        let steps: Option<Vec<Step>> = rest.split('/').map(Step::parse).collect();
        steps.map(|steps| Self { steps }).ok_or_else(|| format!("{text:?} has a '~' that is neither ~0 nor ~1"))
    }

    /// Follows the pointer.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(root, |at, step| step.find(at))
    }

    /// Tells whether a way through a body ends with it; the start may lead to an element of a list.
    pub(super) fn ends(&self, path: &Path) -> bool {
        let start = path.len().checked_sub(self.steps.len());
        let end = start.and_then(|start| path.get(start..)).filter(|end| !end.is_empty());
        end.is_some_and(|end| end.iter().zip(&self.steps).all(|(taken, step)| step.is(taken)))
    }

    /// Splits the first step off; none where the pointer means the whole.
    pub(super) fn split_first(&self) -> Option<(Step, Self)> {
        let (first, rest) = self.steps.split_first()?;
        Some((first.clone(), Self { steps: rest.to_vec() }))
    }

    /// Returns the key that it ends with.
    pub(super) fn last_key(&self) -> &str {
        self.steps.last().map_or("", |step| step.key.as_str())
    }
}

impl Step {
    /// Takes the step.
    pub(super) fn find<'v>(&self, at: &'v Value) -> Option<&'v Value> {
        match at {
            Value::Object(map) => map.get(self.key.as_str()),
            Value::Array(list) => list.get(self.index?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn is(&self, taken: &leaves::Step) -> bool {
        match taken {
            leaves::Step::Key(key) => *key == self.key,
            leaves::Step::Index(index) => Some(*index) == self.index,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let escapes_are_known = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        escapes_are_known.then(|| Self { key: text.replace("~1", "/").replace("~0", "~"), index: text.parse().ok() })
    }
}

/// Pointers to where one thing may stand, the best first.
#[derive(Clone, Debug)]
pub(super) struct Place(pub(super) Vec<Pointer>);

impl Place {
    /// Returns the first text found.
    pub(super) fn find_text<'v>(&self, root: &'v Value) -> Option<&'v str> {
        let text = |pointer: &Pointer| pointer.find(root)?.as_str().map(str::trim).filter(|text| !text.is_empty());
        self.0.iter().find_map(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_follows_objects_arrays_and_escapes() {
        let body = json!({"a": {"b/c": [10, {"~": true}]}, "0": "key"});
        let find = |text: &str| Pointer::parse(text).unwrap().find(&body).cloned();
        assert_eq!(find("/a/b~1c/0"), Some(json!(10)));
        assert_eq!(find("/a/b~1c/1/~0"), Some(json!(true)));
        assert_eq!(find("/0"), Some(json!("key")));
        assert_eq!(find(""), Some(body.clone()));
        for nowhere in ["/x", "/a/b~1c/2", "/a/b~1c/x", "/0/1", "/a/"] {
            assert_eq!(find(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_bad_pointer_says_why() {
        assert!(Pointer::parse("a/b").unwrap_err().contains("start with '/'"));
        for bad in ["/a~", "/a~2", "/~~0"] {
            assert!(Pointer::parse(bad).unwrap_err().contains('~'), "{bad}");
        }
    }
}
