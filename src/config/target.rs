//! One target: whom to ask, how, and how strictly to judge.

use std::sync::Arc;

use super::dialects::Dialects;
use super::mode::Modes;
use super::policy::{self, Thresholds, set};
use super::problem::Report;
use super::remedy::{Remedies, Whom};
use super::scope::Scope;
use super::section::{Item, Section};
use super::url::URL_BYTES_MAX;
use super::{MemoryFrom, PathAt, Target, VendorAt, mode, remedy, secret, senses, url};
use crate::dialect::{Dialect, Route};
use crate::engine::path::PathName;
use crate::engine::policy::{Limits, MemoryReading, Watch};
use crate::engine::target::TargetId;
use crate::engine::watchdog::Ask;

/// Longest name of a session, in bytes.
const SESSION_BYTES_MAX: usize = 256;
/// Longest name of a host group, in bytes.
const GROUP_BYTES_MAX: usize = 128;
/// Most different sets of thresholds that are compared to share them; a fleet has few.
pub(super) const SHARED_MAX: usize = 64;

/// Where gateways live that everybody asks at the same place.
const URL_DEFAULTS: [(&str, &str); 1] = [("wasender", "https://www.wasenderapi.com/api")];
/// The dialect of the vendor whose sessions change their numbers.
const VENDOR: &str = "wasender";
/// Hosts whose API lies below `/api`, and the rest of the site elsewhere.
const API_HOSTS: [&str; 2] = ["wasenderapi.com", "www.wasenderapi.com"];

/// Keys that belong elsewhere, and where.
const ELSEWHERE: [(&str, &str); 4] = [
    ("token", "a token is read from token_file or token_env, and never stands in the configuration"),
    ("api_key", "a token is read from token_file or token_env, and never stands in the configuration"),
    ("notify", "whom to tell stands in a section of its own, [notify.NAME]"),
    ("hooks", "write them by remedy, as in [target.NAME.remedy.restart.exec]"),
];

/// Reads targets, one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) dialects: Dialects,
    /// Thresholds of targets that say nothing else.
    pub(super) thresholds: &'a Thresholds,
    pub(super) modes: Modes,
    /// Network paths that are looked at.
    pub(super) paths: &'a [PathAt],
    /// Thresholds met so far; equal ones are shared.
    pub(super) shared: Vec<Arc<Limits>>,
}

impl Reader<'_> {
    /// Reads one target. None only where a problem was noted.
    pub(super) fn read(&mut self, name: &str, item: Item) -> Option<(Target, Watch)> {
        let id = match TargetId::new(name) {
            Ok(id) => Some(id),
            Err(error) => {
                item.refuse(self.scope.report, error.to_string(), "rename it, as in \"shop\" or \"acme-2\"");
                None
            }
        };
        let mut section = item.section(self.scope.report)?;
        let thresholds = self.thresholds(&mut section);
        let hint = "name the gateway's dialect, as in dialect = \"whatsapp-service\"";
        let item = section.need(self.scope.report, "dialect", hint);
        let dialect = item.as_ref().and_then(|item| self.dialects.find(item, self.scope.report));
        let dialect_at = item.map(|item| self.dialects.place(&item, self.scope.report)).unwrap_or_default();
        let session = section.take("session").and_then(|item| session(&item, self.scope.report));
        let status_path = section.take("status_path").and_then(|item| status_path(&item, self.scope.report));
        let url = self.url(&mut section, dialect.as_deref());
        let qr_page = section.take("qr_page").and_then(|item| qr_page(&item, self.scope.report));
        let token = secret::take(&mut section, &mut self.scope, &secret::TOKEN);
        if let Some(dialect) = &dialect {
            self.check_route(&section, dialect, session.as_deref(), status_path.as_deref());
            self.weigh_token(&section, dialect, token.is_some());
        }
        let vendor = self.vendor(&mut section, dialect.as_deref());
        let senses = senses::take(&mut section, &mut self.scope, dialect.as_deref().map(Dialect::name));
        let mode = self.modes.take(&mut section, self.scope.report);
        let restart_keeps_session = section.take("restart_keeps_session").and_then(|item| item.flag(self.scope.report));
        let group = section.take("group").and_then(|item| group(&item, self.scope.report));
        let mut watch = Watch { mode, ..Watch::default() };
        set(&mut watch.restart_keeps_session, restart_keeps_session);
        let whom = Whom {
            url: url.as_deref(),
            session: session.as_deref(),
            token: token.as_ref(),
            asks_vendor: dialect.as_deref().is_some_and(|dialect| asks_vendor(dialect, status_path.as_deref())),
        };
        let Remedies { hooks, plans } = remedy::take(&mut section, &mut self.scope, &watch, whom);
        mode::weigh(&section, mode, &hooks, self.scope.report);
        section.finish_with(self.scope.report, elsewhere);
        let (dialect, url) = (dialect?, url?);
        let route = Route { session: session.as_deref(), status_path: status_path.as_deref() };
        let has = |ask| dialect.path(ask, route).is_some();
        let watch = Watch {
            whose: format!("{url:?} {session:?} {status_path:?}").into(),
            limits: share(&mut self.shared, &thresholds.limits),
            has_deep: has(Ask::Deep),
            has_qr: has(Ask::Qr),
            has_status: has(Ask::Status),
            group: group.unwrap_or_else(|| host(&url)).into(),
            plans,
            paths: self.needed_paths(&dialect),
            memory: senses.memory.as_ref().map(reading).unwrap_or_default(),
            ..watch
        };
        let (timeout, body_bytes_max) = (thresholds.timeout(), thresholds.body_bytes_max());
        let target = Target {
            id: id?,
            dialect,
            dialect_at,
            url,
            session,
            status_path,
            token,
            timeout,
            body_bytes_max,
            qr_page,
            vendor,
            senses,
            hooks,
        };
        Some((target, watch))
    }

    fn thresholds(&mut self, section: &mut Section) -> Thresholds {
        let Some(mut own) = section.take_section(self.scope.report, "policy") else { return self.thresholds.clone() };
        let read = policy::read(&mut own, self.scope.report, self.thresholds);
        own.finish_with(self.scope.report, |name| {
            (name == "together").then(|| "write it under [policy]: it counts for all targets together".to_owned())
        });
        read
    }

    fn url(&mut self, section: &mut Section, dialect: Option<&Dialect>) -> Option<String> {
        if let Some(item) = section.take("url") {
            return base_url(&item, self.scope.report);
        }
        let dialect = dialect?;
        let default = default_url(dialect.name());
        if default.is_none() {
            section.missing(
                self.scope.report,
                "url",
                "write where the gateway is, as in url = \"http://localhost:3001\"",
            );
        }
        default.map(str::to_owned)
    }

    /// Returns the network paths that sessions of a dialect need.
    fn needed_paths(&self, dialect: &Dialect) -> Arc<[PathName]> {
        let needs =
            |path: &&PathAt| path.dialects.is_empty() || path.dialects.iter().any(|name| name == dialect.name());
        self.paths.iter().filter(needs).map(|path| Arc::clone(&path.name)).collect()
    }

    /// Takes the vendor behind the gateway; its URL is known where its token is given.
    fn vendor(&mut self, section: &mut Section, dialect: Option<&Dialect>) -> Option<VendorAt> {
        let item = section.take("vendor_url");
        let url = item.as_ref().and_then(|item| base_url(item, self.scope.report));
        let token = secret::take(section, &mut self.scope, &secret::VENDOR_TOKEN);
        let has_vendor = dialect.is_none_or(|dialect| dialect.vendor().is_some());
        if (item.is_some() || token.is_some()) && !has_vendor {
            let what = "names a vendor, and its dialect knows none behind the gateway";
            let hint = "take vendor_url and vendor_token_file out, or use dialect = \"wasender-backend\"";
            self.scope.report.refuse(&section.at, &section.key, what, hint);
        }
        let Some(token) = token else {
            if let Some(item) = item {
                item.refuse(self.scope.report, "has no token", "write vendor_token_file or vendor_token_env beside it");
            }
            return None;
        };
        let url = if item.is_some() { url? } else { default_url(VENDOR)?.to_owned() };
        Some(VendorAt { url, token })
    }

    fn check_route(&mut self, section: &Section, dialect: &Dialect, session: Option<&str>, status_path: Option<&str>) {
        if session.is_none() && dialect.needs_session(status_path) {
            let hint = format!("dialect {} asks by session: write its name or number", dialect.name());
            section.missing(self.scope.report, "session", &hint);
        } else if dialect.path(Ask::Status, Route { session, status_path }).is_none() {
            let what = "this session cannot stand in a path";
            self.scope.report.refuse(
                &section.at,
                &section.key,
                what,
                "write the session's name as the gateway knows it",
            );
        }
    }

    fn weigh_token(&mut self, section: &Section, dialect: &Dialect, has_token: bool) {
        let name = dialect.name();
        let (what, hint) = match dialect.auth() {
            None if has_token => {
                ("has a token, which the dialect does not send", "take it out, or use another dialect")
            }
            Some(_) if !has_token && default_url(name).is_some() => {
                ("has no token, and is refused without one", "write token_file or token_env")
            }
            None | Some(_) => return,
        };
        self.scope.report.warn(&section.at, &section.key, what, hint);
    }
}

/// Returns equal thresholds that were met before, or these.
fn share(shared: &mut Vec<Arc<Limits>>, limits: &Limits) -> Arc<Limits> {
    if let Some(same) = shared.iter().find(|same| same.as_ref() == limits) {
        return Arc::clone(same);
    }
    let limits = Arc::new(limits.clone());
    if shared.len() < SHARED_MAX {
        shared.push(Arc::clone(&limits));
    }
    limits
}

fn reading(from: &MemoryFrom) -> MemoryReading {
    MemoryReading { every: Some(from.every), minimum: from.minimum }
}

/// Reads the name or number of a session.
pub(super) fn session(item: &Item, report: &mut Report) -> Option<String> {
    let name = item.name(report)?.trim().to_owned();
    if SESSION_BYTES_MAX < name.len() || name.contains(char::is_control) {
        let what = "is too long, or has characters that nobody can type";
        item.refuse(report, what, "write the session's name as the gateway knows it");
        return None;
    }
    Some(name)
}

/// Reads a path below the base URL.
pub(super) fn status_path(item: &Item, report: &mut Report) -> Option<String> {
    let path = item.text(report)?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '#' | '{' | '}' | '[' | ']');
    if !path.starts_with('/') || URL_BYTES_MAX < path.len() || path.replace("{session}", "").contains(is_odd) {
        item.wrong(report, "a path", "write it as in \"/health\" or \"/api/sessions/{session}\"");
        return None;
    }
    Some(path.to_owned())
}

/// Reads the base URL of a gateway.
pub(super) fn base_url(item: &Item, report: &mut Report) -> Option<String> {
    let mut url = url::read(item, report)?;
    if url.query().is_some() {
        item.refuse(report, "has a query", "write the base alone; the dialect adds path and query");
        return None;
    }
    if API_HOSTS.iter().any(|host| url.host_str() == Some(host)) && url.path() == "/" {
        url.set_path("/api");
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Tells whether a target is asked at `WasenderAPI` by the session's number: then its token is that of the account.
pub(super) fn asks_vendor(dialect: &Dialect, status_path: Option<&str>) -> bool {
    dialect.name() == VENDOR && dialect.needs_session(status_path)
}

/// Returns the host of a URL; targets of one host count as one group.
fn host(url: &str) -> String {
    reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Reads the name of a host group.
pub(super) fn group(item: &Item, report: &mut Report) -> Option<String> {
    let name = item.text(report)?.trim();
    if GROUP_BYTES_MAX < name.len() || name.contains(char::is_control) {
        item.refuse(
            report,
            "is too long, or has characters that nobody can type",
            "write a short name, as in \"host-1\"",
        );
        return None;
    }
    Some(name.to_owned())
}

/// Returns where everybody asks a gateway of this dialect.
pub(super) fn default_url(dialect: &str) -> Option<&'static str> {
    URL_DEFAULTS.iter().find(|(name, _)| *name == dialect).map(|(_, url)| *url)
}

fn qr_page(item: &Item, report: &mut Report) -> Option<String> {
    url::read(item, report).map(String::from)
}

fn elsewhere(name: &str) -> Option<String> {
    if policy::is_key(name) {
        return Some("thresholds of one target stand in its own section, [target.NAME.policy]".to_owned());
    }
    ELSEWHERE.iter().find(|(key, _)| *key == name).map(|(_, hint)| (*hint).to_owned())
}
