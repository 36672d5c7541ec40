//! The pages to sign in and out.

use std::sync::Arc;

use askama::Template;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};
use secrecy::{ExposeSecret as _, SecretString};

use crate::engine::sample::Word;

use super::super::reply::{Answer, see_other};
use super::super::warden::{self, Denial};
use super::super::{Desk, body};
use super::frame::{Frame, Guest};
use super::visitor::Visitor;
use super::{order, render_as};

/// Where its form is sent to.
const SIGN_IN: &str = "/sign-in";
/// Where the button in the head of every page is sent to.
pub(super) const SIGN_OUT: &str = "/sign-out";
/// Longest path that is gone back to, in bytes.
const NEXT_BYTES_MAX: usize = 200;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    who: String,
    mark: String,
    problem: Option<String>,
}

/// What a person typed.
#[derive(Default)]
struct Typed {
    mark: String,
    next: String,
    who: String,
    secret: SecretString,
}

/// Why nobody was signed in.
enum Problem {
    Denied(Denial),
    /// Orders would be nobody's.
    Nameless,
}

/// Shows the form. Whoever made the link does not speak for the person: of what it says only where to go on is taken.
pub(in crate::web) fn show(desk: &Arc<Desk>, query: &str, headers: &HeaderMap) -> Answer {
    let typed = Typed { next: Typed::of(query).next, ..Typed::default() };
    page(desk, &Visitor::of(desk, headers), &typed, None)
}

/// Signs somebody in.
pub(in crate::web) async fn enter(desk: &Arc<Desk>, headers: &HeaderMap, body: Incoming) -> Answer {
    let mut typed = Typed::default();
    match admit(desk, headers, body, &mut typed).await {
        Ok(Ok(cookie)) => with_cookie(see_other(&typed.next), &cookie),
        Ok(Err(problem)) => {
            let problem = match problem {
                Problem::Denied(denial) => Problem::Denied(desk.denied(denial)),
                Problem::Nameless => Problem::Nameless,
            };
            page(desk, &Visitor::of(desk, headers), &typed, Some(&problem))
        }
        Err(answer) => answer,
    }
}

/// Signs somebody out.
pub(in crate::web) async fn leave(desk: &Arc<Desk>, headers: &HeaderMap, body: Incoming) -> Answer {
    let mut visitor = Visitor::of(desk, headers);
    let refused =
        |visitor: &Visitor, denial| page(desk, visitor, &Typed::of(""), Some(&Problem::Denied(desk.denied(denial))));
    if let Err(denial) = warden::admit_from(desk, headers) {
        return refused(&visitor, denial);
    }
    let typed = match body::form(body).await {
        Ok(text) => Typed::of(&text),
        Err(answer) => return answer,
    };
    let admitted = order::admit(desk, headers, &mut visitor, SIGN_OUT, &typed.mark).await;
    match (admitted, &visitor.sign_in) {
        (Ok(()), Some(sign_in)) => with_cookie(see_other("/"), &desk.sign_ins.end(sign_in, headers)),
        // Who is not signed in any more has what was wanted.
        (Ok(()), None) | (Err(Denial::NoToken), _) => see_other("/"),
        (Err(denial), _) => refused(&visitor, denial),
    }
}

/// Reads the form, and signs in who shows the token.
async fn admit(
    desk: &Desk,
    headers: &HeaderMap,
    body: Incoming,
    typed: &mut Typed,
) -> Result<Result<String, Problem>, Answer> {
    let denied = |denial| Err(Problem::Denied(denial));
    let secret = match warden::admit_from(desk, headers) {
        Ok(secret) => secret,
        Err(denial) => return Ok(denied(denial)),
    };
    *typed = Typed::of(&body::form(body).await?);
    // Nobody is signed in yet: the mark is that of everybody, and says that a page of ours was seen.
    if !desk.marks.fits(&typed.mark, SIGN_IN, None) {
        return Ok(denied(Denial::NoFormToken));
    }
    let Some(secret) = secret else { return Err(see_other(&typed.next)) };
    let who = Word::new(typed.who.trim());
    if who.as_str().is_empty() {
        return Ok(Err(Problem::Nameless));
    }
    if typed.secret.expose_secret().is_empty() {
        return Ok(denied(Denial::NoToken));
    }
    let token = match warden::compare(typed.secret.expose_secret(), secret).await {
        Ok(token) => token,
        Err(denial) => return Ok(denied(denial)),
    };
    let cookie = desk.sign_ins.begin(who, &token, headers, desk.now());
    Ok(cookie.ok_or(Problem::Denied(Denial::Unreadable)))
}

fn page(desk: &Arc<Desk>, visitor: &Visitor, typed: &Typed, problem: Option<&Problem>) -> Answer {
    let page = SignInPage {
        frame: Frame::new(String::from("Sign in"), None, visitor.guest(desk)),
        next: typed.next.clone(),
        who: typed.who.clone(),
        mark: desk.marks.of(SIGN_IN, None).unwrap_or_default(),
        problem: problem.map(Problem::what),
    };
    render_as(problem.map_or(StatusCode::OK, Problem::status), page.render())
}

fn with_cookie(mut answer: Answer, cookie: &str) -> Answer {
    answer.headers_mut().extend(HeaderValue::from_str(cookie).map(|cookie| (SET_COOKIE, cookie)));
    answer
}

impl Problem {
    fn what(&self) -> String {
        match self {
            Self::Nameless => String::from("your name is missing; it goes into the ledger with what you order"),
            Self::Denied(Denial::NoToken) => String::from("the token is missing"),
            Self::Denied(Denial::WrongToken) => String::from("this is not the token"),
            Self::Denied(Denial::TooMany) => String::from("too many tries in this second; wait a moment"),
            Self::Denied(
                denial @ (Denial::Reachable
                | Denial::ForeignHost
                | Denial::ForeignPage
                | Denial::NoFormToken
                | Denial::Unreadable),
            ) => format!("{}; {}", denial.what(), denial.hint()),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Nameless => StatusCode::BAD_REQUEST,
            Self::Denied(denial) => denial.status(),
        }
    }
}

impl Typed {
    fn of(text: &str) -> Self {
        let mut typed = Self { next: String::from("/"), ..Self::default() };
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match key.as_ref() {
                "token" => typed.mark = value.into_owned(),
                "next" => typed.next = next(&value),
                "who" => typed.who = value.into_owned(),
                "secret" => typed.secret = SecretString::from(value.trim()),
                _ => {}
            }
        }
        typed
    }
}

/// Returns a path of ours to go on to: a link from elsewhere must not lead elsewhere.
fn next(given: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.?=&".contains(&byte);
    let is_ours =
        given.starts_with('/') && !given.starts_with("//") && given.len() <= NEXT_BYTES_MAX && given.bytes().all(plain);
    String::from(if is_ours { given } else { "/" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_a_page_of_ours_alone() {
        for ours in ["/", "/targets/shop/order/approve?attempt=19c2a6f0fff", "/order/pause"] {
            assert_eq!(next(ours), ours);
        }
        for other in
            ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "evil", &"/a".repeat(150)]
        {
            assert_eq!(next(other), "/", "{other:?}");
        }
    }
}
