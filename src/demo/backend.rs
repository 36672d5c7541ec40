//! The wire form of a bot backend before WasenderAPI: one route, behind a token that says itself when it ends.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::{Method, StatusCode};
use secrecy::SecretString;
use serde::Serialize;

use super::account::SESSION;
use super::reply::{JSON_UTF8, Reply};
use crate::engine::Wall;

/// How long its token is good from the start of the demo on.
const TOKEN_LASTS: Duration = Duration::from_hours(30 * 24);

#[derive(Serialize)]
struct Status {
    data: State,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State {
    status: &'static str,
    session_id: &'static str,
    qr_available: bool,
}

/// Answers one request: its session is well, for whoever brings a token.
pub(super) fn answer(method: &Method, path: &str, authorization: Option<&str>) -> Reply {
    let is_asked = method == Method::GET && path == "/api/whatsapp/user/status";
    match (is_asked, authorization) {
        (true, Some(_)) => {
            let data = State { status: "ready", session_id: SESSION, qr_available: false };
            Reply::json(StatusCode::OK, JSON_UTF8, &Status { data })
        }
        (true, None) => {
            let error = serde_json::json!({ "error": "Missing Authorization header" });
            Reply::json(StatusCode::UNAUTHORIZED, JSON_UTF8, &error)
        }
        (false, _) => Reply::page(StatusCode::NOT_FOUND, "404 page not found".to_owned()),
    }
}

/// Makes a token like those that such backends give out: a JWT. This one is signed by nobody.
pub(super) fn token(now: Wall) -> SecretString {
    let ends = now.after(TOKEN_LASTS).millis().div_euclid(1000);
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    let head = part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned());
    let payload = part(format!(r#"{{"userId":"scripted","exp":{ends}}}"#));
    SecretString::from(format!("{head}.{payload}.{}", part("of the demo".to_owned())))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::http::jwt;

    #[test]
    fn the_token_says_that_it_ends_in_a_month() {
        let now: Wall = "2026-02-04T09:00:00Z".parse().unwrap();
        let token = token(now);
        assert_eq!(jwt::expiry(token.expose_secret()), Some("2026-03-06T09:00:00Z".parse().unwrap()));
    }
}
