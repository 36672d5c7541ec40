//! Hooks over the API of Kubernetes: a restart of the pod, and a reset by a mark that the pod's own init container obeys.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::built_in::{Asked, BuiltIn, BuiltStep};
use super::coolify::{ASK_EVERY, ASK_EVERY_DEFAULT};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, HookStep, Secret, http_call, secret, url};
use crate::engine::ladder::Remedy;
use crate::engine::plan::Resume;

/// Where the API is, seen from a pod.
const API_DEFAULT: &str = "https://kubernetes.default.svc";
/// Where a pod finds who it is.
const ACCOUNT_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Longest name of a workload or a namespace (RFC 1123), in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Longest selector, in bytes.
const SELECTOR_BYTES_MAX: usize = 512;
/// How long the pod gets to end by itself.
const GRACE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);
const GRACE_DEFAULT: Duration = Duration::from_secs(30);
/// How long a new pod may take to be ready.
const READY_WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(20);
const READY_WITHIN_DEFAULT: Duration = Duration::from_mins(5);
/// How long questions may take, with the pauses that the API may ask for.
const ASKING: Duration = Duration::from_mins(1);

/// One act over Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesCall {
    /// What it works on.
    pub at: KubernetesAt,
    /// What is done.
    pub deed: KubernetesDeed,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// A workload, and the API that knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesAt {
    /// The API's base URL, without a slash at its end.
    pub api: String,
    /// The token of the service account, read anew at each call.
    pub token: Secret,
    /// The certificates of the API; none for plain HTTP.
    pub ca_file: Option<PathBuf>,
    /// Where the workload is.
    pub namespace: Namespace,
    /// What it is.
    pub workload: Workload,
    /// Its name.
    pub name: String,
    /// Which pods are its; none: as the workload itself says.
    pub selector: Option<String>,
    /// How often it is asked whether something has come about.
    pub ask_every: Duration,
}

/// Where a workload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// In this namespace.
    Named(String),
    /// In the one whose name this file holds: the watchdog's own.
    InFile(PathBuf),
}

/// What keeps the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A Deployment; its strategy must be Recreate.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
}

/// What is done over Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesDeed {
    /// Asks for a new rollout, once a run.
    Rollout,
    /// Deletes the pod, and waits until it is gone.
    DeletePod {
        /// How long it gets to end by itself.
        grace: Duration,
    },
    /// Tells whether the pod is gone.
    IsDeleted,
    /// Waits until what is new is ready.
    Ready {
        /// How long that may take.
        within: Duration,
        /// The folder in which no mark may be left.
        session_dir: Option<PathBuf>,
    },
    /// Writes the mark that the pod's init container obeys.
    Mark {
        /// The session's folder, as the watchdog sees it.
        session_dir: PathBuf,
    },
    /// Takes it away.
    Unmark {
        /// The same folder.
        session_dir: PathBuf,
    },
}

impl Workload {
    /// Returns the word for one of its kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
        }
    }

    /// Returns the resource of the API.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
        }
    }
}

/// How a new pod is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Rollout,
    DeletePod,
}

/// Reads the section.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<BuiltIn> {
    if asked.remedy == Remedy::Reconnect {
        let hint = "a pod can be restarted; write it under restart";
        item.refuse(scope.report, "cannot reconnect a session", hint);
        return None;
    }
    let mut section = item.section(scope.report)?;
    let api = section.take("api").map_or(Some(API_DEFAULT.to_owned()), |item| api(&item, scope.report));
    let token = token(&mut section, scope);
    let ca_file = match section.take("ca_file") {
        Some(item) => http_call::ca_file(&item, scope).map(Some),
        None => Some(usual_ca_file(api.as_deref())),
    };
    let report = &mut *scope.report;
    let namespace = namespace(&mut section, report);
    let hint = "write which, as in workload = \"statefulset/whatsapp-service\"";
    let workload = section.need(report, "workload", hint).and_then(|item| workload(&item, report, hint));
    let selector = section.take("selector").map_or(Some(None), |item| selector(&item, report).map(Some));
    let method = method(&mut section, report, workload.as_ref().map(|(workload, _)| *workload));
    let session_dir =
        if asked.remedy == Remedy::Reset { session_dir(&mut section, report).map(Some) } else { Some(None) };
    let mut span = |key, range, default| section.take(key).map_or(Some(default), |item: Item| item.span(report, range));
    let grace = span("grace", GRACE, GRACE_DEFAULT);
    let ready_within = span("ready_within", READY_WITHIN, READY_WITHIN_DEFAULT);
    let ask_every = span("ask_every", ASK_EVERY, ASK_EVERY_DEFAULT);
    section.finish_with(report, elsewhere);
    let (workload, name) = workload?;
    let at = KubernetesAt {
        api: api?,
        token: token?,
        ca_file: ca_file?,
        namespace: namespace?,
        workload,
        name,
        selector: selector?,
        ask_every: ask_every?,
    };
    let line = Line { at, method: method?, grace: grace?, ready_within: ready_within?, session_dir: session_dir? };
    Some(BuiltIn { steps: line.steps(asked.destroys), look: None, restore: Vec::new() })
}

/// What every step of a line needs.
struct Line {
    at: KubernetesAt,
    method: Method,
    grace: Duration,
    ready_within: Duration,
    session_dir: Option<PathBuf>,
}

impl Line {
    /// There is no look: beside the service the watchdog dies with the pod, and finds another one when it is back.
    fn steps(&self, destroys: bool) -> Vec<BuiltStep> {
        let mark = self.session_dir.clone().map(|session_dir| {
            let run = self.call(KubernetesDeed::Mark { session_dir: session_dir.clone() });
            let undo = self.call(KubernetesDeed::Unmark { session_dir });
            let calls = HookStep { run: run.clone(), check: None, undo: Some(undo) };
            BuiltStep { calls, ..BuiltStep::new("mark", run) }
        });
        let renew = match self.method {
            // The same run asks for the same rollout, however often.
            Method::Rollout => BuiltStep::new("rollout", self.call(KubernetesDeed::Rollout)),
            Method::DeletePod => {
                let run = self.call(KubernetesDeed::DeletePod { grace: self.grace });
                let check = Some(self.call(KubernetesDeed::IsDeleted));
                let calls = HookStep { run: run.clone(), check, undo: None };
                BuiltStep { resume: Resume::Check, calls, ..BuiltStep::new("delete-pod", run) }
            }
        };
        let ready = KubernetesDeed::Ready { within: self.ready_within, session_dir: self.session_dir.clone() };
        let ready = BuiltStep { leaves_running: true, ..BuiltStep::new("ready", self.call(ready)) };
        [mark, Some(BuiltStep { destroys, ..renew }), Some(ready)].into_iter().flatten().collect()
    }

    fn call(&self, deed: KubernetesDeed) -> Call {
        let timeout = match &deed {
            KubernetesDeed::DeletePod { grace } => grace.saturating_add(ASKING),
            KubernetesDeed::Ready { within, .. } => within.saturating_add(ASKING),
            KubernetesDeed::Rollout
            | KubernetesDeed::IsDeleted
            | KubernetesDeed::Mark { .. }
            | KubernetesDeed::Unmark { .. } => ASKING,
        };
        Call::Kubernetes(Box::new(KubernetesCall { at: self.at.clone(), deed, timeout }))
    }
}

fn api(item: &Item, report: &mut Report) -> Option<String> {
    let url = url::read(item, report)?;
    if url.query().is_some() {
        item.refuse(report, "has a query", format!("write it as in {API_DEFAULT:?}"));
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// The file of a pod is not tried: a configuration may be checked elsewhere.
fn token(section: &mut Section, scope: &mut Scope<'_>) -> Option<Secret> {
    if section.peek("token_file").or_else(|| section.peek("token_env")).is_none() {
        return Some(Secret::File(Path::new(ACCOUNT_DIR).join("token")));
    }
    secret::take(section, scope, &secret::TOKEN)
}

fn usual_ca_file(api: Option<&str>) -> Option<PathBuf> {
    let is_plain = api.is_some_and(|api| api.starts_with("http://"));
    (!is_plain).then(|| Path::new(ACCOUNT_DIR).join("ca.crt"))
}

fn namespace(section: &mut Section, report: &mut Report) -> Option<Namespace> {
    let Some(item) = section.take("namespace") else {
        return Some(Namespace::InFile(Path::new(ACCOUNT_DIR).join("namespace")));
    };
    let hint = "write its name, or leave the key out: then it is the watchdog's own";
    let read = |text: &str| is_name(text).then(|| Namespace::Named(text.to_owned()));
    item.word(report, read, "the name of a namespace", hint)
}

fn workload(item: &Item, report: &mut Report, hint: &str) -> Option<(Workload, String)> {
    let read = |text: &str| {
        let (kind, name) = text.split_once('/')?;
        let known = [Workload::Deployment, Workload::StatefulSet];
        let workload = known.into_iter().find(|workload| workload.as_str().eq_ignore_ascii_case(kind))?;
        is_name(name).then(|| (workload, name.to_owned()))
    };
    item.word(report, read, "a workload", hint)
}

fn selector(item: &Item, report: &mut Report) -> Option<String> {
    let is_selector = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=!,._-/() ".contains(&byte);
        (1..=SELECTOR_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
    };
    let hint = "write labels as kubectl takes them, as in selector = \"app=whatsapp-service\"";
    item.word(report, |text| is_selector(text).then(|| text.to_owned()), "a selector of labels", hint)
}

fn method(section: &mut Section, report: &mut Report, workload: Option<Workload>) -> Option<Method> {
    let Some(item) = section.take("method") else {
        // A StatefulSet stuck on a broken pod does not roll out (kubernetes#67250).
        return Some(if workload == Some(Workload::StatefulSet) { Method::DeletePod } else { Method::Rollout });
    };
    let read = |text: &str| match text {
        "restart" => Some(Method::Rollout),
        "delete_pod" => Some(Method::DeletePod),
        _ => None,
    };
    let hint = "write \"restart\", a new rollout, or \"delete_pod\"";
    let method = item.word(report, read, "a way to get a new pod", hint)?;
    if method == Method::DeletePod && workload == Some(Workload::Deployment) {
        let what = "puts two pods on one session: a Deployment makes the next one while this one is still ending";
        item.refuse(report, what, "write \"restart\", or make it a StatefulSet");
        return None;
    }
    Some(method)
}

fn session_dir(section: &mut Section, report: &mut Report) -> Option<PathBuf> {
    let hint = "mount the session's volume into the watchdog too, and write where: session_dir = \"/session\"";
    let item = section.need(report, "session_dir", hint)?;
    let path = Path::new(item.text(report)?);
    let has_dots = path.components().any(|part| matches!(part, std::path::Component::ParentDir));
    if has_dots || !path.is_absolute() {
        item.refuse(report, "is not a whole path", hint);
        return None;
    }
    Some(path.to_owned())
}

/// Tells whether it can be the name of a workload: what can stand in a path as it is.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "token" => "a token is read from token_file or token_env; by default it is the pod's own",
        "session_dir" => "a restart keeps the session; it belongs to a reset",
        "entries" | "keep" | "allow_non_mount" => "the init container moves the session: see wa-watchdog wipe --help",
        "allow_destructive" => "write it one level up, beside the hook: [target.NAME.remedy.reset]",
        _ => return None,
    };
    Some(hint.to_owned())
}
