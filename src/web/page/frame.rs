//! What every page has around it.

use crate::engine::moment::Wall;

use super::assets;

/// The frame of a page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// What its stream of events is about; none for a page that does not live.
    pub(super) stream: Option<Stream>,
    pub(super) guest: Guest,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) version: &'static str,
}

/// The stream of events that keeps a page live.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// What it is about.
    pub(super) view: String,
    /// The same, from what the page shows on.
    pub(super) query: String,
    /// What the clock says here: that of the browser may go wrong.
    pub(super) now: Wall,
}

impl Stream {
    pub(super) fn new(view: &str, after: &str, now: Wall) -> Self {
        Self { view: view.to_owned(), query: format!("{view}{after}"), now }
    }
}

/// What whoever looks may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// Order, without more ado: only this machine reaches the page, and there is no token.
    Free,
    /// Only look: other machines reach the page, and there is no token.
    Barred,
    /// Look, and sign in with the token.
    Out,
    /// Order: signed in under this name, with what the form to sign out carries.
    In { who: String, form_token: String },
}

impl Frame {
    pub(super) fn new(title: String, stream: Option<Stream>, guest: Guest) -> Self {
        let (style, script) = (assets::STYLE.url(), assets::SCRIPT.url());
        Self { title, stream, guest, style, script, version: env!("CARGO_PKG_VERSION") }
    }
}
