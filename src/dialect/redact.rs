//! Bodies made safe to be written down: every secret makes room for a stand-in, and the dialect reads the same.
//!
//! A stand-in is a salted hash: equal secrets stay equal, so that a rotating QR code still differs from a frozen one. The salt is
//! the caller's.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::clean::{Secret, stand_in};
use super::leaves::{self, Leaf, Path, Step};
use super::pointer::Pointer;

/// Returns a number that stands for a text, and tells nothing about it.
pub type Hash<'a> = &'a dyn Fn(&str) -> u64;

/// Parts of the names of members that hold secrets, in small letters without `_` and `-`.
const SECRET_PARTS: [&str; 9] =
    ["apikey", "token", "secret", "authorization", "password", "passwd", "cookie", "credential", "privatekey"];
/// Names of members that hold QR codes or codes for pairing.
const QR_NAMES: [&str; 8] = ["qr", "qrcode", "qrtext", "urlcode", "dataurl", "base64", "pairingcode", "linkingcode"];
/// Names of members that hold a phone number, alone or in an address.
const PHONE_NAMES: [&str; 15] = [
    "phone",
    "phonenumber",
    "number",
    "msisdn",
    "mobile",
    "owner",
    "ownerjid",
    "jid",
    "lid",
    "wid",
    "wuid",
    "user",
    "sender",
    "participant",
    "remotejid",
];
/// Names of members that hold a person's name.
const PERSON_NAMES: [&str; 4] = ["pushname", "profilename", "verifiedname", "formattedname"];
/// A phone number has at least this many digits where its member is called one ...
const PHONE_DIGITS_MIN: usize = 5;
/// ... and this many where nothing but digits tells of it, and no more than E.164 allows.
const BARE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// What is known about the body.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    /// Where the dialect looks for QR texts.
    pub(super) qr: &'a [Pointer],
    /// The session's name at the gateway, where it is no secret in itself.
    pub(super) session: Option<&'a str>,
    pub(super) hash: Hash<'a>,
}

/// Makes a body safe.
pub(super) fn body(bytes: &[u8], sight: Sight<'_>) -> Vec<u8> {
    let (mark, rest) = match bytes.strip_prefix(super::body::MARK) {
        Some(rest) => (super::body::MARK, rest),
        None => (&b""[..], bytes),
    };
    let json = leaves::rewrite(rest, &mut |path, leaf| sight.leaf(path, leaf));
    if let Some(json) = json {
        return [mark, json.as_bytes()].concat();
    }
    let whole = String::from_utf8_lossy(bytes);
    text(&sight.broken(&whole), sight.hash).into_owned().into_bytes()
}

/// What looks like a member of an object in a text that is no JSON, as half an answer or a page around one; or like a phone number.
static MEMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r#"(?x)
        (?<head> ["'] (?<name> [^"'\\]{1,64} ) ["'] \s* : \s* )
            (?<value> "(?:[^"\\]|\\.)*(?:"|$) | '[^']*(?:'|$) | \[[^\]]*(?:\]|$) | \d+ )
        | \b (?<digits> \d{10,15} ) \b
    "#;
    Regex::new(pattern).ok()
});

/// Makes a text safe.
pub(super) fn text<'t>(text: &'t str, hash: Hash<'_>) -> Cow<'t, str> {
    if is_bare_phone(text) {
        return Cow::Owned(token(hash, Secret::Phone, text));
    }
    stand_in(text, &|kind, text| token(hash, kind, text))
}

impl Sight<'_> {
    fn leaf(&self, path: &Path, leaf: Leaf<'_>) -> Option<String> {
        let found = match leaf {
            Leaf::Key(key) => return changed(key, text(key, self.hash)),
            Leaf::Text(found) | Leaf::Number(found) => found,
        };
        if found.trim().is_empty() {
            return None;
        }
        if self.session == Some(found) {
            return changed(found, text(found, self.hash));
        }
        let is_text = matches!(leaf, Leaf::Text(_));
        let name = path.last().and_then(Step::key).map(plain).unwrap_or_default();
        if path.iter().filter_map(Step::key).any(is_secret) {
            return Some(token(self.hash, Secret::Key, found));
        }
        if is_text && (QR_NAMES.contains(&name.as_str()) || self.qr.iter().any(|pointer| pointer.ends(path))) {
            return Some(token(self.hash, Secret::Qr, found));
        }
        if is_text && PERSON_NAMES.contains(&name.as_str()) {
            return Some(token(self.hash, Secret::Phone, found));
        }
        if PHONE_NAMES.contains(&name.as_str())
            && let Some(phone) = self.phone(found)
        {
            return Some(phone);
        }
        // A number alone may count anything.
        if is_text { changed(found, text(found, self.hash)) } else { None }
    }

    /// Puts stand-ins into a text that is no JSON and may have been.
    fn broken<'t>(&self, whole: &'t str) -> Cow<'t, str> {
        let Some(members) = &*MEMBERS else { return Cow::Borrowed("") };
        members.replace_all(whole, |found: &Captures<'_>| {
            let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
            let whole = || part("head").to_owned() + part("value") + part("digits");
            if !part("digits").is_empty() {
                let is_phone = is_bare_phone(part("digits"));
                return if is_phone { token(self.hash, Secret::Phone, part("digits")) } else { whole() };
            }
            let (value, path) = (part("value"), [Step::Key(part("name").to_owned())]);
            let inner = value.trim_matches(['"', '\'']);
            let leaf = if value == inner { Leaf::Number(inner) } else { Leaf::Text(inner) };
            let is_list = value.starts_with('[') && !is_secret(part("name"));
            let instead = if is_list { None } else { self.leaf(&path, leaf) };
            instead.map_or_else(whole, |instead| format!("{}\"{instead}\"", part("head")))
        })
    }

    /// Returns a stand-in for a phone number, or for the address made of one.
    fn phone(&self, found: &str) -> Option<String> {
        let (number, domain) = found.split_once('@').map_or((found, None), |(number, domain)| (number, Some(domain)));
        let is_number =
            number.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.' | ':'));
        if !is_number || digits(number).len() < PHONE_DIGITS_MIN || is_time(number) {
            return None;
        }
        // What stands behind a colon is the number of a device.
        let number = number.split(':').next().unwrap_or_default();
        let domain = domain.map_or_else(String::new, |domain| format!("@{domain}"));
        Some(format!("{}{domain}", token(self.hash, Secret::Phone, number)))
    }
}

impl Step {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

fn changed(before: &str, after: Cow<'_, str>) -> Option<String> {
    (before != after).then(|| after.into_owned())
}

/// Writes a stand-in. A phone number has the same one however it is written.
fn token(hash: Hash<'_>, kind: Secret, text: &str) -> String {
    match kind {
        Secret::Key => format!("secret-{:08x}", low_half(hash(text.trim_matches(['"', '\''])))),
        Secret::Qr => format!("qr-{:016x}", hash(text.trim())),
        Secret::Phone => {
            let digits = digits(text);
            let number = if digits.is_empty() { text } else { digits.as_str() };
            format!("phone-{:08x}", low_half(hash(number)))
        }
    }
}

fn low_half(hash: u64) -> u64 {
    hash & u64::from(u32::MAX)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn is_bare_phone(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number && BARE_DIGITS.contains(&text.len()) && !is_time(text)
}

/// Tells Unix times of this century, in seconds and in milliseconds. No phone number looks so: after the 1 of North America stand
/// ten digits, never nine or twelve.
fn is_time(text: &str) -> bool {
    matches!(text.len(), 10 | 13) && text.starts_with('1')
}

fn is_secret(name: &str) -> bool {
    let name = plain(name);
    SECRET_PARTS.iter().any(|part| name.contains(part)) || name == "pass"
}

/// Returns a name in small letters without `_` and `-`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> u64 {
        text.bytes().map(u64::from).sum()
    }

    fn redact(text: &str, session: Option<&str>) -> String {
        let qr = [Pointer::parse("/data/shown").unwrap()];
        String::from_utf8(body(text.as_bytes(), Sight { qr: &qr, session, hash: &hash })).unwrap()
    }

    fn check(before: &str, after: &str) {
        assert_eq!(redact(before, None), after);
    }

    #[test]
    fn secrets_make_room_for_stand_ins_and_all_else_stays() {
        for (before, after) in [
            (r#"{ "connected" : true, "n": 1.50 }"#, r#"{"connected":true,"n":1.50}"#),
            (
                r#"{"api_key":"k1","tokens":["a",1]}"#,
                r#"{"api_key":"secret-0000009c","tokens":["secret-00000061","secret-00000031"]}"#,
            ),
            (r#"{"token":null,"hasToken":true,"secret":""}"#, r#"{"token":null,"hasToken":true,"secret":""}"#),
            (r#"{"qr":"ab","QR_Code":"ab"}"#, r#"{"qr":"qr-00000000000000c3","QR_Code":"qr-00000000000000c3"}"#),
            (
                r#"{"list":[{"data":{"shown":"ab"}}],"shown":"ab"}"#,
                r#"{"list":[{"data":{"shown":"qr-00000000000000c3"}}],"shown":"ab"}"#,
            ),
            (r#"{"phone":"+1 555 0100"}"#, r#"{"phone":"phone-00000191"}"#),
            (r#"{"phone":15550100}"#, r#"{"phone":"phone-00000191"}"#),
            (r#"{"id":"15550100:12@s.whatsapp.net"}"#, r#"{"id":"phone-00000191@s.whatsapp.net"}"#),
            (r#"{"owner":"15550100:12@s.whatsapp.net"}"#, r#"{"owner":"phone-00000191@s.whatsapp.net"}"#),
            (r#"{"15550100@c.us":1}"#, r#"{"phone-00000191@c.us":1}"#),
            (
                r#"{"x":"15550100","at":"1770195615","ms":"1770195615000","n":15550100}"#,
                r#"{"x":"phone-00000191","at":"1770195615","ms":"1770195615000","n":15550100}"#,
            ),
            (r#"{"user":"admin","number":440,"owner":true}"#, r#"{"user":"admin","number":440,"owner":true}"#),
            ("<p>call +15550100 or 15550100123</p>", "<p>call phone-00000191 or phone-00000227</p>"),
            (
                r#"{"api_key":"k1","phone":15550100,"tokens":["a""#,
                r#"{"api_key":"secret-0000046f","phone":"phone-00000191","tokens":"secret-000000de""#,
            ),
            (r#"{"connected":true,"qr":"ab"#, r#"{"connected":true,"qr":"qr-00000000000000c3""#),
        ] {
            check(before, after);
        }
        assert_eq!(redact("\u{feff}{ \"qr\":\"ab\"}", None), "\u{feff}{\"qr\":\"qr-00000000000000c3\"}");
    }

    #[test]
    fn a_session_that_is_no_secret_stays_wherever_it_stands() {
        let body = r#"{"phone":"16548","token":"16548"}"#;
        assert_eq!(redact(body, Some("16548")), body);
        assert_eq!(
            redact(r#"{"id":15550100,"x":"15550100"}"#, Some("15550100")),
            r#"{"id":"phone-00000191","x":"phone-00000191"}"#
        );
    }
}
