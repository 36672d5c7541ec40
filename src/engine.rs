//! The pure half: samples in, orders out.
//!
//! Nothing in here does IO, reads a clock or knows a gateway's words. The [`Watchdog`] is one state machine with four kinds of
//! method, after quinn and str0m: [`Watchdog::handle`] says what happened, [`Watchdog::poll_output`] says what to do,
//! [`Watchdog::next_deadline`] says when to come back at the latest, [`Watchdog::snapshot`] shows what it believes.
//!
//! The contract of a driver, live or in a replay:
//! 1. hand in every input with the moment at which it happened; moments must not go back (one that does counts as no time passed);
//! 2. after each input take outputs until there are none, and carry them out;
//! 3. answer every `Record` with `Recorded` or `RecordFailed`;
//! 4. when the deadline has come and nothing else happened, hand in `DeadlinePassed`.

pub mod attempt;
pub mod care;
pub mod command;
pub mod day;
pub mod evidence;
pub mod explain;
pub mod fleet;
pub mod incident;
pub mod ladder;
pub mod ledger;
pub mod moment;
pub mod path;
pub mod pattern;
pub mod plan;
pub mod policy;
pub mod refusal;
pub mod roster;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod snapshot;
pub mod subject;
pub mod target;
pub mod tell;
pub mod timeline;
pub mod verdict;
pub mod watchdog;

pub use moment::{Moment, Wall};
pub use policy::Policy;
pub use sample::Sample;
pub use target::TargetId;
pub use watchdog::{Ask, Event, Input, Output, Watchdog};
