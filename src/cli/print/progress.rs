//! How far something has come: told to a person at a terminal who has waited for more than a second, and to nobody else.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use super::ink::is_dumb;
use super::window::{clear_line, redraw_line};
use crate::driver::clock::{self, Clock};
use crate::engine::Moment;
use crate::engine::moment::words;

/// A person who waits longer than this is told.
const QUIET_FOR: Duration = Duration::from_secs(1);
/// The line is not drawn more often.
const EVERY: Duration = Duration::from_millis(100);
/// How often a wait that tells nothing of itself is told of.
const TICK: Duration = Duration::from_secs(1);

/// A line on standard error that is gone when the work is done.
pub(in crate::cli) struct Progress {
    clock: Clock,
    begun: Moment,
    drawn: Option<Moment>,
    is_wanted: bool,
}

impl Progress {
    /// Starts to count the time.
    pub(in crate::cli) fn new() -> Self {
        let clock = clock::machine();
        let begun = clock();
        Self { clock, begun, drawn: None, is_wanted: io::stderr().is_terminal() && !is_dumb() }
    }

    /// Tells how far it has come, if it takes long; the text is made only then.
    pub(in crate::cli) fn show(&mut self, text: impl FnOnce() -> String) {
        if !self.is_wanted {
            return;
        }
        let now = (self.clock)();
        let is_due = self.drawn.is_none_or(|drawn| EVERY <= now.since(drawn));
        if QUIET_FOR <= now.since(self.begun) && is_due {
            self.drawn = Some(now);
            redraw_line(&text());
        }
    }

    /// Takes the line away, so that something else can be printed.
    pub(in crate::cli) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            clear_line();
        }
    }

    /// Waits for something that tells nothing of itself, and says for how long it has; the line stays.
    pub(in crate::cli) async fn during<T>(&mut self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(TICK) => {
                    let waited = (self.clock)().since(self.begun);
                    self.show(|| format!("{what} ({})", words(waited)));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Waits for something, and says so to a person who waits for more than a second.
pub(in crate::cli) fn during<T>(what: &str, work: impl Future<Output = T>) -> impl Future<Output = T> {
    // Beside the waiting, however large the work is.
    let work = Box::pin(work);
    async move { Progress::new().during(what, work).await }
}
