//! The processes themselves: what each of them and of those below it has for itself, and its part of what they share.
//!
//! Chromium's processes share most of their pages. The sum of what is resident would count those many times; the sum of the
//! proportional parts (Pss) counts each page once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use crate::config::{ProcessAt, ProcessRoot};
use crate::engine::sample::Memory;

const PROC: &str = "/proc";
/// Longest file that is read of one process, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Most processes that are looked at; a host has fewer, or something else is wrong.
const PROCESSES_MAX: usize = 65_536;

/// Reads once; none where it does not run.
pub(super) fn read(at: &ProcessAt) -> Result<Option<Memory>, String> {
    let proc = Path::new(PROC);
    let parents = parents(proc)?;
    let roots = match &at.root {
        ProcessRoot::PidFile(file) => roots_of_file(file, &parents)?,
        ProcessRoot::Command(name) => named(proc, name, &parents),
    };
    let (mut used, mut is_any) = (0_u64, false);
    for pid in family(&roots, &parents) {
        if let Some(bytes) = pss(proc, pid)? {
            used = used.saturating_add(bytes);
            is_any = true;
        }
    }
    Ok(is_any.then_some(Memory { used_bytes: used, limit_bytes: at.limit, oom_kills: None }))
}

/// Returns the parent of each process.
fn parents(proc: &Path) -> Result<BTreeMap<u32, u32>, String> {
    let folder = fs::read_dir(proc).map_err(|error| format!("{} cannot be read: {error}", proc.display()))?;
    let pids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // One that ended meanwhile has none.
    Ok(pids.take(PROCESSES_MAX).filter_map(|pid| Some((pid, parent(&text(proc, pid, "stat").ok()?)?))).collect())
}

/// Finds the parent in a process's line: the second word behind its name, which may hold anything in its brackets.
fn parent(stat: &str) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn roots_of_file(file: &Path, parents: &BTreeMap<u32, u32>) -> Result<Vec<u32>, String> {
    let mut text = String::new();
    match File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)) {
        Ok(_) => {}
        // Its service removes it when it ends.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
    }
    let pid = text.trim().parse::<u32>().map_err(|_| format!("{} holds no number of a process", file.display()))?;
    Ok(Some(pid).filter(|pid| parents.contains_key(pid)).into_iter().collect())
}

/// Finds the processes that have a name, or were called with it; never this one, which may have been called with it too.
fn named(proc: &Path, name: &str, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let is_it = |pid: u32| {
        let comm = text(proc, pid, "comm").is_ok_and(|comm| comm.trim_end() == name);
        comm || text(proc, pid, "cmdline").is_ok_and(|line| line.split('\0').any(|word| is_named(word, name)))
    };
    parents.keys().copied().filter(|pid| *pid != std::process::id() && is_it(*pid)).collect()
}

/// Tells whether a word of a command is this name, or a path to it.
fn is_named(word: &str, name: &str) -> bool {
    word == name || word.rsplit('/').next() == Some(name)
}

/// Returns these processes and all below them.
fn family(roots: &[u32], parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (child, parent) in parents {
        children.entry(*parent).or_default().push(*child);
    }
    let mut family = BTreeSet::new();
    let mut next: Vec<u32> = roots.to_vec();
    while let Some(pid) = next.pop() {
        if family.insert(pid) {
            next.extend(children.get(&pid).into_iter().flatten());
        }
    }
    family
}

/// Reads the proportional part of one process, in bytes; none where it ended meanwhile.
fn pss(proc: &Path, pid: u32) -> Result<Option<u64>, String> {
    match text(proc, pid, "smaps_rollup") {
        Ok(text) => Ok(pss_in(&text)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err("its memory may not be read: give the watchdog the same user, or CAP_SYS_PTRACE".to_owned())
        }
        // It ended, or is about to.
        Err(_) => Ok(None),
    }
}

fn pss_in(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

fn text(proc: &Path, pid: u32, name: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(proc.join(pid.to_string()).join(name))?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_stands_behind_any_name() {
        assert_eq!(parent("7 (node) S 3 7 7 0"), Some(3));
        assert_eq!(parent("7 (a) b (c)) S 12 7"), Some(12));
        assert_eq!(["", "7 (node)", "7 (node) S", "7 (node) S x"].map(parent), [None; 4]);
    }

    #[test]
    fn a_family_has_all_that_are_below() {
        let parents = BTreeMap::from([(1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (6, 6)]);
        assert_eq!(family(&[2], &parents).into_iter().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(family(&[3, 2, 6], &parents).into_iter().collect::<Vec<_>>(), [2, 3, 4, 6]);
        assert!(family(&[], &parents).is_empty());
    }

    #[test]
    fn the_part_is_read_in_bytes() {
        assert_eq!(pss_in("Rss:   2000 kB\nPss:                1234 kB\nPss_Dirty: 9 kB\n"), Some(1234 * 1024));
        assert_eq!(["", "Pss: much kB", "Pss: 12", "Pss: 99999999999999999999 kB"].map(pss_in), [None; 4]);
    }

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(is_named("server.js", "server.js") && is_named("/app/server.js", "server.js"));
        assert!(!is_named("/app/server.json", "server.js") && !is_named("my-server.js", "server.js"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_real_process_and_its_child_are_counted_together() {
        // A shell that has a child; `wait` keeps it from becoming that child.
        let mut shell = std::process::Command::new("sh").args(["-c", "sleep 30 & wait"]).spawn().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{}\n", shell.id())).unwrap();
        let at = ProcessAt { root: ProcessRoot::PidFile(file.path().to_owned()), limit: Some(64 << 20) };
        let alone = pss(Path::new(PROC), shell.id()).unwrap().unwrap();
        let both = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            read(&at).unwrap().filter(|memory| alone < memory.used_bytes)
        });
        let (memory, children) = (both.expect("its child"), family(&[shell.id()], &parents(Path::new(PROC)).unwrap()));
        assert_eq!((children.len(), memory.limit_bytes), (2, Some(64 << 20)));
        for pid in children.iter().filter(|pid| **pid != shell.id()) {
            assert!(std::process::Command::new("kill").arg(pid.to_string()).status().unwrap().success());
        }
        shell.wait().unwrap();
        assert_eq!(read(&at).unwrap(), None, "it ended");
        fs::write(file.path(), "none\n").unwrap();
        assert!(read(&at).unwrap_err().contains("holds no number"));
        fs::remove_file(file.path()).unwrap();
        assert_eq!(read(&at).unwrap(), None);
    }
}
