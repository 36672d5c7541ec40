//! Whether the daemon, its proxy and the mounts would let a hook act; nothing is changed.

use reqwest::Method;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::container::Container;
use crate::config::{DockerCall, DockerDeed, Vault};
use crate::docker::{Daemon, Trouble};
use crate::http::Http;
use crate::remedy::preflight::Seen;
use crate::remedy::vault;

/// A number of seconds that is none: the daemon refuses it before it stops anything, and a proxy that forbids to stop does so first.
const NO_NUMBER: [(&str, &str); 1] = [("t", "none")];

/// Looks at everything that the calls of one hook need.
pub(in crate::remedy) async fn preflight(calls: &[&DockerCall], http: &Http, until: Instant) -> Vec<Seen> {
    let Some(first) = calls.first() else { return Vec::new() };
    let daemon = match Daemon::at(&first.at.endpoint, http, until).await {
        Ok(daemon) => daemon,
        Err(trouble) => return vec![(Some(false), trouble.to_string())],
    };
    let name = &first.at.container;
    let container = match daemon.read(&format!("/containers/{name}/json"), &[], until).await {
        Ok(inspection) => Container::of(&inspection),
        Err(trouble) => return vec![(Some(false), trouble.to_string())],
    };
    let state = if container.state.running { "runs" } else { "does not run" };
    let mut seen = vec![(Some(true), format!("container {name} {state}"))];
    if calls.iter().any(|call| matches!(call.deed, DockerDeed::Stop { .. })) {
        seen.push(may_stop(&daemon, name, until).await);
        seen.push(may_start(&daemon, name, &container, until).await);
    }
    if let Some(vault) = calls.iter().find_map(|call| session(&call.deed)) {
        seen.push(is_there(vault).await);
    }
    for volume in calls.iter().find_map(|call| volumes(&call.deed)).into_iter().flatten() {
        let read = daemon.read(&format!("/volumes/{volume}"), &[], until).await;
        seen.push(told(read, &format!("volume {volume} is there")));
    }
    seen
}

async fn may_stop(daemon: &Daemon, name: &str, until: Instant) -> Seen {
    if !daemon.is_docker() {
        return (None, "may it be stopped? Only Docker's own daemon can be asked that without doing it".to_owned());
    }
    match daemon.change(Method::POST, &format!("/containers/{name}/stop"), &NO_NUMBER, None, until).await {
        // It understood, and refused the number: whoever could have forbidden it did not.
        Err(Trouble::Refused(_) | Trouble::Failed(_)) => (Some(true), "it may be stopped".to_owned()),
        Ok(_) => {
            // Somebody in between took the number away.
            let again = daemon.change(Method::POST, &format!("/containers/{name}/start"), &[], None, until).await;
            let again =
                again.map_or_else(|trouble| format!("and it could not: {trouble}"), |_| "and it was".to_owned());
            (
                Some(false),
                format!("the proxy changes what is asked, so that it was stopped; it had to be started again, {again}"),
            )
        }
        Err(trouble) => (Some(false), trouble.to_string()),
    }
}

async fn may_start(daemon: &Daemon, name: &str, container: &Container, until: Instant) -> Seen {
    if !container.state.running {
        return (None, "may it be started? Only one that runs can be asked that without doing it".to_owned());
    }
    // One that runs is started already: nothing happens.
    let said = daemon.change(Method::POST, &format!("/containers/{name}/start"), &[], None, until).await;
    told(said, "it may be started")
}

async fn is_there(vault: &Vault) -> Seen {
    let vault = vault.clone();
    match spawn_blocking(move || vault::find(&vault).map(|names| (names.join(", "), vault.dir))).await {
        Ok(Ok((names, dir))) => (Some(true), format!("the session is in {}: {names}", dir.display())),
        Ok(Err(error)) => (Some(false), error.to_string()),
        Err(panic) => (Some(false), panic.to_string()),
    }
}

fn told<T>(end: Result<T, Trouble>, well: &str) -> Seen {
    match end {
        Ok(_) => (Some(true), well.to_owned()),
        Err(trouble) => (Some(false), trouble.to_string()),
    }
}

fn session(deed: &DockerDeed) -> Option<&Vault> {
    match deed {
        DockerDeed::Find(vault) | DockerDeed::ClearLocks(vault) | DockerDeed::Restore(vault) => Some(vault),
        DockerDeed::Look
        | DockerDeed::Stop { .. }
        | DockerDeed::Start
        | DockerDeed::Quarantine(_)
        | DockerDeed::IsAside(_)
        | DockerDeed::IsBack(_)
        | DockerDeed::FindAside(_)
        | DockerDeed::PutBack(_)
        | DockerDeed::LookAnew(_)
        | DockerDeed::Save(_)
        | DockerDeed::Rehearse(_)
        | DockerDeed::CallOff(_)
        | DockerDeed::Recreate(_)
        | DockerDeed::IsRecreated(_)
        | DockerDeed::StartAnew(_) => None,
    }
}

fn volumes(deed: &DockerDeed) -> Option<&[String]> {
    if let DockerDeed::Recreate(anew) = deed { Some(&anew.volumes) } else { None }
}
