//! Hooks over a backend that keeps a session at `WasenderAPI` for its user.
//!
//! A reset deletes the session at the vendor too, and clears the backend's memory of it even where that failed. So it is done
//! only where the vendor was seen to answer and the session to be gone; what is made anew has another number.

use std::time::Duration;

use super::built_in::{Asked, BuiltIn, BuiltStep};
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::wasender::{self, TIMEOUT, TIMEOUT_DEFAULT};
use super::{Call, HookStep, Secret, secret, target};
use crate::engine::ladder::Remedy;
use crate::engine::plan::Resume;

/// A backend whose vendor hangs answers after half a minute: whoever waits less never learns what came of it.
const TIMEOUT_SENSIBLE: Duration = Duration::from_secs(40);
/// Calls that make one step: looks before and after, the deed, and the deed again with a token that was just rotated.
const CALLS: u32 = 4;

/// One act on a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendCall {
    /// The backend.
    pub at: BackendAt,
    /// What is done.
    pub deed: BackendDeed,
    /// How long one call may take.
    pub patience: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// A backend, as one of its users sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendAt {
    /// Base URL, without a slash at its end.
    pub url: String,
    /// The user's token, a JWT as a rule.
    pub token: Secret,
    /// Base URL of the vendor behind it, without a slash at its end.
    pub vendor: String,
    /// The session that the target watches at the vendor: the backend must store the same one.
    pub session: Option<String>,
    /// How it is seen whether the vendor knows a session.
    pub proof: Option<Proof>,
}

/// How it is seen whether the vendor knows a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The vendor itself is asked, with the personal access token.
    Vendor(Secret),
    /// The backend is asked to list the vendor's sessions.
    ListSessions,
}

/// What is done with a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendDeed {
    /// Asks it to connect the session that it has.
    Reconnect,
    /// Sees that the vendor answers, and that the session is gone.
    Prove,
    /// Makes it forget the session.
    Delete,
    /// Tells whether it forgot it.
    IsDeleted,
    /// Makes it have a new session.
    Ensure {
        /// The number that is linked to it.
        phone: Secret,
    },
    /// Tells whether it has a new one.
    IsEnsured,
}

/// Reads the section.
pub(super) fn read(item: Item, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Option<BuiltIn> {
    match asked.remedy {
        Remedy::Reconnect | Remedy::Reset => {}
        Remedy::Restart | Remedy::Restore | Remedy::Notify => {
            let hint = "a backend reconnects its session, or resets it: write it under one of the two";
            item.refuse(scope.report, "cannot restart a session", hint);
            return None;
        }
    }
    let resets = asked.remedy == Remedy::Reset;
    let mut section = item.section(scope.report)?;
    let hint = "write where the backend is, as in url = \"http://backend:5000\"";
    let url = section.need(scope.report, "url", hint).and_then(|item| target::base_url(&item, scope.report));
    let token = needed(&mut section, scope, &secret::TOKEN, "token_file", "name the file that holds the user's JWT");
    let vendor = wasender::url(&mut section, "vendor_url", scope.report, asked);
    let session = match section.take("vendor_session") {
        Some(item) => wasender::session(&item, scope.report).map(Some),
        None => Some(wasender::vendor(asked).and(asked.session).map(str::to_owned)),
    };
    let proof = proof(&mut section, scope, asked);
    let patience = section.take("timeout");
    let patience = match patience {
        Some(item) => item.span(scope.report, TIMEOUT).inspect(|span| warn_of_haste(&item, *span, scope.report)),
        None => Some(TIMEOUT_DEFAULT),
    };
    let phone = if resets {
        let hint = "name the file that holds the number of the phone, as +491511234567: a new session is made for it";
        needed(&mut section, scope, &secret::PHONE, "phone_file", hint).map(Some)
    } else {
        Some(None)
    };
    section.finish_with(scope.report, |name| elsewhere(name, resets));
    let at = BackendAt { url: url?, token: token?, vendor: vendor?, session: session?, proof: proof.ok()? };
    let line = Line { at, patience: patience? };
    let steps = if let Some(phone) = phone? {
        line.reset(phone)
    } else {
        let call = line.call(BackendDeed::Reconnect);
        vec![BuiltStep { resume: Resume::Never, ..BuiltStep::new("ensure", call) }]
    };
    Some(BuiltIn { steps, look: None, restore: Vec::new() })
}

struct Line {
    at: BackendAt,
    patience: Duration,
}

impl Line {
    fn call(&self, deed: BackendDeed) -> Call {
        let timeout = self.patience.saturating_mul(CALLS);
        Call::WasenderBackend(Box::new(BackendCall { at: self.at.clone(), deed, patience: self.patience, timeout }))
    }

    fn reset(&self, phone: Secret) -> Vec<BuiltStep> {
        let checked = |name, run, check| {
            let calls = HookStep { run: self.call(run), check: Some(self.call(check)), undo: None };
            BuiltStep { resume: Resume::Check, calls, ..BuiltStep::new(name, self.call(BackendDeed::Prove)) }
        };
        let delete = checked("delete", BackendDeed::Delete, BackendDeed::IsDeleted);
        let ensure = checked("ensure", BackendDeed::Ensure { phone }, BackendDeed::IsEnsured);
        vec![
            BuiltStep::new("prove", self.call(BackendDeed::Prove)),
            BuiltStep { destroys: true, ..delete },
            BuiltStep { leaves_running: true, ..ensure },
        ]
    }
}

/// A problem was noted.
struct Noted;

/// Reads how the vendor is asked; none where nobody is asked, which only a reconnect may do.
fn proof(section: &mut Section, scope: &mut Scope<'_>, asked: &Asked<'_>) -> Result<Option<Proof>, Noted> {
    let own = secret::VENDOR_TOKEN.keys().iter().find_map(|key| section.peek(key));
    let is_said = own.is_some();
    let token = secret::take(section, scope, &secret::VENDOR_TOKEN);
    if let Some(item) = section.take("prove") {
        let listed = item.word(
            scope.report,
            |word| (word == "list-sessions").then_some(Proof::ListSessions),
            "a way to see whether the vendor knows a session",
            "write \"list-sessions\", which asks the backend; or take it out and name vendor_token_file",
        );
        if let Some(own) = own {
            own.refuse(
                scope.report,
                "stands beside prove",
                "the vendor is asked directly or by the backend: take one out",
            );
            return Err(Noted);
        }
        return listed.map(Some).ok_or(Noted);
    }
    if is_said {
        return token.map(|token| Some(Proof::Vendor(token))).ok_or(Noted);
    }
    let Some(token) = wasender::vendor(asked).and(asked.token).cloned() else {
        if asked.remedy == Remedy::Reset {
            let hint = "name the file that holds the vendor's personal access token, or write prove = \"list-sessions\": a \
                        reset while the vendor is unwell orphans the session";
            section.missing(scope.report, "vendor_token_file", hint);
            return Err(Noted);
        }
        return Ok(None);
    };
    Ok(Some(Proof::Vendor(token)))
}

/// Takes a secret that must be there.
fn needed(
    section: &mut Section,
    scope: &mut Scope<'_>,
    kind: &secret::Kind,
    name: &'static str,
    hint: &str,
) -> Option<Secret> {
    let is_said = kind.keys().iter().any(|key| section.peek(key).is_some());
    let secret = secret::take(section, scope, kind);
    if !is_said {
        section.missing(scope.report, name, hint);
    }
    secret
}

fn warn_of_haste(item: &Item, patience: Duration, report: &mut Report) {
    if patience < TIMEOUT_SENSIBLE {
        let hint = "the backend waits 30 s for a vendor that hangs: write 40s or more";
        item.warn(report, "is shorter than the backend may take", hint);
    }
}

fn elsewhere(name: &str, resets: bool) -> Option<String> {
    let hint = match name {
        "token" | "jwt" => "the JWT is read from token_file or token_env",
        "phone" | "phone_number" => "the number of the phone is read from phone_file or phone_env",
        "phone_file" | "phone_env" if !resets => "only a reset makes a session for a phone: take it out",
        "allow_destructive" => "write it one level up, beside the hook: [target.NAME.remedy.reset]",
        _ => return None,
    };
    Some(hint.to_owned())
}
