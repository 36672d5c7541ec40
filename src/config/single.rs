//! One target without a file: what the command line says, and environment twins for the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::node::{Node, Place, Table, lay_over};
use super::problem::Report;
use super::twins::lay_twins_over;
use super::{Problem, Settings, settings};
use crate::engine::target::TargetId;

/// What problems call a configuration without a file.
const SOURCE: &str = "command line";

/// One target, as a person types it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Single {
    /// What it is.
    pub kind: SingleKind,
    /// Its name; by default the host of a service, the session of an account.
    pub name: Option<String>,
    /// Its dialect, by name or path; by default that of its kind.
    pub dialect: Option<String>,
    /// The file that holds its token.
    pub token_file: Option<PathBuf>,
}

/// What a single target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SingleKind {
    /// A session service of one's own: `--service URL`.
    Service {
        /// Its base URL.
        url: String,
    },
    /// A session of a WasenderAPI account: `--wasender SESSION`.
    Wasender {
        /// The session's number.
        session: String,
        /// A base URL other than the vendor's.
        url: Option<String>,
    },
}

impl Single {
    /// A single target of which nothing else is said.
    #[must_use]
    pub fn new(kind: SingleKind) -> Self {
        Self { kind, name: None, dialect: None, token_file: None }
    }

    fn name(&self) -> String {
        let fits = |name: &String| TargetId::new(name).is_ok();
        let by_kind = || match &self.kind {
            SingleKind::Service { url } => host(url).filter(fits).unwrap_or_else(|| "service".to_owned()),
            SingleKind::Wasender { session, .. } => {
                Some(session.clone()).filter(fits).unwrap_or_else(|| "wasender".to_owned())
            }
        };
        self.name.clone().unwrap_or_else(by_kind)
    }

    /// Writes it as the section of a file would be; `dialect` is what it speaks unless it says otherwise.
    fn tree(&self, dialect: Option<&str>) -> Table {
        let (flag, url, session) = match &self.kind {
            SingleKind::Service { url } => ("--service", Some(url), None),
            SingleKind::Wasender { session, url } => ("--wasender", url.as_ref(), Some(session)),
        };
        let keys = [
            ("dialect", "--dialect", self.dialect.clone().or_else(|| dialect.map(str::to_owned))),
            ("url", if session.is_some() { "--url" } else { flag }, url.cloned()),
            ("session", flag, session.cloned()),
            ("token_file", "--token-file", self.token_file.as_ref().map(|path| path.display().to_string())),
        ];
        let said = keys.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?)));
        let target = said.map(|(key, flag, value)| (key.to_owned(), Node::text(Place::file(flag, None), value)));
        let at = |flag| Place::file(flag, None);
        let targets = Table::from([(self.name(), Node::table(at(flag), target.collect()))]);
        Table::from([("target".to_owned(), Node::table(at(flag), targets))])
    }
}

/// Checks a target without a file. What was typed wins over environment twins; relative paths begin at the working directory.
pub fn single(single: &Single, env: &BTreeMap<String, String>) -> Result<Settings, Vec<Problem>> {
    let mut report = Report::default();
    let dialect = match &single.kind {
        SingleKind::Service { .. } => "whatsapp-service",
        SingleKind::Wasender { .. } => "wasender",
    };
    let mut tree = single.tree(Some(dialect));
    lay_twins_over(&mut tree, env, &mut report);
    lay_over(&mut tree, single.tree(None));
    settings::read_tree(tree, SOURCE, Path::new(""), env, report)
}

fn host(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok()?.host_str().map(str::to_owned)
}
