//! Network paths, looked at again and again: one request each over TCP and TLS. Any answer proves the way.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::PathAt;
use crate::engine::path::PathName;
use crate::engine::sample::{Failure, Word};
use crate::http::{Http, NoReply, Unanswered};

/// Room for what was seen and not taken yet. Whoever makes the channel uses it.
pub const QUEUE_MAX: usize = 64;

/// What was seen of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathSeen {
    /// Which.
    pub path: PathName,
    /// Why it is down; none where it is up.
    pub down: Option<Word>,
}

/// Looks at paths until nobody wants to know any more. Other paths may come over `paths`.
pub async fn keep_looking(mut paths: watch::Receiver<Arc<[PathAt]>>, http: Http, seen: mpsc::Sender<PathSeen>) {
    loop {
        let mut lookers = JoinSet::new();
        for path in paths.borrow_and_update().iter().cloned() {
            lookers.spawn(look(path, http.clone(), seen.clone()));
        }
        // Whoever looked at the old ones ends with the set.
        if paths.changed().await.is_err() {
            return;
        }
    }
}

async fn look(path: PathAt, http: Http, seen: mpsc::Sender<PathSeen>) {
    let Ok(url) = Url::parse(&path.url) else { return };
    let mut ticks = interval(path.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let asked = timeout(path.timeout, http.send(Method::HEAD, &url, HeaderMap::new(), Vec::new())).await;
        let down = match asked {
            Ok(Ok(_answer)) => None,
            Ok(Err(Unanswered::Unsent(NoReply::Theirs(failure)) | Unanswered::Lost(NoReply::Theirs(failure)))) => {
                Some(failure)
            }
            // The watchdog ran short of something: that says nothing about the path.
            Ok(Err(Unanswered::Unsent(NoReply::Ours(_)) | Unanswered::Lost(NoReply::Ours(_)))) => continue,
            Err(_elapsed) => Some(Failure::Timeout),
        };
        let news = PathSeen { path: Arc::clone(&path.name), down: down.map(|why| Word::new(&why.to_string())) };
        if seen.send(news).await.is_err() {
            return;
        }
    }
}
