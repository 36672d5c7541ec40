//! Files in the form of Prometheus' `file_sd`: `[{"targets": ["http://host:3001"], "labels": {"dialect": "…", "session": "…"}}]`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{Failed, Heard};
use crate::config::Found;

/// Most files of one pattern.
const FILES_MAX: usize = 256;
/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Some targets with the same labels. Labels that mean nothing here may be for others who read the file.
#[derive(Debug, Deserialize)]
struct Group {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

pub(super) async fn ask(pattern: PathBuf) -> Result<Heard, Failed> {
    let ended = |_| Failed::NotAsked("the thread that reads files ended".to_owned());
    spawn_blocking(move || read_all(&pattern)).await.map_err(ended)?
}

/// Reads every file; if one of them is bad, nothing counts: who left a target out may only have half written it.
fn read_all(pattern: &Path) -> Result<Heard, Failed> {
    let mut heard = Heard::default();
    for file in files(pattern).map_err(|error| unreadable(pattern, &error))? {
        let text = text(&file).map_err(|error| unreadable(&file, &error))?;
        let groups: Vec<Group> = serde_json::from_str(&text)
            .map_err(|error| Failed::NotUnderstood(format!("{}: {error}", file.display())))?;
        for Group { targets, labels } in groups {
            heard.found.extend(targets.iter().map(|target| found(target, &labels)));
        }
    }
    Ok(heard)
}

fn found(target: &str, labels: &BTreeMap<String, String>) -> Found {
    let label = |key: &str| labels.get(key).filter(|label| !label.trim().is_empty()).cloned();
    let url = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
    let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).to_owned();
    let (session, status_path) = (label("session"), label("status_path"));
    Found {
        key: [Some(url.as_str()), session.as_deref(), status_path.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        name: label("name").or_else(|| session.clone()).unwrap_or(host),
        url,
        dialect: label("dialect"),
        session,
        status_path,
        container: None,
    }
}

/// Returns the files that a pattern means, by name. A folder that is not there is an error, and an empty one is not.
fn files(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(name) = pattern.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Ok(Vec::new()) };
    if !name.contains('*') {
        return Ok(vec![pattern.to_owned()]);
    }
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let file: OsString = entry?.file_name();
        if is_like(file.to_string_lossy().as_ref(), &name) {
            files.push(folder.join(file));
        }
        if FILES_MAX < files.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there are more than {FILES_MAX} files")));
        }
    }
    files.sort();
    Ok(files)
}

/// Tells whether a name is like a pattern, in which `*` stands for anything.
fn is_like(name: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = name.split_once(part) else { return false };
        name = behind;
    }
    name.ends_with(last)
}

fn text(file: &Path) -> io::Result<String> {
    // Whatever opens a pipe waits for its writer.
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut text = String::new();
    let read = File::open(file)?.take(FILE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|bytes| bytes <= FILE_BYTES_MAX) {
        return Ok(text);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is longer than {FILE_BYTES_MAX} bytes")))
}

fn unreadable(file: &Path, error: &io::Error) -> Failed {
    Failed::NoAnswer(format!("{} cannot be read: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn groups_become_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.json", r#"[{"targets":["http://one:3001","two:3001"],"labels":{"dialect":"generic","env":"prod"}}]"#);
        write(
            "a.json",
            r#"[{"targets":["https://waha:3000"],"labels":{"session":"shop","name":"Shop","status_path":"/x"}},{"targets":[]}]"#,
        );
        write("c.txt", "not read");
        let heard = read_all(&folder.path().join("*.json")).unwrap();
        let told: Vec<(&str, &str, &str)> =
            heard.found.iter().map(|found| (found.name.as_str(), found.url.as_str(), found.key.as_str())).collect();
        assert_eq!(
            told,
            [
                ("Shop", "https://waha:3000", "https://waha:3000 shop /x"),
                ("one:3001", "http://one:3001", "http://one:3001"),
                ("two:3001", "http://two:3001", "http://two:3001"),
            ]
        );
        assert_eq!(heard.found[1].dialect.as_deref(), Some("generic"));
        assert!(read_all(&folder.path().join("*.none")).unwrap().found.is_empty());
    }

    #[test]
    fn one_bad_file_makes_all_of_them_count_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.json"), r#"[{"targets":["a"]}]"#).unwrap();
        for bad in ["", "[{", "{}", r#"[{"targets":"a"}]"#, r#"[{"labels":{}}]"#] {
            fs::write(folder.path().join("b.json"), bad).unwrap();
            assert_eq!(read_all(&folder.path().join("*.json")).unwrap_err().outcome(), "not_understood", "{bad}");
        }
        for missing in ["none.json", "none/*.json"] {
            assert_eq!(read_all(&folder.path().join(missing)).unwrap_err().outcome(), "no_answer");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (name, pattern, is) in [
            ("a.json", "*.json", true),
            ("a.json", "*", true),
            ("wa-shop-1.json", "wa-*-*.json", true),
            ("wa-shop.json", "wa-*-*.json", false),
            ("a.json", "a.json*", true),
            ("ba.json", "a*.json", false),
            ("a", "a*a", false),
        ] {
            assert_eq!(is_like(name, pattern), is, "{name} {pattern}");
        }
    }
}
