//! Hooks over `WasenderAPI` itself: the two calls that lose nothing.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::built_in::{Asked, BuiltIn, BuiltStep};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{Call, Secret, secret, target};
use crate::engine::ladder::Remedy;

/// Where the vendor is as a rule.
pub(super) const URL_DEFAULT: &str = "https://www.wasenderapi.com/api";
/// How long one call may take. The vendor's own clients wait half a minute.
pub(super) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
pub(super) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(45);
/// Calls of one step: a look, the deed, and the deed once more with a token that was just rotated.
const CALLS: u32 = 3;
/// How long a vendor that says when to come back is waited for, all in all.
const PAUSES: Duration = Duration::from_secs(30);
/// Longest number of a session, in digits.
const DIGITS_MAX: usize = 20;

/// One act on a session at the vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct WasenderCall {
    /// Which session.
    pub at: WasenderAt,
    /// What is done.
    pub deed: WasenderDeed,
    /// How long one call may take.
    pub patience: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// A session at the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasenderAt {
    /// Base URL, without a slash at its end.
    pub url: String,
    /// The session's number.
    pub session: String,
    /// The personal access token; a session's own key opens nothing here.
    pub token: Secret,
}

/// What is done with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasenderDeed {
    /// Asks the vendor to connect it.
    Connect,
    /// Restarts it, where it is connected.
    Restart,
}

/// Reads the section.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<BuiltIn> {
    let deed = match asked.remedy {
        Remedy::Reconnect => WasenderDeed::Connect,
        Remedy::Restart => WasenderDeed::Restart,
        Remedy::Reset | Remedy::Restore | Remedy::Notify => {
            let hint = "a session deleted at the vendor comes back with another number and another key, and everything \
                        that knows the old ones stops working; write wasender-backend, whose backend learns the new ones";
            item.refuse(scope.report, "cannot reset a session", hint);
            return None;
        }
    };
    let mut section = item.section(scope.report)?;
    let at = at(&mut section, scope, asked);
    let patience = section.take("timeout").map_or(Some(TIMEOUT_DEFAULT), |item| item.span(scope.report, TIMEOUT));
    section.finish_with(scope.report, elsewhere);
    let (at, patience) = (at?, patience?);
    let timeout = patience.saturating_mul(CALLS).saturating_add(PAUSES);
    let call = Call::Wasender(Box::new(WasenderCall { at, deed, patience, timeout }));
    let (name, resume) = match deed {
        WasenderDeed::Connect => ("connect", crate::engine::plan::Resume::Again),
        // A second restart would end the connection that the first one just made.
        WasenderDeed::Restart => ("restart", crate::engine::plan::Resume::Never),
    };
    let step = BuiltStep { destroys: asked.destroys, resume, ..BuiltStep::new(name, call) };
    Some(BuiltIn { steps: vec![step], look: None, restore: Vec::new() })
}

fn at(section: &mut Section, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<WasenderAt> {
    let url = url(section, "url", scope.report, asked);
    let session = match section.take("session") {
        Some(item) => session(&item, scope.report),
        None => vendor(asked).and(asked.session).filter(|name| is_number(name)).map(str::to_owned).or_else(|| {
            section.missing(scope.report, "session", SESSION_HINT);
            None
        }),
    };
    let said = ["token_file", "token_env"].iter().any(|key| section.peek(key).is_some());
    let token = secret::take(section, scope, &secret::TOKEN).or_else(|| {
        let token = vendor(asked).and(asked.token).filter(|_| !said).cloned();
        if token.is_none() && !said {
            section.missing(scope.report, "token_file", "name the file that holds the personal access token");
        }
        token
    });
    Some(WasenderAt { url: url?, session: session?, token: token? })
}

const SESSION_HINT: &str =
    "write the session's number, as the vendor's dashboard shows it; a name or a key is not known there";

/// Takes the vendor's base URL: that of a target which asks the vendor, unless another is written.
pub(super) fn url(section: &mut Section, name: &'static str, report: &mut Report, asked: &Asked<'_>) -> Option<String> {
    match section.take(name) {
        Some(item) => target::base_url(&item, report),
        None => Some(vendor(asked).and(asked.url).unwrap_or(URL_DEFAULT).to_owned()),
    }
}

/// Reads the number of a session.
pub(super) fn session(item: &Item, report: &mut Report) -> Option<String> {
    let name = item.name(report)?;
    if !is_number(&name) {
        // It may be a key.
        item.refuse(report, "is not the number of a session", SESSION_HINT);
        return None;
    }
    Some(name)
}

/// Something, where the target itself asks the vendor with the token of the account.
pub(super) fn vendor(asked: &Asked<'_>) -> Option<()> {
    asked.asks_vendor.then_some(())
}

fn is_number(text: &str) -> bool {
    (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn elsewhere(name: &str) -> Option<String> {
    let hint = match name {
        "token" | "api_key" => "the personal access token is read from token_file or token_env",
        "link_method" | "linkMethod" => "it is always asked for a QR code; a passkey wants a person anyway",
        _ => return None,
    };
    Some(hint.to_owned())
}
