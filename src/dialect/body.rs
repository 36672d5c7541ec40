//! From a status answer to a [`Reply`].

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value;

use super::facts::FactPlaces;
use super::list::List;
use super::pace::retry_after;
use super::pointer::{Place, Pointer};
use super::rule::{Meaning, PlaceId, Rule};
use super::search::{Found, Search};
use super::{Pace, clean};
use crate::engine::moment::Wall;
use crate::engine::sample::{Answer, Failure, Reply, Word};

/// The byte order mark, which JSON does not know (RFC 8259, 8.1).
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// How a dialect's status bodies are read.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) search: Search,
    pub(super) rules: Vec<Rule>,
    pub(super) word: Vec<PlaceId>,
    pub(super) facts: FactPlaces,
    pub(super) list: Option<List>,
    /// The words that the rules name, sorted, ready to be shared.
    pub(super) known_words: Vec<Word>,
}

/// One answer, and how it was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) status: u16,
    pub(super) pace: Pace<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) now: Wall,
    pub(super) session: Option<&'a str>,
    pub(super) path: &'a str,
    /// Whether the token belongs to the session itself on this path.
    pub(super) token_is_of_session: bool,
}

impl Body {
    /// Reads one answer.
    pub(super) fn read(&self, asked: Asked<'_>) -> Reply {
        let parsed: Option<Value> = serde_json::from_slice(without_mark(asked.bytes)).ok();
        let understood = parsed.is_some() && is_success(asked.status);
        // What is not JSON is a text, so that a rule can name a proxy's page.
        let whole = parsed.unwrap_or_else(|| Value::String(String::from_utf8_lossy(asked.bytes).into_owned()));
        let picked = match &self.list {
            Some(list) if understood => list.pick(&whole, asked.session, asked.path),
            Some(_) | None => Ok(&whole),
        };
        let body = match picked {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let found = self.search.find(body);
        match self.rules.iter().find(|rule| rule.when.holds(asked.status, understood, &found)) {
            Some(rule) => self.by_rule(rule, asked, body, &found),
            None if understood => {
                let word = self.words(&self.word, &found).or_else(|| says(body).map(clean::word));
                Reply::Answer(Answer { word, facts: self.facts.read(&found), ..Answer::default() })
            }
            None => by_status(asked, body),
        }
    }

    fn by_rule(&self, rule: &Rule, asked: Asked<'_>, body: &Value, found: &[Found<'_>]) -> Reply {
        let word = || self.words(rule.word.as_deref().unwrap_or(&self.word), found);
        match rule.meaning {
            Meaning::State { state, phase, effort } => {
                Reply::Answer(Answer { state, phase, effort, word: word(), facts: self.facts.read(found) })
            }
            Meaning::Missing => Reply::Missing(word().unwrap_or_else(|| said_or_status(body, asked.status))),
            Meaning::Refused => refused(asked),
            Meaning::Throttled => throttled(asked, body),
            Meaning::Down => Reply::NoAnswer(Failure::ServerError(asked.status)),
            Meaning::Unclear => Reply::NoAnswer(Failure::UnexpectedStatus(asked.status)),
        }
    }

    /// Joins the words at some places: `close`, or `close (440)`.
    fn words(&self, places: &[PlaceId], found: &[Found<'_>]) -> Option<Word> {
        let mut texts = places.iter().filter_map(|place| text(found.get(*place)?.value?));
        let first = texts.next()?;
        let mut rest: Vec<Cow<'_, str>> = Vec::new();
        for text in texts {
            if !first.eq_ignore_ascii_case(&text) && !rest.contains(&text) {
                rest.push(text);
            }
        }
        if rest.is_empty() {
            return Some(self.word_of(&first));
        }
        Some(clean::word(&format!("{first} ({})", rest.join(", "))))
    }

    /// Shares a word that the rules name; makes any other.
    fn word_of(&self, text: &str) -> Word {
        let known = self.known_words.binary_search_by(|word| word.as_str().cmp(text)).ok();
        known.and_then(|place| self.known_words.get(place)).cloned().unwrap_or_else(|| clean::word(text))
    }
}

/// Returns what the gateway says went wrong.
pub(super) fn says(body: &Value) -> Option<&str> {
    SAYS.find_text(body)
}

/// Where gateways put the text of an error, the most telling first.
static SAYS: LazyLock<Place> = LazyLock::new(|| {
    let pointers =
        ["/message", "/response/message/0", "/response/message", "/error/message", "/error", "/detail", "/reason"];
    Place(pointers.iter().filter_map(|text| Pointer::parse(text).ok()).collect())
});

/// Reads an answer that no rule speaks of.
fn by_status(asked: Asked<'_>, body: &Value) -> Reply {
    match asked.status {
        404 => Reply::Missing(said_or_status(body, asked.status)),
        401 | 403 => refused(asked),
        429 => throttled(asked, body),
        408 | 500..=599 => Reply::NoAnswer(Failure::ServerError(asked.status)),
        200..=299 => Reply::NoAnswer(Failure::NotJson),
        _ => Reply::NoAnswer(Failure::UnexpectedStatus(asked.status)),
    }
}

fn refused(asked: Asked<'_>) -> Reply {
    let status = if asked.status == 403 { 403 } else { 401 };
    Reply::Refused { status, of_session: asked.token_is_of_session }
}

fn throttled(asked: Asked<'_>, body: &Value) -> Reply {
    Reply::Throttled { retry_after: retry_after(asked.pace, body, asked.now) }
}

fn said_or_status(body: &Value, status: u16) -> Word {
    says(body).map_or_else(|| Word::new(&format!("HTTP {status}")), clean::word)
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Takes the byte order mark off.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}
