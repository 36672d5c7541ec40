//! The commands that stand in the documents.

use std::fs;
use std::path::{Path, PathBuf};

/// A command, and where it stands.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) document: String,
    /// On one line, without its explanation.
    pub(crate) line: String,
}

/// The languages of blocks that hold commands.
const SHELLS: [&str; 4] = ["sh", "bash", "console", "shell"];

/// What a line of a block without a language begins with, if it is a command.
const PROGRAMS: [&str; 9] =
    ["wa-watchdog", "cargo", "scripts/", "docker", "kubectl", "curl", "systemctl", "apt-get", "git"];

/// Returns every command of the documents for people, and of the commented examples.
pub(crate) fn commands() -> Vec<Found> {
    let mut found = Vec::new();
    for (document, text) in documents() {
        let is_prose = Path::new(&document).extension().is_some_and(|end| end == "md");
        let lines = if is_prose { blocks(&text) } else { comments(&text) };
        found.extend(lines.into_iter().map(|line| Found { document: document.clone(), line }));
    }
    found
}

/// Returns the documents for people, and the commented examples.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_folder = |folder: &str, end: &str| -> Vec<PathBuf> {
        let paths = fs::read_dir(root.join(folder)).expect(folder).map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.extension().is_some_and(|found| found == end)).collect()
    };
    let mut paths = of_folder("docs", "md");
    let single = ["README.md", "CONTRIBUTING.md", "config/watchdog.toml", "config/compose.yaml"];
    paths.extend(single.map(|name| root.join(name)));
    paths.extend(of_folder("config/examples", "toml"));
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).expect("it is below").display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("it is text"))).collect()
}

/// Returns calls of our program in backticks, in the documents and in the comments of the configuration.
pub(crate) fn in_sentences() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, text) in documents() {
        let calls =
            text.split('`').skip(1).step_by(2).filter(|call| call.starts_with("wa-watchdog ") && !call.contains('\n'));
        found.extend(calls.map(|call| (name.clone(), call.to_owned())));
    }
    found
}

/// Returns the commands that comments show, a line each, indented.
fn comments(text: &str) -> Vec<String> {
    let shown = text.lines().filter_map(|line| line.trim_start().strip_prefix("#   "));
    let is_command = |line: &&str| PROGRAMS.iter().any(|program| line.starts_with(program));
    shown.filter(is_command).map(|line| without_explanation(line).to_owned()).collect()
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Shell,
    Unnamed,
    Other,
}

/// Returns the commands of a document's blocks. A block without a language counts where it begins with one of ours.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside: Option<Block> = None;
    let mut begun = String::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = match inside {
                Some(_) => None,
                None if SHELLS.contains(&language.trim()) => Some(Block::Shell),
                None if language.is_empty() => Some(Block::Unnamed),
                None => Some(Block::Other),
            };
            continue;
        }
        let line = line.trim_start().trim_start_matches("$ ");
        let is_command = match inside {
            Some(Block::Shell) => true,
            Some(Block::Unnamed) => !begun.is_empty() || PROGRAMS.iter().any(|program| line.starts_with(program)),
            Some(Block::Other) | None => false,
        };
        if !is_command || (begun.is_empty() && (line.is_empty() || line.starts_with('#'))) {
            continue;
        }
        begun.push_str(without_explanation(line));
        match begun.strip_suffix('\\') {
            Some(more) => begun = format!("{} ", more.trim_end()),
            None => found.push(std::mem::take(&mut begun)),
        }
    }
    found
}

/// Cuts what follows a ` #` that is not quoted.
fn without_explanation(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '#') if before == ' ' => return line.get(..at).unwrap_or_default().trim_end(),
            _ => {}
        }
        before = c;
    }
    line.trim_end()
}

#[test]
fn commands_are_found_in_blocks_and_without_their_explanations() {
    let text =
        "# a\n```sh\na b   # why\n\n# no\nc \\\n  d \"# e\"\n```\n```toml\nx = 1\n```\n```\nscripts/test\nsaid\n```\n";
    assert_eq!(comments("# a\n#   kubectl get x  # y\n#   other\n"), ["kubectl get x"]);
    assert_eq!(blocks(text), ["a b", "c d \"# e\"", "scripts/test"]);
}
