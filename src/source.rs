//! Where samples come from.
//!
//! [`fleet`] turns the engine's orders into tasks, one bounded call each; [`poll`] asks one target one thing. Logs, memory and
//! the runtime are followed beside that, as a target's sections say.

pub mod fleet;
pub mod path;
pub mod poll;

mod count;
mod endpoints;
mod follow;
mod history;
mod logs;
mod memory;
mod outage;
mod outlet;
mod runtime;
mod witness;

use std::sync::Arc;

pub use self::endpoints::Endpoints;
pub use self::fleet::Sources;
pub use self::poll::{Poller, Seen, Unasked};

use crate::engine::moment::Moment;

/// The driver's clock, handed down.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;
