//! What is looked at besides the status: the sections `logs`, `memory`, `runtime` and `inbound` of a target.

use super::scope::Scope;
use super::section::Section;
use super::{Inbound, Logs, MemoryFrom, RuntimeFrom, inbound, logs, memory, runtime};

/// What is looked at besides the status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Senses {
    /// Where its log is.
    pub logs: Option<Logs>,
    /// Where its memory is read.
    pub memory: Option<MemoryFrom>,
    /// Where its runtime tells what it does with it.
    pub runtime: Option<RuntimeFrom>,
    /// What may be pushed.
    pub inbound: Option<Inbound>,
}

/// Takes the sections.
pub(super) fn take(section: &mut Section, scope: &mut Scope<'_>) -> Senses {
    let logs = section.take("logs").and_then(|item| logs::read(item, scope));
    let memory = section.take("memory").and_then(|item| memory::read(item, scope));
    let runtime = section.take("runtime").and_then(|item| runtime::read(item, scope));
    let inbound = section.take("inbound").and_then(|item| inbound::read(item, scope));
    Senses { logs, memory, runtime, inbound }
}
