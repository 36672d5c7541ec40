//! The references in docs/ are generated from the code, so that they cannot drift.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes them anew.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on shall stop"
)]

mod configuration;
mod dialects;
mod keys;
#[path = "../support/labels.rs"]
mod labels;
mod links;
mod metrics;
mod patterns;
#[path = "../support/reader.rs"]
mod reader;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The variable that has the references written anew instead of compared.
const UPDATE: &str = "UPDATE_DOCS";

/// Returns a path in the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file of the repository.
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a whole committed file with what is generated.
fn assert_generated(path: &str, generated: &str) {
    if env::var_os(UPDATE).is_some() {
        fs::write(root().join(path), generated).unwrap();
    }
    let committed = fs::read_to_string(root().join(path)).unwrap_or_default();
    let line = committed.lines().zip(generated.lines()).position(|(have, want)| have != want);
    let line = line.map_or(committed.lines().count().min(generated.lines().count()), |line| line) + 1;
    assert!(
        committed == generated,
        "{path} is not what the code says, from line {line} on; {UPDATE}=1 cargo test --test docs writes it anew\n\
         committed: {:?}\ngenerated: {:?}",
        committed.lines().nth(line - 1),
        generated.lines().nth(line - 1),
    );
}

/// Compares the part of a committed file between two marks with what is generated; the rest is written by hand.
fn assert_generated_part(path: &str, part: &str, generated: &str) {
    let committed = read(path);
    let (begin, end) = (format!("<!-- generated: {part} -->\n"), format!("<!-- end: {part} -->\n"));
    let (before, rest) = committed.split_once(&begin).unwrap_or_else(|| panic!("{path} lacks the mark {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{path} lacks the mark {end}"));
    assert_generated(path, &format!("{before}{begin}{generated}{end}{after}"));
}

/// Returns every document of people: the README and what lies in docs/.
fn documents() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = folder.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    found.push(root().join("README.md"));
    found.sort();
    found
}
