//! The places and words that a dialect file names, each listed once.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{Item, Report, Section};
use crate::dialect::pointer::{Place, Pointer};
use crate::dialect::rule::{PlaceId, Token};
use crate::dialect::search::{Search, Words};
use crate::engine::sample::Word;

/// Every place of a dialect, and every word that its rules compare with. An answer is searched for them once.
#[derive(Debug, Default)]
pub(super) struct Places {
    list: Vec<Place>,
    /// By name, or by the pointers as they are written.
    ids: BTreeMap<String, PlaceId>,
    /// The words that rules compare with, in lower case.
    tokens: BTreeMap<String, Token>,
    /// The same as they are written.
    written: BTreeSet<String>,
}

impl Places {
    /// Reads `[place]`: name = pointer or list of pointers, the best first.
    pub(super) fn parse(report: &mut Report<'_>, root: &Section<'_, '_>) -> Self {
        let mut places = Self::default();
        let Some(section) = root.get("place").and_then(|item| item.open_section(report)) else { return places };
        for (name, item) in section.items() {
            if name == "status" || name.starts_with('/') || name.is_empty() {
                let hint = "choose a plain name other than status, which stands for the HTTP status";
                item.fault(report, format!("{name:?} cannot name a place"), hint);
                continue;
            }
            let pointers = item.one_or_more().iter().filter_map(|item| pointer(report, item)).collect();
            places.add(name.to_owned(), Place(pointers));
        }
        places
    }

    /// Finds a place by its name or pointer; a pointer that is not listed yet is.
    pub(super) fn id(&mut self, report: &mut Report<'_>, item: &Item<'_, '_>, text: &str) -> Option<PlaceId> {
        if let Some(id) = self.ids.get(text) {
            return Some(*id);
        }
        if !text.is_empty() && !text.starts_with('/') {
            let names: Vec<&str> = self.ids.keys().map(String::as_str).filter(|name| !name.starts_with('/')).collect();
            let hint = format!("write a JSON Pointer such as /state, or a name from [place]: {}", names.join(", "));
            item.fault(report, format!("{text:?} is neither a pointer nor a known place"), hint);
            return None;
        }
        let pointer = checked(report, item, text)?;
        Some(self.add(text.to_owned(), Place(vec![pointer])))
    }

    /// Reads a value that names one place, or lists pointers to one.
    pub(super) fn one(&mut self, report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<PlaceId> {
        let items = item.one_or_more();
        if let [item] = items.as_slice() {
            let text = item.text(report)?;
            return self.id(report, item, text);
        }
        let pointers: Vec<Pointer> = items.iter().filter_map(|item| pointer(report, item)).collect();
        let name = items.iter().filter_map(|item| item.value.as_str()).collect::<Vec<_>>().join(" ");
        Some(self.add(name, Place(pointers)))
    }

    /// Reads a list of places.
    pub(super) fn several(&mut self, report: &mut Report<'_>, item: &Item<'_, '_>) -> Vec<PlaceId> {
        let mut ids = Vec::new();
        for item in item.one_or_more() {
            let id = item.text(report).and_then(|text| self.id(report, &item, text));
            ids.extend(id);
        }
        ids
    }

    /// Returns one place.
    pub(super) fn place(&self, id: PlaceId) -> Option<&Place> {
        self.list.get(id)
    }

    /// Lists a word that a rule compares with.
    pub(super) fn token(&mut self, word: &str) -> Token {
        let word = word.trim();
        self.written.insert(word.to_owned());
        let next = self.tokens.len();
        *self.tokens.entry(word.to_ascii_lowercase()).or_insert(next)
    }

    /// Returns the search for all places and words, and the words as they are written, sorted.
    pub(super) fn finish(self) -> (Search, Vec<Word>) {
        let words = Words::new(self.tokens.into_iter());
        (Search::new(&self.list, words), self.written.iter().map(|word| Word::new(word)).collect())
    }

    fn add(&mut self, name: String, place: Place) -> PlaceId {
        let id = self.list.len();
        self.list.push(place);
        self.ids.insert(name, id);
        id
    }
}

/// Reads a pointer.
pub(super) fn pointer(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Pointer> {
    let text = item.value.as_str();
    if text.is_none() {
        item.wrong_type(report, "a JSON Pointer such as \"/data/status\"");
    }
    checked(report, item, text?)
}

fn checked(report: &mut Report<'_>, item: &Item<'_, '_>, text: &str) -> Option<Pointer> {
    Pointer::parse(text)
        .map_err(|what| item.fault(report, what, "write a JSON Pointer (RFC 6901) such as /data/status"))
        .ok()
}
