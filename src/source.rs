//! Where samples come from.
//!
//! [`fleet`] turns the engine's orders into tasks, one bounded call each; [`poll`] asks one target one thing.

pub mod fleet;
pub mod poll;

mod count;
mod endpoints;
mod history;

use std::sync::Arc;

pub use self::endpoints::Endpoints;
pub use self::fleet::Sources;
pub use self::poll::{Poller, Unasked};

use crate::engine::moment::Moment;

/// The driver's clock, handed down.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;
