//! A target made ready to be asked: all that does not change from poll to poll.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::HeaderName;

use crate::config::{Secret, Target};
use crate::dialect::{Auth, Dialect, Doubt, Route};
use crate::engine::watchdog::Ask;

/// One target's URLs, parsed once.
#[derive(Debug)]
pub struct Endpoints {
    target: Arc<Target>,
    urls: BTreeMap<Ask, Url>,
    history: Option<Url>,
    token: Option<Token>,
    vendor: Option<Token>,
}

/// How a target's token is sent, and where it is read.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) header: HeaderName,
    pub(super) prefix: String,
    pub(super) secret: Secret,
}

impl Endpoints {
    /// Makes a target ready.
    #[must_use]
    pub fn of(target: Arc<Target>) -> Self {
        let urls =
            [Ask::Status, Ask::Deep, Ask::Qr].into_iter().filter_map(|ask| Some((ask, url(&target, ask)?))).collect();
        let history = target.dialect.history_path(route(&target)).and_then(|path| join(&target.url, &path));
        let token = target.token.clone().and_then(|secret| token(&target.dialect, secret));
        let vendor = vendor(&target);
        Self { target, urls, history, token, vendor }
    }

    /// Returns the target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Tells whether the target can be asked this.
    #[must_use]
    pub fn has(&self, ask: Ask) -> bool {
        self.urls.contains_key(&ask)
    }

    pub(super) fn url(&self, ask: Ask) -> Option<&Url> {
        self.urls.get(&ask)
    }

    pub(super) fn history(&self) -> Option<&Url> {
        self.history.as_ref()
    }

    /// Returns where a doubt is settled, and with which token; none where nobody can be asked.
    pub(super) fn witness(&self, doubt: &Doubt) -> Option<(Url, Option<&Token>)> {
        match doubt {
            Doubt::KnownGood { path } => Some((join(&self.target.url, path)?, self.token())),
            Doubt::Vendor { dialect, session } => {
                let vendor = self.target.vendor.as_ref()?;
                let path = dialect.path(Ask::Status, Route { session: Some(session), status_path: None })?;
                Some((join(&vendor.url, &path)?, self.vendor.as_ref()))
            }
        }
    }

    pub(super) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    pub(super) fn route(&self) -> Route<'_> {
        route(&self.target)
    }
}

fn route(target: &Target) -> Route<'_> {
    Route { session: target.session.as_deref(), status_path: target.status_path.as_deref() }
}

fn url(target: &Target, ask: Ask) -> Option<Url> {
    join(&target.url, &target.dialect.path(ask, route(target))?)
}

fn join(base: &str, path: &str) -> Option<Url> {
    Url::parse(&format!("{base}{path}")).ok()
}

/// Returns none for a dialect that takes no token: a secret is not shown to those who do not ask for it.
fn token(dialect: &Dialect, secret: Secret) -> Option<Token> {
    let Auth { header, prefix } = dialect.auth()?;
    let header = HeaderName::from_bytes(header.as_bytes()).ok()?;
    Some(Token { header, prefix: prefix.clone(), secret })
}

/// Returns the token for the vendor behind the gateway.
fn vendor(target: &Target) -> Option<Token> {
    let dialect = target.dialect.vendor()?;
    token(&dialect, target.vendor.as_ref()?.token.clone())
}
