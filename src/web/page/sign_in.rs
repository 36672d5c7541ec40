//! The pages to sign in and out.

use std::sync::Arc;

use askama::Template;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};

use crate::engine::sample::Word;

use super::super::reply::{Answer, see_other};
use super::super::warden::{self, Denial};
use super::super::{BODY_BYTES_MAX, Desk, body};
use super::frame::{Frame, Guest};
use super::{guest, order, render_as};

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
    secret: String,
}

/// Shows the form.
pub(in crate::web) fn show(desk: &Arc<Desk>, query: &str, headers: &HeaderMap) -> Answer {
    page(desk, headers, &Typed::of(query), None)
}

/// Signs somebody in.
pub(in crate::web) async fn enter(desk: &Arc<Desk>, headers: &HeaderMap, body: Incoming) -> Answer {
    let mut typed = Typed::default();
    match admit(desk, headers, body, &mut typed).await {
        Ok(Ok(cookie)) => with_cookie(see_other(&typed.next), &cookie),
        Ok(Err(denial)) => page(desk, headers, &typed, Some(desk.denied(denial))),
        Err(answer) => answer,
    }
}

/// Signs somebody out.
pub(in crate::web) async fn leave(desk: &Arc<Desk>, headers: &HeaderMap, body: Incoming) -> Answer {
    if let Err(denial) = warden::admit_from(desk, headers) {
        return page(desk, headers, &Typed::of(""), Some(desk.denied(denial)));
    }
    let text = match body::read(body, BODY_BYTES_MAX, "send the form as it is").await {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let typed = Typed::of(&String::from_utf8_lossy(&text));
    match order::admit(desk, headers, SIGN_OUT, &typed.mark).await {
        Ok(Some(sign_in)) => with_cookie(see_other("/"), &desk.sign_ins.end(&sign_in, headers)),
        // Who is not signed in any more has what was wanted.
        Ok(None) | Err(Denial::NoToken) => see_other("/"),
        Err(denial) => page(desk, headers, &typed, Some(desk.denied(denial))),
    }
}

/// Reads the form, and signs in who shows the token.
async fn admit(
    desk: &Desk,
    headers: &HeaderMap,
    body: Incoming,
    typed: &mut Typed,
) -> Result<Result<String, Denial>, Answer> {
    let secret = match warden::admit_from(desk, headers) {
        Ok(secret) => secret,
        Err(denial) => return Ok(Err(denial)),
    };
    let text = body::read(body, BODY_BYTES_MAX, "send the form as it is").await?;
    *typed = Typed::of(&String::from_utf8_lossy(&text));
    // Nobody is signed in yet: the mark is that of everybody, and says that a page of ours was seen.
    if !desk.marks.fits(&typed.mark, SIGN_IN, None) {
        return Ok(Err(Denial::NoFormToken));
    }
    let Some(secret) = secret else { return Err(see_other(&typed.next)) };
    if typed.secret.trim().is_empty() {
        return Ok(Err(Denial::NoToken));
    }
    let token = match warden::compare(typed.secret.trim(), secret).await {
        Ok(token) => token,
        Err(denial) => return Ok(Err(denial)),
    };
    let cookie = desk.sign_ins.begin(Word::new(&typed.who), &token, headers, desk.now());
    Ok(cookie.ok_or(Denial::Unreadable))
}

fn page(desk: &Arc<Desk>, headers: &HeaderMap, typed: &Typed, denial: Option<Denial>) -> Answer {
    let said = |denial: Denial| match denial {
        Denial::NoToken => String::from("the token is missing"),
        Denial::WrongToken => String::from("this is not the token"),
        Denial::TooMany => String::from("too many tries in this second; wait a moment"),
        Denial::Reachable | Denial::ForeignHost | Denial::ForeignPage | Denial::NoFormToken | Denial::Unreadable => {
            format!("{}; {}", denial.what(), denial.hint())
        }
    };
    let page = SignInPage {
        frame: Frame::new(String::from("Sign in"), None, guest(desk, headers)),
        next: typed.next.clone(),
        who: typed.who.clone(),
        mark: desk.marks.of(SIGN_IN, None).unwrap_or_default(),
        problem: denial.map(said),
    };
    render_as(denial.map_or(StatusCode::OK, Denial::status), page.render())
}

fn with_cookie(mut answer: Answer, cookie: &str) -> Answer {
    answer.headers_mut().extend(HeaderValue::from_str(cookie).map(|cookie| (SET_COOKIE, cookie)));
    answer
}

impl Typed {
    fn of(text: &str) -> Self {
        let mut typed = Self { next: String::from("/"), ..Self::default() };
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match key.as_ref() {
                "token" => typed.mark = value.into_owned(),
                "next" => typed.next = next(&value),
                "who" => typed.who = value.into_owned(),
                "secret" => typed.secret = value.into_owned(),
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
