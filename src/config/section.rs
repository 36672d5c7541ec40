//! A cursor over one table: what is taken is known, and what nobody took is a problem.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::nearest::nearest;
use super::node::{Node, Place, Table, Value};
use super::problem::Report;
use super::unit;

/// Longest text that a problem repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Section {
    /// Dotted, `target.shop`; empty for the root.
    pub(super) key: String,
    pub(super) at: Place,
    rest: Table,
    known: Vec<&'static str>,
}

/// A value that was taken.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Dotted, `target.shop.url`.
    pub(super) key: String,
    pub(super) node: Node,
}

impl Section {
    /// Opens the root.
    pub(super) fn root(at: Place, table: Table) -> Self {
        Self { key: String::new(), at, rest: table, known: Vec::new() }
    }

    /// Takes a value.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Item> {
        self.known.push(name);
        let node = self.rest.remove(name)?;
        Some(Item { key: self.dotted(name), node })
    }

    /// Looks at a value without taking it.
    pub(super) fn peek(&self, name: &str) -> Option<Item> {
        self.rest.get(name).map(|node| Item { key: self.dotted(name), node: node.clone() })
    }

    /// Takes a value that must be there.
    pub(super) fn need(&mut self, report: &mut Report, name: &'static str, hint: &str) -> Option<Item> {
        let item = self.take(name);
        if item.is_none() {
            self.missing(report, name, hint);
        }
        item
    }

    /// Takes a table.
    pub(super) fn take_section(&mut self, report: &mut Report, name: &'static str) -> Option<Self> {
        self.take(name)?.section(report)
    }

    /// Takes every value: the keys are names that somebody chose.
    pub(super) fn take_all(&mut self) -> Vec<(String, Item)> {
        let rest = std::mem::take(&mut self.rest);
        let item = |(name, node): (String, Node)| {
            let key = self.dotted(&name);
            (name, Item { key, node })
        };
        rest.into_iter().map(item).collect()
    }

    /// Notes that a key must be there.
    pub(super) fn missing(&self, report: &mut Report, name: &str, hint: &str) {
        report.refuse(&self.at, &self.dotted(name), "is missing", hint);
    }

    /// Notes every key that nobody took.
    pub(super) fn finish(self, report: &mut Report) {
        self.finish_with(report, |_| None);
    }

    /// Does the same; `advice` knows better where some of the keys belong.
    pub(super) fn finish_with(self, report: &mut Report, advice: impl Fn(&str) -> Option<String>) {
        for (name, node) in &self.rest {
            let hint = advice(name).unwrap_or_else(|| match nearest(name, self.known.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("known here: {}", self.known.join(", ")),
            });
            report.refuse(&node.at, &self.dotted(name), "unknown key", hint);
        }
    }

    fn dotted(&self, name: &str) -> String {
        let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let name = if !name.is_empty() && name.bytes().all(is_bare) { shown(name) } else { quoted(name) };
        if self.key.is_empty() { name } else { format!("{}.{name}", self.key) }
    }
}

impl Item {
    /// Notes what is wrong with it.
    pub(super) fn refuse(&self, report: &mut Report, what: impl Into<String>, hint: impl Into<String>) {
        report.refuse(&self.node.at, &self.key, what, hint);
    }

    /// Notes what can be meant with it, and rarely is.
    pub(super) fn warn(&self, report: &mut Report, what: impl Into<String>, hint: impl Into<String>) {
        report.warn(&self.node.at, &self.key, what, hint);
    }

    /// Notes that its value is not what was wanted.
    pub(super) fn wrong(&self, report: &mut Report, wanted: &str, hint: &str) {
        let what = match (&self.node.typed, &self.node.value) {
            (Some(text), _) | (None, Value::Text(text)) => format!("{} is not {wanted}", quoted(text)),
            (None, Value::Integer(number)) => format!("{number} is not {wanted}"),
            (
                None,
                value @ (Value::Decimal(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) | Value::Other(_)),
            ) => {
                format!("is {}, not {wanted}", value.kind())
            }
        };
        self.refuse(report, what, hint);
    }

    /// Opens a table.
    pub(super) fn section(self, report: &mut Report) -> Option<Section> {
        match self.node.value {
            Value::Table(rest) => Some(Section { key: self.key, at: self.node.at, rest, known: Vec::new() }),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Other(_) => {
                // Not repeated: it may be anything, a secret too.
                let what = format!("is {}, not a table", self.node.value.kind());
                self.refuse(report, what, format!("write it as a section, [{}]", self.key));
                None
            }
        }
    }

    /// Reads a text that is not blank.
    pub(super) fn text(&self, report: &mut Report) -> Option<&str> {
        let Some(text) = self.as_text() else {
            self.wrong(report, "a text", "write it in quotes");
            return None;
        };
        if text.trim().is_empty() {
            self.refuse(report, "is blank", "write a text, or leave the key out");
            return None;
        }
        Some(text)
    }

    /// Reads a name, which may be a number.
    pub(super) fn name(&self, report: &mut Report) -> Option<String> {
        match (&self.node.typed, &self.node.value) {
            (None, Value::Integer(number)) => Some(number.to_string()),
            (Some(_), _)
            | (
                None,
                Value::Text(_)
                | Value::Decimal(_)
                | Value::Flag(_)
                | Value::List(_)
                | Value::Table(_)
                | Value::Other(_),
            ) => self.text(report).map(str::to_owned),
        }
    }

    /// Reads one of a few words, or what else `read` understands.
    pub(super) fn word<T>(
        &self,
        report: &mut Report,
        read: impl Fn(&str) -> Option<T>,
        wanted: &str,
        hint: &str,
    ) -> Option<T> {
        let value = self.as_text().and_then(|text| read(text.trim()));
        if value.is_none() {
            self.wrong(report, wanted, hint);
        }
        value
    }

    /// Reads a time span.
    pub(super) fn span(&self, report: &mut Report, range: RangeInclusive<Duration>) -> Option<Duration> {
        let hint = "write a number and a unit, as in \"15s\", \"10m\" or \"1h 30m\"";
        let span = self.word(report, unit::span, "a time span", hint)?;
        self.within(report, span, &range, unit::in_words)
    }

    /// Reads a size in bytes.
    pub(super) fn size(&self, report: &mut Report, range: RangeInclusive<u64>) -> Option<u64> {
        let hint = "write a number and a unit, as in \"512KiB\" or \"1MiB\"";
        let size = self.word(report, unit::size, "a size", hint)?;
        self.within(report, size, &range, |bytes| format!("{bytes}B"))
    }

    /// Reads how many.
    pub(super) fn count(&self, report: &mut Report, range: RangeInclusive<u32>) -> Option<u32> {
        let Value::Integer(number) = self.node.value else {
            self.wrong(report, "a whole number", "write digits alone, as in 3");
            return None;
        };
        let range = i64::from(*range.start())..=i64::from(*range.end());
        self.within(report, number, &range, |count| count)?;
        u32::try_from(number).ok()
    }

    /// Reads yes or no.
    pub(super) fn flag(&self, report: &mut Report) -> Option<bool> {
        if let Value::Flag(flag) = self.node.value {
            return Some(flag);
        }
        self.wrong(report, "true or false", "write true or false, without quotes");
        None
    }

    /// Reads a list of words; one alone needs no brackets.
    pub(super) fn words(&self, report: &mut Report, hint: &str) -> Option<Vec<Self>> {
        match &self.node.value {
            Value::List(list) => {
                Some(list.iter().map(|node| Self { key: self.key.clone(), node: node.clone() }).collect())
            }
            Value::Text(_) => Some(vec![self.clone()]),
            Value::Integer(_) | Value::Decimal(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_) => {
                self.wrong(report, "a list of words", hint);
                None
            }
        }
    }

    /// Returns its text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Integer(_)
            | Value::Decimal(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Other(_) => self.node.typed.as_deref(),
        }
    }

    fn within<T: PartialOrd + Copy, D: Display>(
        &self,
        report: &mut Report,
        value: T,
        range: &RangeInclusive<T>,
        words: impl Fn(T) -> D,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let (min, max) = (words(*range.start()), words(*range.end()));
        let what = if value < *range.start() { format!("is below {min}") } else { format!("is above {max}") };
        self.refuse(report, what, format!("write something from {min} to {max}"));
        None
    }
}

/// Quotes a text, on one line and not for ever.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", shown(text))
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => text.get(..end).map_or_else(String::new, |start| format!("{start}…")),
        None => text.to_owned(),
    }
}
