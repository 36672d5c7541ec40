//! What can be wrong with a recording, and where.

use std::io;

/// Says where and why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct BadRecording {
    /// The recording, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: Wrong,
}

/// What is wrong with a line of a recording.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// The file could not be read any further.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The line is longer than [`super::LINE_BYTES_MAX`].
    #[error("the line is longer than {} MiB", super::LINE_BYTES_MAX >> 20)]
    TooLong,
    /// There is no first line, or it is something else.
    #[error(r#"no header: the first line must read {{"recording":1,"targets":{{…}}}}{0}"#)]
    NoHeader(String),
    /// The header names a version that nobody here can read.
    #[error("version {0} of the recording format is not known; this program reads version 1")]
    UnknownVersion(u64),
    /// The header's words about a target make no sense.
    #[error("{0}")]
    BadTarget(String),
    /// The line is no observation.
    #[error("column {column}: {what}")]
    NotAnObservation {
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// The line names a target that the header does not.
    #[error("target {0:?} is not in the header")]
    UnknownTarget(String),
}

impl From<serde_json::Error> for Wrong {
    fn from(error: serde_json::Error) -> Self {
        Self::NotAnObservation { column: error.column(), what: without_place(&error) }
    }
}

/// Returns an error's text without its place: its line is always 1, because one line is parsed at a time, and would mislead.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(what, _)| what.to_owned())
}
