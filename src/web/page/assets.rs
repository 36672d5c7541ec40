//! The stylesheet and the script: part of the program, named by their content, so that a browser may keep them.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use sha2::{Digest as _, Sha256};

use super::super::reply::{Answer, asset};

/// A file that pages name.
#[derive(Debug)]
pub(in crate::web) struct Asset {
    text: &'static str,
    kind: HeaderValue,
    url: String,
    tag: String,
}

/// How the pages look.
pub(in crate::web) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("/style.css", include_str!("style.css"), "text/css; charset=utf-8"));
/// What keeps them live.
pub(in crate::web) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("/live.js", include_str!("live.js"), "text/javascript; charset=utf-8"));

/// For one that is asked for by the name of its content: another content has another name.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For one that is asked for by its plain name.
const ASKED: HeaderValue = HeaderValue::from_static("no-cache");

impl Asset {
    fn new(path: &str, text: &'static str, kind: &'static str) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(text));
        Self {
            text,
            kind: HeaderValue::from_static(kind),
            url: format!("{path}?v={digest}"),
            tag: format!("\"{digest}\""),
        }
    }

    /// Where pages find it.
    pub(in crate::web) fn url(&self) -> &str {
        &self.url
    }

    /// Answers with it, or that the browser has it already.
    pub(in crate::web) fn answer(&self, query: &str, headers: &HeaderMap) -> Answer {
        let has_it = headers.get_all(IF_NONE_MATCH).iter().any(|given| given.as_bytes() == self.tag.as_bytes());
        let mut answer = asset(self.kind.clone(), if has_it { "" } else { self.text });
        if has_it {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let is_named = self.url.split_once('?').is_some_and(|(_, named)| named == query);
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, if is_named { KEPT } else { ASKED });
        headers.extend(HeaderValue::from_str(&self.tag).map(|tag| (ETAG, tag)));
        answer
    }
}
