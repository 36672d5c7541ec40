//! One notifier: its queue, and the task that empties it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::{Method, Url};
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Clock;
use super::letter::Letter;
use crate::config::Notifier;
use crate::http::Http;
use crate::http::message::Message;
use crate::http::retry::{may_pass, pause};

/// Most events that wait for one notifier.
pub const QUEUE_MAX: usize = 256;

/// There is no such receiver any more.
const GONE: u16 = 410;

/// What became of the events of one notifier since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Taken by the receiver.
    pub sent: u64,
    /// Not taken, after all tries.
    pub failed: u64,
    /// Never sent: the queue was full, or the receiver is gone.
    pub dropped: u64,
}

/// What every line needs to send.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) http: Http,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
}

/// One notifier. Its task ends with it.
pub(super) struct Line {
    shared: Arc<Shared>,
    end: CancellationToken,
}

struct Shared {
    notifier: Mutex<Arc<Notifier>>,
    queue: Mutex<VecDeque<Arc<Letter>>>,
    filled: tokio::sync::Notify,
    is_off: AtomicBool,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Line {
    pub(super) fn begin(notifier: Notifier, post: Post, tracker: &TaskTracker) -> Self {
        let shared = Arc::new(Shared {
            notifier: Mutex::new(Arc::new(notifier)),
            queue: Mutex::default(),
            filled: tokio::sync::Notify::new(),
            is_off: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let end = post.stop.child_token();
        let work = Arc::clone(&shared).work(post);
        tracker.spawn(end.clone().run_until_cancelled_owned(work));
        Self { shared, end }
    }

    /// Goes on with other settings, and is on.
    pub(super) fn renewed(self, notifier: Notifier) -> Self {
        *locked(&self.shared.notifier) = Arc::new(notifier);
        self.shared.is_off.store(false, Ordering::Relaxed);
        self
    }

    pub(super) fn wants(&self, kind: &str) -> bool {
        locked(&self.shared.notifier).events.iter().any(|filter| matches(filter, kind))
    }

    /// Adds an event; of too many the oldest goes.
    pub(super) fn add(&self, letter: Arc<Letter>) {
        let mut queue = locked(&self.shared.queue);
        if QUEUE_MAX <= queue.len() {
            queue.pop_front();
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        queue.push_back(letter);
        drop(queue);
        self.shared.filled.notify_one();
    }

    pub(super) fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { sent, failed, dropped, .. } = self.shared.as_ref();
        Counts { sent: count(sent), failed: count(failed), dropped: count(dropped) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Shared {
    async fn work(self: Arc<Self>, post: Post) {
        loop {
            let next = locked(&self.queue).pop_front();
            let Some(letter) = next else {
                self.filled.notified().await;
                continue;
            };
            if self.is_off.load(Ordering::Relaxed) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let notifier = Arc::clone(&locked(&self.notifier));
            let counter = match send(&post, &notifier, &letter).await {
                Ok(()) => &self.sent,
                Err(failure) => {
                    if failure.is_gone {
                        self.is_off.store(true, Ordering::Relaxed);
                    }
                    let (event, why) = (letter.kind(), failure.why);
                    tracing::warn!(
                        notifier = notifier.name,
                        event,
                        id = letter.id(),
                        why,
                        "an event was not delivered"
                    );
                    &self.failed
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Why an event was not delivered.
struct Undelivered {
    why: String,
    is_gone: bool,
}

async fn send(post: &Post, notifier: &Notifier, letter: &Letter) -> Result<(), Undelivered> {
    let failed = |why: String| Undelivered { why, is_gone: false };
    let url = Url::parse(&notifier.url).map_err(|_| failed("its URL is none".to_owned()))?;
    let message = Message {
        method: Method::POST,
        url: &url,
        id: letter.id(),
        body: letter.body(),
        token: notifier.token.as_ref(),
        signing: notifier.signing.as_ref(),
        timeout: notifier.timeout,
    };
    let mut tries = 1_u32;
    loop {
        let (why, asked) = match post.http.deliver(&message, (post.clock)()).await {
            Ok(heard) if (200..300).contains(&heard.status) => return Ok(()),
            Ok(heard) => {
                let why = format!("answered {}", heard.status);
                if !may_pass(heard.status) {
                    return Err(Undelivered { why, is_gone: heard.status == GONE });
                }
                (why, heard.retry_after)
            }
            Err(error) => (error.to_string(), None),
        };
        if notifier.tries_max <= tries {
            return Err(failed(why));
        }
        sleep(pause(letter.id(), tries, asked)).await;
        tries = tries.saturating_add(1);
    }
}

/// Tells whether a filter lets an event through: its very type, `*`, or a beginning as in `incident.*`.
fn matches(filter: &str, kind: &str) -> bool {
    match filter.strip_suffix('*') {
        Some("") => true,
        Some(start) => start.ends_with('.') && kind.starts_with(start),
        None => filter == kind,
    }
}

/// A thread that panicked left nothing half done: each holder does one thing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_type_or_its_beginning_or_everything() {
        for (filter, kind, fits) in [
            ("*", "scan.wanted", true),
            ("scan.*", "scan.wanted", true),
            ("scan.wanted", "scan.wanted", true),
            ("scan.wanted", "scan.reminder", false),
            ("scan.*", "scanner.broken", false),
            ("sc*", "scan.wanted", false),
            ("scan", "scan.wanted", false),
            ("", "scan.wanted", false),
        ] {
            assert_eq!(matches(filter, kind), fits, "{filter} {kind}");
        }
    }
}
