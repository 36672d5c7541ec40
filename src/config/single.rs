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
/// Where the ledger of a single target lies, unless a twin says otherwise.
const LEDGER: &str = "wa-watchdog.db";

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
        /// The session's name, where the service holds several.
        session: Option<String>,
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
            SingleKind::Service { url, .. } => host(url).filter(fits).unwrap_or_else(|| "service".to_owned()),
            SingleKind::Wasender { session, .. } => {
                Some(session.clone()).filter(fits).unwrap_or_else(|| "wasender".to_owned())
            }
        };
        self.name.clone().unwrap_or_else(by_kind)
    }

    /// Writes it as the section of a file would be; `dialect` is what it speaks unless it says otherwise.
    fn tree(&self, dialect: Option<&str>) -> Table {
        let (flag, (url_flag, url), (session_flag, session)) = match &self.kind {
            SingleKind::Service { url, session } => {
                ("--service", ("--service", Some(url)), ("--session", session.as_ref()))
            }
            SingleKind::Wasender { session, url } => {
                ("--wasender", ("--wasender-url", url.as_ref()), ("--wasender", Some(session)))
            }
        };
        let keys = [
            ("dialect", "--dialect", self.dialect.clone().or_else(|| dialect.map(str::to_owned))),
            ("url", url_flag, url.cloned()),
            ("session", session_flag, session.cloned()),
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
    tree.insert("store".to_owned(), store());
    lay_twins_over(&mut tree, env, &mut report);
    lay_over(&mut tree, single.tree(None));
    settings::read_tree(tree, SOURCE, Path::new(""), env, report)
}

/// The ledger lies in the working directory unless a twin says otherwise: whoever tries one session need not be root.
fn store() -> Node {
    let at = Place::file(SOURCE, None);
    let path = Node::text(at.clone(), LEDGER.to_owned());
    Node::table(at, Table::from([("path".to_owned(), path)]))
}

fn host(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_service_is_named_by_its_host() {
        let settings = single(&service("http://whatsapp-service:3001/"), &env(&[])).unwrap();
        let target = &settings.targets["whatsapp-service"];
        assert_eq!((target.url.as_str(), target.dialect.name()), ("http://whatsapp-service:3001", "whatsapp-service"));
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:9877");
        let names = |url: &str| single(&service(url), &env(&[])).unwrap().targets.into_keys().next().unwrap();
        assert_eq!(names("http://10.0.0.1").as_str(), "10.0.0.1");
        assert_eq!(names("http://[::1]:3001").as_str(), "service");
    }

    #[test]
    fn an_account_needs_a_session_and_takes_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "t").unwrap();
        let kind = SingleKind::Wasender { session: "16548".to_owned(), url: None };
        let single = Single { token_file: Some(token.clone()), ..Single::new(kind) };
        let settings = super::single(&single, &env(&[])).unwrap();
        let target = &settings.targets["16548"];
        assert_eq!(target.url, "https://www.wasenderapi.com/api");
        assert_eq!((target.session.as_deref(), target.dialect.name()), (Some("16548"), "wasender"));
        assert_eq!(target.token, Some(super::super::Secret::File(token)));
        let kind = SingleKind::Wasender { session: "a b".to_owned(), url: Some("http://127.0.0.1:8080".to_owned()) };
        let settings = super::single(&Single::new(kind), &env(&[])).unwrap();
        assert_eq!(settings.targets["wasender"].url, "http://127.0.0.1:8080");
    }

    #[test]
    fn variables_say_the_rest_and_what_was_typed_wins() {
        let env = env(&[
            ("WA_WATCHDOG__POLICY__POLL_EVERY", "5s"),
            ("WA_WATCHDOG__STORE__PATH", "ledger.db"),
            ("WA_WATCHDOG__TARGET__SHOP__URL", "http://variable"),
            ("WA_WATCHDOG__TARGET__SHOP__DIALECT", "generic"),
            ("WA_WATCHDOG__TARGET__SHOP__POLICY__SETTLE", "1s"),
        ]);
        let mut single = Single { name: Some("Shop".to_owned()), ..service("http://typed") };
        let settings = super::single(&single, &env).unwrap();
        let (target, limits) = (&settings.targets["Shop"], &settings.policy.targets["Shop"].limits);
        assert_eq!((target.url.as_str(), target.dialect.name()), ("http://typed", "generic"));
        assert_eq!((limits.poll_every, limits.settle), (Duration::from_secs(5), Duration::from_secs(1)));
        assert_eq!(settings.store.path, Path::new("ledger.db"));
        single.dialect = Some("waha".to_owned());
        let problems = super::single(&single, &env).unwrap_err();
        assert_eq!(problems[0].key, "target.Shop.session", "the dialect that was typed needs one");
    }

    #[test]
    fn a_problem_names_the_flag() {
        let single = Single {
            name: Some("no name".to_owned()),
            dialect: Some("wahaa".to_owned()),
            token_file: Some("no-such-file".into()),
            ..service("gateway:3001")
        };
        let problems = super::single(&single, &env(&[("WA_WATCHDOG__POLICY__SETTLE", "soon")])).unwrap_err();
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(words.join("\n"), @r#"
        --dialect: target."no name".dialect: "wahaa" is not a built-in dialect
          hint: did you mean "waha"?
        --service: target."no name": "no name" cannot name a target: use 1 to 64 letters, digits, '_', '-' or '.'
          hint: rename it, as in "shop" or "acme-2"
        --service: target."no name".url: is not a URL of http or https
          hint: write it as in "http://localhost:3001"
        --token-file: target."no name".token_file: the file cannot be read: No such file or directory (os error 2)
          hint: name a file that holds the token alone; a relative path begins at the folder of the configuration
        WA_WATCHDOG__POLICY__SETTLE: policy.settle: "soon" is not a time span
          hint: write a number and a unit, as in "15s", "10m" or "1h 30m"
        "#);
    }

    fn service(url: &str) -> Single {
        Single::new(SingleKind::Service { url: url.to_owned(), session: None })
    }

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}
