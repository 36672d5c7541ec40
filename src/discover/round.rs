//! One section, asked again and again. A refresh that fails changes nothing; one that is clean counts whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

use super::{Clock, Counts, Entry, Failed, Heard, Held, ask, name};
use crate::config::{Discovery, Found, Problem, Ready};
use crate::engine::target::TargetId;
use crate::http::Http;
use crate::http::message::until;

/// Longest pause where a gateway says that it is asked too often, and not for how long.
const BACK_OFF_MAX: Duration = Duration::from_mins(10);
/// Most troubles with what was found that are remembered as told.
const TOLD_MAX: usize = 1024;

/// What every section has at hand. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    /// Asks.
    pub http: Http,
    /// Tells the time.
    pub clock: Clock,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
}

/// What a section has found from here on: all of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who found it.
    pub of: Arc<Discovery>,
    /// What it found.
    pub held: Arc<Held>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// A section under way.
struct Round {
    of: Arc<Discovery>,
    held: Arc<Held>,
    counts: Arc<Counts>,
    desk: Desk,
    /// The outcome that was last told, so that a trouble that lasts is told once.
    failing: Option<&'static str>,
    /// Refreshes in a row that were too many.
    throttled: u32,
    /// Troubles with what was found that were told.
    told: BTreeSet<(String, String)>,
}

/// Asks a section for ever, and reports whenever what it found has changed. `held` is what it found before.
pub async fn follow(of: Arc<Discovery>, held: Arc<Held>, counts: Arc<Counts>, desk: Desk) {
    let mut round = Round { of, held, counts, desk, failing: None, throttled: 0, told: BTreeSet::new() };
    loop {
        let begun = until(Duration::ZERO);
        let known = round.held.values().map(|entry| (entry.found.key.clone(), entry.found.clone())).collect();
        let pause = match ask(&round.of, &round.desk.http, &round.desk.clock, &known).await {
            Ok(heard) => {
                round.throttled = 0;
                if !round.take(heard).await {
                    return;
                }
                round.of.every
            }
            Err(why) => round.fail(&why),
        };
        sleep_until(begun.checked_add(pause).unwrap_or(begun)).await;
    }
}

/// Makes targets of what was found: those that are known as they are stay the same ones. Returns with them the problems of those
/// that cannot be targets. May block.
#[must_use]
pub fn read_all(
    of: &Discovery,
    named: BTreeMap<TargetId, Found>,
    before: &Held,
) -> (Held, Vec<(TargetId, Vec<Problem>)>) {
    let same = |id: &TargetId, found: &Found| before.get(id).filter(|entry| entry.found == *found)?.ready.clone();
    let mut held: Held = named
        .into_iter()
        .map(|(id, found)| {
            let ready = same(&id, &found);
            (id, Entry { found, ready })
        })
        .collect();
    let fresh: Vec<(TargetId, Found)> = held
        .iter()
        .filter(|(_, entry)| entry.ready.is_none())
        .map(|(id, entry)| (id.clone(), entry.found.clone()))
        .collect();
    let like = before.values().filter_map(|entry| entry.ready.as_ref());
    let read = of.read(fresh.iter().map(|(id, found)| (id, found)), like);
    let mut problems = Vec::new();
    for ((id, _), read) in fresh.into_iter().zip(read) {
        match read {
            Ok(ready) => {
                if let Some(entry) = held.get_mut(&id) {
                    entry.ready = Some(ready);
                }
            }
            Err(why) => problems.push((id, why)),
        }
    }
    (held, problems)
}

impl Round {
    /// Takes what a clean refresh told; false where nobody wants to know any more.
    async fn take(&mut self, heard: Heard) -> bool {
        let Heard { found, odd } = heard;
        let (section, now) = (&self.of.name, (self.desk.clock)().wall);
        if self.failing.take().is_some() {
            tracing::info!(
                discovery = section,
                found = found.len(),
                "a discovery tells again which sessions there are"
            );
        }
        let known: BTreeMap<&str, &TargetId> =
            self.held.iter().map(|(id, entry)| (entry.found.key.as_str(), id)).collect();
        let (named, over) = name(&known, found, &self.of.prefix, self.of.max);
        let (of, before) = (Arc::clone(&self.of), Arc::clone(&self.held));
        // Files of tokens and dialects may be read for a target.
        let reading = spawn_blocking(move || read_all(&of, named, &before));
        let Ok((held, problems)) = reading.await else {
            self.fail(&Failed::NotAsked("what was found could not be read".to_owned()));
            return true;
        };
        self.counts.found(now, over, odd.len().saturating_add(problems.len()));
        self.tell(over, odd, problems);
        if is_same(&self.held, &held) {
            return true;
        }
        self.held = Arc::new(held);
        let report = Report { of: Arc::clone(&self.of), held: Arc::clone(&self.held) };
        self.desk.reports.send(report).await.is_ok()
    }

    /// Logs what cannot be watched, once.
    fn tell(&mut self, over: usize, odd: Vec<(String, String)>, problems: Vec<(TargetId, Vec<Problem>)>) {
        let section = &self.of.name;
        let problems = problems.into_iter().map(|(id, problems)| {
            let what: Vec<String> =
                problems.into_iter().map(|Problem { key, what, .. }| format!("{key}: {what}")).collect();
            (id.to_string(), what.join("; "))
        });
        let many = (0 < over)
            .then(|| (String::new(), format!("it finds more than max = {}; the rest is not watched", self.of.max)));
        let all: BTreeSet<(String, String)> = odd.into_iter().chain(problems).chain(many).take(TOLD_MAX).collect();
        for (found, why) in all.difference(&self.told) {
            tracing::warn!(
                discovery = section,
                found,
                why,
                "a discovery finds what cannot be watched; it is said once"
            );
        }
        self.told = all;
    }

    /// Notes that a refresh failed; returns how long to wait before the next one.
    fn fail(&mut self, why: &Failed) -> Duration {
        self.counts.failed(why);
        let (section, every) = (&self.of.name, self.of.every);
        if self.failing != Some(why.outcome()) {
            self.failing = Some(why.outcome());
            tracing::warn!(discovery = section, %why, "a discovery failed; what it found before is still watched");
        }
        match why {
            Failed::Throttled(Some(asked)) => every.max(*asked),
            Failed::Throttled(None) => {
                self.throttled = self.throttled.saturating_add(1);
                let doubled = every.saturating_mul(2_u32.saturating_pow(self.throttled));
                doubled.min(BACK_OFF_MAX).max(every)
            }
            Failed::NoAnswer(_)
            | Failed::Refused(_)
            | Failed::Status(_)
            | Failed::NotUnderstood(_)
            | Failed::NotAsked(_) => every,
        }
    }
}

/// Tells whether the same targets come of both.
fn is_same(one: &Held, other: &Held) -> bool {
    let target = |ready: &Ready| Arc::as_ptr(&ready.target);
    let same = |one: &Entry, other: &Entry| {
        one.found == other.found && one.ready.as_ref().map(target) == other.ready.as_ref().map(target)
    };
    one.len() == other.len() && one.iter().zip(other).all(|((a, one), (b, other))| a == b && same(one, other))
}
