//! A folder that was opened once, and everything in it reached through that: no path is looked up twice.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{NO_FOLLOW, VaultError, refused, shown};

/// Most entries of a folder that are looked at.
const NAMES_MAX: usize = 10_000;
/// Longest table of mounts that is read, in bytes.
const MOUNTS: &str = "/proc/self/mountinfo";

/// An opened folder.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder by its whole path, in which no part may be a symbolic link.
    pub(super) fn open(path: &Path) -> Result<Self, VaultError> {
        let wrong = |part: &Path, why: Errno| {
            let why = if why == Errno::LOOP || why == Errno::NOTDIR {
                "it is a symbolic link, or no folder".to_owned()
            } else {
                why.to_string()
            };
            VaultError::NoFolder { path: shown(part), why }
        };
        let root = Path::new("/");
        let mut fd = open_at(rustix::fs::CWD, root.as_os_str()).map_err(|why| wrong(root, why))?;
        let mut done = root.to_owned();
        for part in path.components() {
            match part {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => {
                    done.push(name);
                    fd = open_at(&fd, name).map_err(|why| wrong(&done, why))?;
                }
                Component::ParentDir | Component::Prefix(_) => return Err(wrong(path, Errno::LOOP)),
            }
        }
        Ok(Self { fd })
    }

    /// Opens a folder in it; none where there is nothing of that name.
    pub(super) fn open_if_there(&self, name: &str) -> Result<Option<Self>, VaultError> {
        match open_at(&self.fd, OsStr::new(name)) {
            Ok(fd) => Ok(Some(Self { fd })),
            Err(Errno::NOENT) => Ok(None),
            Err(why) => Err(refused(&format!("opening {name}"), why)),
        }
    }

    /// Opens a folder in it; none where what has that name is none.
    pub(super) fn open_if_folder(&self, name: &str) -> Result<Option<Self>, VaultError> {
        match open_at(&self.fd, OsStr::new(name)) {
            Ok(fd) => Ok(Some(Self { fd })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(why) => Err(refused(&format!("opening {name}"), why)),
        }
    }

    /// Makes a folder in it for nobody else to see, or opens the one that is there.
    pub(super) fn make(&self, name: &str) -> Result<Self, VaultError> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(why) => return Err(refused(&format!("making {name}"), why)),
        }
        open_at(&self.fd, OsStr::new(name))
            .map(|fd| Self { fd })
            .map_err(|why| refused(&format!("opening {name}"), why))
    }

    /// Returns the names in it, in their order; names that are no text are left out.
    pub(super) fn names(&self) -> Result<Vec<String>, VaultError> {
        let dir = Dir::read_from(&self.fd).map_err(|why| refused("listing the folder", why))?;
        let mut names = Vec::new();
        for entry in dir.take(NAMES_MAX) {
            let entry = entry.map_err(|why| refused("listing the folder", why))?;
            if let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Tells whether something of that name is there, be it a link that leads nowhere.
    pub(super) fn has(&self, name: &str) -> Result<bool, VaultError> {
        Ok(self.kind(name)?.is_some())
    }

    /// Tells whether a link or a socket of that name is there.
    pub(super) fn is_link_or_socket(&self, name: &str) -> Result<bool, VaultError> {
        Ok(matches!(self.kind(name)?, Some(FileType::Symlink | FileType::Socket)))
    }

    /// Tells whether a plain file of that name is there.
    pub(super) fn is_file(&self, name: &str) -> Result<bool, VaultError> {
        Ok(matches!(self.kind(name)?, Some(FileType::RegularFile)))
    }

    /// Tells whether an entry may be changed; one that is no folder is moved without a right of its own.
    pub(super) fn is_ours(&self, name: &str) -> Result<bool, VaultError> {
        if self.kind(name)? != Some(FileType::Directory) {
            return Ok(true);
        }
        let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        match rustix::fs::accessat(&self.fd, name, access, AtFlags::EACCESS) {
            Ok(()) => Ok(true),
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => Ok(false),
            Err(why) => Err(refused(&format!("looking at {name}"), why)),
        }
    }

    fn kind(&self, name: &str) -> Result<Option<FileType>, VaultError> {
        match rustix::fs::statat(&self.fd, name, NO_FOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(why) => Err(refused(&format!("looking at {name}"), why)),
        }
    }

    /// Makes an empty file.
    pub(super) fn write(&self, name: &str) -> Result<(), VaultError> {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|why| refused(&format!("writing {name}"), why))?;
        rustix::fs::fsync(file).map_err(|why| refused(&format!("writing {name}"), why))
    }

    /// Removes a file; it may be gone already.
    pub(super) fn remove(&self, name: &str) -> Result<(), VaultError> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes an empty folder; it may be gone already.
    pub(super) fn remove_folder(&self, name: &str) -> Result<(), VaultError> {
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &str, flags: AtFlags) -> Result<(), VaultError> {
        match rustix::fs::unlinkat(&self.fd, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(why) => Err(refused(&format!("removing {name}"), why)),
        }
    }

    /// Returns a path that leads to this very folder for as long as it is open, whatever its name is by then.
    pub(super) fn place(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.fd.as_raw_fd().to_string())
    }

    /// Makes durable what was done in it.
    pub(super) fn sync(&self) -> Result<(), VaultError> {
        match rustix::fs::fsync(&self.fd) {
            // Some file systems know no such thing for a folder.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(why) => Err(refused("writing to disk", why)),
        }
    }
}

fn open_at(at: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name.as_bytes(), flags, Mode::empty())
}

/// Tells whether something is mounted at this very path.
pub(super) fn is_mount(path: &Path) -> io::Result<bool> {
    let table = std::fs::read(MOUNTS)?;
    let wanted = path.components().collect::<PathBuf>();
    let mut places = table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    Ok(places.any(|place| Path::new(OsStr::from_bytes(&unescaped(place))) == wanted))
}

/// The table writes blank, tab, line end and backslash as three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let code = if *first == b'\\' { tail.get(..3).and_then(octal) } else { None };
        plain.push(code.unwrap_or(*first));
        rest = if code.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    plain
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_a_mount_and_a_fresh_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_mount(Path::new("/proc")).unwrap());
        assert!(!is_mount(folder.path()).unwrap());
    }

    #[test]
    fn escaped_blanks_are_read() {
        assert_eq!(unescaped(br"/a\040b\134c"), b"/a b\\c");
        assert_eq!(unescaped(br"/a\9"), br"/a\9");
    }
}
