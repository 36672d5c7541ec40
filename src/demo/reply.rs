//! What a scripted gateway sends back: a status, a type and a body, or nothing ever.

use hyper::StatusCode;
use serde::Serialize;

/// What a scripted gateway sends back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// An answer.
    Sent { status: StatusCode, content_type: &'static str, body: String },
    /// None, for as long as the caller waits.
    Never,
}

/// The `Content-Type` of the session service that is played, which is made with Express.
pub(super) const JSON_UTF8: &str = "application/json; charset=utf-8";
/// The `Content-Type` of Wasender.
pub(super) const JSON: &str = "application/json";
/// The `Content-Type` of pages.
pub(super) const HTML: &str = "text/html; charset=utf-8";

impl Reply {
    /// Makes an answer of a value, its keys in the order of its fields.
    pub(super) fn json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self::Sent { status, content_type, body },
            Err(err) => {
                Self::Sent { status: StatusCode::INTERNAL_SERVER_ERROR, content_type: HTML, body: err.to_string() }
            }
        }
    }

    /// Makes an answer of a page.
    pub(super) fn page(status: StatusCode, body: String) -> Self {
        Self::Sent { status, content_type: HTML, body }
    }
}
