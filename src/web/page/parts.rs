//! The pieces of which the first page is made: rendered alone, each replaces its own place in a page that is open.

use std::sync::Arc;

use askama::Template;

use crate::engine::moment::Wall;
use crate::engine::snapshot::{Snapshot, TargetView};

use super::super::Desk;
use super::banner::Banners;
use super::card::Cards;
use super::fleet::Head;
use super::happened::Happened;
use super::row::Row;
use super::session::Session;

/// Everything but rows and banners, as text.
#[derive(Debug)]
pub(in crate::web) struct Parts([String; 3]);

impl Parts {
    /// Renders them.
    pub(in crate::web) fn of(desk: &Desk, snapshot: &Snapshot) -> Self {
        let (now, targets) = (desk.now(), Arc::clone(&desk.state.targets.borrow()));
        Self([text(&Head::of(snapshot)), text(&Cards::of(snapshot, &targets, now)), text(&Happened::of(snapshot, now))])
    }

    pub(in crate::web) fn texts(&self) -> [&str; 3] {
        self.0.each_ref().map(String::as_str)
    }
}

/// Renders what holds for all sessions, and is told on every page.
pub(in crate::web) fn banners_part(desk: &Desk, snapshot: &Snapshot) -> String {
    text(&Banners::of(snapshot, desk.now()))
}

/// Renders the row of a session.
pub(in crate::web) fn row_part(view: &TargetView, now: Wall) -> String {
    text(&Row::of(view, now))
}

/// Renders what changes on the page of a session.
pub(in crate::web) fn session_part(desk: &Desk, snapshot: &Snapshot, view: &TargetView) -> String {
    let targets = Arc::clone(&desk.state.targets.borrow());
    text(&Session::of(snapshot, view, &targets, desk.now()))
}

/// Renders a piece. What cannot be rendered is empty; the page as a whole then says so.
fn text(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a part of the page cannot be rendered");
        String::new()
    })
}
