//! Hooks over the API of Coolify: a restart by stop and start, and a reset by giving the session a new volume.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::built_in::{Asked, BuiltIn, BuiltStep};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, HookStep, Secret, secret, url};
use crate::engine::ladder::Remedy;
use crate::engine::plan::Resume;

/// Where the API begins.
const API: &str = "/api/v1";
/// Longest identifier of an application or a service, in bytes.
const UUID_BYTES_MAX: usize = 64;
/// Longest path in a container, in bytes.
const MOUNT_BYTES_MAX: usize = 1024;
/// How often it is asked whether something has come about.
pub(super) const ASK_EVERY: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(1);
pub(super) const ASK_EVERY_DEFAULT: Duration = Duration::from_secs(2);
/// How long a status must hold: Coolify's own is late by some seconds.
const SETTLE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);
const SETTLE_DEFAULT: Duration = Duration::from_secs(5);
/// How long a stop may take. Coolify gives the container 30 s by itself.
const STOP_WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(15);
const STOP_WITHIN_DEFAULT: Duration = Duration::from_mins(2);
/// How long a start may take; it is a whole deployment.
const START_WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(20);
const START_WITHIN_DEFAULT: Duration = Duration::from_mins(5);
/// How long questions may take, with the pauses that Coolify may ask for.
const ASKING: Duration = Duration::from_mins(1);

/// One act over Coolify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoolifyCall {
    /// What it works on.
    pub at: CoolifyAt,
    /// What is done.
    pub deed: CoolifyDeed,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// An application or a service, and the Coolify that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoolifyAt {
    /// The base URL of the API, without a slash at its end.
    pub api: String,
    /// Which of the two it is.
    pub resource: CoolifyResource,
    /// Its identifier there.
    pub uuid: String,
    /// The token, `ID|SECRET`.
    pub token: Secret,
    /// How often it is asked whether something has come about.
    pub ask_every: Duration,
}

/// What Coolify runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoolifyResource {
    /// One container, built or pulled; it is started by a deployment.
    Application,
    /// A stack of containers.
    Service,
}

/// What is done over Coolify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoolifyDeed {
    /// Finds the volume of the session, and writes down its name and the next one.
    Find {
        /// Where it is mounted in the container.
        mount_path: String,
    },
    /// Stops it, and waits until it is stopped.
    Stop {
        /// How long that may take.
        within: Duration,
        /// How long it must stay stopped.
        settle: Duration,
    },
    /// Starts it where it does not run, and waits until it runs.
    Start {
        /// How long that may take.
        within: Duration,
        /// How long it must run already, so that nothing is started.
        settle: Duration,
    },
    /// Gives the session a new volume, by a new name: the old one stays as the backup.
    Rotate,
    /// Tells whether that is done.
    IsRotated,
    /// Gives the session the volume back that an earlier attempt took away.
    RotateBack,
    /// Tells whether that is done.
    IsBack,
}

impl CoolifyResource {
    /// Returns the word for one of its kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Service => "service",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Application, Self::Service].into_iter().find(|resource| resource.as_str() == text)
    }
}

/// Reads the section.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<BuiltIn> {
    if asked.remedy == Remedy::Reconnect {
        let hint = "an application can be restarted; write it under restart";
        item.refuse(scope.report, "cannot reconnect a session", hint);
        return None;
    }
    let mut section = item.section(scope.report)?;
    let hint = "write where Coolify is, as in url = \"https://coolify.example\"";
    let api = section.need(scope.report, "url", hint).and_then(|item| api(&item, scope.report));
    let hint = "write the identifier that stands last in the URL of its page in Coolify";
    let uuid = section.need(scope.report, "uuid", hint).and_then(|item| uuid(&item, scope.report, hint));
    let token = token(&mut section, scope);
    let report = &mut *scope.report;
    let resource = resource(&mut section, report);
    let mount =
        if asked.remedy == Remedy::Reset { mount(&mut section, report, resource).map(Some) } else { Some(None) };
    let mut span = |key, range, default| section.take(key).map_or(Some(default), |item: Item| item.span(report, range));
    let ask_every = span("ask_every", ASK_EVERY, ASK_EVERY_DEFAULT);
    let settle = span("settle", SETTLE, SETTLE_DEFAULT);
    let stop_within = span("stop_within", STOP_WITHIN, STOP_WITHIN_DEFAULT);
    let start_within = span("start_within", START_WITHIN, START_WITHIN_DEFAULT);
    section.finish_with(report, elsewhere);
    let at = CoolifyAt { api: api?, resource: resource?, uuid: uuid?, token: token?, ask_every: ask_every? };
    let line = Line { at, settle: settle?, stop_within: stop_within?, start_within: start_within? };
    let mount = mount?;
    let restore = if mount.is_some() { line.restore() } else { Vec::new() };
    Some(BuiltIn { steps: line.steps(mount, asked.destroys), look: None, restore })
}

/// What every step of a line needs.
struct Line {
    at: CoolifyAt,
    settle: Duration,
    stop_within: Duration,
    start_within: Duration,
}

impl Line {
    /// Stop and start as two calls: a deployment over a running container would run both on one session for a while.
    fn steps(&self, mount: Option<String>, destroys: bool) -> Vec<BuiltStep> {
        let (mut stop, start) = self.stop_and_start();
        let Some(mount_path) = mount else {
            // Where a restart loses the session, it is the stop that does.
            stop.destroys = destroys;
            return vec![stop, start];
        };
        let find = BuiltStep::new("find", self.call(CoolifyDeed::Find { mount_path }));
        let run = self.call(CoolifyDeed::Rotate);
        let calls = HookStep { run: run.clone(), check: Some(self.call(CoolifyDeed::IsRotated)), undo: None };
        let rotate = BuiltStep { destroys: true, resume: Resume::Check, calls, ..BuiltStep::new("rotate", run) };
        vec![find, stop, rotate, start]
    }

    /// The same with the volume of before.
    fn restore(&self) -> Vec<BuiltStep> {
        let (stop, start) = self.stop_and_start();
        let run = self.call(CoolifyDeed::RotateBack);
        let calls = HookStep { run: run.clone(), check: Some(self.call(CoolifyDeed::IsBack)), undo: None };
        let back = BuiltStep { destroys: true, resume: Resume::Check, calls, ..BuiltStep::new("rotate-back", run) };
        vec![stop, back, start]
    }

    fn stop_and_start(&self) -> (BuiltStep, BuiltStep) {
        let start = CoolifyDeed::Start { within: self.start_within, settle: self.settle };
        let stop = CoolifyDeed::Stop { within: self.stop_within, settle: self.settle };
        let stop = HookStep { run: self.call(stop), check: None, undo: Some(self.call(start.clone())) };
        let stop = BuiltStep { calls: stop, ..BuiltStep::new("stop", self.call(start.clone())) };
        (stop, BuiltStep { leaves_running: true, ..BuiltStep::new("start", self.call(start)) })
    }

    fn call(&self, deed: CoolifyDeed) -> Call {
        let timeout = match &deed {
            CoolifyDeed::Stop { within, settle } | CoolifyDeed::Start { within, settle } => {
                within.saturating_add(*settle).saturating_add(ASKING)
            }
            CoolifyDeed::Find { .. }
            | CoolifyDeed::Rotate
            | CoolifyDeed::IsRotated
            | CoolifyDeed::RotateBack
            | CoolifyDeed::IsBack => ASKING,
        };
        Call::Coolify(Box::new(CoolifyCall { at: self.at.clone(), deed, timeout }))
    }
}

fn api(item: &Item, report: &mut Report) -> Option<String> {
    let url = url::read(item, report)?;
    if url.query().is_some() {
        item.refuse(report, "has a query", "write it as in \"https://coolify.example\"");
        return None;
    }
    let base = url.as_str().trim_end_matches('/');
    Some(if base.ends_with(API) { base.to_owned() } else { format!("{base}{API}") })
}

fn uuid(item: &Item, report: &mut Report, hint: &str) -> Option<String> {
    let is_uuid = |text: &str| {
        (1..=UUID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    item.word(report, |text| is_uuid(text).then(|| text.to_owned()), "an identifier of Coolify", hint)
}

fn token(section: &mut Section, scope: &mut Scope<'_>) -> Option<Secret> {
    if section.peek("token_file").or_else(|| section.peek("token_env")).is_none() {
        let hint = "name the file that holds a token with the abilities read and deploy, for a reset write too; \
                    or its variable in token_env";
        section.missing(scope.report, "token_file", hint);
    }
    secret::take(section, scope, &secret::TOKEN)
}

fn resource(section: &mut Section, report: &mut Report) -> Option<CoolifyResource> {
    let Some(item) = section.take("resource") else { return Some(CoolifyResource::Application) };
    item.word(report, CoolifyResource::parse, "a kind of resource", "write \"application\" or \"service\"")
}

fn mount(section: &mut Section, report: &mut Report, resource: Option<CoolifyResource>) -> Option<String> {
    if resource == Some(CoolifyResource::Service) {
        let what = "cannot reset a service: the names of its volumes stand in its compose file";
        let hint =
            "let the watchdog share the session's volume and use another hook, or take the session out of the stack";
        report.refuse(&section.at, &section.key, what, hint);
        // The key is known, so that it is no second problem.
        drop(section.take("mount_path"));
        return None;
    }
    let hint = "write where the session's volume is mounted in the container, as in mount_path = \"/app/data\"";
    let item = section.need(report, "mount_path", hint)?;
    let text = item.text(report)?.trim();
    if !text.starts_with('/') || text == "/" || MOUNT_BYTES_MAX < text.len() {
        item.refuse(report, "is not a path in a container", hint);
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "token" => "a token is read from token_file or token_env",
        "mount_path" => "a restart keeps the volume; it belongs to a reset",
        "docker_cleanup" => "it is always false: a cleanup may remove the volume of what is stopped",
        "allow_destructive" => "write it one level up, beside the hook: [target.NAME.remedy.reset]",
        _ => return None,
    };
    Some(hint.to_owned())
}
