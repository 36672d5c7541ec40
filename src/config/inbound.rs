//! What may be pushed.

use super::scope::Scope;
use super::section::Item;

/// What may be pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Inbound {}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<Inbound> {
    let section = item.section(scope.report)?;
    section.finish(scope.report);
    Some(Inbound {})
}
