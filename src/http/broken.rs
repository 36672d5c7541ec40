//! What it means that a call brought no answer, and whose fault it is.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter;

use crate::engine::sample::Failure;

/// Why a call brought no answer. Holds no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The other side's doing, or the network's.
    #[error("{0}")]
    Theirs(Failure),
    /// Our own: no more open files, no free port, a URL that is none. It says nothing about the other side.
    #[error("{0}")]
    Ours(String),
}

/// Why a request that may change something brought no answer: whether it may have changed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It was certainly not sent.
    #[error("it was not sent: {0}")]
    Unsent(NoReply),
    /// It may have been carried out.
    #[error("it was sent, and no answer came: {0}")]
    Lost(NoReply),
}

impl Unanswered {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let why = NoReply::of(error);
        if error.is_connect() || error.is_builder() { Self::Unsent(why) } else { Self::Lost(why) }
    }
}

impl NoReply {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if let Some(shortage) = causes(error).find_map(shortage) {
            return Self::Ours(shortage.to_string());
        }
        if error.is_builder() {
            return Self::Ours("the URL cannot be asked".to_owned());
        }
        if error.is_dns() {
            return Self::Theirs(Failure::Dns);
        }
        if error.is_timeout() {
            return Self::Theirs(Failure::Timeout);
        }
        let handshake_ended =
            error.is_connect() && causes(error).any(|cause| kind(cause) == Some(ErrorKind::UnexpectedEof));
        if handshake_ended {
            return Self::Theirs(Failure::Tls);
        }
        Self::Theirs(causes(error).find_map(meaning).unwrap_or(Failure::Reset))
    }
}

/// Tells whether a kept-alive connection may have been closed by the server before it saw the request.
pub(super) fn may_be_stale(error: &reqwest::Error) -> bool {
    !error.is_connect() && NoReply::of(error) == NoReply::Theirs(Failure::Reset)
}

/// Walks from an error to its causes.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    iter::successors(Some(first), |&error| {
        // An I/O error names as its source not the error that it wraps, but that one's source.
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

fn meaning(cause: &(dyn Error + 'static)) -> Option<Failure> {
    if cause.is::<rustls::Error>() {
        return Some(Failure::Tls);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return of_hyper(error);
    }
    let kind = kind(cause)?;
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, failure)| *failure)
}

fn of_hyper(error: &hyper::Error) -> Option<Failure> {
    if error.is_parse_too_large() {
        return Some(Failure::TooLarge);
    }
    // Somebody answers, in another language than HTTP.
    error.is_parse().then_some(Failure::NotJson)
}

/// Returns the error if it is a shortage of our own.
fn shortage<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let error: &io::Error = cause.downcast_ref()?;
    let is_ours =
        OUR_KINDS.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| OUR_CODES.contains(&code));
    is_ours.then_some(error)
}

fn kind(cause: &(dyn Error + 'static)) -> Option<ErrorKind> {
    cause.downcast_ref().map(io::Error::kind)
}

/// An unreachable host or network is a refusal that the network speaks in its place. What is not named here broke midway.
const KINDS: [(ErrorKind, Failure); 4] = [
    (ErrorKind::TimedOut, Failure::Timeout),
    (ErrorKind::ConnectionRefused, Failure::ConnectionRefused),
    (ErrorKind::HostUnreachable, Failure::ConnectionRefused),
    (ErrorKind::NetworkUnreachable, Failure::ConnectionRefused),
];

const OUR_KINDS: [ErrorKind; 3] = [ErrorKind::AddrNotAvailable, ErrorKind::OutOfMemory, ErrorKind::PermissionDenied];

/// `ENFILE` and `EMFILE`, the same on every Unix: too many open files. They have no kind of their own.
const OUR_CODES: [i32; 2] = [23, 24];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_open_files_is_no_failure_of_the_other_side() {
        for error in [io::Error::from_raw_os_error(24), ErrorKind::AddrNotAvailable.into()] {
            assert!(shortage(&error).is_some(), "{error}");
        }
        for error in [io::Error::from(ErrorKind::ConnectionRefused), ErrorKind::TimedOut.into()] {
            assert!(shortage(&error).is_none(), "{error}");
        }
    }

    #[test]
    fn the_network_can_refuse_in_a_hosts_place() {
        let meaning = |kind: ErrorKind| meaning(&io::Error::from(kind));
        assert_eq!(meaning(ErrorKind::HostUnreachable), Some(Failure::ConnectionRefused));
        assert_eq!(meaning(ErrorKind::TimedOut), Some(Failure::Timeout));
        assert_eq!(meaning(ErrorKind::BrokenPipe), None);
    }
}
