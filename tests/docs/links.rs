//! Links between documents lead somewhere.

use std::path::Path;

use regex::Regex;

use crate::{documents, root};

#[test]
fn every_link_to_a_file_leads_to_one() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut followed = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for (_, [to]) in link.captures_iter(&text).map(|found| found.extract()) {
            if to.starts_with("http") || to.starts_with('#') {
                continue;
            }
            let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
            let path = document.parent().unwrap().join(path);
            assert!(path.exists() || is_written_elsewhere(&path), "{}: {to}", document.display());
            if !anchor.is_empty() && path.extension().is_some_and(|end| end == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(anchors(&text).any(|own| own == anchor), "{}: {to}", document.display());
            }
            followed += 1;
        }
    }
    assert!(20 < followed, "{followed} links");
}

/// Tells whether a file comes from somebody else.
fn is_written_elsewhere(path: &Path) -> bool {
    let elsewhere = ["docs/screenshot.png"];
    elsewhere.iter().any(|file| path.canonicalize().is_err() && path.ends_with(Path::new(file).file_name().unwrap()))
        && path.starts_with(root())
}

/// Returns the anchors of the headings, as the usual sites make them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}
