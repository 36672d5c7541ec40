//! Where a runtime tells what it does.

use super::scope::Scope;
use super::section::Item;

/// Where a runtime tells what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeFrom {}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<RuntimeFrom> {
    let section = item.section(scope.report)?;
    section.finish(scope.report);
    Some(RuntimeFrom {})
}
