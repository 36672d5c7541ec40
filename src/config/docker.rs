//! Hooks over the Docker Engine API: a restart, and a reset by moving the session's files aside or by making the container anew.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::built_in::{Asked, BuiltIn, BuiltStep};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, HookStep};
use crate::engine::ladder::Remedy;
use crate::engine::plan::Resume;

/// Where a daemon listens as a rule.
const ENDPOINT_DEFAULT: &str = "unix:///var/run/docker.sock";
/// How long the service gets to end by itself. Chromium needs time to write down its session.
const STOP_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);
const STOP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How long the daemon may take beyond that.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long files may take, and making a container anew.
const FILES_WITHIN: Duration = Duration::from_mins(2);
/// How long the service may take to be running after its start.
const START_WITHIN: Duration = Duration::from_mins(1);
/// Longest name of a container or volume, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// What a session is made of, in the builds of the field (whatsapp-web.js, Baileys, WPPConnect).
const ENTRIES_DEFAULT: [&str; 6] =
    ["session*", ".wwebjs_auth", ".wwebjs_cache", "auth_info*", "baileys-auth*", "tokens"];
/// Most globs.
const ENTRIES_MAX: usize = 32;
/// How many quarantines are kept, for how long, and how many bytes together.
const KEEP_RUNS: RangeInclusive<u32> = 1..=100;
const KEEP_RUNS_DEFAULT: u32 = 2;
const KEEP_FOR: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(24 * 365);
const KEEP_FOR_DEFAULT: Duration = Duration::from_hours(24 * 7);
const KEEP_BYTES: RangeInclusive<u64> = (1 << 20)..=(1 << 40);
const KEEP_BYTES_DEFAULT: u64 = 2 << 30;

/// One act on a container.
#[derive(Clone, Debug, PartialEq)]
pub struct DockerCall {
    /// The container.
    pub at: DockerAt,
    /// What is done.
    pub deed: DockerDeed,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// A container, and the daemon that has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DockerAt {
    /// The daemon.
    pub endpoint: DockerEndpoint,
    /// The container's name; an id would be another one after it was made anew.
    pub container: String,
}

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DockerEndpoint {
    /// A socket.
    Unix(PathBuf),
    /// A base URL without a slash at its end: that of a proxy, which lets only some calls pass.
    Tcp(String),
}

/// What is done with a container.
#[derive(Clone, Debug, PartialEq)]
pub enum DockerDeed {
    /// Says which container it is, and when it started.
    Look,
    /// Stops it.
    Stop {
        /// How long it gets to end by itself.
        grace: Duration,
        /// With which signal, if not the image's own.
        signal: Option<String>,
    },
    /// Starts it, and waits until it runs.
    Start,
    /// Tells whether the session's folder is as it should be, before anything is stopped.
    Find(Vault),
    /// Takes away the locks that a Chromium left that was killed.
    ClearLocks(Vault),
    /// Moves the session aside.
    Quarantine(Vault),
    /// Tells whether the session is aside.
    IsAside(Vault),
    /// Moves the session of an earlier attempt back, and the present one aside.
    Restore(Vault),
    /// Tells whether the session of an earlier attempt is back.
    IsBack(Vault),
    /// Tells whether the session of an earlier attempt is aside, before anything is stopped.
    FindAside(Vault),
    /// Undoes a quarantine that was not finished.
    PutBack(Vault),
    /// Says which container it is, whatever its name is at the moment.
    LookAnew(Anew),
    /// Writes down everything that the container is.
    Save(Anew),
    /// Makes the container anew beside the old one, to see that it can be done.
    Rehearse(Anew),
    /// Undoes that.
    CallOff(Anew),
    /// Removes the container and its volumes, and makes both anew.
    Recreate(Anew),
    /// Tells whether that is done.
    IsRecreated(Anew),
    /// Starts the container, made anew first where it is missing.
    StartAnew(Anew),
}

/// The folder of a session, and how what was in it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// The folder, as the watchdog sees it.
    pub dir: PathBuf,
    /// Which of its entries are the session: names, `*` for anything.
    pub entries: Vec<String>,
    /// It may be a folder that is no mount of its own.
    pub allow_non_mount: bool,
    /// How much of what was moved aside is kept.
    pub keep: Keep,
}

/// How much of what was moved aside is kept. The newest one is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many.
    pub runs: u32,
    /// How long.
    pub age: Duration,
    /// How many bytes together.
    pub bytes: u64,
}

/// How a container is made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anew {
    /// The volumes that hold the session, by name: they are removed and made empty.
    pub volumes: Vec<String>,
    /// How long the container gets to end by itself.
    pub grace: Duration,
}

impl Vault {
    /// Makes one of a folder, with everything else as it is where nobody says otherwise.
    #[must_use]
    pub fn of(dir: PathBuf) -> Self {
        let entries = ENTRIES_DEFAULT.map(str::to_owned).to_vec();
        Self { dir, entries, allow_non_mount: false, keep: KEEP_DEFAULT }
    }
}

/// Reads the section.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<BuiltIn> {
    let report = &mut *scope.report;
    if asked.remedy == Remedy::Reconnect {
        item.refuse(report, "cannot reconnect a session", "a container can be restarted; write it under restart");
        return None;
    }
    let mut section = item.section(report)?;
    let at = at(&mut section, report);
    let grace = section.take("stop_timeout").map_or(Some(STOP_TIMEOUT_DEFAULT), |item| item.span(report, STOP_TIMEOUT));
    let signal = section.take("stop_signal").map_or(Some(None), |item| signal(&item, report).map(Some));
    let how = if asked.remedy == Remedy::Reset {
        reset(&mut section, scope.base_dir, report, grace)
    } else {
        restart(&mut section, scope.base_dir, report)
    };
    section.finish_with(report, elsewhere);
    let (at, grace) = (at?, grace?);
    Some(line(&Line { at, grace, signal: signal? }, how?, asked.destroys))
}

/// What every step of a line needs.
struct Line {
    at: DockerAt,
    grace: Duration,
    signal: Option<String>,
}

/// How it is done.
enum How {
    /// Stop and start, with locks cleared between.
    Restart(Option<Vault>),
    Quarantine(Vault),
    Recreate(Anew),
}

impl Line {
    fn call(&self, deed: DockerDeed) -> Call {
        let timeout = match &deed {
            DockerDeed::Stop { grace, .. } => grace.saturating_add(ANSWER_WITHIN),
            DockerDeed::Look
            | DockerDeed::LookAnew(_)
            | DockerDeed::Find(_)
            | DockerDeed::IsAside(_)
            | DockerDeed::FindAside(_)
            | DockerDeed::IsBack(_)
            | DockerDeed::IsRecreated(_) => ANSWER_WITHIN,
            DockerDeed::Start | DockerDeed::StartAnew(_) => START_WITHIN.saturating_add(ANSWER_WITHIN),
            DockerDeed::ClearLocks(_)
            | DockerDeed::Quarantine(_)
            | DockerDeed::Restore(_)
            | DockerDeed::PutBack(_)
            | DockerDeed::Save(_)
            | DockerDeed::Rehearse(_)
            | DockerDeed::CallOff(_)
            | DockerDeed::Recreate(_) => FILES_WITHIN,
        };
        Call::Docker(Box::new(DockerCall { at: self.at.clone(), deed, timeout }))
    }

    fn stop(&self, start: DockerDeed) -> BuiltStep {
        let stop = DockerDeed::Stop { grace: self.grace, signal: self.signal.clone() };
        let calls = HookStep { run: self.call(stop), check: None, undo: Some(self.call(start)) };
        BuiltStep { calls, ..BuiltStep::new("stop", self.call(DockerDeed::Look)) }
    }

    fn start(&self, start: DockerDeed) -> BuiltStep {
        BuiltStep { leaves_running: true, ..BuiltStep::new("start", self.call(start)) }
    }

    /// The step that destroys: done again only where its check says that it is not done.
    fn destroy(&self, name: &'static str, run: DockerDeed, check: DockerDeed) -> BuiltStep {
        let calls = HookStep { run: self.call(run), check: Some(self.call(check)), undo: None };
        BuiltStep { destroys: true, resume: Resume::Check, calls, ..BuiltStep::new(name, self.call(DockerDeed::Look)) }
    }
}

fn line(line: &Line, how: How, destroys: bool) -> BuiltIn {
    let mut look = DockerDeed::Look;
    let mut restore = Vec::new();
    let find = |vault: &Vault| BuiltStep::new("find", line.call(DockerDeed::Find(vault.clone())));
    let steps = match how {
        How::Restart(locks) => {
            let locks = locks.map(|vault| BuiltStep::new("clear-locks", line.call(DockerDeed::ClearLocks(vault))));
            // Where a restart loses the session, it is the stop that does.
            let stop = BuiltStep { destroys, ..line.stop(DockerDeed::Start) };
            [Some(stop), locks, Some(line.start(DockerDeed::Start))].into_iter().flatten().collect()
        }
        How::Quarantine(vault) => {
            let find_aside = BuiltStep::new("find", line.call(DockerDeed::FindAside(vault.clone())));
            restore = vec![
                find_aside,
                line.stop(DockerDeed::Start),
                line.destroy("restore", DockerDeed::Restore(vault.clone()), DockerDeed::IsBack(vault.clone())),
                line.start(DockerDeed::Start),
            ];
            let mut quarantine =
                line.destroy("quarantine", DockerDeed::Quarantine(vault.clone()), DockerDeed::IsAside(vault.clone()));
            quarantine.calls.undo = Some(line.call(DockerDeed::PutBack(vault.clone())));
            vec![find(&vault), line.stop(DockerDeed::Start), quarantine, line.start(DockerDeed::Start)]
        }
        How::Recreate(anew) => {
            look = DockerDeed::LookAnew(anew.clone());
            let rehearse = HookStep {
                run: line.call(DockerDeed::Rehearse(anew.clone())),
                check: None,
                undo: Some(line.call(DockerDeed::CallOff(anew.clone()))),
            };
            vec![
                BuiltStep::new("save", line.call(DockerDeed::Save(anew.clone()))),
                line.stop(DockerDeed::StartAnew(anew.clone())),
                BuiltStep { calls: rehearse, ..BuiltStep::new("rehearse", line.call(DockerDeed::Look)) },
                line.destroy("recreate", DockerDeed::Recreate(anew.clone()), DockerDeed::IsRecreated(anew.clone())),
                line.start(DockerDeed::StartAnew(anew)),
            ]
        }
    };
    BuiltIn { steps, look: Some(line.call(look)), restore }
}

/// Reads which container it is.
pub(super) fn at(section: &mut Section, report: &mut Report) -> Option<DockerAt> {
    let hint = "write the container's name, as docker ps shows it";
    let container = section.need(report, "container", hint).and_then(|item| name(&item, report, hint));
    let endpoint = endpoint_of(section, report);
    Some(DockerAt { container: container?, endpoint: endpoint? })
}

/// Reads which daemon it is.
pub(super) fn endpoint_of(section: &mut Section, report: &mut Report) -> Option<DockerEndpoint> {
    match section.take("endpoint") {
        Some(item) => endpoint(&item, report),
        None => parse_endpoint(ENDPOINT_DEFAULT),
    }
}

fn endpoint(item: &Item, report: &mut Report) -> Option<DockerEndpoint> {
    let hint = format!("write {ENDPOINT_DEFAULT:?}, or the address of a proxy as in \"tcp://dockerproxy:2375\"");
    let endpoint = item.text(report).and_then(parse_endpoint);
    if endpoint.is_none() {
        item.wrong(report, "the address of a Docker daemon", &hint);
    }
    endpoint
}

fn parse_endpoint(text: &str) -> Option<DockerEndpoint> {
    if let Some(path) = text.strip_prefix("unix://") {
        let path = PathBuf::from(path);
        return path.is_absolute().then_some(DockerEndpoint::Unix(path));
    }
    let rest = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://"))?;
    let base = reqwest::Url::parse(&format!("http://{}", rest.trim_end_matches('/'))).ok()?;
    (base.path() == "/" && base.query().is_none() && base.username().is_empty() && base.password().is_none())
        .then(|| DockerEndpoint::Tcp(base.as_str().trim_end_matches('/').to_owned()))
}

/// Reads a name that can stand in a path of the API as it is.
fn name(item: &Item, report: &mut Report, hint: &str) -> Option<String> {
    item.word(report, |text| is_docker_name(text).then(|| text.to_owned()), "a name that Docker knows", hint)
}

/// Tells whether Docker takes it for a name: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
fn is_docker_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && (2..=NAME_BYTES_MAX).contains(&text.len())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn signal(item: &Item, report: &mut Report) -> Option<String> {
    let is_signal = |text: &str| {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        (2..=12).contains(&text.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let hint = "write it as in \"SIGINT\"; where a build logs out on SIGTERM, another one may keep the session";
    item.word(report, |text| is_signal(text).then(|| text.to_owned()), "a signal", hint)
}

fn restart(section: &mut Section, base_dir: &Path, report: &mut Report) -> Option<How> {
    let clears = section.take("clear_locks").map_or(Some(false), |item| item.flag(report))?;
    if !clears {
        return Some(How::Restart(None));
    }
    vault(section, base_dir, report).map(|vault| How::Restart(Some(vault)))
}

fn reset(section: &mut Section, base_dir: &Path, report: &mut Report, grace: Option<Duration>) -> Option<How> {
    let Some(item) = section.take("method") else {
        return vault(section, base_dir, report).map(How::Quarantine);
    };
    match item.text(report)? {
        "quarantine" => vault(section, base_dir, report).map(How::Quarantine),
        "recreate" => {
            let volumes = volumes(section, report);
            Some(How::Recreate(Anew { volumes: volumes?, grace: grace? }))
        }
        _ => {
            let hint = "write \"quarantine\", which moves the session's files aside, or \"recreate\", which removes its \
                        volumes and makes the container anew";
            item.wrong(report, "a way to reset", hint);
            None
        }
    }
}

fn volumes(section: &mut Section, report: &mut Report) -> Option<Vec<String>> {
    let hint = "name the volumes that hold the session, as in volumes = [\"mlh_whatsapp-session\"]";
    let item = section.need(report, "volumes", hint)?;
    let items = item.words(report, hint)?;
    let names: Option<Vec<String>> = items.iter().map(|item| name(item, report, hint)).collect();
    let names = names?;
    if names.is_empty() || ENTRIES_MAX < names.len() {
        item.refuse(report, format!("has {} names", names.len()), format!("{hint}; at most {ENTRIES_MAX}"));
        return None;
    }
    Some(names)
}

/// Reads where the session's files are.
fn vault(section: &mut Section, base_dir: &Path, report: &mut Report) -> Option<Vault> {
    let hint = "mount the session's volume into the watchdog too, and write where: session_dir = \"/session\"";
    let dir = section.need(report, "session_dir", hint).and_then(|item| {
        let path = item.text(report)?;
        let dir = base_dir.join(path);
        let has_dots = dir.components().any(|part| matches!(part, std::path::Component::ParentDir));
        if has_dots || !Path::new(path).is_absolute() {
            item.refuse(report, "is not a whole path", hint);
            return None;
        }
        Some(dir)
    });
    let entries = match section.take("entries") {
        Some(item) => globs(&item, report),
        None => Some(ENTRIES_DEFAULT.map(str::to_owned).to_vec()),
    };
    let allow_non_mount = section.take("allow_non_mount").map_or(Some(false), |item| item.flag(report));
    let keep =
        section.take_section(report, "keep").map_or(Some(KEEP_DEFAULT), |keep_section| keep(keep_section, report));
    Some(Vault { dir: dir?, entries: entries?, allow_non_mount: allow_non_mount?, keep: keep? })
}

const KEEP_DEFAULT: Keep = Keep { runs: KEEP_RUNS_DEFAULT, age: KEEP_FOR_DEFAULT, bytes: KEEP_BYTES_DEFAULT };

fn keep(mut section: Section, report: &mut Report) -> Option<Keep> {
    let runs = section.take("runs").map_or(Some(KEEP_DEFAULT.runs), |item| item.count(report, KEEP_RUNS));
    let age = section.take("for").map_or(Some(KEEP_DEFAULT.age), |item| item.span(report, KEEP_FOR));
    let bytes = section.take("bytes").map_or(Some(KEEP_DEFAULT.bytes), |item| item.size(report, KEEP_BYTES));
    section.finish(report);
    Some(Keep { runs: runs?, age: age?, bytes: bytes? })
}

fn globs(item: &Item, report: &mut Report) -> Option<Vec<String>> {
    let hint = "write the names of the session's files and folders, as in entries = [\"session*\", \".wwebjs_auth\"]";
    let items = item.words(report, hint)?;
    if items.is_empty() || ENTRIES_MAX < items.len() {
        item.refuse(report, format!("has {} names", items.len()), format!("{hint}; at most {ENTRIES_MAX}"));
        return None;
    }
    let glob = |item: &Item| {
        let text = item.text(report)?;
        if text.contains(['/', '\0'])
            || text.bytes().all(|byte| matches!(byte, b'*' | b'.'))
            || text.len() > NAME_BYTES_MAX
        {
            item.refuse(report, "is not the name of an entry of the folder", hint);
            return None;
        }
        Some(text.to_owned())
    };
    items.iter().map(glob).collect()
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "session_dir" | "entries" | "keep" | "allow_non_mount" => {
            "a quarantine needs it, and a restart with clear_locks = true"
        }
        "volumes" | "volume" => "method = \"recreate\" needs it, as volumes = [\"NAME\"]",
        "allow_destructive" => "write it one level up, beside the hook: [target.NAME.remedy.reset]",
        _ => return None,
    };
    Some(hint.to_owned())
}
