//! The part after the question mark.

/// A query as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a> {
    text: &'a str,
}

/// Says why a query is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadQuery {
    pub(super) what: String,
    pub(super) hint: String,
}

/// Longest part of a query that an error repeats, in characters.
const REPEATED_CHARS_MAX: usize = 40;

impl<'a> Query<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// Returns the values of the keys that may stand here, in their order; refuses every other key, and a key that comes
    /// twice. No value that means anything needs percent-encoding, so nothing is decoded.
    pub(super) fn only<const N: usize>(self, keys: &[&str; N]) -> Result<[Option<&'a str>; N], BadQuery> {
        let mut values = [None; N];
        for pair in self.text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = keys.iter().position(|known| *known == key).and_then(|at| values.get_mut(at));
            let Some(place) = place else { return Err(unknown_key(key, keys)) };
            if place.replace(value).is_some() {
                let what = format!("the query key {key:?} comes twice");
                return Err(BadQuery { what, hint: "give it once".to_owned() });
            }
        }
        Ok(values)
    }
}

/// Reads how many things to list.
pub(super) fn limit(text: Option<&str>, default: usize, most: usize) -> Result<usize, BadQuery> {
    let Some(text) = text else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| BadQuery::value("limit", text, &format!("use 1 to {most}")))
}

impl BadQuery {
    /// Says that a key cannot have this value.
    pub(super) fn value(key: &str, value: &str, hint: &str) -> Self {
        Self { what: format!("{key} cannot be {:?}", cut(value)), hint: hint.to_owned() }
    }
}

fn unknown_key(key: &str, keys: &[&str]) -> BadQuery {
    let hint = if keys.is_empty() { "this route takes none".to_owned() } else { format!("use {}", keys.join(", ")) };
    BadQuery { what: format!("the query key {:?} is not known here", cut(key)), hint }
}

fn cut(text: &str) -> String {
    text.chars().take(REPEATED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_keys_are_taken_each_once() {
        let of = |text| Query::new(text).only(&["open", "limit"]);
        assert_eq!(of(""), Ok([None, None]));
        assert_eq!(of("limit=5&open=true"), Ok([Some("true"), Some("5")]));
        assert_eq!(of("open"), Ok([Some(""), None]));
        assert_eq!(of("opne=true").unwrap_err().hint, "use open, limit");
        assert_eq!(of("limit=1&limit=2").unwrap_err().what, "the query key \"limit\" comes twice");
        assert_eq!(Query::new("x").only(&[]).unwrap_err().hint, "this route takes none");
    }

    #[test]
    fn an_error_repeats_only_the_start_of_what_came() {
        let long = "k".repeat(10_000);
        assert!(Query::new(&long).only(&[]).unwrap_err().what.len() < 100);
        assert!(BadQuery::value("limit", &long, "").what.len() < 100);
    }
}
