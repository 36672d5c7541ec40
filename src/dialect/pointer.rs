//! Where in a body something stands.

use serde_json::Value;

/// A JSON Pointer (RFC 6901), split once so that following it allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    steps: Vec<Step>,
    /// What a body must name for the pointer to lead anywhere.
    first: Keys,
}

#[derive(Clone, Debug)]
struct Step {
    key: String,
    /// The same step as a place in an array, if it can be one.
    index: Option<usize>,
}

impl Pointer {
    /// Splits and checks a pointer; says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self { steps: Vec::new(), first: Keys::ALWAYS });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("{text:?} does not start with '/'"));
        };
        let steps: Option<Vec<Step>> = rest.split('/').map(Step::parse).collect();
        let pointer = |steps: Vec<Step>| {
            let first = steps.first().map_or(Keys::ALWAYS, |step| Keys::named(&step.key));
            Self { steps, first }
        };
        steps.map(pointer).ok_or_else(|| format!("{text:?} has a '~' that is neither ~0 nor ~1"))
    }

    /// Follows the pointer.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(root, |at, step| match at {
            Value::Object(map) => map.get(step.key.as_str()),
            Value::Array(list) => list.get(step.index?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// Returns the key that it ends with.
    pub(super) fn last_key(&self) -> &str {
        self.steps.last().map_or("", |step| step.key.as_str())
    }
}

impl Step {
    fn parse(text: &str) -> Option<Self> {
        let escapes_are_known = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        escapes_are_known.then(|| Self { key: text.replace("~1", "/").replace("~0", "~"), index: text.parse().ok() })
    }
}

/// The keys of a body as a set that may hold more than it should. Most pointers of a dialect lead nowhere in any one body, and
/// this tells so without a search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys(u64);

impl Keys {
    const ALWAYS: Self = Self(1 << 63);

    /// Takes in the keys of a body; one that has none of its own may hold anything.
    pub(super) fn of(body: &Value) -> Self {
        match body {
            Value::Object(map) => map.keys().fold(Self::ALWAYS, |keys, key| Self(keys.0 | Self::named(key).0)),
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Self(u64::MAX),
        }
    }

    /// One key: a bit by its length and its ends, where keys differ most.
    fn named(key: &str) -> Self {
        let ends = [key.as_bytes().first(), key.as_bytes().last()].map(|byte| byte.copied().map_or(0, usize::from));
        let place = ends.iter().fold(key.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)) % 63;
        Self(1 << place)
    }

    fn may_hold(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Pointers to where one thing may stand, the best first.
#[derive(Clone, Debug)]
pub(super) struct Place(pub(super) Vec<Pointer>);

impl Place {
    /// Returns the first thing found: a value that is neither missing, nor null, nor a blank text.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.find_among(root, Keys::of(root))
    }

    /// Does the same with the keys of the body at hand, for who looks for many things in it.
    pub(super) fn find_among<'v>(&self, root: &'v Value, keys: Keys) -> Option<&'v Value> {
        let promising = self.0.iter().filter(|pointer| keys.may_hold(pointer.first));
        promising.filter_map(|pointer| pointer.find(root)).find(|value| holds_something(value))
    }

    /// Returns the first text found.
    pub(super) fn find_text<'v>(&self, root: &'v Value) -> Option<&'v str> {
        let text = |pointer: &Pointer| pointer.find(root)?.as_str().map(str::trim).filter(|text| !text.is_empty());
        self.0.iter().find_map(text)
    }

    /// Tells whether the body names the place at all, be it with null.
    pub(super) fn is_named(&self, root: &Value) -> bool {
        self.0.iter().any(|pointer| pointer.find(root).is_some())
    }
}

fn holds_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
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
    fn no_pointer_that_leads_somewhere_is_passed_over() {
        let find = |text: &str, body: &Value| Place(vec![Pointer::parse(text).unwrap()]).find(body).cloned();
        for key in ["connected", "hasQR", "a", "", "ä", "state", "status"] {
            let body = json!({key: 1, "other": {"x": 2}});
            assert_eq!(find(&format!("/{key}"), &body), Some(json!(1)), "{key}");
            assert_eq!(find("/other/x", &body), Some(json!(2)));
        }
        assert_eq!(find("", &json!({})), Some(json!({})));
        assert_eq!(find("/0", &json!([7])), Some(json!(7)));
        assert!(!Keys::of(&json!({"connected": true})).may_hold(Keys::named("hasQR")));
    }

    #[test]
    fn a_bad_pointer_says_why() {
        assert!(Pointer::parse("a/b").unwrap_err().contains("start with '/'"));
        for bad in ["/a~", "/a~2", "/~~0"] {
            assert!(Pointer::parse(bad).unwrap_err().contains('~'), "{bad}");
        }
    }

    #[test]
    fn a_place_passes_over_null_and_blank() {
        let place = Place(["/a", "/b", "/c"].map(|text| Pointer::parse(text).unwrap()).into());
        assert_eq!(place.find(&json!({"a": null, "b": " ", "c": false})), Some(&json!(false)));
        assert_eq!(place.find(&json!({"a": null})), None);
        assert!(place.is_named(&json!({"b": null})) && !place.is_named(&json!({"d": 1})));
    }
}
