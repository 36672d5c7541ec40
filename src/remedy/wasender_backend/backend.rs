//! The backend's own view of its session.

use super::super::bearer::{Bearer, Heard, UNAUTHORIZED, id, named};

/// What its routes begin with.
const ROUTES: &str = "/api/whatsapp";
/// Its words for a state; whatever else it says is shown as none of them.
const STATES: [&str; 7] = ["unknown", "qr", "authenticated", "ready", "disconnected", "auth_failure", "idle"];

/// A backend.
pub(super) struct Backend<'a> {
    pub(super) url: &'a str,
    pub(super) bearer: Bearer<'a>,
}

/// What a backend says of its session.
#[derive(Debug)]
pub(super) struct Status {
    /// Its word for the state: `unknown` also where the vendor did not answer it.
    pub(super) state: &'static str,
    /// The session that it stores.
    pub(super) session: Option<String>,
}

impl Backend<'_> {
    pub(super) fn url(&self, route: &str) -> String {
        format!("{}{ROUTES}{route}", self.url)
    }

    /// Asks how its session is; says why where that is not known.
    pub(super) async fn status(&self) -> Result<Status, String> {
        let heard = self.bearer.get(&self.url("/user/status")).await;
        let heard = heard.map_err(|silence| format!("the backend does not answer: {}", silence.why()))?;
        if heard.status == UNAUTHORIZED {
            return Err(format!("the backend refuses the token in {} (401)", named(self.bearer.token)));
        }
        read(&heard).ok_or_else(|| format!("the backend {}, and says nothing of its session", heard.in_words()))
    }
}

fn read(heard: &Heard) -> Option<Status> {
    if !heard.says_success() {
        return None;
    }
    // Where nothing stands in the place of the session, nobody said that there is none.
    let stored = heard.at("/data/sessionId")?;
    let session = id(Some(stored));
    let word = heard.text("/data/status").unwrap_or_default();
    let state = STATES.into_iter().find(|state| *state == word).unwrap_or("in a state that is not known here");
    (session.is_some() || stored.is_null() || stored == "").then_some(Status { state, session })
}
