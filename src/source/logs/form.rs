//! What a daemon sends of a log: frames, or for a container with a terminal the bytes as they are.

use super::frames::{Frames, Garbled, Stream};
use super::lines::{Line, Lines};

/// How a log comes.
#[derive(Debug)]
pub(super) enum Form {
    /// In frames: each of the two outputs has lines of its own.
    Framed { frames: Frames, out: Lines, err: Lines },
    /// As it is.
    Raw(Lines),
}

impl Form {
    /// Decides by what the daemon says of its answer, and where it says nothing by whether the container has a terminal.
    pub(super) fn of(content_type: Option<&str>, has_terminal: bool) -> Self {
        let is_raw = match content_type {
            Some("application/vnd.docker.raw-stream") => true,
            Some("application/vnd.docker.multiplexed-stream") => false,
            Some(_) | None => has_terminal,
        };
        if is_raw {
            return Self::Raw(Lines::default());
        }
        Self::Framed { frames: Frames::default(), out: Lines::default(), err: Lines::default() }
    }

    /// Takes the next bytes, and returns the lines that end in them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Line>, Garbled> {
        match self {
            Self::Raw(lines) => Ok(lines.feed(bytes)),
            Self::Framed { frames, out, err } => {
                let mut whole = Vec::new();
                frames.feed(bytes, |stream, piece| {
                    let lines = match stream {
                        Stream::Out => &mut *out,
                        Stream::Err => &mut *err,
                    };
                    whole.extend(lines.feed(piece));
                })?;
                Ok(whole)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_raw(content_type: Option<&str>, has_terminal: bool) -> bool {
        matches!(Form::of(content_type, has_terminal), Form::Raw(_))
    }

    #[test]
    fn the_answer_outweighs_the_container() {
        // Daemons before API 1.42 say the same of both, or nothing.
        assert!(is_raw(None, true) && !is_raw(None, false));
        assert!(is_raw(Some("application/octet-stream"), true) && !is_raw(Some("application/octet-stream"), false));
        assert!(is_raw(Some("application/vnd.docker.raw-stream"), false));
        assert!(!is_raw(Some("application/vnd.docker.multiplexed-stream"), true));
    }

    #[test]
    fn the_two_outputs_are_not_mixed_within_a_line() {
        let mut form = Form::of(None, false);
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        let frame = |kind: u8, text: &str| [&[kind, 0, 0, 0, 0, 0, 0, length(text)], text.as_bytes()].concat();
        let bytes = [frame(1, "Disconnected: "), frame(2, "a warning\n"), frame(1, "CONFLICT\n")].concat();
        let lines: Vec<Vec<u8>> = form.feed(&bytes).unwrap().into_iter().map(|line| line.bytes).collect();
        assert_eq!(lines, [b"a warning".to_vec(), b"Disconnected: CONFLICT".to_vec()]);
    }
}
