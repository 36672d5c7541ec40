//! The files of a control group, of version 1 or 2.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use crate::engine::sample::Memory;

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// From this on a limit of version 1 means none: the kernel writes the largest multiple of a page.
const UNLIMITED: u64 = 1 << 60;
/// Most folders above that may limit it too.
const ANCESTORS_MAX: usize = 32;

/// Reads once; none where nothing runs in it.
pub(super) fn read(group: &Path) -> Result<Option<Memory>, String> {
    if let Some(used) = number(group, "memory.current")? {
        return Ok(v2(group, used)?.filter(|memory| 0 < memory.used_bytes));
    }
    if let Some(used) = number(group, "memory.usage_in_bytes")? {
        return Ok(v1(group, used)?.filter(|memory| 0 < memory.used_bytes));
    }
    Err(format!("{} has neither memory.current nor memory.usage_in_bytes", group.display()))
}

fn v2(group: &Path, used: u64) -> Result<Option<Memory>, String> {
    let mut limit = None;
    // Any folder above may limit it too; the root of the tree has no such file.
    for folder in group.ancestors().take(ANCESTORS_MAX) {
        let Some(text) = text(folder, "memory.max")? else { break };
        limit = limit.into_iter().chain(text.trim().parse::<u64>().ok()).min();
    }
    let used_bytes = without_cache(used, entry(group, "memory.stat", "inactive_file")?);
    Ok(Some(Memory { used_bytes, limit_bytes: limit, oom_kills: entry(group, "memory.events", "oom_kill")? }))
}

fn v1(group: &Path, used: u64) -> Result<Option<Memory>, String> {
    let own = number(group, "memory.limit_in_bytes")?;
    let above = entry(group, "memory.stat", "hierarchical_memory_limit")?;
    let limit_bytes = own.into_iter().chain(above).min().filter(|limit| *limit < UNLIMITED);
    let used_bytes = without_cache(used, entry(group, "memory.stat", "total_inactive_file")?);
    // Kernels before 4.13 do not count kills.
    Ok(Some(Memory { used_bytes, limit_bytes, oom_kills: entry(group, "memory.oom_control", "oom_kill")? }))
}

fn without_cache(used: u64, cache: Option<u64>) -> u64 {
    used.saturating_sub(cache.filter(|cache| *cache < used).unwrap_or(0))
}

fn number(group: &Path, name: &str) -> Result<Option<u64>, String> {
    Ok(text(group, name)?.and_then(|text| text.trim().parse().ok()))
}

/// Reads one line of a file of names and numbers.
fn entry(group: &Path, name: &str, key: &str) -> Result<Option<u64>, String> {
    let Some(text) = text(group, name)? else { return Ok(None) };
    Ok(text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok()))
}

/// Reads a file; none where there is none.
fn text(group: &Path, name: &str) -> Result<Option<String>, String> {
    let path = group.join(name);
    let mut text = String::new();
    match File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)) {
        Ok(_) => Ok(Some(text)),
        // The group may go while it is read.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let group = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = group.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        group
    }

    #[test]
    fn version_2_is_limited_by_every_folder_above() {
        let tree = group(&[
            ("memory.max", "1073741824\n"),
            ("below/memory.max", "max\n"),
            ("below/memory.current", "418217984\n"),
            ("below/memory.stat", "anon 380000000\nfile 30000000\ninactive_file 24576000\nactive_file 5424000\n"),
            ("below/memory.events", "low 0\nhigh 0\nmax 4\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ]);
        let memory = read(&tree.path().join("below")).unwrap().unwrap();
        assert_eq!((memory.used_bytes, memory.limit_bytes), (393_641_984, Some(1_073_741_824)));
        assert_eq!(memory.oom_kills, Some(2));
    }

    #[test]
    fn version_1_says_no_limit_by_a_number() {
        let stat =
            "cache 2000\ninactive_file 5\ntotal_inactive_file 1982464\nhierarchical_memory_limit 9223372036854771712\n";
        let files = [
            ("memory.usage_in_bytes", "2359296\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory.stat", stat),
            ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
        ];
        let tree = group(&files);
        let none = read(tree.path()).unwrap().unwrap();
        assert_eq!((none.used_bytes, none.limit_bytes, none.oom_kills), (376_832, None, Some(1)));
        fs::write(tree.path().join("memory.stat"), stat.replace("9223372036854771712", "67108864")).unwrap();
        assert_eq!(read(tree.path()).unwrap().unwrap().limit_bytes, Some(67_108_864), "a group above limits it");
    }

    #[test]
    fn an_empty_group_has_no_reading_and_a_missing_one_is_told() {
        assert_eq!(read(group(&[("memory.current", "0\n"), ("memory.max", "max\n")]).path()).unwrap(), None);
        let alone = read(group(&[("memory.current", "7\n")]).path()).unwrap().unwrap();
        assert_eq!((alone.used_bytes, alone.limit_bytes, alone.oom_kills), (7, None, None));
        let nothing = group(&[("memory.current", "much\n")]);
        assert!(read(nothing.path()).unwrap_err().contains("has neither memory.current"));
        assert!(read(&nothing.path().join("gone")).is_err());
    }
}
