//! A gateway's wire language as data: answers in, samples out.
//!
//! Adding a gateway is adding one TOML file, no code: the built-in ones stand in `config/dialects/`, a user's own is loaded by
//! path. Pure: what was heard and the time come in, a [`Sample`] comes out. A body that nobody understands is a sample too,
//! never an error.
//!
//! # The file
//!
//! | key | says |
//! |---|---|
//! | `name`, `title`, `notes` | what it is for, and the traps |
//! | `path` | where the status is asked; `{session}` stands for the name, a part in `[ ]` is left out without one |
//! | `auth` | `header` and `prefix` of the token |
//! | `[place]` | names for where things stand: a JSON Pointer (RFC 6901) or a list of them; the first that holds something counts |
//! | `[[rule]]` | `when` all of this is so, that is meant; the first rule that holds decides |
//! | `word` | places of the words that are kept as evidence: the first, and the rest in brackets; a rule may have its own |
//! | `[facts]` | places of `last_message`, `messages`, `qr`, `progress`, `started`, `version`, `owner`, `local_hour` |
//! | `[list]` | for answers that list sessions: the array is `at`, `name` names an element, `complete_if` stands in the path of a list that leaves none out |
//! | `[refused]` | `of_session`: status paths on which the token selects the session, so that 401 speaks about it |
//! | `[deep]` | `path` of a call that needs the live session (none: never asked, but a recorded answer is judged), and what proves it dead: texts `dead`, conditions `dead_when`, `timeout_fails` |
//! | `[qr]` | `path` of the QR code and the pointer to its `text` |
//! | `[history]` | `path` of a list of what happened to the session, asked where the status is asked by session; its `rows`, the `id` of one, and the texts that are its `line` for the log rules |
//! | `[known_good]` | `path` of a route that answers whatever becomes of sessions: asked before a 404 counts |
//! | `[vendor]` | for a backend that swallows its vendor's errors: the vendor's `dialect`, and where an answer has the `session` there; asked before it counts that the session is missing |
//! | `[[log]]` | `match`, a regular expression, gives a `state` and `phase`; `words` looks up what `(?<state>…)` captures |
//!
//! A condition names a place, or gives a pointer, and asks for a value, one of a list, `{ present = true }`, `{ absent = true }`
//! (missing, null or blank) or `{ contains = "text" }`. Words compare in any case; 440 and "440" are the same. The key `status`
//! asks for the HTTP status: a number, a class such as "5xx", or a list. A rule with it is tried on every answer, one without
//! only on a success that is JSON. What is not JSON is a text at the pointer "".
//!
//! A rule gives a `state`, with a `phase` (`opening`, `pairing`, `linked`) and an `effort` (`trying`, `gave_up`, `idle`,
//! `stopped`), or an `outcome`: `missing`, `refused`, `throttled`, `down` (the host answers, the service does not) or `unclear`.
//! Where no rule speaks, the HTTP status decides: 404 is missing, 401 and 403 refused, 429 throttled.

mod body;
mod clean;
mod facts;
mod history;
pub(crate) mod leaves;
mod list;
mod log;
mod pace;
mod parse;
mod pointer;
mod probe;
mod proof;
mod redact;
mod rule;
mod search;
mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use self::clean::draws_qr;
pub use self::pace::{pause_of_header, retry_after};
pub use self::proof::Doubt;
pub use self::redact::Hash;

use self::body::{Asked, Body};
use self::history::History;
use self::log::LogRule;
use self::pointer::Pointer;
use self::probe::{DeepProbe, QrProbe};
use self::proof::Proofs;

use crate::engine::moment::Wall;
use crate::engine::sample::{Deep, Failure, Reply, Sample, Signal};
use crate::engine::watchdog::Ask;

/// One gateway's wire language, parsed and checked.
#[derive(Clone, Debug)]
pub struct Dialect {
    name: String,
    title: String,
    notes: String,
    path: String,
    auth: Option<Auth>,
    body: Body,
    /// Status paths on which the token selects the session, so that a refused token speaks about the session.
    speaks_of_session: Vec<String>,
    deep: Option<DeepProbe>,
    qr: Option<QrProbe>,
    /// Where QR texts stand, in whichever answer.
    qr_texts: Vec<Pointer>,
    history: Option<History>,
    proofs: Proofs,
    logs: Vec<LogRule>,
}

/// What came of one HTTP call.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// An answer, of whatever status.
    Reply {
        /// HTTP status.
        status: u16,
        /// The headers that say when to come back.
        pace: Pace<'a>,
        /// The body as it came, already cut to the limit.
        body: &'a [u8],
    },
    /// None.
    Failed(Failure),
}

/// The headers that say when to come back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace<'a> {
    /// `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3).
    pub retry_after: Option<&'a str>,
    /// `X-RateLimit-Reset`: seconds until then, or a Unix time.
    pub rate_limit_reset: Option<&'a str>,
}

/// Where a target's answers come from, as far as a dialect needs to know it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route<'a> {
    /// The session's name or number at the gateway.
    pub session: Option<&'a str>,
    /// A status path other than the dialect's own.
    pub status_path: Option<&'a str>,
}

/// How a dialect wants the token to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Header name, `Authorization` or `X-Api-Key`.
    pub header: String,
    /// What stands before the token, `Bearer `; may be empty.
    pub prefix: String,
}

/// One thing that is wrong with a dialect file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// The key it is about.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Dialect {
    /// Parses and checks a dialect file; reports every fault at once.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        parse::parse(text)
    }

    /// Returns a built-in dialect by name, parsed at its first use: its log rules take half a megabyte.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Arc<Self>> {
        let place = BUILTIN_FILES.iter().position(|(known, _)| *known == name)?;
        let (_, text) = BUILTIN_FILES.get(place)?;
        // A test holds that each of their files parses.
        BUILTINS.get(place)?.get_or_init(|| Self::parse(text).ok().map(Arc::new)).clone()
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what gateway it is for, in a line.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the traps of that gateway, as text of several lines.
    #[must_use]
    pub fn notes(&self) -> &str {
        &self.notes
    }

    /// Returns how the token is sent, if it takes one.
    #[must_use]
    pub fn auth(&self) -> Option<&Auth> {
        self.auth.as_ref()
    }

    /// Tells whether it has such an endpoint.
    #[must_use]
    pub fn has(&self, ask: Ask) -> bool {
        self.template(ask).is_some()
    }

    /// Returns the path and query to ask, `{session}` filled in and percent-encoded; none without such an endpoint, or without
    /// the session that it needs.
    #[must_use]
    pub fn path(&self, ask: Ask, route: Route<'_>) -> Option<String> {
        let template = match ask {
            Ask::Status => self.status_path(route.status_path),
            Ask::Deep | Ask::Qr => self.template(ask)?,
        };
        template::fill(template, route.session)
    }

    /// Tells whether a target must name its session for this route.
    #[must_use]
    pub fn needs_session(&self, status_path: Option<&str>) -> bool {
        template::needs_session(self.status_path(status_path))
    }

    /// Turns what was heard into a sample. `now` is the time at which it was heard.
    #[must_use]
    pub fn read(&self, ask: Ask, route: Route<'_>, now: Wall, latency: Duration, heard: Heard<'_>) -> Sample {
        // Too often is too often, whatever was asked: the whole target is left alone.
        if let (Ask::Deep | Ask::Qr, Heard::Reply { status: 429, .. }) = (ask, heard) {
            return Sample::Poll { reply: self.read_status(route, now, heard), latency };
        }
        match ask {
            Ask::Status => Sample::Poll { reply: self.read_status(route, now, heard), latency },
            Ask::Deep => match &self.deep {
                Some(probe) => Sample::Deep(probe.read(&self.body, heard)),
                None => Sample::Deep(Deep::Unclear),
            },
            Ask::Qr => Sample::Qr(self.qr.as_ref().and_then(|probe| probe.read(heard))),
        }
    }

    /// Returns the path and query of the list of what happened to the session; none without one, or where the status is not asked
    /// by session: another token would be needed.
    #[must_use]
    pub fn history_path(&self, route: Route<'_>) -> Option<String> {
        let history = self.history.as_ref().filter(|_| self.needs_session(route.status_path))?;
        template::fill(&history.path, route.session)
    }

    /// Returns the rows of such a list by their numbers, the earliest first, as lines for [`Dialect::read_log`].
    #[must_use]
    pub fn read_history(&self, body: &[u8]) -> Option<Vec<(u64, String)>> {
        self.history.as_ref()?.read(body)
    }

    /// Returns what is to be asked before this reply counts; none where it counts as it is.
    #[must_use]
    pub fn doubt(&self, route: Route<'_>, reply: &Reply, heard: Heard<'_>) -> Option<Doubt> {
        if matches!(reply, Reply::Missing(_)) { self.proofs.doubt(route.session, heard) } else { None }
    }

    /// Returns the wire language of the vendor behind the gateway, who knows what the gateway does not.
    #[must_use]
    pub fn vendor(&self) -> Option<Arc<Self>> {
        Self::builtin(&self.proofs.vendor.as_ref()?.dialect)
    }

    /// Turns a log line into a signal, if the dialect knows a meaning for it.
    #[must_use]
    pub fn read_log(&self, line: &str) -> Option<Signal> {
        log::read(&self.logs, line)
    }

    /// Puts a stand-in in the place of every secret of a body: keys and tokens, QR texts, phone numbers and the addresses made of
    /// them. [`Dialect::read`] makes the same sample of it, but for the marks of QR codes, which stay equal where they were equal.
    /// `session` is the one of the target; read it then with what [`redact_text`] makes of that.
    #[must_use]
    pub fn redact(&self, body: &[u8], session: Option<&str>, hash: Hash<'_>) -> Vec<u8> {
        redact::body(body, redact::Sight { qr: &self.qr_texts, session, hash })
    }

    fn read_status(&self, route: Route<'_>, now: Wall, heard: Heard<'_>) -> Reply {
        let (status, pace, bytes) = match heard {
            Heard::Failed(failure) => return Reply::NoAnswer(failure),
            Heard::Reply { status, pace, body } => (status, pace, body),
        };
        let path = self.status_path(route.status_path);
        let token_is_of_session = self.speaks_of_session.iter().any(|own| template::is_same_endpoint(own, path));
        self.body.read(Asked { status, pace, bytes, now, session: route.session, path, token_is_of_session })
    }

    fn status_path<'a>(&'a self, other: Option<&'a str>) -> &'a str {
        other.unwrap_or(&self.path)
    }

    fn template(&self, ask: Ask) -> Option<&str> {
        match ask {
            Ask::Status => Some(&self.path),
            Ask::Deep => self.deep.as_ref().and_then(|probe| probe.path.as_deref()),
            Ask::Qr => self.qr.as_ref().map(|probe| probe.path.as_str()),
        }
    }
}

/// Puts a stand-in in the place of every secret of a text.
#[must_use]
pub fn redact_text<'t>(text: &'t str, hash: Hash<'_>) -> Cow<'t, str> {
    redact::text(text, hash)
}

/// Returns the names and texts of the built-in dialects, by name.
#[must_use]
pub fn builtins() -> &'static [(&'static str, &'static str)] {
    &BUILTIN_FILES
}

const BUILTIN_FILES: [(&str, &str); 10] = [
    ("evolution", include_str!("../config/dialects/evolution.toml")),
    ("generic", include_str!("../config/dialects/generic.toml")),
    ("go-whatsapp", include_str!("../config/dialects/go-whatsapp.toml")),
    ("openwa", include_str!("../config/dialects/openwa.toml")),
    ("waha", include_str!("../config/dialects/waha.toml")),
    ("wasender", include_str!("../config/dialects/wasender.toml")),
    ("wasender-backend", include_str!("../config/dialects/wasender-backend.toml")),
    ("whatsapp-service", include_str!("../config/dialects/whatsapp-service.toml")),
    ("wppconnect", include_str!("../config/dialects/wppconnect.toml")),
    ("wwebjs-api", include_str!("../config/dialects/wwebjs-api.toml")),
];

/// The built-in dialects that were used so far, in the order of their files.
static BUILTINS: [OnceLock<Option<Arc<Dialect>>>; BUILTIN_FILES.len()] =
    [const { OnceLock::new() }; BUILTIN_FILES.len()];
