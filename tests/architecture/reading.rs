//! How sources are found and read: the files of the repository, code without comments and texts, and the paths in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository.
pub(crate) struct Source {
    /// Its path from the top of the repository.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The room that it is part of; none for the root of the library, which only lists the rooms.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next()?.trim_end_matches(".rs");
        (room != "lib").then_some(room)
    }

    /// How many modules deep it stands below the root: how many `super` lead there.
    pub(crate) fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    /// Its code, line for line, with comments and literals made blank.
    pub(crate) fn code(&self) -> String {
        let mut rest = self.text.as_str();
        let mut code = String::with_capacity(rest.len());
        while let Some(first) = rest.chars().next() {
            let within_word = is_word(first) && code.chars().next_back().is_some_and(is_word);
            let blank = if within_word { 0 } else { blank_len(rest) };
            let (taken, left) = rest.split_at(if blank == 0 { first.len_utf8() } else { blank });
            match blank {
                0 => code.push(first),
                _ => code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            }
            rest = left;
        }
        code
    }
}

/// The length of the comment or literal that a text begins with, in bytes; zero when it begins with code.
fn blank_len(text: &str) -> usize {
    let until = |end: &str, from: usize| {
        let found = text.get(from..).and_then(|rest| rest.find(end));
        found.map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_len(text);
    }
    let raw = text.trim_start_matches('b').strip_prefix('r').unwrap_or("");
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if raw.trim_start_matches('#').starts_with('"') {
        let start = text.len() - raw.len() + hashes + 1;
        return until(&format!("\"{}", "#".repeat(hashes)), start);
    }
    if text.starts_with('"') {
        return quoted_len(text, '"');
    }
    // A quote begins a character, or a lifetime: only the character has another quote behind it.
    let mut chars = text.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), _) => quoted_len(text, '\''),
        (Some('\''), Some(inside), Some('\'')) => 2 + inside.len_utf8(),
        _ => 0,
    }
}

fn block_comment_len(text: &str) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            open += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            open -= 1;
            at += 2;
            if open == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The names right behind `root::`, each with its line; of a group in braces every one.
pub(crate) fn heads(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut heads = Vec::new();
    for (at, _) in code.match_indices(root) {
        let (before, after) = (code.get(..at).unwrap_or(""), code.get(at + root.len()..).unwrap_or(""));
        let is_whole = !before.chars().next_back().is_some_and(is_word);
        let Some(tail) = after.trim_start().strip_prefix("::").filter(|_| is_whole) else { continue };
        let line = before.matches('\n').count() + 1;
        heads.extend(first_names(tail.trim_start()).into_iter().map(|name| (line, name)));
    }
    heads
}

/// The names at the ends of chains of `super::`, each with its line and the length of its chain.
pub(crate) fn supers(code: &str) -> Vec<(usize, usize, String)> {
    let chain = regex::Regex::new(r"\b((?:super\s*::\s*)+)(\w+)").expect("a sound pattern");
    let found = chain.captures_iter(code).filter_map(|found| {
        let (steps, name) = (found.get(1)?, found.get(2)?);
        let line = code.get(..steps.start())?.matches('\n').count() + 1;
        Some((line, steps.as_str().matches("super").count(), name.as_str().to_owned()))
    });
    found.collect()
}

fn first_names(tail: &str) -> Vec<String> {
    let Some(group) = tail.strip_prefix('{') else {
        let name: String = tail.chars().take_while(|c| is_word(*c) || *c == '*').collect();
        return vec![name];
    };
    let mut names = vec![String::new()];
    let (mut depth, mut is_head) = (0_usize, true);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => {
                names.push(String::new());
                is_head = true;
            }
            _ if is_head && (is_word(c) || c == '*') => names.last_mut().expect("at least one").push(c),
            _ if c.is_whitespace() => {}
            _ => is_head = false,
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every Rust file below a folder of the repository; none when there is no such folder.
pub(crate) fn rust_sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&top().join(folder), &mut paths);
    let rust = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.filter_map(|path| read(&path)).collect()
}

/// Every text file that the project tracks; outside of a git checkout, every one that was unpacked with this one.
pub(crate) fn tracked_texts() -> Vec<Source> {
    let listed = Command::new("git").arg("-C").arg(top()).args(["ls-files", "-z"]).output();
    let listed = listed.ok().filter(|output| output.status.success() && !output.stdout.is_empty());
    let mut paths: Vec<PathBuf> = Vec::new();
    if let Some(output) = listed {
        let names = String::from_utf8_lossy(&output.stdout);
        paths.extend(names.split_terminator('\0').map(|name| top().join(name)));
    } else {
        walk(&top(), &mut paths);
    }
    let sources: Vec<Source> = paths.iter().filter_map(|path| read(path)).collect();
    assert!(sources.iter().any(|source| source.path == "Cargo.toml"), "the files of the repository were not found");
    sources
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && ![".git", "target"].iter().any(|skipped| name == *skipped) {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
}

/// Reads a file; none when it is gone or holds no text.
fn read(path: &Path) -> Option<Source> {
    let text = fs::read_to_string(path).ok()?;
    Some(Source { path: path.strip_prefix(top()).ok()?.to_str()?.to_owned(), text })
}

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
