//! Texts of an operator in which what is being done is still open: `https://host/restart/${target}`.
//!
//! A body is parsed first and filled in afterwards, leaf by leaf, so that no value can break out of its place. In a URL each value
//! is percent-encoded, and stands in path or query alone.

use std::borrow::Cow;

use reqwest::Url;
use serde_json::Value;

const OPEN: &str = "${";
const CLOSE: char = '}';

/// What can be left open in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// The number of the attempt.
    Attempt,
    /// The key under which a step is done once.
    Key,
    /// The name of the step.
    Step,
    /// Which try of this call it is, from 1.
    Try,
    /// The target's name.
    Target,
    /// The remedy.
    Remedy,
    /// The pattern; empty where a person ordered the remedy without an incident.
    Pattern,
    /// Why, in one line.
    Reason,
}

/// What the placeholders stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// `${run.attempt}`
    pub attempt: String,
    /// `${run.key}`
    pub key: String,
    /// `${run.step}`
    pub step: String,
    /// `${run.try}`
    pub tries: u32,
    /// `${target}`
    pub target: String,
    /// `${remedy}`
    pub remedy: String,
    /// `${pattern}`
    pub pattern: String,
    /// `${reason}`
    pub reason: String,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A placeholder does not end.
    #[error("has a \"${{\" without its \"}}\"")]
    Unclosed,
    /// Nobody knows this placeholder.
    #[error("has a placeholder that does not exist: ${{{0}}}")]
    Unknown(String),
    /// A placeholder decides whom to ask.
    #[error("has a placeholder before its path")]
    InHost,
    /// It is no URL.
    #[error("is not a URL: {0}")]
    NotAUrl(String),
}

impl Placeholder {
    /// Every placeholder.
    pub const ALL: [Self; 8] =
        [Self::Attempt, Self::Key, Self::Step, Self::Try, Self::Target, Self::Remedy, Self::Pattern, Self::Reason];

    /// Returns what stands between `${` and `}`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attempt => "run.attempt",
            Self::Key => "run.key",
            Self::Step => "run.step",
            Self::Try => "run.try",
            Self::Target => "target",
            Self::Remedy => "remedy",
            Self::Pattern => "pattern",
            Self::Reason => "reason",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

impl Values {
    fn get(&self, placeholder: Placeholder) -> Cow<'_, str> {
        match placeholder {
            Placeholder::Attempt => (&self.attempt).into(),
            Placeholder::Key => (&self.key).into(),
            Placeholder::Step => (&self.step).into(),
            Placeholder::Try => self.tries.to_string().into(),
            Placeholder::Target => (&self.target).into(),
            Placeholder::Remedy => (&self.remedy).into(),
            Placeholder::Pattern => (&self.pattern).into(),
            Placeholder::Reason => (&self.reason).into(),
        }
    }
}

/// Says what is wrong with a text.
pub fn check(text: &str) -> Result<(), Flaw> {
    for part in parts(text) {
        match part {
            Part::Text(_) => {}
            Part::Open(name) if Placeholder::named(name).is_some() => {}
            Part::Open(name) => return Err(Flaw::Unknown(name.to_owned())),
            Part::Unclosed(_) => return Err(Flaw::Unclosed),
        }
    }
    Ok(())
}

/// Says what is wrong with a URL: placeholders stand in its path and query alone.
pub fn check_url(url: &str) -> Result<(), Flaw> {
    check(url)?;
    if url.get(..path_start(url)).is_some_and(|head| head.contains(OPEN)) {
        return Err(Flaw::InHost);
    }
    // Any value will do: it is encoded, and the rest of the URL stays.
    let sample = Values { attempt: "x".to_owned(), ..Values::default() };
    Url::parse(&fill_encoded(url, &sample)).map(drop).map_err(|error| Flaw::NotAUrl(error.to_string()))
}

/// Says what is wrong with the texts in a body. Its keys are taken as they are.
pub fn check_json(body: &Value) -> Result<(), Flaw> {
    match body {
        Value::String(text) => check(text),
        Value::Array(list) => list.iter().try_for_each(check_json),
        Value::Object(map) => map.values().try_for_each(check_json),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Fills in a URL. None if a value would climb in its path, or if it is no URL.
#[must_use]
pub fn fill_url(url: &str, values: &Values) -> Option<Url> {
    let filled = fill_encoded(url, values);
    let path = filled.get(path_start(&filled)..).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    // An encoded dot climbs like a plain one (WHATWG URL, 4.5).
    let climbs = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if path.split(['/', '\\']).any(climbs) {
        return None;
    }
    Url::parse(&filled).ok()
}

/// Fills in the texts of a body. A text that is nothing but `${run.try}` becomes a number.
#[must_use]
pub fn fill_json(body: &Value, values: &Values) -> Value {
    match body {
        Value::String(text) if text == "${run.try}" => Value::from(values.tries),
        Value::String(text) => Value::String(fill(text, |placeholder| values.get(placeholder))),
        Value::Array(list) => list.iter().map(|leaf| fill_json(leaf, values)).collect(),
        Value::Object(map) => map.iter().map(|(key, leaf)| (key.clone(), fill_json(leaf, values))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
    }
}

fn fill_encoded(url: &str, values: &Values) -> String {
    fill(url, |placeholder| encoded(&values.get(placeholder)).into())
}

fn fill<'v>(text: &str, value: impl Fn(Placeholder) -> Cow<'v, str>) -> String {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) | Part::Unclosed(text) => filled.push_str(text),
            Part::Open(name) => filled.push_str(&Placeholder::named(name).map_or(Cow::Borrowed(""), &value)),
        }
    }
    filled
}

enum Part<'t> {
    Text(&'t str),
    Open(&'t str),
    Unclosed(&'t str),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(after) = rest.strip_prefix(OPEN) else {
            let (plain, later) = rest.split_at(rest.find(OPEN).unwrap_or(rest.len()));
            rest = later;
            return Some(Part::Text(plain));
        };
        let Some((name, later)) = after.split_once(CLOSE) else {
            return Some(Part::Unclosed(std::mem::take(&mut rest)));
        };
        rest = later;
        Some(Part::Open(name))
    })
}

/// Returns where the path of a URL begins, or whatever comes instead of it.
fn path_start(url: &str) -> usize {
    let host = url.find("://").map_or(0, |at| at.saturating_add(3));
    let rest = url.get(host..).unwrap_or_default();
    rest.find(['/', '?', '#', '\\']).map_or(url.len(), |at| host.saturating_add(at))
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
            encoded.extend(std::iter::once('%').chain(digits.map(|digit| digit.to_ascii_uppercase())));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values() -> Values {
        Values {
            attempt: "0194d8e2".to_owned(),
            key: "wd_0194d8e2_1_run".to_owned(),
            step: "run".to_owned(),
            tries: 2,
            target: "shop".to_owned(),
            remedy: "restart".to_owned(),
            pattern: "state_loop".to_owned(),
            reason: "a \"b\"/../c ${target}\u{fc}".to_owned(),
        }
    }

    #[test]
    fn a_value_cannot_break_the_structure_of_a_body() {
        let body =
            json!({"${target}": ["${reason}", {"try": "${run.try}", "text": "try ${run.try} of ${target}"}], "n": 1});
        let filled = fill_json(&body, &values());
        let expected = json!({
            "${target}": ["a \"b\"/../c ${target}ü", {"try": 2, "text": "try 2 of shop"}],
            "n": 1
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn a_value_stays_in_its_place_of_a_url() {
        let url = |text: &str| fill_url(text, &values()).map(String::from);
        assert_eq!(
            url("https://a.example/x/${target}?why=${run.try}"),
            Some("https://a.example/x/shop?why=2".to_owned())
        );
        let reason = "a%20%22b%22%2F..%2Fc%20%24%7Btarget%7D%C3%BC";
        assert_eq!(url("https://a.example/${reason}/x"), Some(format!("https://a.example/{reason}/x")));
        let dots = Values { reason: "..".to_owned(), ..values() };
        for climbing in
            ["http://a.example/x/${reason}/y", "http://a.example/x/%2E${reason}", "http://a.example/${reason}?x"]
        {
            let value =
                if climbing.contains("%2E") { Values { reason: ".".to_owned(), ..values() } } else { dots.clone() };
            assert_eq!(fill_url(climbing, &value), None, "{climbing}");
        }
        assert!(fill_url("http://a.example/v${reason}?x=${reason}", &dots).is_some());
    }

    #[test]
    fn a_text_is_checked() {
        for good in ["", "plain", "$x {y}", "${target}${reason}", "a ${run.attempt} b"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check("${targets}"), Err(Flaw::Unknown("targets".to_owned())));
        assert_eq!(check("a ${target"), Err(Flaw::Unclosed));
        assert_eq!(
            check_json(&json!([{"a": "${x}"}])).unwrap_err().to_string(),
            "has a placeholder that does not exist: ${x}"
        );
        for placeholder in Placeholder::ALL {
            assert_eq!(check(&format!("${{{}}}", placeholder.as_str())), Ok(()));
        }
    }

    #[test]
    fn no_placeholder_decides_whom_to_ask() {
        for good in ["http://a.example/${target}", "http://a.example?x=${target}", "http://a.example:8080/"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "http://${target}/",
            "${target}://a.example/",
            "http://a.example:${run.try}/",
            "http://a.${target}",
            "${target}",
        ] {
            assert_eq!(check_url(bad), Err(Flaw::InHost), "{bad}");
        }
        assert!(matches!(check_url("a.example/x"), Err(Flaw::NotAUrl(_))));
    }
}
