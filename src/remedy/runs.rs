//! Run files: what a program was told, and the lock by which it is known to run still.
//!
//! The event of a run lies in a file, which is locked and becomes the program's standard input. The lock belongs to the open file,
//! not to a process, so it lasts for as long as anybody holds it: the watchdog while it carries out the order, and the program also
//! after the watchdog was killed. The next watchdog finds the lock held, and runs nothing beside it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use crate::engine::attempt::{Act, StepOrder};

/// Most run files that are kept of runs that ended.
pub const RUN_FILES_MAX: usize = 64;

/// Most files of the folder that are looked at.
const FILES_MAX: usize = 10_000;

/// How often a lock that somebody else holds is tried again.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Most names that are tried for a temporary folder.
const NAMES_MAX: u32 = 1000;

/// Ends the name of every run file ...
const ENDING: &str = ".json";
/// ... of one whose end was seen ...
const ENDED: &str = ".ended.json";
/// ... and of one that only looked.
const LOOKED: &str = ".look.json";

/// The folder of run files.
#[derive(Debug)]
pub(super) struct Runs {
    state_dir: Option<PathBuf>,
    /// Made when it is first needed.
    made: OnceLock<Result<PathBuf, String>>,
}

/// Why a run cannot begin.
#[derive(Debug)]
pub(super) enum Hindrance {
    /// An earlier run of the same target goes on.
    Busy,
    /// Its file cannot be written.
    Unwritable(String),
}

/// The file of one run. When it is dropped, the run counts as ended.
#[derive(Debug)]
pub(super) struct RunFile {
    runs: Arc<Runs>,
    folder: PathBuf,
    name: String,
    looks: bool,
    file: File,
}

impl Runs {
    pub(super) fn new(state_dir: Option<PathBuf>) -> Self {
        Self { state_dir, made: OnceLock::new() }
    }

    /// Waits until no program of an earlier watchdog works on the target of this order.
    pub(super) async fn wait_for_others(self: &Arc<Self>, order: &StepOrder, until: Instant) -> Result<(), Hindrance> {
        let (mark, mut is_told) = (mark(order), false);
        loop {
            let (runs, mark) = (Arc::clone(self), mark.clone());
            let holder = blocking(move || runs.holder(&mark)).await.map_err(|error| unwritable(&error))?;
            let Some(holder) = holder else { return Ok(()) };
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(run = holder, "an earlier run of this target goes on; waiting for its end");
            }
            if timeout_at(until, sleep(ASK_EVERY)).await.is_err() {
                return Err(Hindrance::Busy);
            }
        }
    }

    /// Begins a run: makes its file and locks it.
    pub(super) async fn begin(self: &Arc<Self>, order: &StepOrder) -> Result<RunFile, Hindrance> {
        let (runs, looks) = (Arc::clone(self), order.act == Act::Look);
        let name = name(order);
        blocking(move || {
            let folder = runs.folder().map_err(io::Error::other)?.to_owned();
            let path = folder.join(&name);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            Ok(Some(RunFile { runs, folder, name, looks, file }))
        })
        .await
        .map_err(|error| unwritable(&error))?
        .ok_or(Hindrance::Busy)
    }

    /// Returns the first run with this mark that still goes on; one that was interrupted and is over counts as ended from here on.
    fn holder(&self, mark: &str) -> io::Result<Option<String>> {
        let Some(folder) = self.known_folder() else { return Ok(None) };
        for name in names(folder)?.into_iter().filter(|name| may_go_on(name) && name.contains(mark)) {
            let path = folder.join(&name);
            match File::open(&path).map(|file| file.try_lock().map(|()| file)) {
                Ok(Ok(file)) => {
                    set_ended(folder, &name)?;
                    drop(file);
                }
                Ok(Err(TryLockError::WouldBlock)) => return Ok(Some(name)),
                Ok(Err(TryLockError::Error(error))) => return Err(error),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Returns the folder if anybody may have written to it.
    pub(super) fn known_folder(&self) -> Option<&Path> {
        let made = self.made.get().and_then(|made| made.as_deref().ok());
        made.or(self.state_dir.as_deref())
    }

    pub(super) fn folder(&self) -> Result<&Path, String> {
        let begin = || match &self.state_dir {
            Some(folder) => make_folder(folder).map(|()| folder.clone()),
            None => make_temporary(),
        };
        let made = self.made.get_or_init(|| begin().map_err(|error| error.to_string()));
        made.as_deref().map_err(Clone::clone)
    }

    /// Removes the oldest files of runs that ended.
    fn tidy(folder: &Path) -> io::Result<()> {
        let mut ended: Vec<_> = names(folder)?
            .into_iter()
            .filter(|name| !may_go_on(name))
            .map(|name| folder.join(name))
            .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
            .collect();
        ended.sort();
        let surplus = ended.len().saturating_sub(RUN_FILES_MAX);
        ended.into_iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        if let (None, Some(Ok(temporary))) = (&self.state_dir, self.made.get()) {
            // It is the system's to tidy up if this fails.
            drop(fs::remove_dir_all(temporary));
        }
    }
}

impl RunFile {
    /// Returns the folder in which it lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the event, and returns it as the standard input of a program.
    pub(super) async fn stdin(&self, event: Vec<u8>) -> Result<Stdio, Hindrance> {
        let file = self.file.try_clone().map_err(|error| unwritable(&error))?;
        let write = move || {
            let mut file = file;
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&event)?;
            file.sync_all()?;
            file.rewind()?;
            Ok(file)
        };
        blocking(write).await.map(Stdio::from).map_err(|error| unwritable(&error))
    }

    /// Ends the run.
    pub(super) async fn end(self) {
        let end = move || {
            drop(self);
            Ok(())
        };
        drop(blocking(end).await);
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        let ended = if self.looks {
            fs::remove_file(self.folder.join(&self.name))
        } else {
            set_ended(&self.folder, &self.name).and_then(|()| Runs::tidy(&self.folder))
        };
        if let Err(error) = ended {
            tracing::warn!(%error, run = self.name, runs = ?self.runs.state_dir, "the file of a run cannot be put away");
        }
    }
}

/// Returns what is in the name of every run file of the order's target.
fn mark(order: &StepOrder) -> String {
    format!("_{:08x}_", order.target.hash())
}

fn name(order: &StepOrder) -> String {
    let ending = if order.act == Act::Look { LOOKED } else { ENDING };
    [&order.key(), ending].concat()
}

/// Tells whether a run file is of a run whose end was not seen.
fn may_go_on(name: &str) -> bool {
    !name.ends_with(ENDED) && !name.ends_with(LOOKED)
}

fn set_ended(folder: &Path, name: &str) -> io::Result<()> {
    let ended = [name.strip_suffix(ENDING).unwrap_or(name), ENDED].concat();
    fs::rename(folder.join(name), folder.join(ended))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.take(FILES_MAX).filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with("wd_") && name.ends_with(ENDING)).collect())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn make_temporary() -> io::Result<PathBuf> {
    let base = std::env::temp_dir();
    for number in 0..NAMES_MAX {
        let folder = base.join(format!("wa-watchdog-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn unwritable(error: &io::Error) -> Hindrance {
    Hindrance::Unwritable(error.to_string())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("its thread ended")))
}
