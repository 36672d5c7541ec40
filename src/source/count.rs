//! What came of the orders, as numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Numbers since the start, shared by every task.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) in_flight: AtomicUsize,
    /// Lines of a log, longer than what is looked at.
    pub(super) log_cut: Counter,
    /// The dialect knows no meaning for them.
    pub(super) log_meaningless: Counter,
    /// They came too late to be news.
    pub(super) log_old: Counter,
    /// There were too many in one second.
    pub(super) log_over_rate: Counter,
    /// They draw a QR code.
    pub(super) log_qr: Counter,
    /// A log could not be followed.
    pub(super) log_unread: Counter,
    /// A call of that kind was in flight.
    pub(super) busy: Counter,
    /// The targets were replaced, or the watchdog ends.
    pub(super) outdated: Counter,
    pub(super) panicked: Counter,
    pub(super) queue_full: Counter,
    /// By a fault of our own.
    pub(super) unasked: Counter,
    pub(super) unknown_target: Counter,
    /// Events of a runtime that could not be read, or were too long.
    pub(super) event_unread: Counter,
}

/// A number that only rises.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counts {
    pub(super) fn dropped(&self) -> BTreeMap<&'static str, u64> {
        let reasons = [
            ("log_cut", &self.log_cut),
            ("log_meaningless", &self.log_meaningless),
            ("log_old", &self.log_old),
            ("log_over_rate", &self.log_over_rate),
            ("log_qr", &self.log_qr),
            ("log_unread", &self.log_unread),
            ("poll_busy", &self.busy),
            ("poll_outdated", &self.outdated),
            ("poll_panicked", &self.panicked),
            ("poll_queue_full", &self.queue_full),
            ("poll_unasked", &self.unasked),
            ("poll_unknown_target", &self.unknown_target),
            ("event_unread", &self.event_unread),
        ];
        reasons.into_iter().map(|(reason, Counter(count))| (reason, count.load(Ordering::Relaxed))).collect()
    }
}
