//! Links between documents lead somewhere.

use std::path::PathBuf;

use regex::Regex;

use crate::{documents, root};

/// Documents beside those of `documents`.
const MORE: [&str; 4] = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

#[test]
fn every_link_to_a_file_leads_to_one() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut followed = 0;
    for document in documents().into_iter().chain(MORE.map(|name| root().join(name))) {
        let text = std::fs::read_to_string(&document).unwrap();
        for (_, [to]) in link.captures_iter(&text).map(|found| found.extract()) {
            if to.starts_with("http") {
                continue;
            }
            let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
            // Without a path it leads to another place of the same document.
            let path: PathBuf = if path.is_empty() { document.clone() } else { document.parent().unwrap().join(path) };
            assert!(path.exists(), "{}: {to}", document.display());
            if !anchor.is_empty() && path.extension().is_some_and(|end| end == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(anchors(&text).any(|own| own == anchor), "{}: {to}", document.display());
            }
            followed += 1;
        }
    }
    assert!(20 < followed, "{followed} links");
}

/// Returns the anchors of the headings, as the usual sites make them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}
