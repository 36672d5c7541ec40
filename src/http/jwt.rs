//! When a token ends, as it says itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::engine::moment::Wall;

/// Longest part of a token that is decoded, in bytes.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// Times that a clock can show, in seconds.
const SECONDS: std::ops::Range<f64> = 0.0..1e12;

/// Takes away what is copied along with a token now and then.
#[must_use]
pub fn bare(token: &str) -> &str {
    let token = token.trim();
    let (head, rest) = token.split_at_checked("Bearer ".len()).unwrap_or(("", token));
    if head.eq_ignore_ascii_case("Bearer ") { rest.trim() } else { token }
}

/// Returns when a JWT ends (`exp`); none for one that does not say it, and for any other token. Nothing is verified: whoever made
/// the token does that, and here it only spares a call in vain.
#[must_use]
pub fn expiry(token: &str) -> Option<Wall> {
    let mut parts = bare(token).split('.');
    let (_head, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || PAYLOAD_BYTES_MAX < payload.len() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    let seconds = payload.get("exp")?.as_f64().filter(|seconds| SECONDS.contains(seconds))?;
    let span = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    Some(Wall::from_secs(0).after(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_token_says_when_it_ends() {
        let at = Some("2026-02-04T09:00:00Z".parse().unwrap());
        assert_eq!(expiry(&token(r#"{"userId":"u","exp":1770195600}"#)), at);
        assert_eq!(expiry(&token(r#"{"exp":1770195600.0}"#)), at);
        assert_eq!(expiry(&format!("Bearer {}\n", token(r#"{"exp":1770195600}"#))), at);
    }

    #[test]
    fn any_other_token_says_nothing() {
        for payload in ["{}", "[]", "x", r#"{"exp":"soon"}"#, r#"{"exp":-1}"#, r#"{"exp":1e300}"#, r#"{"exp":null}"#] {
            assert_eq!(expiry(&token(payload)), None, "{payload}");
        }
        for other in ["", "1084|abcdef", "a.b", "a.b.c.d", "a.!.c"] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_scheme_is_taken_away() {
        assert_eq!([bare(" bearer abc "), bare("Bearerabc"), bare("ä"), bare("abc")], ["abc", "Bearerabc", "ä", "abc"]);
    }
}
