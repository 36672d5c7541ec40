//! One process, from start to end, with everything that it leaves behind in its group.
//!
//! Three facts shape this. Dropping a child ends the child alone, not what it started. Waiting for the end of its output waits for
//! everybody who holds the other end of the pipe, which may be a daemon that it started. And a pipe that nobody reads blocks it.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::output::Output;
use crate::config::Exec;

/// How long whoever holds the pipes after the process ended may go on.
const LEFTOVERS_MAX: Duration = Duration::from_millis(200);

/// How long a killed process may take to be gone: one that hangs in the kernel is left there.
const KILLED_MAX: Duration = Duration::from_secs(5);

/// How a process ended.
#[derive(Debug)]
pub(super) enum End {
    /// By itself.
    Exit(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// By us, for it took too long.
    TimedOut,
    /// It never began.
    NotStarted(io::Error),
}

/// What became of a process.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) end: End,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
}

/// Runs a program to its end, or to the end of its time.
///
/// What it started and left in its process group ends with it if it had to be ended, or if it still holds its output. A service
/// that it starts and that shall live on needs its own session (`setsid`) or another place for its output.
pub(super) async fn run(exec: &Exec, env: &[(&str, String)], stdin: Stdio, until: Instant) -> Ran {
    let (mut stdout, mut stderr) = (Output::new(exec.output_bytes_max), Output::new(exec.output_bytes_max));
    let end = match start(exec, env, stdin) {
        Ok((child, group)) => follow(exec, child, group, until, &mut stdout, &mut stderr).await,
        Err(error) => End::NotStarted(error),
    };
    Ran { end, stdout, stderr }
}

fn start(exec: &Exec, env: &[(&str, String)], stdin: Stdio) -> io::Result<(Child, Pid)> {
    let nothing = || io::Error::new(io::ErrorKind::InvalidInput, "no program is named");
    let (program, arguments) = exec.argv.split_first().ok_or_else(nothing)?;
    if !Path::new(program).is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the program is no absolute path"));
    }
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&exec.env)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(false)
        .spawn()?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok((child, group.ok_or_else(|| io::Error::other("it has no number"))?))
}

async fn follow(
    exec: &Exec,
    mut child: Child,
    group: Pid,
    until: Instant,
    stdout: &mut Output,
    stderr: &mut Output,
) -> End {
    let pipes = (child.stdout.take(), child.stderr.take());
    let mut reading = pin!(async { _ = tokio::join!(stdout.fill(pipes.0), stderr.fill(pipes.1)) });
    let mut ending = pin!(end(exec, &mut child, group, until));
    let mut is_read = false;
    let end = loop {
        tokio::select! {
            end = &mut ending => break end,
            () = &mut reading, if !is_read => is_read = true,
        }
    };
    let is_held = !is_read && timeout(LEFTOVERS_MAX, reading).await.is_err();
    // The number of the group cannot be another's by now: it is taken for as long as somebody is in the group, and whoever holds
    // the pipes, or was there when the process had to be ended, mostly is.
    match end {
        End::Exit(_) if !is_held => {}
        End::Exit(_) | End::Signal(_) | End::TimedOut | End::NotStarted(_) => kill(group, Signal::KILL),
    }
    end
}

async fn end(exec: &Exec, child: &mut Child, group: Pid, until: Instant) -> End {
    match timeout_at(until, timeout(exec.timeout, child.wait())).await {
        Ok(Ok(Ok(status))) => return of_status(status),
        Ok(Ok(Err(error))) => tracing::error!(%error, "a process cannot be waited for"),
        Ok(Err(_)) | Err(_) => {}
    }
    kill(group, Signal::TERM);
    if timeout(exec.kill_grace, child.wait()).await.is_err() {
        kill(group, Signal::KILL);
        if timeout(KILLED_MAX, child.wait()).await.is_err() {
            tracing::error!(pid = child.id(), "a killed process does not end");
        }
    }
    End::TimedOut
}

fn of_status(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}

fn kill(group: Pid, signal: Signal) {
    // Where nobody is left there is nothing to do.
    if let Err(error) = kill_process_group(group, signal)
        && error != Errno::SRCH
    {
        tracing::error!(%error, "a program cannot be ended");
    }
}
