//! The pages for people: the fleet, one session, and what is ordered with them.
//!
//! Everything is written here and works without a script; the script only keeps it live. Words of gateways and people are
//! untrusted: askama escapes them, and no page holds a style or script of its own, so that the policy of its answer forbids both.

mod assets;
mod banner;
mod card;
mod fleet;
mod frame;
mod happened;
mod row;
mod session;
mod strip;
mod when;

use std::sync::Arc;

use askama::Template;
use hyper::StatusCode;

use super::Desk;
use super::reply::{Answer, html, problem};

pub(super) use assets::{SCRIPT, STYLE};

use banner::Banners;
use card::Cards;
use fleet::{Fleet, Head, Wanted};
use frame::{Frame, Guest};
use happened::Happened;
use session::{Session, SessionPage};

/// Shows every session, worst first.
pub(super) async fn fleet(desk: &Arc<Desk>, query: &str) -> Answer {
    let wanted = Wanted::of(query);
    let guest = guest(desk);
    render(desk, move |desk| {
        let (snapshot, now) = (desk.snapshot(), desk.now());
        let targets = Arc::clone(&desk.state.targets.borrow());
        let head = Head::of(&snapshot);
        let frame = Frame { title: head.title(), stream: Some(String::from("view=fleet")), guest };
        let page = Fleet {
            frame,
            head,
            banners: Banners::of(&snapshot, now),
            cards: Cards::of(&snapshot, &targets, now),
            rows: Fleet::rows(&snapshot, &wanted, now),
            wanted,
            happened: Happened::of(&snapshot, now),
            note: None,
        };
        page.render()
    })
    .await
}

/// Shows one session.
pub(super) async fn session(desk: &Arc<Desk>, name: &str) -> Answer {
    let Some(view) = desk.snapshot().target(name).cloned() else { return no_such_session() };
    let guest = guest(desk);
    render(desk, move |desk| {
        let (snapshot, now) = (desk.snapshot(), desk.now());
        let targets = Arc::clone(&desk.state.targets.borrow());
        let body = Session::of(&snapshot, &view, &targets, now);
        let frame = Frame { title: body.title(), stream: Some(format!("target={}", view.target)), guest };
        SessionPage { frame, body, note: None }.render()
    })
    .await
}

fn no_such_session() -> Answer {
    problem(StatusCode::NOT_FOUND, "no session has this name", "GET / lists every one")
}

fn guest(desk: &Desk) -> Guest {
    match (desk.state.token.borrow().is_some(), desk.loopback_only) {
        (true, _) => Guest::Out,
        (false, true) => Guest::Free,
        (false, false) => Guest::Barred,
    }
}

/// Renders off the runtime's own threads: a page of a large fleet must delay no poll.
async fn render(
    desk: &Arc<Desk>,
    make: impl FnOnce(&Desk) -> Result<String, askama::Error> + Send + 'static,
) -> Answer {
    let failed = |why: &str| {
        tracing::error!(why, "a page cannot be rendered");
        problem(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be rendered", "see the watchdog's log")
    };
    let Ok(permit) = Arc::clone(&desk.pages).acquire_owned().await else { return failed("the server has stopped") };
    let desk = Arc::clone(desk);
    let rendering = tokio::task::spawn_blocking(move || {
        let text = make(&desk);
        drop(permit);
        text
    });
    match rendering.await {
        Ok(Ok(text)) => html(StatusCode::OK, text),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}
