//! What is seen: one piece of news about one session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::Wall;

/// Longest text that is kept of what a gateway said, in characters.
pub const WORD_CHARS_MAX: usize = 160;

/// One piece of news about one session.
///
/// Made by a dialect from what a gateway said, or by a source from what the runtime shows. Holds no secret: QR texts arrive
/// as a [`QrMark`], words are cut at [`WORD_CHARS_MAX`].
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// The status endpoint was asked; `latency` is the time until its answer was read, or until it was given up.
    Poll {
        /// What came of it.
        reply: Reply,
        /// How long it took.
        latency: Duration,
    },
    /// The deep probe was asked.
    Deep(Deep),
    /// The QR endpoint was asked: the mark of the code that it shows, or none.
    Qr(Option<QrMark>),
    /// Memory of the process or container was read.
    Memory(Memory),
    /// A log line meant something.
    Signal(Signal),
    /// The gateway pushed its status.
    Pushed(Answer),
    /// So many messages passed.
    Activity(u32),
    /// The runtime reported on the container or process.
    Runtime(Runtime),
    /// Somebody else raised an alarm about it, or called it off.
    Alert(Alert),
}

impl Sample {
    /// Returns the answer of a poll that was understood.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        if let Self::Poll { reply: Reply::Answer(answer), .. } = self { Some(answer) } else { None }
    }
}

/// What came of asking the status endpoint once.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It was understood.
    Answer(Answer),
    /// It was not, or nothing came. A missing sample, not a change of state.
    NoAnswer(Failure),
    /// The gateway answers, and says that this session does not exist (404, `session_not_found`).
    Missing(Word),
    /// The gateway refuses our credentials.
    Refused {
        /// HTTP status, 401 or 403.
        status: u16,
        /// Whether the credential belongs to the session itself, so that its refusal speaks about the session.
        of_session: bool,
    },
    /// It was not asked, by our own fault: its token cannot be read, or we ran short of something. Says nothing about the session.
    Unasked(Word),
    /// We ask too often (429).
    Throttled {
        /// When to come back, as far as the gateway said.
        retry_after: Option<Duration>,
    },
}

/// A status as a gateway gave it, in our words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Our closed word for it.
    pub state: SessionState,
    /// How far the link to WhatsApp has come, where the gateway's words tell.
    pub phase: Option<Phase>,
    /// Whether the gateway is still trying.
    pub effort: Effort,
    /// The gateway's own words, as evidence.
    pub word: Option<Word>,
    /// What else it said.
    pub facts: Facts,
}

/// The closed list of states a session can be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Linked and usable.
    Connected,
    /// Starting, pairing, loading or reconnecting.
    Connecting,
    /// Waits for a person to scan a QR code or to approve a passkey.
    NeedsScan,
    /// Not connected.
    Disconnected,
    /// Another client took the session.
    Conflict,
    /// Unlinked from the phone.
    LoggedOut,
    /// No longer valid.
    Expired,
    /// Does not exist at the gateway.
    Missing,
    /// Refused by WhatsApp: banned, blocked, or client too old.
    Blocked,
    /// A word that the dialect does not know.
    #[default]
    Unknown,
}

impl SessionState {
    /// Every state, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Connected,
        Self::Connecting,
        Self::NeedsScan,
        Self::Disconnected,
        Self::Conflict,
        Self::LoggedOut,
        Self::Expired,
        Self::Missing,
        Self::Blocked,
        Self::Unknown,
    ];

    /// Returns the word used in metrics, API and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::NeedsScan => "needs_scan",
            Self::Disconnected => "disconnected",
            Self::Conflict => "conflict",
            Self::LoggedOut => "logged_out",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far the link to WhatsApp has come, as the words OPENING, PAIRING and CONNECTED tell.
///
/// `Linked` is not the same as usable: a service may say CONNECTED while it still loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The page is loading or the socket is opening.
    Opening,
    /// The link is being made.
    Pairing,
    /// The link is up.
    Linked,
}

/// Whether a gateway that is not connected still tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// It tries, or does not say.
    #[default]
    Trying,
    /// It says itself that it stopped trying (WAHA's FAILED, WPPConnect's CLOSED).
    GaveUp,
    /// Nobody asked it to connect yet; no failure unless it was good before (Wasender's `disconnected`).
    Idle,
    /// Somebody stopped it on purpose; no failure at all (WAHA's STOPPED).
    Stopped,
}

/// What a gateway says beside the state. Absent means unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// When the last message passed.
    pub last_message: Option<Wall>,
    /// How many messages passed, ever rising.
    pub messages: Option<u64>,
    /// The QR code that it shows.
    pub qr: Option<QrMark>,
    /// Progress of loading, in percent.
    pub progress: Option<u8>,
    /// When the service or session started.
    pub started: Option<Wall>,
    /// Version of the gateway or of WhatsApp Web.
    pub version: Option<Word>,
    /// Whether it names the linked phone.
    pub owner: Option<bool>,
    /// Hour of the day at the session's place, 0 to 23.
    pub local_hour: Option<u8>,
}

/// A fingerprint of a QR text: tells a rotating code from a frozen one without keeping the text, which is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QrMark(pub u64);

/// A gateway's own words, cut at [`WORD_CHARS_MAX`] and free of control characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Word(Arc<str>);

impl Word {
    /// Cleans and cuts a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_control();
        if text.len() <= WORD_CHARS_MAX && text.bytes().all(plain) {
            return Self(text.into());
        }
        let cleaned = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self(cleaned.take(WORD_CHARS_MAX).collect::<String>().trim().into())
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.as_str().to_owned()
    }
}

/// Why a poll gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing came in time.
    Timeout,
    /// Nobody listens on the port.
    ConnectionRefused,
    /// The connection broke.
    Reset,
    /// The host's name does not resolve.
    Dns,
    /// No trustworthy TLS connection could be made.
    Tls,
    /// A server error, HTTP 5xx: the host or a proxy before it answers, the service does not.
    ServerError(u16),
    /// A success that is not JSON: a proxy's page, half a body, or nothing.
    NotJson,
    /// A body over the limit.
    TooLarge,
    /// A status that nobody expects here: a redirect, or a refusal of the request itself.
    UnexpectedStatus(u16),
}

impl Failure {
    /// Every failure, in the order in which they are shown; the numbers stand for any status.
    pub const ALL: [Self; 9] = [
        Self::Timeout,
        Self::ConnectionRefused,
        Self::Reset,
        Self::Dns,
        Self::Tls,
        Self::ServerError(500),
        Self::NotJson,
        Self::TooLarge,
        Self::UnexpectedStatus(400),
    ];

    /// Returns the word used in metrics and in recordings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ConnectionRefused => "connection_refused",
            Self::Reset => "reset",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::ServerError(_) => "server_error",
            Self::NotJson => "not_json",
            Self::TooLarge => "too_large",
            Self::UnexpectedStatus(_) => "unexpected_status",
        }
    }

    /// Tells whether it says that the service is down, rather than that we did not understand it.
    #[must_use]
    pub fn means_down(self) -> bool {
        match self {
            Self::Timeout | Self::ConnectionRefused | Self::Reset | Self::Dns | Self::Tls | Self::ServerError(_) => {
                true
            }
            Self::NotJson | Self::TooLarge | Self::UnexpectedStatus(_) => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("time-out"),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::Dns => f.write_str("name not resolved"),
            Self::Tls => f.write_str("TLS failed"),
            Self::ServerError(status) | Self::UnexpectedStatus(status) => write!(f, "HTTP {status}"),
            Self::NotJson => f.write_str("answer is not JSON"),
            Self::TooLarge => f.write_str("answer too large"),
        }
    }
}

/// What came of a deep probe: a call that must reach the page or socket behind the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deep {
    /// It worked.
    Passed,
    /// It failed in a way that proves the session dead.
    Failed(Word),
    /// It hung where a living session answers at once. One alone may be a lost packet.
    TimedOut,
    /// It proves nothing, either way.
    Unclear,
}

/// One reading of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Bytes in use, without page cache that can be dropped.
    pub used_bytes: u64,
    /// The real limit; none where nothing limits.
    pub limit_bytes: Option<u64>,
    /// OOM kills counted so far, where the source counts them.
    pub oom_kills: Option<u64>,
}

/// What a log line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The state that it announces.
    pub state: SessionState,
    /// How far the link has come, where the line tells.
    pub phase: Option<Phase>,
    /// The line, cleaned of secrets and cut.
    pub line: Word,
}

/// What the runtime says about the container or process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// It started.
    Started,
    /// It ended.
    Died {
        /// Its exit code, where known. Zero proves nothing: services are known that crash with 0.
        exit_code: Option<i64>,
        /// Whether the kernel killed it for memory.
        oom_killed: bool,
    },
    /// Something in it was killed for memory while it lives on, such as a renderer of its browser.
    OomKilled,
    /// How it is by its own check: `healthy`, `unhealthy`, `starting`.
    Health(Word),
    /// It runs another version than before.
    VersionChanged(Word),
}

/// What somebody else says about a target, such as Alertmanager. Shown beside the evidence; proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub name: Word,
    /// Whether it fires, or was called off.
    pub fires: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_and_cleaned() {
        assert_eq!(Word::new("CONFLICT").as_str(), "CONFLICT");
        assert_eq!(Word::new("a\u{1b}[31mb\nc").as_str(), "a [31mb c");
        assert_eq!(Word::new(&"ä".repeat(500)).as_str().chars().count(), WORD_CHARS_MAX);
    }

    #[test]
    fn a_page_of_html_does_not_mean_down() {
        let down: Vec<&str> = Failure::ALL.into_iter().filter(|f| f.means_down()).map(Failure::as_str).collect();
        assert_eq!(down, ["timeout", "connection_refused", "reset", "dns", "tls", "server_error"]);
    }
}
