//! The rules of the house, kept by reading its sources. Each rule has a test, and a planted fault that it must find.
//!
//! A text search can be fooled; it catches drift, not sabotage.

#![expect(clippy::arithmetic_side_effects, clippy::expect_used, reason = "a test's helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;

use reading::{Source, heads, rust_sources, supers, tracked_texts};

#[path = "architecture/reading.rs"]
mod reading;

/// The rooms, from the door to the core. A room names only rooms further down; rooms of one layer never name each other.
const LAYERS: [&[&str]; 10] = [
    &["main"],
    &["cli"],
    &["driver", "replay", "demo"],
    &["source", "discover", "remedy", "notify", "store", "recorder", "metrics", "web"],
    &["docker"],
    &["http"],
    &["config"],
    &["recording"],
    &["dialect"],
    &["engine"],
];

/// The rooms of the shell: each does one thing for those who join them.
const SHELL: usize = 3;

/// The only rooms that join those of the shell; a replay runs without it.
const JOINERS: [&str; 3] = ["cli", "driver", "demo"];

/// The rooms without IO.
const PURE: [&str; 2] = ["engine", "dialect"];

/// What a pure room never says, wherever it comes from.
const IMPURE_WORDS: &str = r"\b(tokio|tracing|prometheus|reqwest|hyper|rusqlite|Instant|SystemTime|async|HashMap)\b";

/// What a pure room never takes from the standard library.
const IMPURE_STD: [&str; 5] = ["fs", "net", "env", "process", "thread"];

/// A file ends before this line.
const LINES_END: usize = 600;

#[test]
fn a_room_names_only_rooms_further_down() {
    assert_clean(rust_sources("src").iter().flat_map(names_above));
}

#[test]
fn a_name_from_above_is_found() {
    let planted = |path: &str, code: &str| names_above(&Source::new(path, code));
    assert_eq!(
        planted("src/engine/fleet.rs", "\nuse crate::config::Settings;"),
        ["src/engine/fleet.rs:2: engine must not name config"]
    );
    assert_eq!(planted("src/web.rs", "use crate::{engine::Wall, store::{Query, Reader}};").len(), 1);
    assert_eq!(planted("src/web/api.rs", "fn f() { crate :: metrics::gather() }").len(), 1);
    assert_eq!(planted("src/web/api.rs", "use super::super::store;").len(), 1);
    assert_eq!(planted("src/driver.rs", "use crate::replay;").len(), 1);
    assert_eq!(planted("src/replay.rs", "use crate::store::Store;").len(), 1);
    assert_eq!(planted("src/store.rs", "use crate::*;").len(), 1);
    assert_eq!(planted("src/dialect.rs", "use crate::http::client;").len(), 1);
    assert_eq!(planted("src/lobby.rs", ""), ["src/lobby.rs:1: lobby has no place among the LAYERS of this test"]);
}

#[test]
fn a_name_from_below_or_in_prose_is_no_fault() {
    let planted = |path: &str, code: &str| names_above(&Source::new(path, code));
    let clean = [
        ("src/main.rs", "use wa_watchdog::cli;"),
        ("src/driver.rs", "use crate::{store::Store, web};"),
        ("src/store/place.rs", "use super::error; use super::super::store::Seq; use crate::store::x;"),
        (
            "src/engine.rs",
            "//! As [`crate::driver`] does.\n/* crate::web /* crate::web */ crate::web */ fn f<'a>(x: &'a str) {}",
        ),
        (
            "src/engine.rs",
            r##"const A: &str = "crate::web \" crate::web"; const B: &str = r#"crate::web " "#; const C: char = '"';"##,
        ),
    ];
    for (path, code) in clean {
        assert!(planted(path, code).is_empty(), "{code}");
    }
}

#[test]
fn the_pure_rooms_do_no_io_and_read_no_clock() {
    assert_clean(rust_sources("src").iter().flat_map(impurities));
}

#[test]
fn an_impurity_is_found() {
    let planted = |code: &str| impurities(&Source::new("src/engine/fleet.rs", code));
    assert_eq!(planted("\n\nuse std::fs::File;"), ["src/engine/fleet.rs:3: engine must stay pure: std::fs"]);
    for word in ["tokio::spawn(x)", "Instant::now()", "async fn f() {}", "use std::{fmt, env};", "HashMap::new()"] {
        assert_eq!(planted(word).len(), 1, "{word}");
    }
    assert!(planted("// no tokio, no std::fs\nlet asynchronous = \"async\";").is_empty());
    assert!(impurities(&Source::new("src/driver.rs", "use tokio::time;")).is_empty());
}

#[test]
fn no_file_is_called_mod() {
    assert_clean(all_rust().iter().filter_map(named_mod));
}

#[test]
fn a_file_called_mod_is_found() {
    assert!(named_mod(&Source::new("src/engine/mod.rs", "")).is_some());
    assert!(named_mod(&Source::new("src/engine/model.rs", "")).is_none());
}

#[test]
fn a_file_ends_before_it_has_two_subjects() {
    assert_clean(all_rust().iter().filter_map(too_long));
}

#[test]
fn a_file_that_is_too_long_is_found() {
    assert!(too_long(&Source::new("src/a.rs", &"\n".repeat(LINES_END))).is_some());
    assert!(too_long(&Source::new("src/a.rs", &"\n".repeat(LINES_END - 1))).is_none());
}

#[test]
fn no_file_names_a_folder_outside_of_the_repository() {
    assert_clean(tracked_texts().iter().flat_map(names_outside));
}

#[test]
fn a_name_of_a_folder_outside_is_found() {
    let planted = |path: &str, text: &str| names_outside(&Source::new(path, text)).len();
    // Put together here, so that this file does not break its own rule.
    let machine = ["/wo", "rk"].concat();
    for text in [format!("see {machine}/notes.md"), format!("path = \"{machine}\""), format!("({machine}/x)")] {
        assert_eq!(planted("README.md", &text), 1, "{text}");
    }
    assert_eq!(planted("README.md", &["see ", "../", "notes.md"].concat()), 1);
    assert_eq!(planted("src/dialect.rs", &["include_str!(\"", "../", "../", "x\")"].concat()), 1);
    for text in [format!("WORKDIR {machine}space"), format!("https://a.example{machine}"), "net/work/x".to_owned()] {
        assert_eq!(planted("README.md", &text), 0, "{text}");
    }
    assert_eq!(planted("src/dialect.rs", "include_str!(\"../config/x.toml\")"), 0);
    assert_eq!(planted("README.md", "and so on ... / etc."), 0);
}

#[test]
fn every_dialect_file_is_built_in() {
    let files: BTreeMap<String, String> = tracked_texts()
        .into_iter()
        .filter_map(|file| Some((file.path.strip_prefix("config/dialects/")?.to_owned(), file.text)))
        .collect();
    assert!(!files.is_empty(), "no dialect files found");
    assert_clean(not_built_in(&files, wa_watchdog::dialect::builtins()));
}

#[test]
fn a_dialect_file_that_is_not_built_in_is_found() {
    let files = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "text".to_owned())).collect();
    assert!(not_built_in(&files(&["a.toml"]), &[("a", "text")]).is_empty());
    assert_eq!(not_built_in(&files(&["a.toml", "b.toml"]), &[("a", "text")]), ["b.toml is not built in"]);
    assert_eq!(not_built_in(&files(&["a.toml"]), &[("a", "other")]), ["a.toml is built in with another text"]);
    assert_eq!(not_built_in(&files(&["a.txt"]), &[]), ["a.txt is no dialect"]);
}

// === The rules ===

fn names_above(file: &Source) -> Vec<String> {
    let Some(room) = file.room() else { return Vec::new() };
    if layer(room).is_none() {
        return vec![format!("{}:1: {room} has no place among the LAYERS of this test", file.path)];
    }
    let code = file.code();
    let named = ["crate", "wa_watchdog"].into_iter().flat_map(|root| heads(&code, root));
    let climbed = supers(&code).into_iter().filter(|(_, steps, _)| file.depth() <= *steps);
    let climbed = climbed.map(|(line, _, name)| (line, name)).filter(|(_, name)| layer(name).is_some());
    let faults = named.chain(climbed).filter(|(_, name)| !may_name(room, name));
    faults.map(|(line, name)| format!("{}:{line}: {room} must not name {name}", file.path)).collect()
}

fn may_name(room: &str, name: &str) -> bool {
    let Some((from, to)) = layer(room).zip(layer(name)) else { return false };
    room == name || (from < to && (to != SHELL || JOINERS.contains(&room)))
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

fn impurities(file: &Source) -> Vec<String> {
    let Some(room) = file.room().filter(|room| PURE.contains(room)) else { return Vec::new() };
    let code = file.code();
    let words = Regex::new(IMPURE_WORDS).expect("a sound pattern");
    let said = (1..).zip(code.lines()).flat_map(|(line, text)| words.find_iter(text).map(move |found| (line, found)));
    let said = said.map(|(line, found)| (line, found.as_str().to_owned()));
    let taken = heads(&code, "std").into_iter().filter(|(_, name)| IMPURE_STD.contains(&name.as_str()));
    let faults = said.chain(taken.map(|(line, name)| (line, format!("std::{name}"))));
    faults.map(|(line, what)| format!("{}:{line}: {room} must stay pure: {what}", file.path)).collect()
}

fn named_mod(file: &Source) -> Option<String> {
    file.path.ends_with("/mod.rs").then(|| format!("{}: name it after its module, beside its folder", file.path))
}

fn too_long(file: &Source) -> Option<String> {
    let lines = file.text.lines().count();
    (LINES_END <= lines).then(|| format!("{}: {lines} lines, {LINES_END} are too many", file.path))
}

fn names_outside(file: &Source) -> Vec<String> {
    // A folder of the machine, at the start of a path; or a path that climbs out from where the file stands.
    let pattern =
        Regex::new(r#"(?:^|[\s"'`=(\[<:,])(/work(?:[/\s"'`)\]>.,;]|$)|(?:\.\./)+)"#).expect("a sound pattern");
    let depth = Path::new(&file.path).components().count().saturating_sub(1);
    let is_outside = |found: &str| found.starts_with('/') || depth < found.matches("../").count();
    let named = (1..).zip(file.text.lines()).filter(|(_, text)| {
        pattern.captures_iter(text).any(|found| found.get(1).is_some_and(|path| is_outside(path.as_str())))
    });
    named.map(|(line, text)| format!("{}:{line}: names a folder outside: {}", file.path, text.trim())).collect()
}

fn not_built_in(files: &BTreeMap<String, String>, builtins: &[(&str, &str)]) -> Vec<String> {
    let fault = |(file, text): (&String, &String)| {
        let Some(name) = file.strip_suffix(".toml") else { return Some(format!("{file} is no dialect")) };
        match builtins.iter().find(|(builtin, _)| *builtin == name) {
            Some((_, built_in)) if built_in == text => None,
            Some(_) => Some(format!("{file} is built in with another text")),
            None => Some(format!("{file} is not built in")),
        }
    };
    files.iter().filter_map(fault).collect()
}

fn all_rust() -> Vec<Source> {
    ["src", "tests", "benches"].into_iter().flat_map(rust_sources).collect()
}

#[track_caller]
fn assert_clean(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
