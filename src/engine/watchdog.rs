//! The state machine: which input changes what, and what is ordered then.

use std::sync::Arc;

use super::incident::Incident;
use super::ledger::{LedgerEntry, Seq};
use super::moment::Moment;
use super::policy::Policy;
use super::sample::{Sample, SessionState, Word};
use super::snapshot::Snapshot;
use super::target::TargetId;
use super::verdict::Verdict;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A source saw something.
    Observed(TargetId, Sample),
    /// A ledger entry is durable.
    Recorded(Seq),
    /// A ledger entry could not be written.
    RecordFailed(Seq),
    /// The configuration was read anew.
    PolicyChanged(Policy),
    /// The deadline came and nothing else happened.
    DeadlinePassed,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask a gateway something, and hand in what comes of it.
    Poll(TargetId, Ask),
    /// Write this down, and say whether it is durable.
    Record(Seq, LedgerEntry),
    /// Tell the world.
    Announce(Event),
}

/// Which of a gateway's endpoints to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// The status endpoint.
    Status,
    /// The deep probe.
    Deep,
    /// The QR endpoint.
    Qr,
}

/// A fact worth a log line.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session's state changed.
    StateChanged {
        /// Whose.
        target: TargetId,
        /// The state before.
        from: Option<SessionState>,
        /// The state from here on.
        to: SessionState,
        /// The gateway's own word.
        word: Option<Word>,
    },
    /// What is believed of a lane changed, without an incident opening or closing.
    VerdictChanged {
        /// Whose.
        target: TargetId,
        /// What is believed from here on.
        verdict: Verdict,
    },
    /// An incident opened.
    Opened(Arc<Incident>),
    /// An open incident turned out to be something else.
    PatternChanged(Arc<Incident>),
    /// An incident closed.
    Closed(Arc<Incident>),
    /// The watchdog was suspended or a clock jumped; every window of evidence started anew.
    Suspended,
    /// A ledger entry could not be written.
    RecordFailed(LedgerEntry),
}

/// The state machine. Its contract stands in the documentation of [the module](crate::engine).
#[derive(Debug)]
pub struct Watchdog {
    policy: Policy,
}

impl Watchdog {
    /// Starts with a policy and what the ledger holds, oldest entry first.
    #[must_use]
    pub fn restore(policy: Policy, ledger: &[LedgerEntry], now: Moment) -> Self {
        let _ = (ledger, now);
        Self { policy }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Moment, input: Input) {
        let _ = (now, input);
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// Returns when to hand in `DeadlinePassed` at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        None
    }

    /// Shows what is believed. Costs what changed since the last one, plus one pointer a target.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let _ = &self.policy;
        Snapshot { at: now.wall, ..Snapshot::default() }
    }
}
