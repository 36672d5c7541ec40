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
mod order;
mod parts;
mod row;
mod session;
mod sign_in;
mod strip;
mod tell;
mod when;

use std::sync::Arc;

use askama::Template;
use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::reply::{Answer, html, packed_html, problem};
use super::{Desk, zip};

pub(super) use assets::{SCRIPT, STYLE};
pub(super) use order::{show as show_order, take as take_order};
pub(super) use parts::{Parts, row_part, session_part};
pub(super) use sign_in::{enter, leave, show as show_sign_in};

use banner::Banners;
use card::Cards;
use fleet::{Fleet, Head, Wanted};
use frame::{Frame, Guest, Stream};
use happened::Happened;
use session::{Session, SessionPage};

/// Shows every session, worst first.
pub(super) async fn fleet(desk: &Arc<Desk>, query: &str, headers: &HeaderMap) -> Answer {
    let wanted = Wanted::of(query);
    let (guest, note) = (guest(desk, headers), desk.notes.take(query));
    render(desk, headers, move |desk| {
        let ((snapshot, mark), now) = (desk.live.begin(desk), desk.now());
        let targets = Arc::clone(&desk.state.targets.borrow());
        let head = Head::of(&snapshot);
        let frame = Frame::new(head.title(), Some(Stream::new("view=fleet", &format!("&after={mark}"), now)), guest);
        let page = Fleet {
            frame,
            head,
            banners: Banners::of(&snapshot, now),
            cards: Cards::of(&snapshot, &targets, now),
            rows: Fleet::rows(&snapshot, &wanted, now),
            wanted,
            happened: Happened::of(&snapshot, now),
            note,
        };
        page.render()
    })
    .await
}

/// Shows one session.
pub(super) async fn session(desk: &Arc<Desk>, name: &str, query: &str, headers: &HeaderMap) -> Answer {
    let Some(view) = desk.snapshot().target(name).cloned() else { return no_such_session() };
    let (guest, note) = (guest(desk, headers), desk.notes.take(query));
    render(desk, headers, move |desk| {
        let (snapshot, now) = (desk.snapshot(), desk.now());
        let targets = Arc::clone(&desk.state.targets.borrow());
        let body = Session::of(&snapshot, &view, &targets, now);
        let frame = Frame::new(body.title(), Some(Stream::new(&format!("target={}", view.target), "", now)), guest);
        SessionPage { frame, body, note }.render()
    })
    .await
}

pub(super) fn no_such_session() -> Answer {
    problem(StatusCode::NOT_FOUND, "no session has this name", "GET / lists every one")
}

/// Tells what whoever sent a request may do. Whether the token is still the one of the sign-in is looked at with each order.
fn guest(desk: &Desk, headers: &HeaderMap) -> Guest {
    match (desk.state.token.borrow().is_some(), desk.loopback_only) {
        (true, _) => desk.sign_ins.find(headers, desk.now()).map_or(Guest::Out, |sign_in| Guest::In {
            who: sign_in.who.to_string(),
            form_token: desk.marks.of(sign_in::SIGN_OUT, Some(&sign_in)).unwrap_or_default(),
        }),
        (false, true) => Guest::Free,
        (false, false) => Guest::Barred,
    }
}

/// Keeps a note for the page at a path; returns where to find both.
fn noted(desk: &Desk, path: &str, note: String) -> String {
    desk.notes.keep(note).map_or_else(|| path.to_owned(), |key| format!("{path}?note={key}"))
}

fn render_as(status: StatusCode, rendered: Result<String, askama::Error>) -> Answer {
    match rendered {
        Ok(text) => html(status, text),
        Err(error) => unrendered(&error.to_string()),
    }
}

fn unrendered(why: &str) -> Answer {
    tracing::error!(why, "a page cannot be rendered");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be rendered", "see the watchdog's log")
}

/// Renders off the runtime's own threads: a page of a large fleet must delay no poll.
async fn render(
    desk: &Arc<Desk>,
    headers: &HeaderMap,
    make: impl FnOnce(&Desk) -> Result<String, askama::Error> + Send + 'static,
) -> Answer {
    let Ok(permit) = Arc::clone(&desk.pages).acquire_owned().await else { return unrendered("the server has stopped") };
    let (desk, is_packed) = (Arc::clone(desk), zip::is_wanted(headers));
    let rendering = tokio::task::spawn_blocking(move || {
        let answer = match make(&desk) {
            Ok(text) => {
                let packed = is_packed.then(|| zip::pack(&text)).flatten();
                packed.map_or_else(|| html(StatusCode::OK, text), packed_html)
            }
            Err(error) => unrendered(&error.to_string()),
        };
        drop(permit);
        answer
    });
    match rendering.await {
        Ok(answer) => answer,
        Err(error) => unrendered(&error.to_string()),
    }
}
