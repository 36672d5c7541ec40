//! What is followed beside the polls: logs, memory, runtime. One task each, for as long as its section stays the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::outlet::Outlet;
use super::{logs, memory, runtime};
use crate::config::{Logs, MemoryFrom, RuntimeFrom, Target};
use crate::engine::target::TargetId;

/// One thing that is followed, as its section says.
#[derive(Clone, Debug, PartialEq)]
enum Sense {
    Logs(Logs),
    Memory(MemoryFrom),
    Runtime(RuntimeFrom),
}

impl Sense {
    /// Returns what is followed for a target.
    fn all(target: &Target) -> Vec<Self> {
        let senses = &target.senses;
        let logs = senses.logs.clone().map(Self::Logs);
        let memory = senses.memory.clone().map(Self::Memory);
        let runtime = senses.runtime.clone().map(Self::Runtime);
        logs.into_iter().chain(memory).chain(runtime).collect()
    }

    /// Follows it, for ever.
    async fn follow(self, outlet: Outlet) {
        match self {
            Self::Logs(from) => logs::follow(from, outlet).await,
            Self::Memory(from) => memory::follow(from, outlet).await,
            Self::Runtime(from) => runtime::follow(from, outlet).await,
        }
    }
}

/// One follower under way; ends when it is dropped.
#[derive(Debug)]
struct Follower {
    sense: Sense,
    /// Tells it what its target is from here on.
    target: watch::Sender<Arc<Target>>,
    _end: DropGuard,
}

/// Every follower under way.
#[derive(Debug, Default)]
pub(super) struct Followers(BTreeMap<TargetId, Vec<Follower>>);

impl Followers {
    /// Follows what these targets say, and nothing else. What is followed already goes on where its section stayed the same, so
    /// that a reload loses no line.
    pub(super) fn replace(
        &mut self,
        targets: &BTreeMap<TargetId, Arc<Target>>,
        tracker: &TaskTracker,
        outlet: &dyn Fn(watch::Receiver<Arc<Target>>) -> Outlet,
    ) {
        let mut before = std::mem::take(&mut self.0);
        for (id, target) in targets {
            let mut old = before.remove(id).unwrap_or_default();
            let followers = Sense::all(target).into_iter().map(|sense| {
                let same = old.iter().position(|follower| follower.sense == sense);
                let Some(place) = same else { return begin(sense, target, tracker, outlet) };
                let follower = old.swap_remove(place);
                follower.target.send_replace(Arc::clone(target));
                follower
            });
            let followers: Vec<Follower> = followers.collect();
            if !followers.is_empty() {
                self.0.insert(id.clone(), followers);
            }
        }
    }
}

fn begin(
    sense: Sense,
    target: &Arc<Target>,
    tracker: &TaskTracker,
    outlet: &dyn Fn(watch::Receiver<Arc<Target>>) -> Outlet,
) -> Follower {
    let end = CancellationToken::new();
    let (sender, receiver) = watch::channel(Arc::clone(target));
    tracker.spawn(end.clone().run_until_cancelled_owned(sense.clone().follow(outlet(receiver))));
    Follower { sense, target: sender, _end: end.drop_guard() }
}
