//! Memory, read every few seconds.

use super::outlet::Outlet;
use crate::config::MemoryFrom;

/// Reads memory, for ever.
pub(super) async fn follow(from: MemoryFrom, outlet: Outlet) {
    let _todo = (from, outlet);
}
