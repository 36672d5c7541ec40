//! Dialects by name or by path; each file is read once, however many targets speak it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Problem;
use super::nearest::nearest;
use super::problem::Report;
use super::section::Item;
use crate::dialect::{Dialect, Fault, builtins};

/// Longest file that is read, in bytes. The parser's own limit is lower, and its error better.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Finds dialects for targets.
#[derive(Debug)]
pub(super) struct Dialects {
    /// Where relative paths begin.
    base_dir: PathBuf,
    /// The files that were read; none where one was refused.
    read: BTreeMap<PathBuf, Option<Arc<Dialect>>>,
}

impl Dialects {
    pub(super) fn new(base_dir: &Path) -> Self {
        Self { base_dir: base_dir.to_owned(), read: BTreeMap::new() }
    }

    /// Finds the dialect that a value names.
    pub(super) fn find(&mut self, item: &Item, report: &mut Report) -> Option<Arc<Dialect>> {
        let name = item.text(report)?.trim();
        if !is_path(name) {
            return builtin(name, item, report);
        }
        let path = self.base_dir.join(name);
        if let Some(read) = self.read.get(&path) {
            return read.clone();
        }
        let dialect = load(&path, item, report).map(Arc::new);
        self.read.insert(path, dialect.clone());
        dialect
    }
}

impl Dialects {
    /// Returns what names the dialect to whoever reads it from another folder: its name, or its whole path.
    pub(super) fn place(&self, item: &Item, report: &mut Report) -> String {
        let name = item.text(report).unwrap_or_default().trim();
        if !is_path(name) {
            return name.to_owned();
        }
        let path = self.base_dir.join(name);
        path.canonicalize().unwrap_or(path).display().to_string()
    }
}

/// Tells whether it names a file, and no built-in dialect.
pub(super) fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

fn builtin(name: &str, item: &Item, report: &mut Report) -> Option<Arc<Dialect>> {
    let dialect = Dialect::builtin(name);
    if dialect.is_none() {
        let names = || builtins().iter().map(|(name, _)| *name);
        let hint = match nearest(name, names()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("built in: {}; or write the path of a .toml file", names().collect::<Vec<_>>().join(", ")),
        };
        item.wrong(report, "a built-in dialect", &hint);
    }
    dialect
}

fn load(path: &Path, item: &Item, report: &mut Report) -> Option<Dialect> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            let hint = "write a path from the folder of this configuration to a .toml file, or a built-in name";
            item.refuse(report, format!("{} cannot be read: {error}", path.display()), hint);
            return None;
        }
    };
    let parsed = Dialect::parse(&text);
    parsed.map_err(|faults| faults.into_iter().for_each(|fault| report.pass_on(problem(path, fault)))).ok()
}

fn read_text(path: &Path) -> io::Result<String> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn problem(path: &Path, fault: Fault) -> Problem {
    let Fault { line, key, what, hint } = fault;
    Problem { source: path.display().to_string(), line: Some(line), key, what, hint }
}
