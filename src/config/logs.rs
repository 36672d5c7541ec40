//! Where a session's log is.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::DockerAt;
use super::docker;
use super::scope::Scope;
use super::section::{Item, Section};

/// How many lines a second are looked at.
const LINES: RangeInclusive<u32> = 1..=10_000;
const LINES_DEFAULT: u32 = 200;

/// A log that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Where it is.
    pub at: LogsAt,
    /// How many lines a second are looked at; more are dropped.
    pub lines_max: u32,
}

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogsAt {
    /// What a container prints.
    Docker(DockerAt),
    /// A file.
    File(PathBuf),
}

impl Logs {
    /// Returns the container whose log it is.
    pub(super) fn container(&self) -> Option<&DockerAt> {
        match &self.at {
            LogsAt::Docker(at) => Some(at),
            LogsAt::File(_) => None,
        }
    }
}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<Logs> {
    let whole = item.clone();
    let mut section = item.section(scope.report)?;
    let docker = section.take("docker");
    let file = section.take("file");
    section.finish(scope.report);
    let hint = "write one of the sections docker and file below it, as in [target.NAME.logs.docker]";
    match (docker, file) {
        (Some(docker), None) => read_docker(docker, scope),
        (None, Some(file)) => read_file(file, scope),
        (Some(_), Some(_)) => {
            whole.refuse(scope.report, "names two logs", "keep one of the sections docker and file below it");
            None
        }
        (None, None) => {
            whole.refuse(scope.report, "does not say where the log is", hint);
            None
        }
    }
}

fn read_docker(item: Item, scope: &mut Scope<'_>) -> Option<Logs> {
    let mut section = item.section(scope.report)?;
    let at = docker::at(&mut section, scope.report);
    let lines_max = lines_max(&mut section, scope);
    section.finish(scope.report);
    Some(Logs { at: LogsAt::Docker(at?), lines_max: lines_max? })
}

fn read_file(item: Item, scope: &mut Scope<'_>) -> Option<Logs> {
    let mut section = item.section(scope.report)?;
    let hint = "write the path of the file that the service writes its log to";
    let path = section.need(scope.report, "path", hint);
    let path = path.and_then(|item| Some(scope.base_dir.join(item.text(scope.report)?)));
    let lines_max = lines_max(&mut section, scope);
    section.finish(scope.report);
    Some(Logs { at: LogsAt::File(path?), lines_max: lines_max? })
}

fn lines_max(section: &mut Section, scope: &mut Scope<'_>) -> Option<u32> {
    section.take("lines_max").map_or(Some(LINES_DEFAULT), |item| item.count(scope.report, LINES))
}
