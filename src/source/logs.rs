//! Log lines, as they are written: what the dialect knows a meaning for becomes a signal.
//!
//! A log is followed from its end: an old line is never judged as a new one. Where following was interrupted it goes on at the last
//! line that was seen, so that no line is lost and none comes twice.

mod container;
mod docker;
mod file;
mod form;
mod frames;
mod lines;
mod reader;
mod seen;
mod tail;

use self::reader::Reader;
use super::outlet::Outlet;
use crate::config::{Logs, LogsAt};

/// Follows a log, for ever.
pub(super) async fn follow(from: Logs, outlet: Outlet) {
    let reader = Reader::new(outlet, from.lines_max);
    match from.at {
        LogsAt::Docker(at) => docker::follow(at, reader).await,
        LogsAt::File(path) => file::follow(path, reader).await,
    }
}
