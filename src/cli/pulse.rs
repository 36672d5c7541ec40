//! What a command that goes on and on waits for: the next time, or a signal.

use std::io;
use std::time::Duration;

use rustix::process::{Signal as Kind, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// What a command that goes on does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// The time has come again.
    Due,
    /// The window has another size.
    Resized,
    /// Ctrl-Z: it steps back until it is called again.
    Suspend,
    /// Ctrl-C, or the end of the terminal.
    Stop,
}

/// Beats as often as is said.
#[derive(Debug)]
pub(super) struct Pulse {
    every: Duration,
    stops: [Signal; 3],
    resized: Signal,
    suspend: Signal,
}

impl Pulse {
    pub(super) fn new(every: Duration) -> io::Result<Self> {
        let [int, term, hup] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self {
            every,
            stops: [int?, term?, hup?],
            resized: signal(SignalKind::window_change())?,
            suspend: signal(SignalKind::from_raw(Kind::TSTP.as_raw()))?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Beat {
        let Self { every, stops: [int, term, hup], resized, suspend } = self;
        tokio::select! {
            _ = int.recv() => Beat::Stop,
            _ = term.recv() => Beat::Stop,
            _ = hup.recv() => Beat::Stop,
            _ = suspend.recv() => Beat::Suspend,
            _ = resized.recv() => Beat::Resized,
            () = sleep(*every) => Beat::Due,
        }
    }

    /// Waits for some work; none where it was told to stop meanwhile.
    pub(super) async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let [int, term, hup] = &mut self.stops;
        tokio::select! {
            biased;
            _ = int.recv() => None,
            _ = term.recv() => None,
            _ = hup.recv() => None,
            done = work => Some(done),
        }
    }

    /// Stands still until the shell calls it back.
    pub(super) fn suspend() {
        // Where that is not allowed it goes on.
        kill_process(getpid(), Kind::STOP).unwrap_or_default();
    }
}
