//! The commented file `config/watchdog.toml`, taken apart: sections, keys, and the words above each.

/// A section of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// Dotted; empty for the top. One of a list ends in `[0]`.
    pub(crate) name: String,
    /// Paragraphs that stand above it.
    pub(crate) words: Vec<String>,
    pub(crate) keys: Vec<Key>,
}

/// A key of a section.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// The value that is shown, as TOML.
    pub(crate) value: String,
    /// What stands above it.
    pub(crate) words: String,
}

/// Reads the file. Keys and sections may be commented out.
pub(crate) fn read(text: &str) -> Vec<Section> {
    let mut sections = vec![Section { name: String::new(), words: Vec::new(), keys: Vec::new() }];
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        let bare = line.trim_start_matches("# ").trim_end();
        let current = sections.last_mut().expect("there is the top");
        if line.is_empty() {
            paragraphs.push(String::new());
        } else if let Some(name) = header(bare) {
            let words = std::mem::replace(&mut paragraphs, vec![String::new()]);
            let words = words.into_iter().filter(|words| !words.is_empty()).collect();
            sections.push(Section { name, words, keys: Vec::new() });
        } else if let Some((name, value)) = key(bare) {
            let words = std::mem::replace(&mut paragraphs, vec![String::new()]).pop().unwrap_or_default();
            current.keys.push(Key { name, value, words });
        } else if line.starts_with('#') {
            let words = paragraphs.last_mut().expect("there is one");
            let bare = line.trim_start_matches('#');
            // Indented lines are a list; the others are one paragraph.
            let said = match bare.trim().split_once("  ").filter(|_| bare.starts_with("  ")) {
                Some((word, meaning)) => format!("\n`{word}`: {}", meaning.trim()),
                None if words.contains("\n`") && !words.ends_with('.') => format!("\n{}", bare.trim()),
                None if words.is_empty() => bare.trim().to_owned(),
                None => format!(" {}", bare.trim()),
            };
            words.push_str(&said);
        } else {
            panic!("neither a section, a key nor a comment: {line}");
        }
    }
    sections
}

fn header(line: &str) -> Option<String> {
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    Some(match name.strip_prefix('[') {
        Some(list) => format!("{}[0]", list.strip_suffix(']')?),
        None => name.to_owned(),
    })
}

fn key(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(" = ")?;
    let is_bare = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let parsed: Result<toml::Table, _> = line.parse();
    (is_bare && parsed.is_ok()).then(|| (name.to_owned(), value.to_owned()))
}
