//! Tokens: whether each can be read, and when those end that say so.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::Patient;
use super::finding::Line;
use crate::config::{Call, Secret};
use crate::engine::moment::{Wall, words};

/// A token that ends within this time should be renewed now.
const SOON: Duration = Duration::from_hours(24);

pub(super) fn lines(patient: &Patient<'_>) -> Vec<Line> {
    let target = &patient.target;
    let of_status = match (&target.token, target.dialect.auth()) {
        (Some(token), _) => line("token", token, patient.now),
        (None, None) => Line::well("token", "this gateway takes none"),
        (None, Some(_)) => Line::blind("token", "none is configured; the gateway may want one"),
    };
    let calls = target.hooks.values().flat_map(|hook| hook.calls());
    let of_hooks: BTreeSet<&Secret> =
        calls.filter_map(token_of).filter(|token| target.token.as_ref() != Some(token)).collect();
    std::iter::once(of_status)
        .chain(of_hooks.into_iter().map(|token| line("token of a hook", token, patient.now)))
        .collect()
}

fn token_of(call: &Call) -> Option<&Secret> {
    match call {
        Call::Http(call) => call.token.as_ref(),
        Call::Wasender(call) => Some(&call.at.token),
        Call::WasenderBackend(call) => Some(&call.at.token),
        Call::Coolify(call) => Some(&call.at.token),
        Call::Kubernetes(call) => Some(&call.at.token),
        Call::Exec(_) | Call::Docker(_) | Call::Sqlite(_) => None,
    }
}

fn line(check: &str, token: &Secret, now: Wall) -> Line {
    let place = match token {
        Secret::File(path) => path.display().to_string(),
        Secret::Env(name) => format!("${name}"),
    };
    let secret = match token.read() {
        Ok(secret) => secret,
        Err(error) => return Line::ill(check, format!("{place}: {error}"), "put the token there"),
    };
    let advice = "log in again and put the new token there: everything that needs it is refused otherwise";
    match end_of(secret.expose_secret()) {
        None => Line::well(check, format!("{place} can be read; it does not say when it ends")),
        Some(end) if end <= now => Line::ill(check, format!("{place} ended at {end}"), advice),
        Some(end) if end.since(now) < SOON => {
            Line::ill(check, format!("{place} ends in {}", words(end.since(now))), advice)
        }
        Some(end) => Line::well(check, format!("{place} is good until {end}")),
    }
}

/// Reads when a JSON Web Token ends (RFC 7519, 4.1.4), without checking it: that is for those who made it.
fn end_of(token: &str) -> Option<Wall> {
    #[derive(Deserialize)]
    struct Claims {
        exp: serde_json::Number,
    }
    let mut parts = token.trim().trim_start_matches("Bearer ").split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let claims: Claims = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    // It may have a fraction.
    let text = claims.exp.to_string();
    text.split('.').next()?.parse().ok().map(Wall::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends_if_it_is_one_that_does() {
        let token = |claims: &str| format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(end_of(&token(r#"{"exp":1770195600}"#)), Some(Wall::from_secs(1_770_195_600)));
        assert_eq!(end_of(&token(r#"{"exp":1770195600.5}"#)), Some(Wall::from_secs(1_770_195_600)));
        assert_eq!(end_of(&token(r#"{"sub":"7"}"#)), None);
        assert_eq!(end_of("16548|opaque"), None);
        assert_eq!(end_of("a.b.c"), None);
    }
}
