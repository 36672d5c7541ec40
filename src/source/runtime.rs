//! What the runtime does with the container: it starts, it dies, it is killed for memory, it runs another image.
//!
//! The daemon's events are followed for ever. After a break they go on where they stopped, by their own times, and a look at the
//! container itself shows what happened meanwhile and was not told.

mod event;
mod story;

use std::time::Duration;

use reqwest::Response;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use self::event::{Event, Lines};
use self::story::{Seen, Story};
use super::outage::Outage;
use super::outlet::Outlet;
use crate::config::{DockerAt, RuntimeFrom};
use crate::docker::{Daemon, Trouble};
use crate::engine::sample::{Runtime, Sample};
use crate::http::message::until;
use crate::recording::Raw;

/// How long is waited before the daemon is asked again; doubled each time it is in vain.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The same where it is not allowed: somebody must change that first.
const PAUSE_FORBIDDEN: Duration = Duration::from_mins(1);
/// How long the daemon may take to begin, and for a look.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events that were missed come at once: after this long without one, and after this long in all, they are over.
const QUIET: Duration = Duration::from_millis(250);
const CATCH_UP_MAX: Duration = Duration::from_secs(3);
/// After this long without an event the daemon is asked anew: a proxy may have dropped the connection in silence.
const SILENCE_MAX: Duration = Duration::from_mins(5);
/// How long is waited for the event that tells what another one means.
const HOLD: Duration = Duration::from_secs(2);

/// What is listened for.
const ACTIONS: [&str; 8] = ["oom", "die", "kill", "start", "health_status", "destroy", "create", "rename"];

/// Follows a container's events, for ever.
pub(super) async fn follow(from: RuntimeFrom, outlet: Outlet) {
    let mut ear = Ear { story: Story::of(&from.at.container), hold: None, outlet };
    let mut outage = Outage::of("the runtime is followed");
    let mut pause = PAUSE_FIRST;
    loop {
        let id = ear.outlet.target().id.clone();
        match ear.open(&from.at).await {
            Ok((daemon, events)) => {
                outage.works(&id);
                pause = PAUSE_FIRST;
                if let Err(trouble) = ear.listen(&from.at, &daemon, events).await {
                    outage.fails(&id, &trouble);
                }
            }
            Err(trouble) => {
                outage.fails(&id, &trouble);
                if matches!(trouble, Trouble::Forbidden(_) | Trouble::Denied(_) | Trouble::Refused(_)) {
                    pause = PAUSE_FORBIDDEN;
                }
            }
        }
        ear.rest(pause).await;
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

/// Who listens to one container.
struct Ear {
    story: Story,
    /// Until when is waited for what another event means.
    hold: Option<Instant>,
    outlet: Outlet,
}

impl Ear {
    /// Begins to listen, from where it stopped.
    async fn open(&mut self, at: &DockerAt) -> Result<(Daemon, Response), Trouble> {
        let end = until(PATIENCE);
        let daemon = Daemon::at(&at.endpoint, &self.outlet.http, end).await?;
        let filters = json!({ "type": ["container"], "container": [at.container], "event": ACTIONS }).to_string();
        let since = self.story.since();
        let mut query = vec![("filters", filters.as_str())];
        query.extend(since.as_deref().map(|since| ("since", since)));
        let now = self.outlet.now().wall;
        let events = daemon.open("/events", &query, end).await?;
        self.story.listens(now);
        Ok((daemon, events))
    }

    /// Listens until the connection ends.
    async fn listen(&mut self, at: &DockerAt, daemon: &Daemon, mut events: Response) -> Result<(), Trouble> {
        let mut lines = Lines::default();
        let caught_up_by = until(CATCH_UP_MAX);
        let mut quiet_at = Some(until(QUIET));
        loop {
            let silent_at = until(SILENCE_MAX);
            let next = quiet_at.map_or(silent_at, |at| at.min(caught_up_by));
            match timeout_at(self.hold.map_or(next, |hold| hold.min(next)), events.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    let looks = self.hear(&mut lines, &bytes);
                    if quiet_at.is_some() {
                        quiet_at = Some(until(QUIET));
                    } else if looks {
                        self.look(at, daemon).await?;
                    }
                }
                // The daemon ends, or a proxy does; whatever was missed is asked for.
                Ok(Ok(None) | Err(_)) => return Ok(()),
                Err(_elapsed) => {
                    let now = until(Duration::ZERO);
                    self.let_go(now);
                    if now < next {
                        continue;
                    }
                    if quiet_at.take().is_none() {
                        return Ok(());
                    }
                    self.look(at, daemon).await?;
                }
            }
        }
    }

    /// Takes in what came; tells whether a look is due.
    fn hear(&mut self, lines: &mut Lines, bytes: &[u8]) -> bool {
        let mut looks = false;
        for line in lines.feed(bytes) {
            let Some(event) = line.and_then(|line| Event::read(&line)) else {
                self.outlet.counts.event_unread.add();
                continue;
            };
            looks |= event.asks_for_look();
            let told = self.story.hear(&event);
            self.tell(told);
        }
        self.hold = match (self.story.waits(), self.hold) {
            (true, hold) => Some(hold.unwrap_or_else(|| until(HOLD))),
            (false, _) => None,
        };
        looks
    }

    /// Looks at the container itself.
    async fn look(&mut self, at: &DockerAt, daemon: &Daemon) -> Result<(), Trouble> {
        let seen = match daemon.read(&format!("/containers/{}/json", at.container), &[], until(PATIENCE)).await {
            Ok(inspect) => Some(Seen::read(&inspect)),
            // It may be made anew at any time.
            Err(Trouble::Missing(_)) => None,
            Err(trouble) => return Err(trouble),
        };
        let told = self.story.look(seen);
        self.tell(told);
        Ok(())
    }

    /// Waits, and tells meanwhile what nothing more came to.
    async fn rest(&mut self, span: Duration) {
        if let Some(hold) = self.hold.filter(|hold| *hold < until(span)) {
            tokio::time::sleep_until(hold).await;
            self.let_go(hold);
        }
        sleep(span).await;
    }

    /// Tells what was held back, once its time is over.
    fn let_go(&mut self, now: Instant) {
        if self.hold.take_if(|hold| *hold <= now).is_some() {
            let told = self.story.let_go();
            self.tell(told);
        }
    }

    fn tell(&self, told: Vec<Runtime>) {
        for runtime in told {
            self.outlet.tell(Sample::Runtime(runtime.clone()), Raw::Runtime(runtime));
        }
    }
}
