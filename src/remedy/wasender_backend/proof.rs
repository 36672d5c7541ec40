//! Whether the vendor knows a session: said by the vendor, or by nobody.

use serde_json::Value;

use super::super::bearer::{Bearer, Heard, UNAUTHORIZED, id, named};
use super::Errand;
use crate::config::{Proof, Secret};

/// Where an answer lists sessions.
const LISTS: [&str; 4] = ["/data/sessions", "/data", "/data/data", "/sessions"];
/// Where a listed session has its number.
const NUMBERS: [&str; 2] = ["/sessionId", "/id"];

/// Whether the vendor knows a session.
#[derive(Debug)]
pub(super) enum Known {
    /// It does.
    Yes,
    /// It answers, and does not.
    No,
    /// It did not say, and this is why.
    NotSaid(String),
}

/// Asks; none where nobody is to be asked.
pub(super) async fn known(errand: &Errand<'_>, session: &str) -> Option<Known> {
    let known = match errand.call.at.proof.as_ref()? {
        Proof::Vendor(token) => by_vendor(errand, token, session).await,
        Proof::ListSessions => by_backend(errand, session).await,
    };
    Some(known.unwrap_or_else(Known::NotSaid))
}

/// Asks the vendor for the session, and for all of them: a 404 alone may come from anywhere, and a list alone may be of another page.
async fn by_vendor(errand: &Errand<'_>, token: &Secret, session: &str) -> Result<Known, String> {
    let vendor = &errand.call.at.vendor;
    let bearer = Bearer { token, ..errand.backend.bearer };
    let one = ask(&bearer, &format!("{vendor}/whatsapp-sessions/{session}"), "the vendor").await?;
    if one.says_success() {
        return Ok(Known::Yes);
    }
    if one.status != 404 || one.json.is_none() {
        return Err(unwell("the vendor", &one));
    }
    let all = ask(&bearer, &format!("{vendor}/whatsapp-sessions"), "the vendor").await?;
    listed(&all, session, "the vendor")
}

async fn by_backend(errand: &Errand<'_>, session: &str) -> Result<Known, String> {
    let who = "the backend, asked for the vendor's list,";
    let all = ask(&errand.backend.bearer, &errand.backend.url("/test/list-sessions"), who).await?;
    listed(&all, session, who)
}

async fn ask(bearer: &Bearer<'_>, url: &str, who: &str) -> Result<Heard, String> {
    let heard = bearer.get(url).await.map_err(|silence| format!("{who} does not answer: {}", silence.why()))?;
    if heard.status == UNAUTHORIZED {
        return Err(format!("{who} refuses the token in {} (401)", named(bearer.token)));
    }
    Ok(heard)
}

fn listed(heard: &Heard, session: &str, who: &str) -> Result<Known, String> {
    if !heard.says_success() {
        return Err(unwell(who, heard));
    }
    let list = LISTS.iter().find_map(|place| heard.at(place)?.as_array());
    let list = list.ok_or_else(|| format!("{who} sent no list of sessions"))?;
    let mut is_there = false;
    for entry in list {
        let number = NUMBERS.iter().find_map(|place| id(entry.pointer(place)));
        let number = number.ok_or_else(|| format!("{who} lists a session without its number"))?;
        is_there |= number == session;
    }
    if is_more_to_come(heard) && !is_there {
        return Err(format!("{who} lists only some of the sessions"));
    }
    Ok(if is_there { Known::Yes } else { Known::No })
}

/// Tells whether a list says itself that it is only one page.
fn is_more_to_come(heard: &Heard) -> bool {
    ["/data/next_page_url", "/next_page_url", "/links/next"]
        .iter()
        .any(|place| heard.at(place).is_some_and(Value::is_string))
}

fn unwell(who: &str, heard: &Heard) -> String {
    format!("{who} {}", heard.in_words())
}
