//! A dialect file as it is written: tables whose every value knows its line, and the list of what is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::dialect::Fault;

/// Collects what is wrong with a file.
#[derive(Debug)]
pub(super) struct Report<'t> {
    text: &'t str,
    faults: Vec<Fault>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: Vec::new() }
    }

    /// Notes a fault at a place in the text.
    pub(super) fn add(&mut self, at: Range<usize>, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        let before = self.text.as_bytes().get(..at.start).unwrap_or(self.text.as_bytes());
        let line = before.split(|byte| *byte == b'\n').count();
        self.faults.push(Fault { line, key: key.to_owned(), what: what.into(), hint: hint.into() });
    }

    /// Returns the faults in the order of their lines.
    pub(super) fn finish(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.line);
        self.faults
    }
}

/// One value of a file.
#[derive(Clone, Debug)]
pub(super) struct Item<'a, 'i> {
    /// Dotted key, as in `list.name`.
    pub(super) key: String,
    pub(super) at: Range<usize>,
    pub(super) value: &'a DeValue<'i>,
}

/// One table of a file.
#[derive(Clone, Debug)]
pub(super) struct Section<'a, 'i> {
    key: String,
    at: Range<usize>,
    table: &'a DeTable<'i>,
}

impl<'a, 'i> Item<'a, 'i> {
    fn new(key: String, value: &'a Spanned<DeValue<'i>>) -> Self {
        Self { key, at: value.span(), value: value.get_ref() }
    }

    /// Notes a fault at this value.
    pub(super) fn fault(&self, report: &mut Report<'_>, what: impl Into<String>, hint: impl Into<String>) {
        report.add(self.at.clone(), &self.key, what, hint);
    }

    /// Reads a text that is not blank.
    pub(super) fn text(&self, report: &mut Report<'_>) -> Option<&'a str> {
        match self.value.as_str() {
            Some(text) if text.trim().is_empty() => self.fault(report, "is blank", "write a text or leave the key out"),
            Some(text) => return Some(text),
            None => self.wrong_type(report, "a text"),
        }
        None
    }

    /// Reads true or false.
    pub(super) fn flag(&self, report: &mut Report<'_>) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong_type(report, "true or false");
        }
        flag
    }

    /// Reads one value or a list of values.
    pub(super) fn one_or_more(&self) -> Vec<Self> {
        match self.value.as_array() {
            Some(list) => list.iter().map(|value| Self::new(self.key.clone(), value)).collect(),
            None => vec![self.clone()],
        }
    }

    /// Opens a table; a key other than the known ones is a fault.
    pub(super) fn section(&self, report: &mut Report<'_>, known: &[&str]) -> Option<Section<'a, 'i>> {
        let section = self.open_section(report)?;
        section.refuse_unknown(report, known);
        Some(section)
    }

    /// Opens a table that may have any key.
    pub(super) fn open_section(&self, report: &mut Report<'_>) -> Option<Section<'a, 'i>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.wrong_type(report, "a table");
        }
        table.map(|table| Section { key: self.key.clone(), at: self.at.clone(), table })
    }

    /// Notes that the value is of another type.
    pub(super) fn wrong_type(&self, report: &mut Report<'_>, wanted: &str) {
        self.fault(report, format!("is of type {}", self.value.type_str()), format!("write {wanted}"));
    }
}

impl<'a, 'i> Section<'a, 'i> {
    /// Wraps the whole file.
    pub(super) fn root(table: &'a Spanned<DeTable<'i>>) -> Self {
        Self { key: String::new(), at: 0..0, table: table.get_ref() }
    }

    /// Notes every key that is not known.
    pub(super) fn refuse_unknown(&self, report: &mut Report<'_>, known: &[&str]) {
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let hint = format!("known here: {}", known.join(", "));
            report.add(key.span(), &self.dotted(key.get_ref()), "is not a known key", hint);
        }
    }

    /// Finds a value.
    pub(super) fn get(&self, name: &str) -> Option<Item<'a, 'i>> {
        let (_, value) = self.table.iter().find(|(key, _)| key.get_ref() == name)?;
        Some(Item::new(self.dotted(name), value))
    }

    /// Finds a value that must be there.
    pub(super) fn need(&self, report: &mut Report<'_>, name: &str, hint: &str) -> Option<Item<'a, 'i>> {
        let item = self.get(name);
        if item.is_none() {
            report.add(self.at.clone(), &self.dotted(name), "is missing", hint);
        }
        item
    }

    /// Finds a value and reads its text.
    pub(super) fn text(&self, report: &mut Report<'_>, name: &str) -> Option<&'a str> {
        self.get(name)?.text(report)
    }

    /// Finds a value and reads its texts, one or a list.
    pub(super) fn texts(&self, report: &mut Report<'_>, name: &str) -> Vec<&'a str> {
        let items = self.get(name).map(|item| item.one_or_more()).unwrap_or_default();
        items.iter().filter_map(|item| item.text(report)).collect()
    }

    /// Returns every key and value.
    pub(super) fn items(&self) -> impl Iterator<Item = (&'a str, Item<'a, 'i>)> + '_ {
        self.table.iter().map(|(key, value)| {
            let name: &'a str = key.get_ref().as_ref();
            (name, Item::new(self.dotted(name), value))
        })
    }

    /// Notes a fault at the table itself.
    pub(super) fn fault(&self, report: &mut Report<'_>, what: impl Into<String>, hint: impl Into<String>) {
        report.add(self.at.clone(), &self.key, what, hint);
    }

    fn dotted(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }
}
