//! `reset-all-users`: every session out of a backend's database, by a person alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::site::Misuse;
use super::{Outcome, print};
use crate::driver::clock;
use crate::engine::moment::Wall;
use crate::remedy::users::{Change, Linked, USERS_MAX, Users, UsersError, sync_folder, with_ending};

/// How long a lock of the backend's is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Most users that are shown by name; the undo list holds all.
const SHOWN_MAX: usize = 50;
/// Longest undo list that is read, in bytes.
const UNDO_BYTES_MAX: u64 = 256 << 20;

/// Take the sessions of all users out of a backend's database: every one of them must be linked anew.
///
/// This is what a person does when a whole account is beyond repair; the watchdog never does it by itself. It shows who has a
/// session, asks for a sentence to be typed, backs the database up, writes down what it takes out, and then does all of it or
/// nothing. The backend may go on running, and should be restarted afterwards, for it may remember what it read.
///
/// Exit codes: 0 done, or nobody has a session; 1 it failed; 2 wrong use or not confirmed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  wa-watchdog reset-all-users --database /data/whatsapp_bot.db
  wa-watchdog reset-all-users --database /data/whatsapp_bot.db --confirm \"unlink 12 users\"
  wa-watchdog reset-all-users --database /data/whatsapp_bot.db --undo /data/whatsapp_bot.db.20260204-090000.undo.json

For one user alone use the hook `sqlite`, or better the backend's own API. --undo gives back only to users who have no session
by now; a session that the vendor deleted does not come back to life by it.")]
pub(super) struct Args {
    /// The backend's database file.
    #[arg(long, value_name = "PATH")]
    database: PathBuf,
    /// Where the backup and the undo list go; beside the database if nobody says.
    #[arg(long, value_name = "DIR", conflicts_with = "undo")]
    backup_dir: Option<PathBuf>,
    /// The sentence that is asked for, with the right number: "unlink N users".
    #[arg(long, value_name = "SENTENCE", conflicts_with = "undo")]
    confirm: Option<String>,
    /// Put back what an undo list says.
    #[arg(long, value_name = "FILE")]
    undo: Option<PathBuf>,
}

/// What was taken out, to put it back.
#[derive(Debug, Serialize, Deserialize)]
struct UndoList {
    /// The form of this file.
    undo: u32,
    /// When.
    at: Wall,
    /// Of which database.
    database: PathBuf,
    /// What each user had.
    users: Vec<Linked>,
}

/// The form of an undo list that this version writes and reads.
const FORM: u32 = 1;

/// Takes all sessions out, or puts them back.
pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut users = Users::open(&args.database, BUSY_TIMEOUT).map_err(misuse_or_failure)?;
    match &args.undo {
        Some(list) => undo(&mut users, list),
        None => unlink(args, &mut users),
    }
}

fn unlink(args: &Args, users: &mut Users) -> anyhow::Result<Outcome> {
    let linked = users.linked()?;
    if linked.is_empty() {
        print::line("no user has a session: there is nothing to do")?;
        return Ok(Outcome::Well);
    }
    show(&linked)?;
    confirm(args.confirm.as_deref(), linked.len())?;
    let beside = args.database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = args.backup_dir.as_deref().unwrap_or(beside);
    users.check_fit(folder)?;
    let now = clock::machine()().wall;
    let stem = folder.join(with_ending(&args.database, &format!(".{}", stamp(now))));
    let (backup, list) = (with(&stem, ".backup"), with(&stem, ".undo.json"));
    if backup.exists() || list.exists() {
        anyhow::bail!("{} is there already: try again in a second", backup.display());
    }
    users.back_up(&backup)?;
    print::line(&format!("backed up to {}", backup.display()))?;
    let database = fs::canonicalize(&args.database).unwrap_or_else(|_| args.database.clone());
    let undo = UndoList { undo: FORM, at: now, database, users: linked };
    write(&list, &undo).with_context(|| format!("nothing was changed: {} cannot be written", list.display()))?;
    print::line(&format!("what is taken out stands in {}", list.display()))?;
    users.clear_all(&undo.users)?;
    print::line(&format!(
        "{} unlinked; restart the backend, then each of them must create a session anew and scan",
        users_in_words(undo.users.len())
    ))?;
    let (database, list) = (args.database.display(), list.display());
    print::line(&format!("to undo it: wa-watchdog reset-all-users --database {database} --undo {list}"))?;
    Ok(Outcome::Well)
}

fn undo(users: &mut Users, list: &Path) -> anyhow::Result<Outcome> {
    let UndoList { undo: _, at, database: _, users: had } =
        read(list).map_err(|why| Misuse(format!("{}: {why}", list.display())))?;
    let changes = users.put_back_all(&had)?;
    let count = |is_so: fn(&Change) -> bool| changes.iter().filter(|change| is_so(change)).count();
    let made = count(|change| *change == Change::Made);
    let was = count(|change| *change == Change::Was);
    for (Linked { id, session, .. }, change) in had.iter().zip(&changes) {
        match change {
            Change::Made | Change::Was => {}
            Change::Other(now) => {
                print::complain(&format!("user {id} has session {now} by now, not {session}: left alone"));
            }
            Change::NoUser => print::complain(&format!("user {id} is gone: session {session} was not put back")),
        }
    }
    print::line(&format!("{} linked again as of {at}; restart the backend", users_in_words(made)))?;
    if 0 < was {
        print::line(&format!("{} had their session back already", users_in_words(was)))?;
    }
    Ok(if made.saturating_add(was) == had.len() { Outcome::Well } else { Outcome::NotWell })
}

fn show(linked: &[Linked]) -> io::Result<()> {
    let verb = if linked.len() == 1 { "has" } else { "have" };
    print::line(&format!("{} {verb} a session:", users_in_words(linked.len())))?;
    let row = |had: &Linked| vec![had.id.to_string(), had.session.clone()];
    let rows: Vec<Vec<String>> = linked.iter().take(SHOWN_MAX).map(row).collect();
    for line in print::table(&["user", "session"], &rows) {
        print::line(&format!("  {line}"))?;
    }
    match linked.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => print::line(&format!("  and {more} more")),
    }
}

/// Makes sure that it is meant: what is typed must name the number, so that nobody unlinks more than was seen.
fn confirm(said: Option<&str>, count: usize) -> anyhow::Result<()> {
    let wanted = format!("unlink {count} users");
    let typed = match said {
        Some(said) => said.to_owned(),
        None if io::stdin().is_terminal() => {
            let mut out = io::stderr().lock();
            write!(out, "Every one of them must be linked anew with the phone in hand.\nType {wanted:?} to go on: ")?;
            out.flush()?;
            let mut typed = String::new();
            io::stdin().read_line(&mut typed)?;
            typed
        }
        None => {
            let why = format!("nobody can be asked here: add --confirm \"{wanted}\" if you mean it");
            return Err(Misuse(why).into());
        }
    };
    if typed.trim() == wanted {
        return Ok(());
    }
    Err(Misuse(format!("not confirmed, for the sentence is \"{wanted}\": nothing was done")).into())
}

/// Writes the list so that it is whole and on the disk before anything is changed.
fn write(path: &Path, list: &UndoList) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec_pretty(list)?)?;
    file.sync_all()?;
    sync_folder(path)?;
    Ok(())
}

fn read(path: &Path) -> Result<UndoList, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(UNDO_BYTES_MAX).read_to_end(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    let list: UndoList = serde_json::from_slice(&text).map_err(|error| format!("is no undo list: {error}"))?;
    if list.undo != FORM || USERS_MAX < list.users.len() {
        return Err("is an undo list that this version does not read".to_owned());
    }
    Ok(list)
}

/// What is not there, or is not a backend's database, is a wrong path; the rest went wrong.
fn misuse_or_failure(error: UsersError) -> anyhow::Error {
    match error {
        UsersError::Unfit(why) => Misuse(why).into(),
        other @ (UsersError::Busy | UsersError::Failed(_) | UsersError::Unclear(_)) => other.into(),
    }
}

/// A moment as a part of a file's name, to the second in UTC.
fn stamp(at: Wall) -> String {
    let digits: String = at.to_string().chars().take(19).filter(|letter| !matches!(letter, '-' | ':')).collect();
    digits.replace('T', "-")
}

fn with(stem: &Path, ending: &str) -> PathBuf {
    stem.with_file_name(with_ending(stem, ending))
}

fn users_in_words(count: usize) -> String {
    if count == 1 { "1 user".to_owned() } else { format!("{count} users") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_part_of_a_name() {
        assert_eq!(stamp("2026-02-04T09:05:07.123Z".parse().unwrap()), "20260204-090507");
    }

    #[test]
    fn only_the_sentence_with_the_right_number_is_a_yes() {
        assert!(confirm(Some("unlink 12 users"), 12).is_ok());
        for said in ["unlink 11 users", "yes", "", "Unlink 12 users"] {
            assert!(confirm(Some(said), 12).is_err(), "{said}");
        }
    }
}
