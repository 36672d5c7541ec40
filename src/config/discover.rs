//! Discovery: who tells which sessions there are, and what each of them gets besides what was found.

mod found;
mod template;

use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::docker::endpoint_of;
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::target::{Reader, base_url, default_url};
use super::{DockerEndpoint, Secret, TARGETS_MAX, secret, unit};

pub use self::found::{Found, Ready};
use self::template::Template;

/// Most sections.
const DISCOVERIES_MAX: usize = 32;
/// How often is asked.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_hours(1);
const EVERY_DEFAULT: Duration = Duration::from_mins(1);
/// How many targets one section may bring.
const MAX_DEFAULT: u32 = 1000;
/// Longest beginning of a name, in bytes: half of a name is left for the session.
const PREFIX_BYTES_MAX: usize = 32;

/// The kinds, by the name of their section.
const KINDS: [(&str, Kind); 5] = [
    ("wasender", Kind::Wasender),
    ("waha", Kind::Waha),
    ("evolution", Kind::Evolution),
    ("docker", Kind::Docker),
    ("file", Kind::File),
];

/// One place that tells which sessions there are.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// Its name.
    pub name: String,
    /// Who tells.
    pub from: DiscoverFrom,
    /// How often is asked.
    pub every: Duration,
    /// Most targets; more are dropped.
    pub max: usize,
    /// What their names begin with.
    pub prefix: String,
    template: Arc<Template>,
}

/// Who tells which sessions there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiscoverFrom {
    /// The account at a `WasenderAPI`.
    Wasender(Account),
    /// A WAHA server.
    Waha(Account),
    /// An Evolution API server.
    Evolution(Account),
    /// A Docker daemon: the containers with the label.
    Docker {
        /// The daemon.
        endpoint: DockerEndpoint,
        /// What stands for the host in the URL of a container.
        address: DockerAddress,
    },
    /// Files in the form of Prometheus' `file_sd`; `*` may stand in the name of the file.
    File(PathBuf),
}

/// A gateway that lists its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Base URL, without a slash at the end.
    pub url: String,
    /// What lets in.
    pub token: Option<Secret>,
}

/// What stands for the host in the URL of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DockerAddress {
    /// Its name, which the other containers of its network can look up.
    Name,
    /// Its address on its network.
    Ip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wasender,
    Waha,
    Evolution,
    Docker,
    File,
}

impl Discovery {
    /// Tells whether it asks the same, and names what it finds the same way: then what was found counts for both.
    #[must_use]
    pub fn finds_as(&self, other: &Self) -> bool {
        (&self.from, self.max, &self.prefix) == (&other.from, other.max, &other.prefix)
    }

    /// Tells whether everything that it says is the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.finds_as(other) && self.every == other.every && self.template.is_same(&other.template)
    }

    /// Reads what was found as the sections of targets are read; the outcome is in the order of what was found. What has a problem is
    /// no target.
    ///
    /// `like` are targets that were read before: they share their thresholds. Reads the files that a target names, so it may block.
    #[must_use]
    pub fn read<'a>(
        &self,
        found: impl IntoIterator<Item = (&'a crate::engine::TargetId, &'a Found)>,
        like: impl IntoIterator<Item = &'a Ready>,
    ) -> Vec<Result<Ready, Vec<super::Problem>>> {
        self.template.read(found, like)
    }
}

impl DiscoverFrom {
    /// Returns the name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        let kind = match self {
            Self::Wasender(_) => Kind::Wasender,
            Self::Waha(_) => Kind::Waha,
            Self::Evolution(_) => Kind::Evolution,
            Self::Docker { .. } => Kind::Docker,
            Self::File(_) => Kind::File,
        };
        kind.name()
    }

    /// Says in words who is asked.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Wasender(account) | Self::Waha(account) | Self::Evolution(account) => account.url.clone(),
            Self::Docker { endpoint: DockerEndpoint::Unix(path), .. } | Self::File(path) => path.display().to_string(),
            Self::Docker { endpoint: DockerEndpoint::Tcp(base), .. } => base.clone(),
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| *name)
    }

    /// The dialect of everything that it finds, where that is sure.
    fn dialect(self) -> Option<&'static str> {
        match self {
            Self::Wasender | Self::Waha | Self::Evolution => Some(self.name()),
            Self::Docker | Self::File => None,
        }
    }
}

/// Takes the sections, so that whoever reads the rest knows whether there are any.
pub(super) fn take(root: &mut Section, report: &mut Report) -> Vec<(String, Item)> {
    let Some(mut section) = root.take_section(report, "discover") else { return Vec::new() };
    let items = section.take_all();
    if DISCOVERIES_MAX < items.len() {
        let what = format!("has {} sections, more than {DISCOVERIES_MAX}", items.len());
        report.refuse(&section.at, &section.key, what, "watch the fleet with several watchdogs");
        return Vec::new();
    }
    items
}

/// Reads the sections, by name.
pub(super) fn read(reader: &mut Reader<'_>, items: Vec<(String, Item)>) -> Vec<Discovery> {
    let mut all: Vec<Discovery> = Vec::new();
    for (name, item) in items {
        let (at, key) = (item.node.at.clone(), item.key.clone());
        let Some(discovery) = discovery(name, item, reader) else { continue };
        if let Some(other) = all.iter().find(|other| other.prefix == discovery.prefix) {
            let what = format!("gives its targets the same prefix as discover.{}", other.name);
            let hint = "of two sessions of one name only one is watched: give each section a prefix of its own";
            reader.scope.report.warn(&at, &key, what, hint);
        }
        all.push(discovery);
    }
    all
}

fn discovery(name: String, item: Item, reader: &mut Reader<'_>) -> Option<Discovery> {
    let is_named = unit::is_name(&name);
    if !is_named {
        let hint = "name it with 1 to 32 letters, digits, '_' or '-', as in [discover.account.wasender]";
        item.refuse(reader.scope.report, "is not a name", hint);
    }
    let mut section = item.section(reader.scope.report)?;
    let report = &mut *reader.scope.report;
    let every = section.take("every").map_or(Some(EVERY_DEFAULT), |item| item.span(report, EVERY));
    let most = u32::try_from(TARGETS_MAX).unwrap_or(u32::MAX);
    let max = section.take("max").map_or(Some(MAX_DEFAULT), |item| item.count(report, 1..=most));
    let prefix = section.take("prefix").map_or_else(|| Some(format!("{name}-")), |item| prefix(&item, report));
    let target = section.take("target");
    let mut kinds: Vec<(Kind, Item)> =
        KINDS.iter().filter_map(|(name, kind)| Some((*kind, section.take(name)?))).collect();
    if let Some((_, second)) = kinds.get(1) {
        let hint = "one section has one kind: write another section for the other one";
        second.refuse(reader.scope.report, "stands beside another kind", hint);
    }
    if kinds.is_empty() {
        let hint = "say who is asked, in one of the sections wasender, waha, evolution, docker and file below it";
        reader.scope.report.refuse(&section.at, &section.key, "says not who is asked", hint);
    }
    let key = section.key.clone();
    let at = section.at.clone();
    section.finish_with(reader.scope.report, elsewhere);
    if kinds.len() != 1 {
        return None;
    }
    let (kind, item) = kinds.pop()?;
    let (from, token) = from(kind, item, &mut reader.scope);
    let template = Template::take(kind, target, (key, at), token, reader);
    let max = usize::try_from(max?).unwrap_or(TARGETS_MAX);
    let discovery = Discovery { name, from: from?, every: every?, max, prefix: prefix?, template: Arc::new(template?) };
    is_named.then_some(discovery)
}

/// Reads who is asked; with it the key that names the token, which is that of the targets too.
fn from(kind: Kind, item: Item, scope: &mut Scope<'_>) -> (Option<DiscoverFrom>, Option<(&'static str, Item)>) {
    let Some(mut section) = item.section(scope.report) else { return (None, None) };
    let token = secret::TOKEN.keys().into_iter().find_map(|key| Some((key, section.peek(key)?)));
    let read = match kind {
        Kind::Wasender => account(kind, &mut section, scope).map(DiscoverFrom::Wasender),
        Kind::Waha => account(kind, &mut section, scope).map(DiscoverFrom::Waha),
        Kind::Evolution => account(kind, &mut section, scope).map(DiscoverFrom::Evolution),
        Kind::Docker => docker(&mut section, scope.report),
        Kind::File => {
            let hint = "name the file, as in path = \"targets/*.json\"";
            let item = section.need(scope.report, "path", hint);
            item.and_then(|item| file(&item, scope)).map(DiscoverFrom::File)
        }
    };
    section.finish_with(scope.report, |name| match (kind.dialect(), name) {
        (_, "token") => {
            Some("a token is read from token_file or token_env, and never stands in the configuration".to_owned())
        }
        (None, "token_file" | "token_env") => {
            Some("the token of the targets stands in their template, as [discover.NAME.target] token_file".to_owned())
        }
        (Some(_) | None, _) => elsewhere(name),
    });
    (read, token.filter(|_| kind.dialect().is_some()))
}

fn account(kind: Kind, section: &mut Section, scope: &mut Scope<'_>) -> Option<Account> {
    let default = kind.dialect().and_then(default_url);
    let url = match (section.take("url"), default) {
        (Some(item), _) => base_url(&item, scope.report),
        (None, Some(url)) => Some(url.to_owned()),
        (None, None) => {
            section.missing(scope.report, "url", "write where the gateway is, as in url = \"http://localhost:3000\"");
            None
        }
    };
    let keys = secret::TOKEN.keys();
    let has_token = keys.iter().any(|key| section.peek(key).is_some());
    if !has_token && kind != Kind::Waha {
        let hint = match kind {
            Kind::Wasender => "name the file of the personal access token: a session's own key cannot list sessions",
            Kind::Waha | Kind::Evolution | Kind::Docker | Kind::File => "name the file of the server's API key",
        };
        section.missing(scope.report, "token_file", hint);
    }
    let token = secret::take(section, scope, &secret::TOKEN);
    (token.is_some() || !has_token).then_some(Account { url: url?, token })
}

fn docker(section: &mut Section, report: &mut Report) -> Option<DiscoverFrom> {
    let endpoint = endpoint_of(section, report);
    let hint = "write \"name\", for a watchdog on the same network, or \"ip\"";
    let word = |text: &str| match text {
        "name" => Some(DockerAddress::Name),
        "ip" => Some(DockerAddress::Ip),
        _ => None,
    };
    let item = section.take("address");
    let address =
        item.map_or(Some(DockerAddress::Name), |item| item.word(report, word, "a way to reach a container", hint));
    Some(DiscoverFrom::Docker { endpoint: endpoint?, address: address? })
}

fn file(item: &Item, scope: &mut Scope<'_>) -> Option<PathBuf> {
    let path = Path::new(item.text(scope.report)?);
    let stars = |part: Component<'_>| part.as_os_str().to_string_lossy().contains('*');
    let has_name = matches!(path.components().next_back(), Some(Component::Normal(_)));
    if !has_name || path.parent().is_some_and(|folder| folder.components().any(stars)) {
        item.refuse(
            scope.report,
            "is not the name of a file",
            "write it as in \"targets/*.json\": * stands in the last part alone",
        );
        return None;
    }
    Some(scope.base_dir.join(path))
}

fn prefix(item: &Item, report: &mut Report) -> Option<String> {
    let Some(text) = item.as_text() else {
        item.wrong(report, "a text", "write it in quotes; \"\" is none at all");
        return None;
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if PREFIX_BYTES_MAX < text.len() || !text.bytes().all(is_plain) || text.starts_with('.') {
        let hint = format!("use at most {PREFIX_BYTES_MAX} letters, digits, '_', '-' or '.'");
        item.refuse(report, "cannot begin the name of a target", hint);
        return None;
    }
    Some(text.to_owned())
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "policy" | "mode" | "remedy" | "group" | "qr_page" | "session" | "dialect" => {
            "what every target gets that is found stands in its template, [discover.NAME.target]"
        }
        "interval" | "refresh" | "refresh_interval" => "write every = \"60s\"",
        "limit" => "write max = 1000",
        _ => return None,
    };
    Some(hint.to_owned())
}
