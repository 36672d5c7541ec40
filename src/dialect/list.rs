//! Endpoints that answer with a list of sessions.

use serde_json::Value;

use super::pointer::Pointer;
use crate::engine::sample::{Answer, Reply, SessionState, Word};

/// Where a list of sessions stands, and what names its elements.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) at: Vec<Pointer>,
    pub(super) names: Vec<Pointer>,
    /// What the path must hold for the list to be complete; without it a missing session proves nothing.
    pub(super) complete_if: Option<String>,
}

impl List {
    /// Returns the part of a body that speaks about the session: the whole where it is no list, else the session's element.
    pub(super) fn pick<'v>(&self, body: &'v Value, session: Option<&str>, path: &str) -> Result<&'v Value, Reply> {
        let Some(elements) = self.at.iter().find_map(|at| at.find(body)?.as_array()) else { return Ok(body) };
        match (session, elements.as_slice()) {
            (None, [only]) => Ok(only),
            (None, [_, _, ..]) => Err(unclear(&format!("{} sessions, none of them named here", elements.len()))),
            (None, []) => Err(self.not_listed(0, path)),
            (Some(name), elements) => elements
                .iter()
                .find(|element| self.is_named(element, name))
                .ok_or_else(|| self.not_listed(elements.len(), path)),
        }
    }

    fn is_named(&self, element: &Value, name: &str) -> bool {
        self.names.iter().filter_map(|pointer| pointer.find(element)).any(|value| match value {
            Value::String(text) => text == name,
            Value::Number(number) => number.to_string() == name,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        })
    }

    fn not_listed(&self, count: usize, path: &str) -> Reply {
        match &self.complete_if {
            Some(mark) if !path.contains(mark.as_str()) => unclear("not in the list, which leaves some sessions out"),
            Some(_) | None => Reply::Missing(Word::new(&format!("not among the {count} sessions listed"))),
        }
    }
}

fn unclear(what: &str) -> Reply {
    Reply::Answer(Answer { state: SessionState::Unknown, word: Some(Word::new(what)), ..Answer::default() })
}
