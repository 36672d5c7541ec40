//! Acts on a container: each asks first how things are, does one thing, and looks whether it is done.

#![expect(clippy::unnecessary_wraps, reason = "every act ends in an End")]

mod anew;
mod container;
mod preflight;

use std::time::Duration;

use reqwest::Method;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use self::container::Container;
pub(super) use self::preflight::preflight;
use super::brief::Brief;
use super::end::CallEnd;
use super::run::Desk;
use super::vault::{self, VaultError};
use crate::config::{DockerAt, DockerCall, DockerDeed, Vault};
use crate::docker::{Daemon, Trouble};
use crate::engine::attempt::{Act, StepOutcome};
use crate::engine::sample::Word;

/// How often a container is looked at while it stops or starts.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A container that still runs this long after its start has started ...
const SETTLES_IN: Duration = Duration::from_secs(1);
/// ... and this long where it was being stopped before.
const UNDONE_SETTLES_IN: Duration = Duration::from_secs(5);
/// The first version of the API that stops with a signal of one's choice.
const SIGNAL_SINCE: (u16, u16) = (1, 42);

/// Carries out one act.
pub(super) async fn call(call: &DockerCall, act: Act, brief: &Brief, desk: &Desk, until: Instant) -> CallEnd {
    let errand = match Daemon::at(&call.at.endpoint, desk.clients.usual(), until).await {
        Ok(daemon) => Errand { daemon, at: &call.at, act, brief, desk, until },
        Err(trouble) => return ended(act, &trouble),
    };
    let end = match &call.deed {
        DockerDeed::Look => errand.look().await,
        DockerDeed::Stop { grace, signal } => errand.stop(*grace, signal.as_deref()).await,
        DockerDeed::Start => errand.start().await,
        DockerDeed::Find(vault) => errand.find(vault).await,
        DockerDeed::ClearLocks(vault) => errand.clear_locks(vault).await,
        DockerDeed::Quarantine(vault) => errand.quarantine(vault).await,
        DockerDeed::IsAside(vault) => errand.is_aside(vault).await,
        DockerDeed::Restore(vault) => errand.restore(vault).await,
        DockerDeed::IsBack(vault) => errand.is_back(vault).await,
        DockerDeed::FindAside(vault) => errand.find_aside(vault).await,
        DockerDeed::PutBack(vault) => errand.put_back(vault).await,
        DockerDeed::LookAnew(_) => errand.look_anew().await,
        DockerDeed::Save(anew) => errand.save(anew).await,
        DockerDeed::Rehearse(anew) => errand.rehearse(anew).await,
        DockerDeed::CallOff(_) => errand.call_off().await,
        DockerDeed::Recreate(anew) => errand.recreate(anew).await,
        DockerDeed::IsRecreated(anew) => errand.is_recreated(anew).await,
        DockerDeed::StartAnew(_) => errand.start_anew().await,
    };
    end.unwrap_or_else(|trouble| {
        let end = ended(act, &trouble);
        // What was sent before may be done: then something was changed.
        let is_unmet = end.outcome == StepOutcome::Unmet && errand.daemon.has_sent();
        if is_unmet { CallEnd { outcome: StepOutcome::Failed, ..end } } else { end }
    })
}

/// Says what a trouble means for the step.
fn ended(act: Act, trouble: &Trouble) -> CallEnd {
    let outcome = match trouble {
        _ if act == Act::Check => StepOutcome::Unknown,
        Trouble::Silent(_) => StepOutcome::Unknown,
        Trouble::Failed(_) | Trouble::Conflict(_) => StepOutcome::Failed,
        // Nothing was begun.
        Trouble::Absent(_) | Trouble::Forbidden(_) | Trouble::Denied(_) | Trouble::Missing(_) | Trouble::Refused(_) => {
            StepOutcome::Unmet
        }
    };
    CallEnd::new(outcome, Some(trouble.to_string()))
}

/// One act, with everything it needs.
struct Errand<'a> {
    daemon: Daemon,
    at: &'a DockerAt,
    act: Act,
    brief: &'a Brief,
    desk: &'a Desk,
    until: Instant,
}

/// What came of it, or what stood in the way.
type End = Result<CallEnd, Trouble>;

fn done(note: impl Into<Option<String>>) -> End {
    Ok(CallEnd::new(StepOutcome::Done, note))
}

fn unmet(note: impl Into<String>) -> End {
    Ok(CallEnd::new(StepOutcome::Unmet, Some(note.into())))
}

fn failed(note: impl Into<String>) -> End {
    Ok(CallEnd::failed(note))
}

fn seen(world: &str) -> End {
    Ok(CallEnd { world: Some(Word::new(world)), ..CallEnd::new(StepOutcome::Done, None) })
}

impl Errand<'_> {
    fn name(&self) -> &str {
        &self.at.container
    }

    async fn inspect(&self, name: &str) -> Result<Container, Trouble> {
        let path = format!("/containers/{name}/json");
        self.daemon.read(&path, &[], self.until).await.map(|inspection| Container::of(&inspection))
    }

    async fn look(&self) -> End {
        let container = self.inspect(self.name()).await?;
        seen(&container.world())
    }

    async fn stop(&self, grace: Duration, signal: Option<&str>) -> End {
        let (major, minor) = SIGNAL_SINCE;
        if signal.is_some() && !self.daemon.speaks(major, minor) {
            return unmet(
                "stop_signal needs Docker 23 or newer (API 1.42); set the signal at the container instead (--stop-signal)",
            );
        }
        let before = self.inspect(self.name()).await?;
        if before.host_config.auto_remove {
            return unmet("it removes itself when it stops (--rm): run it without --rm, and with a restart policy");
        }
        if before.is_stopped() {
            return done(String::from("it was stopped already"));
        }
        let path = format!("/containers/{}/stop", self.name());
        let seconds = grace.as_secs().to_string();
        let mut query = vec![("t", seconds.as_str())];
        query.extend(signal.map(|signal| ("signal", signal)));
        match self.daemon.change(Method::POST, &path, &query, None, self.until).await {
            // The daemon goes on stopping, whoever waits for it, and also where it says that it failed to.
            Ok(_) | Err(Trouble::Silent(_) | Trouble::Failed(_)) => {}
            Err(trouble) => return Err(trouble),
        }
        let container = self.wait_for(Container::is_stopped).await?;
        if !container.is_stopped() {
            return Ok(CallEnd::new(StepOutcome::Unknown, Some("it did not stop in time".to_owned())));
        }
        if !container.was_killed() {
            return done(None);
        }
        self.desk.hard_stops.count(&self.brief.order().target);
        done(format!(
            "it did not end by itself within {} s and was killed, which can damage a session",
            grace.as_secs()
        ))
    }

    /// Starts it, again and again: a port may not be free yet, and a stop may only now come to its end.
    async fn start(&self) -> End {
        let path = format!("/containers/{}/start", self.name());
        let mut pause = LOOK_EVERY;
        loop {
            let why = match self.daemon.change(Method::POST, &path, &[], None, self.until).await {
                Ok(_) | Err(Trouble::Silent(_)) => match self.stays_running().await? {
                    None => return done(None),
                    Some(why) => why,
                },
                Err(Trouble::Failed(why)) => why,
                Err(trouble) => return Err(trouble),
            };
            pause = pause.saturating_mul(2);
            if timeout_at(self.until, sleep(pause)).await.is_err() {
                return failed(format!("{why}; see its log (docker logs {})", self.name()));
            }
        }
    }

    /// Says why it does not stay running; none where it does. One whose start undoes a stop may still be about to end.
    async fn stays_running(&self) -> Result<Option<String>, Trouble> {
        let container = self.wait_for(|container| container.state.running).await?;
        let restarts = container.restart_count;
        let settles_in = if self.act == Act::Undo { UNDONE_SETTLES_IN } else { SETTLES_IN };
        // Where no time is left it counts as it is.
        drop(timeout_at(self.until, sleep(settles_in)).await);
        let container = self.inspect(self.name()).await?;
        if container.state.running && container.restart_count == restarts {
            return Ok(None);
        }
        let (status, code) = (&container.state.status, container.state.exit_code);
        Ok(Some(format!("it does not stay running: {status}, exit code {code}")))
    }

    /// Looks until it is as wanted, or the time is over; returns how it is then.
    async fn wait_for(&self, is_there: impl Fn(&Container) -> bool) -> Result<Container, Trouble> {
        loop {
            let container = self.inspect(self.name()).await?;
            if is_there(&container) || timeout_at(self.until, sleep(LOOK_EVERY)).await.is_err() {
                return Ok(container);
            }
        }
    }

    async fn find(&self, vault: &Vault) -> End {
        // Both must be there before anything is stopped.
        self.inspect(self.name()).await?;
        let vault = vault.clone();
        in_vault(move || vault::find(&vault).map(|names| format!("{} entries: {}", names.len(), names.join(", "))))
            .await
    }

    async fn clear_locks(&self, vault: &Vault) -> End {
        if let Some(end) = self.refuse_running().await? {
            return Ok(end);
        }
        let vault = vault.clone();
        in_vault(move || vault::clear_locks(&vault).map(|count| format!("{count} dead locks cleared"))).await
    }

    async fn quarantine(&self, vault: &Vault) -> End {
        if let Some(end) = self.refuse_running().await? {
            return Ok(end);
        }
        let (vault, run) = (vault.clone(), self.run());
        in_vault(move || {
            vault::quarantine(&vault, &run).map(|names| {
                let (dir, count) = (vault.dir.display(), names.len());
                format!("{count} entries are in {dir}/.quarantine/{run}; wa-watchdog restore brings them back")
            })
        })
        .await
    }

    async fn is_aside(&self, vault: &Vault) -> End {
        let (vault, run) = (vault.clone(), self.run());
        checked(move || vault::is_aside(&vault, &run)).await
    }

    async fn restore(&self, vault: &Vault) -> End {
        let Some(from) = self.restored() else { return unmet("no attempt is named whose session is wanted back") };
        if let Some(end) = self.refuse_running().await? {
            return Ok(end);
        }
        let (vault, run) = (vault.clone(), self.run());
        in_vault(move || vault::restore(&vault, &from, &run).map(|count| format!("{count} entries of {from} are back")))
            .await
    }

    async fn is_back(&self, vault: &Vault) -> End {
        let Some(from) = self.restored() else { return unmet("no attempt is named whose session is wanted back") };
        let (vault, run) = (vault.clone(), self.run());
        checked(move || vault::is_back(&vault, &from, &run)).await
    }

    async fn find_aside(&self, vault: &Vault) -> End {
        let Some(from) = self.restored() else { return unmet("no attempt is named whose session is wanted back") };
        self.inspect(self.name()).await?;
        let vault = vault.clone();
        in_vault(move || vault::find_aside(&vault, &from).map(|names| format!("aside are: {}", names.join(", ")))).await
    }

    /// Undoes a quarantine that was not finished.
    async fn put_back(&self, vault: &Vault) -> End {
        if let Some(end) = self.refuse_running().await? {
            return Ok(end);
        }
        let (vault, run) = (vault.clone(), self.run());
        in_vault(move || vault::put_back(&vault, &run).map(|count| format!("{count} entries are where they were")))
            .await
    }

    /// Files are touched only while nothing writes them.
    async fn refuse_running(&self) -> Result<Option<CallEnd>, Trouble> {
        let container = self.inspect(self.name()).await?;
        let note = "it runs again: somebody else started it, so its files are left alone";
        Ok((!container.is_stopped()).then(|| CallEnd::failed(note)))
    }

    /// The name under which this attempt keeps things.
    fn run(&self) -> String {
        self.brief.order().attempt.to_string()
    }

    fn restored(&self) -> Option<String> {
        self.brief.order().cause.restores.map(|attempt| attempt.to_string())
    }
}

async fn in_vault(work: impl FnOnce() -> Result<String, VaultError> + Send + 'static) -> End {
    match spawn_blocking(work).await {
        Ok(Ok(note)) => done(note),
        Ok(Err(error)) if error.is_unmet() => unmet(error.to_string()),
        Ok(Err(error)) => failed(error.to_string()),
        Err(_panic) => Ok(CallEnd::new(StepOutcome::Unknown, Some("see the watchdog's log".to_owned()))),
    }
}

async fn checked(work: impl FnOnce() -> Result<bool, VaultError> + Send + 'static) -> End {
    match spawn_blocking(work).await {
        Ok(Ok(true)) => done(None),
        Ok(Ok(false)) => unmet("not all of it is"),
        Ok(Err(error)) => Ok(CallEnd::new(StepOutcome::Unknown, Some(error.to_string()))),
        Err(_panic) => Ok(CallEnd::new(StepOutcome::Unknown, Some("see the watchdog's log".to_owned()))),
    }
}
