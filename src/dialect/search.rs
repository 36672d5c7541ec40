//! Every place of a dialect looked up in one pass over a body.

use serde_json::Value;

use super::pointer::{Place, Pointer, Step};
use super::rule::{PlaceId, Token};

/// The places of a dialect by the first step to them, and the words that its rules compare with.
///
/// A body has few keys and a dialect many places, so a search goes from the keys to the places.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// How many places there are.
    count: usize,
    /// Sorted by the step's key.
    steps: Vec<(Step, Vec<Way>)>,
    /// The places that mean the whole body.
    whole: Vec<PlaceId>,
    words: Words,
}

/// The rest of the way to a place.
#[derive(Clone, Debug)]
struct Way {
    place: PlaceId,
    /// Which of the place's pointers it is; the first that holds something counts.
    rank: usize,
    rest: Pointer,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'v> {
    /// Something that is neither null nor blank.
    pub(super) value: Option<&'v Value>,
    /// Which known word it is.
    pub(super) token: Option<Token>,
    /// Whether the body names the place at all, be it with null.
    pub(super) is_named: bool,
    rank: usize,
}

/// The words, numbers and flags that rules compare with, in lower case, each with its token.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    sorted: Vec<(String, Token)>,
    numbers: Vec<(i64, Token)>,
}

impl Search {
    /// Sorts the places of a dialect, given by number.
    pub(super) fn new(places: &[Place], words: Words) -> Self {
        let mut search = Self { count: places.len(), words, ..Self::default() };
        for (place, pointers) in places.iter().enumerate() {
            for (rank, pointer) in pointers.0.iter().enumerate() {
                search.add(place, rank, pointer);
            }
        }
        search.steps.sort_by(|(left, _), (right, _)| left.key.cmp(&right.key));
        search
    }

    fn add(&mut self, place: PlaceId, rank: usize, pointer: &Pointer) {
        let Some((first, rest)) = pointer.split_first() else {
            self.whole.push(place);
            return;
        };
        let way = Way { place, rank, rest };
        match self.steps.iter_mut().find(|(step, _)| step.key == first.key) {
            Some((_, ways)) => ways.push(way),
            None => self.steps.push((first, vec![way])),
        }
    }

    /// Returns what stands at each place, by number.
    pub(super) fn find<'v>(&self, body: &'v Value) -> Vec<Found<'v>> {
        let mut found = vec![Found::default(); self.count];
        for place in &self.whole {
            self.note(&mut found, *place, 0, body);
        }
        if let Value::Object(map) = body {
            for (key, value) in map {
                let step = self.steps.binary_search_by(|(step, _)| step.key.as_str().cmp(key));
                let ways = step.ok().and_then(|step| self.steps.get(step)).map(|(_, ways)| ways);
                self.follow(&mut found, ways, value);
            }
        } else {
            for (step, ways) in &self.steps {
                step.find(body).into_iter().for_each(|value| self.follow(&mut found, Some(ways), value));
            }
        }
        found
    }

    fn follow<'v>(&self, found: &mut [Found<'v>], ways: Option<&Vec<Way>>, value: &'v Value) {
        for way in ways.into_iter().flatten() {
            if let Some(value) = way.rest.find(value) {
                self.note(found, way.place, way.rank, value);
            }
        }
    }

    fn note<'v>(&self, found: &mut [Found<'v>], place: PlaceId, rank: usize, value: &'v Value) {
        let Some(known) = found.get_mut(place) else { return };
        known.is_named = true;
        if holds_something(value) && (known.value.is_none() || rank < known.rank) {
            *known = Found { value: Some(value), token: self.words.token(value), is_named: true, rank };
        }
    }
}

impl Words {
    /// Sorts words in lower case.
    pub(super) fn new(words: impl Iterator<Item = (String, Token)>) -> Self {
        let mut sorted: Vec<(String, Token)> = words.collect();
        sorted.sort();
        let numbers = sorted.iter().filter_map(|(word, token)| Some((word.parse().ok()?, *token))).collect();
        Self { sorted, numbers }
    }

    /// Returns which known word a value is. Gateways write the same number, flag or word in several ways; all are equal here.
    fn token(&self, value: &Value) -> Option<Token> {
        match value {
            Value::String(text) => self.token_of(text.trim()),
            Value::Bool(flag) => self.token_of(if *flag { "true" } else { "false" }),
            Value::Number(number) => {
                let number = number.as_i64()?;
                self.numbers.iter().find(|(own, _)| *own == number).map(|(_, token)| *token)
            }
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn token_of(&self, text: &str) -> Option<Token> {
        let lower = || text.bytes().map(|byte| byte.to_ascii_lowercase());
        let place = self.sorted.binary_search_by(|(word, _)| word.bytes().cmp(lower())).ok()?;
        self.sorted.get(place).map(|(_, token)| *token)
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
    fn a_place_passes_over_null_and_blank() {
        let found = |body: &Value| search().find(body).first().and_then(|found| found.value.cloned());
        assert_eq!(found(&json!({"c": false, "b": " ", "a": null})), Some(json!(false)));
        assert_eq!(found(&json!({"c": 3, "b": {"x": 2}, "a": 1})), Some(json!(1)));
        assert_eq!(found(&json!({"c": 3, "b": {"x": 2}})), Some(json!(2)));
        assert_eq!(found(&json!({"a": null})), None);
        assert_eq!(found(&json!("a")), None);
    }

    #[test]
    fn a_place_is_named_even_with_null() {
        let is_named = |body: &Value| search().find(body)[0].is_named;
        assert!(is_named(&json!({"a": null})) && is_named(&json!({"a": 1, "c": null})) && !is_named(&json!({"d": 1})));
    }

    #[test]
    fn a_body_can_be_an_array_or_a_text() {
        let places =
            [["/0/a"], ["/1"], [""]].map(|texts| Place(texts.map(|text| Pointer::parse(text).unwrap()).into()));
        let body = json!([{"a": 7}, 8]);
        let found = Search::new(&places, Words::default()).find(&body).into_iter().map(|found| found.value);
        assert_eq!(found.collect::<Vec<_>>(), [Some(&json!(7)), Some(&json!(8)), Some(&body)]);
    }

    #[test]
    fn numbers_flags_and_words_compare_however_they_are_written() {
        let words = ["440", "true", "conflict", "open"];
        let words = Words::new(words.iter().enumerate().map(|(token, word)| ((*word).to_owned(), token)));
        for (value, token) in [
            (json!(440), Some(0)),
            (json!(" 440 "), Some(0)),
            (json!(true), Some(1)),
            (json!("True"), Some(1)),
            (json!("CONFLICT"), Some(2)),
            (json!(false), None),
            (json!(1), None),
            (json!(440.5), None),
            (json!("opening"), None),
            (json!(["open"]), None),
        ] {
            assert_eq!(words.token(&value), token, "{value}");
        }
    }

    fn search() -> Search {
        let place = Place(["/a", "/b/x", "/b", "/c"].map(|text| Pointer::parse(text).unwrap()).into());
        Search::new(&[place], Words::default())
    }
}
