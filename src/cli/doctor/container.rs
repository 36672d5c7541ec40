//! The container of the service: its memory, its policies, who else is at work on it, and what it was told.

use std::collections::BTreeMap;

use reqwest::Url;

use super::Patient;
use super::containers::{Container, Containers, Listed};
use super::finding::Line;
use super::network::connect;
use crate::config::{Call, DockerAt, MemoryFrom, Target};

/// A browser needs this much at least.
const MEMORY_MIN: u64 = 512 << 20;
/// From this share of its limit on it is about to be killed, in percent.
const MEMORY_PERCENT_MAX: u64 = 90;
/// A browser that shares memory by files crashes with less.
const SHM_MIN: u64 = 256 << 20;
/// With it a browser does not use that memory.
const NO_SHM_FLAG: &str = "--disable-dev-shm-usage";
/// Labels by which others are told to restart or replace a container, by what they begin with.
const HEALER_LABELS: [&str; 4] = ["autoheal", "deunhealth", "com.centurylinklabs.watchtower", "wud."];
/// Images of the same.
const HEALER_IMAGES: [&str; 4] = ["autoheal", "deunhealth", "watchtower", "ouroboros"];
/// What the service of the runbooks must be told.
const VARIABLES: [&str; 2] = ["BACKEND_URL", "WEBHOOK_URL"];
/// The dialect of that service.
const WANTS_VARIABLES: &str = "whatsapp-service";
/// Everything that is looked at here; where no container is known each is a line of its own.
const CHECKS: [&str; 9] = [
    "container",
    "memory limit",
    "memory use",
    "/dev/shm",
    "restart policy",
    "other healers",
    "second holder",
    "stop signal",
    "environment",
];

pub(super) async fn lines(patient: &Patient<'_>) -> Vec<Line> {
    let Some(at) = at(&patient.target) else {
        return CHECKS
            .map(|check| Line::blind(check, "no docker hook and no memory.docker names the container"))
            .to_vec();
    };
    let seen = async {
        let containers = Containers::of(&at.endpoint).await?;
        let container = containers.inspect(&at.container).await?;
        Ok::<_, String>((containers, container))
    };
    let (containers, container) = match seen.await {
        Ok(seen) => seen,
        Err(why) => return CHECKS.map(|check| Line::blind(check, why.clone())).to_vec(),
    };
    let mut lines = vec![state(&container), memory_limit(&container)];
    lines.push(memory_use(&containers, at, &container).await);
    lines.extend([shm(&container), restart_policy(&container)]);
    lines.push(healers(&containers, &container).await);
    lines.push(second_holder(&containers, &container).await);
    lines.push(stop_signal(&container));
    lines.extend(environment(patient, &container).await);
    lines
}

/// Returns the container that the hooks of a target work on, or else the one that is looked at besides its status.
fn at(target: &Target) -> Option<&DockerAt> {
    let senses = &target.senses;
    let looked_at = senses.memory.as_ref().and_then(MemoryFrom::container);
    let followed = senses.runtime.as_ref().map(|from| &from.at);
    of_hooks(target).or(looked_at).or(followed)
}

fn of_hooks(target: &Target) -> Option<&DockerAt> {
    target.hooks.values().flat_map(|hook| hook.calls()).find_map(|call| match call {
        Call::Docker(call) => Some(&call.at),
        Call::Exec(_)
        | Call::Http(_)
        | Call::Sqlite(_)
        | Call::Coolify(_)
        | Call::Kubernetes(_)
        | Call::Wasender(_)
        | Call::WasenderBackend(_) => None,
    })
}

fn state(container: &Container) -> Line {
    const CHECK: &str = "container";
    let state = &container.state;
    let restarts = container.restart_count;
    let seen = format!("{}, restarted {restarts} times by Docker", state.status);
    if state.oom_killed {
        return Line::ill(CHECK, format!("{seen}; something in it was killed for memory"), "give it more memory");
    }
    if !state.running {
        let seen = format!("{seen}; it ended with code {}", state.exit_code);
        return Line::ill(CHECK, seen, "start it, and look at the end of its log: docker logs --tail 100");
    }
    Line::well(CHECK, seen)
}

fn memory_limit(container: &Container) -> Line {
    const CHECK: &str = "memory limit";
    match container.host_config.memory {
        0 => Line::well(CHECK, "none"),
        limit if limit < MEMORY_MIN => {
            let advice = "give it 512 MiB at least, better 1 GiB: deploy.resources.limits.memory, or docker update -m";
            Line::ill(CHECK, mib(limit), advice)
        }
        limit => Line::well(CHECK, mib(limit)),
    }
}

async fn memory_use(containers: &Containers, at: &DockerAt, container: &Container) -> Line {
    const CHECK: &str = "memory use";
    let used = match containers.memory(&at.container).await {
        Ok(Some(used)) => used,
        Ok(None) => return Line::blind(CHECK, "it does not run"),
        Err(why) => return Line::blind(CHECK, why),
    };
    let limit = container.host_config.memory;
    let Some(percent) = used.saturating_mul(100).checked_div(limit) else { return Line::well(CHECK, mib(used)) };
    let seen = format!("{} of {} ({percent} %)", mib(used), mib(limit));
    if percent < MEMORY_PERCENT_MAX {
        return Line::well(CHECK, seen);
    }
    Line::ill(CHECK, seen, "restart it before it is killed, and give it more memory")
}

fn shm(container: &Container) -> Line {
    const CHECK: &str = "/dev/shm";
    let host = &container.host_config;
    let config = &container.config;
    let words = [Some(&container.args), config.cmd.as_ref(), config.entrypoint.as_ref(), config.env.as_ref()];
    if words.into_iter().flatten().flatten().any(|word| word.contains(NO_SHM_FLAG)) {
        return Line::well(CHECK, format!("{}, and {NO_SHM_FLAG} is set", mib(host.shm_size)));
    }
    if host.ipc_mode == "host" {
        return Line::well(CHECK, "that of the host");
    }
    if host.shm_size < SHM_MIN {
        let advice = "set shm_size: 256m at least, or give the browser --disable-dev-shm-usage; a build without a browser \
                      needs neither";
        return Line::ill(CHECK, mib(host.shm_size), advice);
    }
    Line::well(CHECK, mib(host.shm_size))
}

fn restart_policy(container: &Container) -> Line {
    const CHECK: &str = "restart policy";
    let name = &container.host_config.restart_policy.name;
    match name.as_str() {
        "" | "no" => Line::ill(CHECK, "none: what ends stays down", "set restart: unless-stopped"),
        "always" => Line::well(CHECK, "always; also what was stopped comes back when the Docker daemon restarts"),
        "on-failure" => Line::well(CHECK, "on-failure; a service that ends with code 0 stays down"),
        _ => Line::well(CHECK, name),
    }
}

async fn healers(containers: &Containers, container: &Container) -> Line {
    const CHECK: &str = "other healers";
    let advice = "let one of them alone restart it: take the label off, or the watchdog's hooks";
    let is_healer = |name: &str| HEALER_LABELS.iter().any(|begin| name.starts_with(begin));
    let labels = container.config.labels.iter().flatten();
    let labels: Vec<&str> = labels
        .filter(|(name, value)| is_healer(name) && !value.eq_ignore_ascii_case("false"))
        .map(|(name, _)| name.as_str())
        .collect();
    if !labels.is_empty() {
        return Line::ill(CHECK, format!("its labels call for one: {}", labels.join(", ")), advice);
    }
    let running = match containers.running().await {
        Ok(running) => running,
        Err(why) => {
            return Line::blind(CHECK, format!("no label of it calls for one; who else runs is not known: {why}"));
        }
    };
    let images = running.iter().filter(|one| HEALER_IMAGES.iter().any(|image| one.image.contains(image)));
    let names: Vec<&str> = images.map(Listed::name).collect();
    if names.is_empty() {
        return Line::well(CHECK, "none on this daemon");
    }
    let advice = "see that it leaves this container alone: two that restart one service undo each other's work";
    Line::ill(CHECK, format!("{} runs on this daemon", names.join(", ")), advice)
}

/// Looks for another container with the same session: WhatsApp lets only one of them in, and they throw each other out.
async fn second_holder(containers: &Containers, container: &Container) -> Line {
    const CHECK: &str = "second holder";
    let mut others: BTreeMap<String, String> = BTreeMap::new();
    let mut note = |found: Vec<Listed>, why: &str| {
        for one in found.into_iter().filter(|one| one.id != container.id && is_at_work(one)) {
            others.entry(one.name().to_owned()).or_insert_with(|| why.to_owned());
        }
    };
    let volumes = container.mounts.iter().filter(|mount| mount.kind == "volume" && !mount.name.is_empty());
    for volume in volumes {
        match containers.with_volume(&volume.name).await {
            Ok(found) => note(found, &format!("has the volume {} too", volume.name)),
            Err(why) => return Line::blind(CHECK, why),
        }
    }
    let service = service_labels(container);
    if !service.is_empty() {
        match containers.running_with(&service).await {
            Ok(found) => note(found, "is a replica of the same service"),
            Err(why) => return Line::blind(CHECK, why),
        }
    }
    if others.is_empty() {
        return Line::well(CHECK, "nobody else runs with its volumes, and it has no replica");
    }
    let seen = others.iter().map(|(name, why)| format!("{name} {why}")).collect::<Vec<_>>().join("; ");
    Line::ill(CHECK, seen, "stop all but one: two with one session throw each other out, which reads as CONFLICT")
}

fn is_at_work(one: &Listed) -> bool {
    matches!(one.state.as_str(), "running" | "restarting" | "paused")
}

fn service_labels(container: &Container) -> Vec<String> {
    let label = |name: &str| {
        let value = container.config.labels.as_ref()?.get(name)?;
        Some(format!("{name}={value}"))
    };
    let both = (label("com.docker.compose.project"), label("com.docker.compose.service"));
    both.0.zip(both.1).map_or_else(Vec::new, |(project, service)| vec![project, service])
}

fn stop_signal(container: &Container) -> Line {
    const CHECK: &str = "stop signal";
    let config = &container.config;
    let words = [Some(&container.args), config.cmd.as_ref(), config.entrypoint.as_ref(), config.env.as_ref()];
    let mounts = container.mounts.iter().map(|mount| &mount.name);
    let mut words = words.into_iter().flatten().flatten().chain(mounts).chain([&config.image]);
    let signal = config.stop_signal.as_deref().unwrap_or("SIGTERM");
    if !words.any(|word| word.to_ascii_lowercase().contains("baileys")) {
        return Line::well(CHECK, format!("{signal}, and nothing about it says Baileys"));
    }
    if matches!(signal, "SIGTERM" | "SIGINT" | "TERM" | "INT" | "15" | "2") {
        let advice = "some builds on Baileys log out when they are asked to end, so that every restart wants a scan: see whether \
                      this one calls logout() then; if so set stop_signal: SIGKILL, or restart_keeps_session = false";
        return Line::ill(CHECK, format!("{signal}, to a build on Baileys"), advice);
    }
    Line::well(CHECK, format!("{signal}, to a build on Baileys"))
}

async fn environment(patient: &Patient<'_>, container: &Container) -> Vec<Line> {
    let is_wanted = patient.target.dialect.name() == WANTS_VARIABLES;
    let mut lines = Vec::new();
    for name in VARIABLES {
        let entries = container.config.env.iter().flatten();
        let value = entries.filter_map(|entry| entry.split_once('=')).find(|(key, _)| *key == name);
        let check = format!("environment {name}");
        lines.push(match value.map(|(_, value)| value).filter(|value| !value.trim().is_empty()) {
            Some(value) => reached(check, value).await,
            None if is_wanted => Line::ill(check, "is not set", "set it: the service sends what it receives there"),
            None => Line::blind(check, "is not set; this gateway may not want it"),
        });
    }
    lines
}

/// Looks whether the host of a URL takes connections; shows nothing else of it, for it may hold secrets.
async fn reached(check: String, value: &str) -> Line {
    let advice = "mend the address, or the host behind it: messages that come in are lost meanwhile";
    let Ok(url) = Url::parse(value.trim()) else { return Line::ill(check, "is no URL", advice) };
    match connect(&url).await {
        Ok(place) => Line::well(check, format!("{place} takes connections, from here")),
        Err(why) => Line::ill(check, format!("{why} (from here)"), advice),
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
