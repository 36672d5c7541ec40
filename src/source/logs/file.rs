//! A log file, looked at every half second: whoever writes it cannot tell us, and a disk may be a network away.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::reader::Reader;
use super::tail::{Step, Tail};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows a file, for ever.
pub(super) async fn follow(path: PathBuf, mut reader: Reader) {
    let mut tail = Tail::of(path.clone());
    loop {
        // On a thread of its own: a slow disk delays nobody else.
        let looking = spawn_blocking(move || {
            let step = tail.step();
            (tail, step)
        });
        let (next, step) = looking.await.unwrap_or_else(|_ended| {
            let error = io::Error::other("the thread that reads it ended");
            (Tail::of(path.clone()), Step { trouble: Some(error), ..Step::default() })
        });
        tail = next;
        let second = reader.second();
        for line in &step.lines {
            reader.read(&line.bytes, line.is_cut, second);
        }
        match &step.trouble {
            Some(error) => reader.lost(error),
            None => reader.found(),
        }
        if !step.has_more {
            sleep(LOOK_EVERY).await;
        }
    }
}
