//! The folder of a session: its files are moved aside, moved back, and freed of dead locks, and nothing is ever lost on the way.
//!
//! - Only a whole path without a symbolic link in it, only a mount of its own unless the configuration says otherwise, and only
//!   entries whose names are listed: everything is reached through the opened folder.
//! - Moving aside is a rename within the same mount, into `.quarantine/NUMBER`: atomic by entry, instant, its own backup. What was
//!   interrupted goes on where it stopped. A file in there says that all of it is aside.
//! - What was moved aside holds live credentials: mode 0700, and no more of it than the configuration keeps.

mod clean;
mod files;

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

pub use self::clean::{Pruned, prune};
use self::files::Folder;
use super::marker::MARKER;
use crate::config::Vault;

/// Where what was moved aside lies.
const ASIDE: &str = ".quarantine";
/// Says that all of it is aside.
const COMPLETE: &str = ".complete";
/// Names that are never part of a session.
const NEVER: [&str; 3] = [ASIDE, MARKER, "lost+found"];
/// Most entries that are moved.
const ENTRIES_MAX: usize = 64;
/// Folders that are never that of a session, whatever is mounted there.
const DENIED: [&str; 18] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin",
    "/sys", "/tmp", "/usr", "/var",
];
/// What a Chromium leaves that was killed: links to a host and process that are no more.
const LOCKS: [&str; 3] = ["SingletonLock", "SingletonCookie", "SingletonSocket"];
/// A file of the same kind.
const PORT: &str = "DevToolsActivePort";
/// What lies in the folder of a session, or is one itself.
const SIGNS: [&str; 3] = ["Default", "Local State", "creds.json"];

/// Why a folder was not touched, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// It is a folder of the system.
    #[error("{0} is a folder of the system: give the session a folder of its own")]
    Denied(String),
    /// It is no mount.
    #[error(
        "{0} is no mount: mount the session's volume there, or write allow_non_mount = true if it is a plain folder"
    )]
    NoMount(String),
    /// A part of its path is missing, or a symbolic link, or no folder.
    #[error("{path} cannot be opened as a folder: {why}")]
    NoFolder {
        /// Which part.
        path: String,
        /// Why.
        why: String,
    },
    /// Nothing in it matches.
    #[error("nothing in {0} is named as a session's files are: is it the right folder?")]
    Nothing(String),
    /// What matches does not look like a session.
    #[error("nothing in {0} looks like a session (no Default, no Local State, no creds.json): is it the right folder?")]
    NoSession(String),
    /// Somebody else's.
    #[error("{0} may not be read and changed: run the watchdog as the user that owns the session's files")]
    NotOurs(String),
    /// More matches than a session has.
    #[error("more than {ENTRIES_MAX} entries match: write narrower names under entries")]
    TooMany,
    /// Something came back while it was moved.
    #[error("{0} came back while it was moved aside: something still writes there")]
    Reappeared(String),
    /// There is no such quarantine.
    #[error("there is no quarantine {0}")]
    NoQuarantine(String),
    /// The system refused.
    #[error("{what} failed: {why}")]
    Refused {
        /// What was tried.
        what: String,
        /// Why it failed.
        why: Errno,
    },
    /// A file could not be read or removed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl VaultError {
    /// Tells whether nothing was changed: the folder is not what it should be.
    #[must_use]
    pub fn is_unmet(&self) -> bool {
        match self {
            Self::Denied(_)
            | Self::NoMount(_)
            | Self::NoFolder { .. }
            | Self::Nothing(_)
            | Self::NoSession(_)
            | Self::NotOurs(_)
            | Self::NoQuarantine(_)
            | Self::TooMany => true,
            Self::Reappeared(_) | Self::Refused { .. } | Self::Io(_) => false,
        }
    }
}

/// Looks whether a session is there that could be moved aside; returns the names of its entries.
pub fn find(vault: &Vault) -> Result<Vec<String>, VaultError> {
    let folder = open(vault)?;
    let found = matching(&folder, vault)?;
    if found.is_empty() {
        return Err(VaultError::Nothing(shown(&vault.dir)));
    }
    // A rename changes the folder, and a folder that is moved too.
    for name in std::iter::once(".").chain(found.iter().map(String::as_str)) {
        if !folder.is_ours(name)? {
            return Err(VaultError::NotOurs(shown(&vault.dir.join(name))));
        }
    }
    if !looks_like_session(&folder, &found) {
        return Err(VaultError::NoSession(shown(&vault.dir)));
    }
    Ok(found)
}

/// Moves the session aside, into `.quarantine/RUN`; goes on where an earlier call was interrupted. Returns what lies there.
pub fn quarantine(vault: &Vault, run: &str) -> Result<Vec<String>, VaultError> {
    let folder = open(vault)?;
    if aside(&folder, run)?.is_none() {
        // Only at its beginning: later what is left may be little.
        find(vault)?;
    }
    move_aside(&folder, vault, run)
}

/// Tells whether all of the session is aside in `.quarantine/RUN`.
pub fn is_aside(vault: &Vault, run: &str) -> Result<bool, VaultError> {
    let folder = open(vault)?;
    match aside(&folder, run)? {
        Some(aside) => aside.has(COMPLETE),
        None => Ok(false),
    }
}

/// Moves the session of an earlier run back, and the one that is there now aside as that of this run.
pub fn restore(vault: &Vault, from: &str, run: &str) -> Result<usize, VaultError> {
    let folder = open(vault)?;
    let Some(old) = aside(&folder, from)? else { return Err(VaultError::NoQuarantine(from.to_owned())) };
    // From here on it is not swept away any more.
    old.remove(COMPLETE)?;
    old.sync()?;
    let is_cleared = aside(&folder, run)?.is_some_and(|new| new.has(COMPLETE).unwrap_or(false));
    if !is_cleared {
        move_aside(&folder, vault, run)?;
    }
    let mut count = 0_usize;
    for name in old.names()?.into_iter().filter(|name| name != COMPLETE) {
        rename(&old, &folder, &name)?;
        count = count.saturating_add(1);
    }
    old.sync()?;
    folder.sync()?;
    if let Some(aside) = folder.open_if_there(ASIDE)? {
        aside.remove_folder(from)?;
        aside.sync()?;
    }
    Ok(count)
}

/// Tells whether this run brought the session of an earlier one back.
pub fn is_back(vault: &Vault, from: &str, run: &str) -> Result<bool, VaultError> {
    let folder = open(vault)?;
    let is_cleared = aside(&folder, run)?.map_or(Ok(false), |new| new.has(COMPLETE))?;
    Ok(is_cleared && aside(&folder, from)?.is_none())
}

/// Looks whether the session of an earlier run is aside; returns the names of its entries.
pub fn find_aside(vault: &Vault, from: &str) -> Result<Vec<String>, VaultError> {
    let folder = open(vault)?;
    let old = aside(&folder, from)?.ok_or_else(|| VaultError::NoQuarantine(from.to_owned()))?;
    Ok(old.names()?.into_iter().filter(|name| name != COMPLETE).collect())
}

/// Moves back what this run has moved aside, and forgets it; returns how many entries there were.
pub fn put_back(vault: &Vault, run: &str) -> Result<usize, VaultError> {
    let folder = open(vault)?;
    let (Some(all), Some(aside)) = (folder.open_if_there(ASIDE)?, aside(&folder, run)?) else { return Ok(0) };
    aside.remove(COMPLETE)?;
    let mut count = 0_usize;
    for name in aside.names()? {
        rename(&aside, &folder, &name)?;
        count = count.saturating_add(1);
    }
    folder.sync()?;
    all.remove_folder(run)?;
    all.sync()?;
    Ok(count)
}

/// Takes away the locks that a Chromium left that was killed; returns how many there were.
pub fn clear_locks(vault: &Vault) -> Result<usize, VaultError> {
    let folder = open(vault)?;
    let mut count = 0_usize;
    for name in matching(&folder, vault)? {
        let Some(session) = folder.open_if_folder(&name)? else { continue };
        count = count.saturating_add(unlock(&session)?);
        for name in session.names()?.into_iter().filter(|name| name.starts_with("session")) {
            if let Some(inner) = session.open_if_folder(&name)? {
                count = count.saturating_add(unlock(&inner)?);
            }
        }
    }
    Ok(count)
}

fn unlock(session: &Folder) -> Result<usize, VaultError> {
    let mut count = 0_usize;
    for name in LOCKS {
        // They are links that lead nowhere: only the link itself is looked at.
        if session.is_link_or_socket(name)? {
            session.remove(name)?;
            count = count.saturating_add(1);
        }
    }
    if session.is_file(PORT)? {
        session.remove(PORT)?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

fn open(vault: &Vault) -> Result<Folder, VaultError> {
    let shown = shown(&vault.dir);
    if DENIED.iter().any(|denied| Path::new(denied) == vault.dir) {
        return Err(VaultError::Denied(shown));
    }
    let folder = Folder::open(&vault.dir)?;
    if !vault.allow_non_mount && !files::is_mount(&vault.dir)? {
        return Err(VaultError::NoMount(shown));
    }
    Ok(folder)
}

/// Returns the names of the session's entries.
fn matching(folder: &Folder, vault: &Vault) -> Result<Vec<String>, VaultError> {
    let is_session =
        |name: &String| !NEVER.contains(&name.as_str()) && vault.entries.iter().any(|glob| matches(glob, name));
    let found: Vec<String> = folder.names()?.into_iter().filter(is_session).collect();
    if ENTRIES_MAX < found.len() { Err(VaultError::TooMany) } else { Ok(found) }
}

/// Tells whether a name matches; `*` stands for anything.
fn matches(glob: &str, name: &str) -> bool {
    let Some((head, tail)) = glob.split_once('*') else { return glob == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .any(|at| rest.get(at..).is_some_and(|end| matches(tail, end)))
}

fn looks_like_session(folder: &Folder, names: &[String]) -> bool {
    let has_sign = |folder: &Folder| SIGNS.iter().any(|sign| folder.has(sign).unwrap_or(false));
    let is_session = |name: &String| {
        if SIGNS.contains(&name.as_str()) || name == "tokens" {
            return true;
        }
        let Ok(Some(entry)) = folder.open_if_folder(name) else { return false };
        let inner = entry.names().unwrap_or_default();
        let has_inner = |name: &String| entry.open_if_folder(name).ok().flatten().is_some_and(|inner| has_sign(&inner));
        has_sign(&entry) || inner.iter().take(ENTRIES_MAX).any(has_inner)
    };
    names.iter().any(is_session)
}

/// Opens `.quarantine/RUN`, where it is.
fn aside(folder: &Folder, run: &str) -> Result<Option<Folder>, VaultError> {
    match folder.open_if_there(ASIDE)? {
        Some(aside) => aside.open_if_there(run),
        None => Ok(None),
    }
}

fn move_aside(folder: &Folder, vault: &Vault, run: &str) -> Result<Vec<String>, VaultError> {
    let all = folder.make(ASIDE)?;
    let aside = all.make(run)?;
    for name in matching(folder, vault)? {
        rename(folder, &aside, &name)?;
    }
    aside.sync()?;
    all.sync()?;
    folder.sync()?;
    if let Some(name) = matching(folder, vault)?.into_iter().next() {
        return Err(VaultError::Reappeared(name));
    }
    aside.write(COMPLETE)?;
    aside.sync()?;
    Ok(aside.names()?.into_iter().filter(|name| name != COMPLETE).collect())
}

/// Moves one entry, and never over another one.
fn rename(from: &Folder, to: &Folder, name: &str) -> Result<(), VaultError> {
    match rustix::fs::renameat_with(from, name, to, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(VaultError::Reappeared(name.to_owned())),
        // Some file systems cannot promise it; then looked at first, which is as good where nothing else writes.
        Err(Errno::INVAL) => {
            if to.has(name)? {
                return Err(VaultError::Reappeared(name.to_owned()));
            }
            rustix::fs::renameat(from, name, to, name).map_err(|why| refused(&format!("moving {name}"), why))
        }
        Err(why) => Err(refused(&format!("moving {name}"), why)),
    }
}

fn refused(what: &str, why: Errno) -> VaultError {
    VaultError::Refused { what: what.to_owned(), why }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

const NO_FOLLOW: AtFlags = AtFlags::SYMLINK_NOFOLLOW;
