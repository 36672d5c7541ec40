//! What the runtime does with the container: it starts, it dies, it runs another image.

use super::outlet::Outlet;
use crate::config::RuntimeFrom;

/// Follows a container's events, for ever.
pub(super) async fn follow(from: RuntimeFrom, outlet: Outlet) {
    let _todo = (from, outlet);
}
