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
mod say;
mod session;
mod sign_in;
mod strip;
mod tell;
mod visitor;
mod when;

use std::sync::Arc;

use askama::Template;
use hyper::StatusCode;
use hyper::header::HeaderMap;

use super::reply::{Answer, html, packed_html, problem};
use super::{Desk, zip};

pub(super) use assets::{SCRIPT, STYLE};
pub(super) use order::{show as show_order, take as take_order};
pub(super) use parts::{Parts, banners_part, row_part, session_part};
pub(super) use sign_in::{enter, leave, show as show_sign_in};

use banner::Banners;
use card::Cards;
use fleet::{Fleet, Head, Wanted};
use frame::{Feed, Frame};
use happened::Happened;
use session::{Session, SessionPage};
use visitor::Visitor;

/// Shows every session, worst first.
pub(super) async fn fleet(desk: &Arc<Desk>, query: &str, headers: &HeaderMap) -> Answer {
    let wanted = Wanted::of(query);
    let (guest, note) = (Visitor::of(desk, headers).guest(desk), desk.notes.take(query));
    render(desk, headers, move |desk| {
        let ((snapshot, mark), now) = (desk.live.begin(desk), desk.now());
        let targets = Arc::clone(&desk.state.targets.borrow());
        let head = Head::of(&snapshot);
        let frame = Frame::new(head.title(), Some(Feed::new("view=fleet", &format!("&after={mark}"), now)), guest);
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
        page.render().map(Some)
    })
    .await
}

/// Shows one session.
pub(super) async fn session(desk: &Arc<Desk>, name: &str, query: &str, headers: &HeaderMap) -> Answer {
    let (guest, note) = (Visitor::of(desk, headers).guest(desk), desk.notes.take(query));
    let name = name.to_owned();
    render(desk, headers, move |desk| {
        // All of the page is of one snapshot, the newest when its turn has come.
        let (snapshot, now) = (desk.snapshot(), desk.now());
        let Some(view) = snapshot.target(&name) else { return Ok(None) };
        let targets = Arc::clone(&desk.state.targets.borrow());
        let body = Session::of(&snapshot, view, &targets, now);
        let frame = Frame::new(body.title(), Some(Feed::new(&format!("target={name}"), "", now)), guest);
        SessionPage { frame, body, note }.render().map(Some)
    })
    .await
}

pub(super) fn no_such_session() -> Answer {
    problem(StatusCode::NOT_FOUND, "no session has this name", "GET / lists every one")
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

/// Does what takes long on the thread that renders pages: one of a large fleet must delay no poll.
pub(super) async fn aside<T: Send + 'static>(
    desk: &Arc<Desk>,
    make: impl FnOnce(&Desk) -> T + Send + 'static,
) -> Result<T, Answer> {
    let shared = Arc::clone(desk);
    desk.pages.print(move || make(&shared)).await.map_err(unrendered)
}

/// Renders a page; none is that of a session that is not watched.
async fn render(
    desk: &Arc<Desk>,
    headers: &HeaderMap,
    make: impl FnOnce(&Desk) -> Result<Option<String>, askama::Error> + Send + 'static,
) -> Answer {
    let is_packed = zip::is_wanted(headers);
    let rendering = aside(desk, move |desk| match make(desk) {
        Ok(Some(text)) => {
            let packed = is_packed.then(|| zip::pack(&text)).flatten();
            packed.map_or_else(|| html(StatusCode::OK, text), packed_html)
        }
        Ok(None) => no_such_session(),
        Err(error) => unrendered(&error.to_string()),
    });
    rendering.await.unwrap_or_else(|failed| failed)
}
