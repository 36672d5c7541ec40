//! What everything that is read needs besides the tree.

use std::collections::BTreeMap;
use std::path::Path;

use super::problem::Report;

/// Where problems go, and where files and variables are found.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) report: &'a mut Report,
    /// Where relative paths begin.
    pub(super) base_dir: &'a Path,
    /// The whole environment, for secrets.
    pub(super) env: &'a BTreeMap<String, String>,
}
