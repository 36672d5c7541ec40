//! What every page has around it.

use crate::engine::moment::Wall;

use super::assets;

/// The frame of a page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// What keeps it live; none for a page that does not live.
    pub(super) feed: Option<Feed>,
    pub(super) guest: Guest,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) version: &'static str,
}

/// The events that keep a page live.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    /// What they are about.
    pub(super) topic: String,
    /// The same, from what the page shows on.
    pub(super) query: String,
    /// What the clock says here: that of the browser may go wrong.
    pub(super) now: Wall,
}

impl Feed {
    pub(super) fn new(topic: &str, after: &str, now: Wall) -> Self {
        Self { topic: topic.to_owned(), query: format!("{topic}{after}"), now }
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
    pub(super) fn new(title: String, feed: Option<Feed>, guest: Guest) -> Self {
        let (style, script) = (assets::STYLE.url(), assets::SCRIPT.url());
        Self { title, feed, guest, style, script, version: env!("CARGO_PKG_VERSION") }
    }
}
