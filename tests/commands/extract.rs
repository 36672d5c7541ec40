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

/// Returns every command of the README and of docs/, and those that the examples of the configuration tell in backticks.
pub(crate) fn commands() -> Vec<Found> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_folder = |folder: &str, end: &str| -> Vec<PathBuf> {
        let paths = fs::read_dir(root.join(folder)).expect(folder).map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.extension().is_some_and(|found| found == end)).collect()
    };
    let mut documents = of_folder("docs", "md");
    documents.extend(["README.md", "CONTRIBUTING.md", "config/compose.yaml"].map(|name| root.join(name)));
    documents.extend(of_folder("config/examples", "toml"));
    documents.sort();
    let mut found = Vec::new();
    for path in documents {
        let name = path.strip_prefix(root).expect("it is below").display().to_string();
        let text = fs::read_to_string(&path).expect("it is text");
        let is_markdown = path.extension().is_some_and(|end| end == "md");
        let lines = if is_markdown { blocks(&text) } else { Vec::new() };
        found.extend(lines.into_iter().map(|line| Found { document: name.clone(), line }));
    }
    found
}

/// Returns the commands of a document's blocks. A block without a language counts where it begins with one of ours.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside: Option<bool> = None;
    let mut begun = String::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = match inside {
                Some(_) => None,
                None => Some(SHELLS.contains(&language.trim()) || language.is_empty()),
            };
            continue;
        }
        let line = line.trim_start().trim_start_matches("$ ");
        if inside != Some(true) || (begun.is_empty() && (line.is_empty() || line.starts_with('#'))) {
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
    let text = "# a\n```sh\na b   # why\n\n# no\nc \\\n  d \"# e\"\n```\n```toml\nx = 1\n```\n```\nscripts/test\n```\n";
    assert_eq!(blocks(text), ["a b", "c d \"# e\"", "scripts/test"]);
}
