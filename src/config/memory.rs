//! Where memory is read.

use super::scope::Scope;
use super::section::Item;

/// Where memory is read.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryFrom {}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<MemoryFrom> {
    let section = item.section(scope.report)?;
    section.finish(scope.report);
    Some(MemoryFrom {})
}
