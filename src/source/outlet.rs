//! Where the news of what is followed leave.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::Clock;
use super::count::Counts;
use crate::config::Target;
use crate::engine::moment::Moment;
use crate::engine::sample::Sample;
use crate::http::Http;
use crate::recording::{News, Raw};

/// What a follower of one target has at hand. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) http: Http,
    pub(super) counts: Arc<Counts>,
    pub(super) clock: Clock,
    pub(super) samples: mpsc::Sender<News>,
    /// The target as it is configured now; a reload changes it under a follower whose own section stayed the same.
    pub(super) target: watch::Receiver<Arc<Target>>,
}

impl Outlet {
    /// Returns the target as it is configured now.
    pub(super) fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target.borrow())
    }

    /// Returns the present moment.
    pub(super) fn now(&self) -> Moment {
        (self.clock)()
    }

    /// Hands one piece of news on. Waits for nobody: a full queue drops it, and counts that.
    pub(super) fn tell(&self, sample: Sample, raw: Raw) {
        let news = News { target: self.target.borrow().id.clone(), sample, raw };
        if self.samples.try_send(news).is_err() {
            self.counts.queue_full.add();
        }
    }
}
