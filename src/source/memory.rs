//! Memory, read every few seconds. What does not run has none: a gap, and never a zero.

mod cgroup;
mod docker;
mod process;
mod prometheus;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::outage::Outage;
use super::outlet::Outlet;
use crate::config::{MemoryFrom, MemoryPlace};
use crate::engine::sample::{Memory, Sample};
use crate::recording::Raw;

/// Reads memory, for ever.
pub(super) async fn follow(from: MemoryFrom, outlet: Outlet) {
    let mut meter = Meter::of(from.place);
    let mut outage = Outage::of("memory is read");
    let mut turns = interval(from.every);
    // A reading that took long is no reason for two in a row.
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let id = outlet.target().id.clone();
        match meter.read(&outlet).await {
            Ok(reading) => {
                outage.works(&id);
                if let Some(memory) = reading {
                    outlet.tell(Sample::Memory(memory), Raw::Memory(memory));
                }
            }
            Err(why) => outage.fails(&id, &why),
        }
    }
}

/// Something that measures memory.
enum Meter {
    Docker(Box<docker::Stats>),
    /// A place that is looked at in files.
    Files(MemoryPlace),
    Prometheus(Box<prometheus::Queries>),
}

impl Meter {
    fn of(place: MemoryPlace) -> Self {
        match place {
            MemoryPlace::Docker(at) => Self::Docker(Box::new(docker::Stats::of(at))),
            MemoryPlace::Prometheus(at) => Self::Prometheus(Box::new(prometheus::Queries::of(*at))),
            MemoryPlace::Cgroup(_) | MemoryPlace::Process(_) => Self::Files(place),
        }
    }

    /// Reads once; none where nothing runs, or where nobody knows.
    async fn read(&mut self, outlet: &Outlet) -> Result<Option<Memory>, String> {
        match self {
            Self::Docker(stats) => stats.read(&outlet.http).await.map_err(|trouble| trouble.to_string()),
            Self::Prometheus(queries) => queries.read(&outlet.http, outlet.now().wall).await,
            Self::Files(place) => {
                let place = place.clone();
                let read = move || match &place {
                    MemoryPlace::Cgroup(path) => cgroup::read(path),
                    MemoryPlace::Process(at) => process::read(at),
                    // Those are asked, not looked at in files.
                    MemoryPlace::Docker(_) | MemoryPlace::Prometheus(_) => Ok(None),
                };
                spawn_blocking(read).await.map_err(|error| error.to_string())?
            }
        }
    }
}
