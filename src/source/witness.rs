//! What a route that always exists answered just now, shared by all who have the same doubt: where a hundred sessions are gone at once,
//! their gateway is asked once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;

use crate::engine::moment::Moment;
use crate::recording::Came;

/// How long an answer counts for others.
const COUNTS_FOR: Duration = Duration::from_secs(5);
/// Most routes whose answers are shared; beyond it everybody asks alone. Those that nobody asks any more make room.
const ROUTES_MAX: usize = 256;

/// The newest answer of one route; held while it is asked, so that others wait for that answer.
type Place = Arc<tokio::sync::Mutex<Option<(Moment, Came)>>>;

/// The newest answer of each route. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Witnesses(Arc<Mutex<BTreeMap<Url, Place>>>);

impl Witnesses {
    /// Returns what a route answers: what it just answered somebody else, or what `ask` brings.
    pub(super) async fn answer<E>(
        &self,
        url: &Url,
        now: impl Fn() -> Moment,
        ask: impl Future<Output = Result<Came, E>>,
    ) -> Result<Came, E> {
        let Some(place) = self.place(url, now()) else { return ask.await };
        let mut newest = place.lock().await;
        if let Some((_, came)) = newest.as_ref().filter(|(at, _)| counts(*at, now())) {
            return Ok(came.clone());
        }
        let came = ask.await?;
        *newest = Some((now(), came.clone()));
        Ok(came)
    }

    fn place(&self, url: &Url, now: Moment) -> Option<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains_key(url) && ROUTES_MAX <= places.len() {
            places.retain(|_, place| 1 < Arc::strong_count(place) || is_young(place, now));
            if ROUTES_MAX <= places.len() {
                return None;
            }
        }
        Some(Arc::clone(places.entry(url.clone()).or_default()))
    }
}

/// Tells whether an answer still counts for others.
fn counts(at: Moment, now: Moment) -> bool {
    now.since(at) < COUNTS_FOR
}

/// The same of a place that nobody holds.
fn is_young(place: &Place, now: Moment) -> bool {
    place.try_lock().is_ok_and(|newest| newest.as_ref().is_some_and(|(at, _)| counts(*at, now)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::engine::sample::Failure;

    #[tokio::test]
    async fn an_answer_counts_for_others_for_a_while() {
        let (witnesses, secs, asked) = (Witnesses::default(), Cell::new(0), Cell::new(0));
        let url = Url::parse("http://gateway/ping").unwrap();
        let now = || Moment::default().after(Duration::from_secs(secs.get()));
        let ask = || async {
            asked.set(asked.get() + 1);
            Ok::<_, ()>(Came::Failed(Failure::Timeout))
        };
        for (at, times) in [(0, 1), (4, 1), (5, 2), (9, 2), (20, 3)] {
            secs.set(at);
            assert_eq!(witnesses.answer(&url, now, ask()).await, Ok(Came::Failed(Failure::Timeout)));
            assert_eq!(asked.get(), times, "after {at} s");
        }
        let other = Url::parse("http://other/ping").unwrap();
        assert!(witnesses.answer(&other, now, ask()).await.is_ok());
        assert_eq!(asked.get(), 4);
        let (failed, third) = (async { Err(()) }, Url::parse("http://third/").unwrap());
        assert_eq!(witnesses.answer(&third, now, failed).await, Err(()));
        assert!(witnesses.answer(&third, now, ask()).await.is_ok());
    }

    #[tokio::test]
    async fn routes_that_nobody_asks_any_more_make_room() {
        let (witnesses, secs) = (Witnesses::default(), Cell::new(0));
        let now = || Moment::default().after(Duration::from_secs(secs.get()));
        let url = |number: usize| Url::parse(&format!("http://gateway/{number}")).unwrap();
        let ask = || async { Ok::<_, ()>(Came::Failed(Failure::Timeout)) };
        for number in 0..=ROUTES_MAX {
            assert!(witnesses.answer(&url(number), now, ask()).await.is_ok());
        }
        assert_eq!(witnesses.0.lock().unwrap().len(), ROUTES_MAX, "the last one was asked alone");
        secs.set(COUNTS_FOR.as_secs());
        assert!(witnesses.answer(&url(ROUTES_MAX), now, ask()).await.is_ok());
        assert_eq!(witnesses.0.lock().unwrap().len(), 1);
    }
}
