//! One thread that renders, off the runtime's own: a page of a large fleet delays no poll.
//!
//! It is always the same one. The runtime's pool would render each page on another of its threads, and glibc keeps what each of them
//! once needed: with 500 sessions every scrape left 2 MB more, 60 MB in all.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::{mpsc, oneshot};

/// Most pages that wait for the thread; whoever wants one more waits to be let in.
const JOBS_MAX: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// Hands work to the thread, which ends with it.
pub(super) struct Press {
    jobs: mpsc::Sender<Job>,
}

impl Press {
    /// Starts the thread. It is none of the runtime's: that would wait for it, and in tests its clock would stand still meanwhile.
    pub(super) fn start() -> Self {
        let (jobs, mut queue) = mpsc::channel::<Job>(JOBS_MAX);
        let started = thread::Builder::new().name(String::from("pages")).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job();
            }
        });
        if let Err(error) = started {
            tracing::error!(%error, "no thread for pages and metrics: none will be rendered");
        }
        Self { jobs }
    }

    /// Has something rendered. Also done when nobody waits for it any more.
    ///
    /// # Errors
    ///
    /// It panicked, or the runtime ends.
    pub(super) async fn print<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        let (done, result) = oneshot::channel();
        let job = move || {
            // What it holds is dropped with it; the next one begins with nothing of it.
            if let Ok(made) = catch_unwind(AssertUnwindSafe(work)) {
                drop(done.send(made));
            }
        };
        self.jobs.send(Box::new(job)).await.map_err(|_ended| "the server has stopped")?;
        result.await.map_err(|_unmade| "it panicked; the log says where")
    }
}

impl fmt::Debug for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Press").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_is_made_by_one_thread_also_after_a_panic() {
        let press = Press::start();
        let thread = || thread::current().id();
        let first = press.print(thread).await.unwrap();
        assert_ne!(first, thread());
        assert!(press.print(|| -> u8 { panic!("a template is broken") }).await.is_err());
        assert_eq!(press.print(thread).await, Ok(first));
    }
}
