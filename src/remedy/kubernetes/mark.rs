//! The mark in the session's folder, and the files of the pod.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use tokio::task::spawn_blocking;

use super::{Errand, facts};
use crate::engine::attempt::StepOutcome;
use crate::remedy::end::CallEnd;
use crate::remedy::marker;

/// Longest file that holds the name of a namespace, in bytes.
const NAMESPACE_BYTES_MAX: u64 = 256;

impl Errand<'_> {
    /// Writes the mark, once it is sure that a new pod obeys it.
    pub(super) async fn mark(&self, session_dir: &Path) -> Result<CallEnd, CallEnd> {
        let workload = self.workload().await?;
        self.check(facts::hindrance(self.at.workload, &workload))?;
        if !facts::can_wipe(&workload) {
            let note = "none of its init containers runs wa-watchdog wipe, so nobody would obey the mark";
            return Err(self.nothing_done(note.to_owned()));
        }
        let (dir, run) = (session_dir.to_owned(), self.run_name());
        let written = spawn_blocking(move || marker::put(&dir, &run)).await;
        match written {
            Ok(Ok(())) => Ok(CallEnd::new(StepOutcome::Done, None)),
            Ok(Err(error)) => Err(self.nothing_done(format!("the mark cannot be written: {error}"))),
            Err(_panicked) => Err(CallEnd::failed("nobody can tell whether the mark was written")),
        }
    }

    /// Takes the mark of this run away.
    pub(super) async fn unmark(&self, session_dir: &Path) -> Result<CallEnd, CallEnd> {
        self.take_away(session_dir).await?;
        Ok(CallEnd::new(StepOutcome::Done, None))
    }

    /// Says whether the mark was obeyed. One that was not must go: it would end a session that somebody makes later.
    pub(super) async fn obeyed(&self, session_dir: &Path) -> Result<CallEnd, CallEnd> {
        if self.take_away(session_dir).await? {
            let note = "the new pod is ready, but no init container obeyed the mark, so the session is as it was";
            return Err(CallEnd::failed(note));
        }
        Ok(CallEnd::new(StepOutcome::Done, None))
    }

    /// Takes the mark of this run away; false where there was none.
    async fn take_away(&self, session_dir: &Path) -> Result<bool, CallEnd> {
        let (dir, run) = (session_dir.to_owned(), self.run_name());
        let taken = spawn_blocking(move || match marker::read(&dir)? {
            Some(mark) if mark.run == run => marker::take_away(&dir).map(|()| true),
            Some(_) | None => Ok(false),
        });
        match taken.await {
            Ok(Ok(was_there)) => Ok(was_there),
            Ok(Err(error)) => Err(CallEnd::failed(format!("the mark cannot be taken away: {error}"))),
            Err(_panicked) => Err(CallEnd::failed("nobody can tell whether the mark is there")),
        }
    }
}

/// Reads the name of the watchdog's own namespace.
pub(super) async fn namespace(path: &Path) -> Result<String, String> {
    let path = path.to_owned();
    let read = spawn_blocking(move || {
        let mut text = String::new();
        File::open(path)?.take(NAMESPACE_BYTES_MAX).read_to_string(&mut text).map(|_| text)
    });
    let text = read.await.map_err(|error| error.to_string())?;
    let text = text.map_err(|error| format!("its own namespace cannot be read: {error}; write namespace"))?;
    let name = text.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err("the file of its own namespace holds no name; write namespace".to_owned());
    }
    Ok(name.to_owned())
}
