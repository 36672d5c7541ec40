//! What a ledger remembers of a target.

use std::sync::Arc;

use crate::engine::care::Care;
use crate::engine::day::Day;
use crate::engine::incident::Incident;
use crate::engine::sample::{SessionState, Word};
use crate::engine::timeline::week::Week;

/// What a ledger remembers of a target.
#[derive(Debug, Default)]
pub struct Memory {
    /// The last state.
    pub state: Option<SessionState>,
    /// Whether the session was good.
    pub was_good: bool,
    /// Whether the session was suspected of something.
    pub is_suspect: bool,
    /// The incidents that are open.
    pub open: Vec<Arc<Incident>>,
    /// The version that it ran.
    pub version: Option<Word>,
    /// The same by its runtime's word.
    pub image: Option<Word>,
    /// The limit of its memory that was last said to be too small.
    pub small_limit: Option<u64>,
    /// How it was during the last day, until its last entry.
    pub day: Option<Day>,
    /// What usually passes, in hours of this time zone.
    pub traffic: Option<(Word, Week)>,
    /// What was done for it.
    pub care: Care,
}
