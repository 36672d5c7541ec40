//! Where memory is read: from a Docker daemon, a folder of the kernel's, the processes themselves, or a Prometheus.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::docker::{self, DockerAt};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Secret, secret, url};

/// How often memory may be read.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
const EVERY_DEFAULT: Duration = Duration::from_secs(15);
/// The least that a service needs, and the limit of its processes, as far as a person may say.
const SIZE: RangeInclusive<u64> = 0..=(1 << 50);
/// The dialect of a service whose need is known: it runs a browser.
const BROWSER: &str = "whatsapp-service";
/// What a browser needs.
const BROWSER_MINIMUM: u64 = 512 << 20;
/// Longest name of a process, in bytes.
const COMMAND_BYTES_MAX: usize = 256;
/// Longest query, in bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// The sections, one of which says it.
const KINDS: [&str; 4] = ["docker", "cgroup", "process", "prometheus"];

/// Where memory is read.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryFrom {
    /// Where.
    pub place: MemoryPlace,
    /// How often.
    pub every: Duration,
    /// A limit below this many bytes is too small.
    pub minimum: Option<u64>,
}

/// A place where memory is read.
#[derive(Clone, Debug, PartialEq)]
pub enum MemoryPlace {
    /// The daemon that has the container.
    Docker(DockerAt),
    /// A folder of the kernel's control groups, of version 1 or 2.
    Cgroup(PathBuf),
    /// The processes themselves.
    Process(ProcessAt),
    /// A Prometheus that reads it.
    Prometheus(Box<PrometheusAt>),
}

/// A process and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessAt {
    /// Which.
    pub root: ProcessRoot,
    /// What limits them, as a person says it: nobody can see that from outside.
    pub limit: Option<u64>,
}

/// Which process it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessRoot {
    /// Its number is in this file.
    PidFile(PathBuf),
    /// It has this name, or was called with it.
    Command(String),
}

/// What a Prometheus is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct PrometheusAt {
    /// Its base URL, without a slash at the end.
    pub url: String,
    /// The query for the bytes in use.
    pub used: String,
    /// The query for the limit in bytes; 0 is none.
    pub limit: Option<String>,
    /// The query for the kills for memory so far.
    pub oom: Option<String>,
    /// What lets us in.
    pub token: Option<Secret>,
}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, dialect: Option<&str>) -> Option<MemoryFrom> {
    let mut section = item.section(scope.report)?;
    let kinds = KINDS.map(|kind| section.take(kind));
    let said: Vec<&Item> = kinds.iter().flatten().collect();
    let hint = "say one of docker, cgroup, process, prometheus, as a section of its own";
    match said[..] {
        [] => section.missing(scope.report, "docker", hint),
        [_] => {}
        [_, second, ..] => second.refuse(scope.report, "stands beside another place", hint),
    }
    section.finish(scope.report);
    let [docker, cgroup, process, prometheus] = kinds;
    let least = (dialect == Some(BROWSER)).then_some(BROWSER_MINIMUM);
    let read = [
        docker.and_then(|item| {
            kind(item, scope, least, |section, scope| docker::at(section, scope.report).map(MemoryPlace::Docker))
        }),
        cgroup.and_then(|item| kind(item, scope, least, cgroup_at)),
        process.and_then(|item| kind(item, scope, least, process_at)),
        prometheus.and_then(|item| kind(item, scope, least, prometheus_at)),
    ];
    read.into_iter().flatten().next()
}

type ReadPlace = fn(&mut Section, &mut Scope<'_>) -> Option<MemoryPlace>;

/// Reads one of the sections: the place, and what all of them have.
fn kind(item: Item, scope: &mut Scope<'_>, least: Option<u64>, place: ReadPlace) -> Option<MemoryFrom> {
    let mut section = item.section(scope.report)?;
    let place = place(&mut section, scope);
    let every = section.take("every").map_or(Some(EVERY_DEFAULT), |item| item.span(scope.report, EVERY));
    let minimum = section.take("minimum").map_or(Some(least), |item| {
        // Written as 0 it switches the default off.
        item.size(scope.report, SIZE).map(|size| Some(size).filter(|size| 0 < *size))
    });
    section.finish(scope.report);
    Some(MemoryFrom { place: place?, every: every?, minimum: minimum? })
}

fn cgroup_at(section: &mut Section, scope: &mut Scope<'_>) -> Option<MemoryPlace> {
    let hint = "name the folder that holds memory.current or memory.usage_in_bytes, as the watchdog sees it";
    let item = section.need(scope.report, "path", hint)?;
    Some(MemoryPlace::Cgroup(scope.base_dir.join(item.text(scope.report)?)))
}

fn process_at(section: &mut Section, scope: &mut Scope<'_>) -> Option<MemoryPlace> {
    let (pid_file, command) = (section.take("pid_file"), section.take("command"));
    let limit = section.take("limit").map_or(Some(None), |item| item.size(scope.report, SIZE).map(Some));
    let hint = "write pid_file, the file that holds the number of its process, or command, the name of it";
    let root = match (pid_file, command) {
        (Some(file), None) => ProcessRoot::PidFile(scope.base_dir.join(file.text(scope.report)?)),
        (None, Some(command)) => ProcessRoot::Command(name(&command, scope.report)?),
        (Some(_), Some(command)) => {
            command.refuse(scope.report, "stands beside pid_file", hint);
            return None;
        }
        (None, None) => {
            section.missing(scope.report, "command", hint);
            return None;
        }
    };
    Some(MemoryPlace::Process(ProcessAt { root, limit: limit?.filter(|limit| 0 < *limit) }))
}

fn name(item: &Item, report: &mut Report) -> Option<String> {
    let name = item.text(report)?.trim();
    if COMMAND_BYTES_MAX < name.len() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
        item.wrong(
            report,
            "the name of a process",
            "write one word of its command, as in \"server.js\" or \"chromium\"",
        );
        return None;
    }
    Some(name.to_owned())
}

fn prometheus_at(section: &mut Section, scope: &mut Scope<'_>) -> Option<MemoryPlace> {
    let hint = "write where the Prometheus is, as in url = \"http://prometheus:9090\"";
    let item = section.need(scope.report, "url", hint);
    let url = item.and_then(|item| base(&item, scope.report));
    let hint = "write the query for the bytes in use, as in \
                used = 'container_memory_working_set_bytes{pod=\"whatsapp-0\",container=\"whatsapp\"}'";
    let used = section.need(scope.report, "used", hint).and_then(|item| query(&item, scope.report));
    let limit = section.take("limit").map_or(Some(None), |item| query(&item, scope.report).map(Some));
    let oom = section.take("oom").map_or(Some(None), |item| query(&item, scope.report).map(Some));
    let token = secret::take(section, scope, &secret::TOKEN);
    Some(MemoryPlace::Prometheus(Box::new(PrometheusAt { url: url?, used: used?, limit: limit?, oom: oom?, token })))
}

fn base(item: &Item, report: &mut Report) -> Option<String> {
    let url = url::read(item, report)?;
    if url.query().is_some() {
        item.refuse(report, "has a query", "write the base alone; what is asked stands in used, limit and oom");
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

fn query(item: &Item, report: &mut Report) -> Option<String> {
    let query = item.text(report)?.trim();
    if QUERY_BYTES_MAX < query.len() {
        item.refuse(report, "is too long", "write one query that gives one number");
        return None;
    }
    Some(query.to_owned())
}
