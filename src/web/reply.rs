//! Answers, each with the headers that every answer has.

use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::live::Events;

/// An answer; the body of one is known before it is sent, unless it is a stream of events.
pub(super) type Answer = Response<Either<Full<Bytes>, Events>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Prometheus from 3.0 on refuses a scrape without a content type that it knows.
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What a page may load, and where its forms lead.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
    hint: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [String],
}

/// Answers with JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            answer(status, JSON, bytes)
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            let body = r#"{"error":"the answer cannot be written","hint":"see the watchdog's log"}"#;
            answer(StatusCode::INTERNAL_SERVER_ERROR, JSON, body)
        }
    }
}

/// Answers with what is wrong and what to do about it.
pub(super) fn problem(status: StatusCode, error: &str, hint: &str) -> Answer {
    problems(status, error, hint, &[])
}

/// Answers with everything that is wrong.
pub(super) fn problems(status: StatusCode, error: &str, hint: &str, problems: &[String]) -> Answer {
    json(status, &Problem { error, hint, problems })
}

/// Answers that this cannot be done now.
pub(super) fn unavailable(error: &str, hint: &str) -> Answer {
    problem(StatusCode::SERVICE_UNAVAILABLE, error, hint)
}

/// Answers that the route knows other methods than this one.
pub(super) fn wrong_method(method: &str, allow: &'static str) -> Answer {
    let error = format!("{method} is not possible here");
    let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, &error, &format!("use {allow}"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

/// Answers with plain text.
pub(super) fn text(status: StatusCode, body: &'static str) -> Answer {
    answer(status, TEXT, body)
}

/// Answers with metrics.
pub(super) fn metrics(body: String) -> Answer {
    answer(StatusCode::OK, METRICS, body)
}

/// Answers with a page that loads its own stylesheet and script, and nothing else, from nowhere else.
pub(super) fn html(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = answer(status, HTML, body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// Answers with the same, packed.
pub(super) fn packed_html(body: Vec<u8>) -> Answer {
    let mut answer = html(StatusCode::OK, body);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer
}

/// Answers with events as they come.
pub(super) fn events(body: Events) -> Answer {
    let mut answer = no_events();
    *answer.body_mut() = Either::Right(body);
    // Proxies that collect answers before they pass them on would hold back every event.
    answer.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

/// Answers as a stream of events would begin.
pub(super) fn no_events() -> Answer {
    answer(StatusCode::OK, EVENTS, "")
}

/// Answers that as many pages are live already as may be; one more loads itself anew instead.
pub(super) fn too_many_streams() -> Answer {
    let mut answer = unavailable("as many pages are live already as may be", "load the page anew now and then");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("15"));
    answer
}

/// Answers that the page to look at is another one; the request is not sent there.
pub(super) fn see_other(to: &str) -> Answer {
    let mut answer = html(StatusCode::SEE_OTHER, "");
    answer.headers_mut().extend(HeaderValue::from_str(to).map(|to| (LOCATION, to)));
    answer
}

/// Answers with a file that pages name.
pub(super) fn asset(kind: HeaderValue, body: &'static str) -> Answer {
    answer(StatusCode::OK, kind, body)
}

fn answer(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body.into())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
