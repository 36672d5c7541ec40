//! A path in which the session's name is still open.
//!
//! `{session}` stands for the name; a part in square brackets is left out for a target that names no session, as in
//! `/app/status[?device_id={session}]`.

use std::fmt::Write;

const SESSION: &str = "{session}";

/// Says what is wrong with a path as a dialect writes it.
pub(super) fn check(template: &str) -> Result<(), &'static str> {
    if !template.starts_with('/') {
        return Err("does not start with '/'");
    }
    if template.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("holds white space");
    }
    let brackets: String = template.chars().filter(|c| matches!(c, '[' | ']')).collect();
    if !brackets.replace("[]", "").is_empty() {
        return Err("has a bracket without its partner, or one within another");
    }
    if template.replace(SESSION, "").contains(['{', '}']) {
        return Err("has a placeholder other than {session}");
    }
    Ok(())
}

/// Returns the path with the session's name filled in, percent-encoded; none without a name that it needs.
pub(super) fn fill(template: &str, session: Option<&str>) -> Option<String> {
    let session = session.map(str::trim).filter(|name| !name.is_empty());
    let mut path = String::with_capacity(template.len());
    if !template.starts_with('/') {
        path.push('/');
    }
    for (part, can_be_left_out) in parts(template) {
        match session {
            _ if !part.contains(SESSION) => path.push_str(part),
            Some(name) => path.push_str(&part.replace(SESSION, &encoded(name)?)),
            None if can_be_left_out => {}
            None => return None,
        }
    }
    Some(path)
}

/// Tells whether a path cannot be asked without a session's name.
pub(super) fn needs_session(template: &str) -> bool {
    parts(template).any(|(part, can_be_left_out)| part.contains(SESSION) && !can_be_left_out)
}

/// Tells whether two paths ask the same endpoint, whatever their queries.
pub(super) fn is_same_endpoint(left: &str, right: &str) -> bool {
    fn endpoint(path: &str) -> &str {
        path.split(['?', '[']).next().unwrap_or_default().trim_matches('/')
    }
    endpoint(left) == endpoint(right)
}

/// Cuts a template at its brackets; what stands in them can be left out.
fn parts(template: &str) -> impl Iterator<Item = (&str, bool)> {
    template.split(['[', ']']).zip([false, true].into_iter().cycle())
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3). A name of dots only would climb in the path: none.
fn encoded(name: &str) -> Option<String> {
    if name.bytes().all(|byte| byte == b'.') {
        return None;
    }
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => write!(text, "%{byte:02X}").ok()?,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_filled_in_and_encoded() {
        let fill = |template, session| fill(template, session).unwrap();
        assert_eq!(fill("/api/{session}/chats?limit=1", Some("shop")), "/api/shop/chats?limit=1");
        assert_eq!(fill("/s/{session}", Some("a b/../c?ü#")), "/s/a%20b%2F..%2Fc%3F%C3%BC%23");
        assert_eq!(fill("/status", None), "/status");
        assert_eq!(fill("status", None), "/status");
    }

    #[test]
    fn a_path_that_needs_a_session_has_no_form_without_one() {
        assert!(needs_session("/s/{session}") && !needs_session("/status"));
        for none in [None, Some(""), Some("  "), Some(".."), Some(".")] {
            assert_eq!(fill("/s/{session}", none), None, "{none:?}");
        }
    }

    #[test]
    fn a_part_in_brackets_is_left_out_without_a_session() {
        let template = "/app/status[?device_id={session}]";
        assert!(!needs_session(template));
        assert_eq!(fill(template, None).unwrap(), "/app/status");
        assert_eq!(fill(template, Some("org 2")).unwrap(), "/app/status?device_id=org%202");
    }

    #[test]
    fn a_template_is_checked() {
        for good in ["/", "/status", "/a/{session}?x=1", "/a[?b={session}]"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "status", "/a b", "/{name}", "/{session", "/a]b[", "/a[b", "/a[b[c]]"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoints_compare_without_query_and_slash() {
        assert!(is_same_endpoint("/status", "/status/?x=1") && is_same_endpoint("status", "/status[?d={session}]"));
        assert!(!is_same_endpoint("/status", "/whatsapp-sessions/status"));
    }
}
