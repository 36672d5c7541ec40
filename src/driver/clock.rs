//! The only reader of clocks.

use std::sync::Arc;

use tokio::time::Instant;

use crate::engine::moment::{Moment, Wall};

/// Tells the time to everybody who needs it; tests hand in their own.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Starts the machine's clock. Uptime is tokio's, so that paused time pauses it in tests.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place where clocks are read")]
pub fn machine() -> Clock {
    let start = Instant::now();
    Arc::new(move || Moment {
        uptime: Instant::now().saturating_duration_since(start),
        wall: Wall::from_millis(jiff::Timestamp::now().as_millisecond()),
    })
}
