//! Where a runtime tells what it does.

use super::docker::{self, DockerAt};
use super::scope::Scope;
use super::section::Item;
use super::{MemoryFrom, MemoryPlace};

/// Where a runtime tells what it does with the container or process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeFrom {
    /// The container, and the daemon that has it.
    pub at: DockerAt,
}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<RuntimeFrom> {
    let mut section = item.section(scope.report)?;
    let hint = "write it as a section, [target.NAME.runtime.docker]";
    let item = section.need(scope.report, "docker", hint);
    let at = item.and_then(|item| {
        let mut section = item.section(scope.report)?;
        let at = docker::at(&mut section, scope.report);
        section.finish(scope.report);
        at
    });
    section.finish(scope.report);
    Some(RuntimeFrom { at: at? })
}

impl MemoryFrom {
    /// Returns the container whose memory it is, where a daemon has it.
    #[must_use]
    pub fn container(&self) -> Option<&DockerAt> {
        match &self.place {
            MemoryPlace::Docker(at) => Some(at),
            MemoryPlace::Cgroup(_) | MemoryPlace::Process(_) | MemoryPlace::Prometheus(_) => None,
        }
    }
}
