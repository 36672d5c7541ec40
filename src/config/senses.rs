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
pub(super) fn take(section: &mut Section, scope: &mut Scope<'_>, dialect: Option<&str>) -> Senses {
    let logs = section.take("logs").and_then(|item| logs::read(item, scope));
    let memory = section.take("memory").and_then(|item| memory::read(item, scope, dialect));
    let runtime = section.take("runtime").and_then(|item| runtime::read(item, scope));
    let inbound = section.take("inbound").and_then(|item| inbound::read(item, scope));
    // A daemon that is asked about a container anyway is followed for what it does with it. The first that names one counts.
    let named = [memory.as_ref().and_then(MemoryFrom::container), logs.as_ref().and_then(Logs::container)];
    let derived = named.into_iter().flatten().next().map(|at| RuntimeFrom { at: at.clone() });
    Senses { logs, memory, runtime: runtime.or(derived), inbound }
}
