//! Where a log is.

use super::scope::Scope;
use super::section::Item;

/// Where a log is.
#[derive(Clone, Debug, PartialEq)]
pub struct Logs {}

/// Reads the section. None only where a problem was noted.
pub(super) fn read(item: Item, scope: &mut Scope<'_>) -> Option<Logs> {
    let section = item.section(scope.report)?;
    section.finish(scope.report);
    Some(Logs {})
}
