//! Log lines, as they are written: what the dialect knows a meaning for becomes a signal.

use super::outlet::Outlet;
use crate::config::Logs;

/// Follows a log, for ever.
pub(super) async fn follow(from: Logs, outlet: Outlet) {
    let _todo = (from, outlet);
}
