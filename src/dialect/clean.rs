//! Text of a gateway made safe to keep: no key, no token, no QR text, no phone number.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::engine::sample::Word;

/// Longest text that is looked at, in bytes. Far more than is kept, so that no secret is cut in two where it shows.
const TEXT_BYTES_MAX: usize = 1024;
/// From this length on a run of letters and digits is taken for a key.
const RUN_MIN: usize = 24;
const MASK: &str = "…";

/// What a text of a gateway holds that must not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// A key, a token, a password.
    Key,
    /// The text or picture of a QR code, or a code for pairing.
    Qr,
    /// A phone number.
    Phone,
}

/// Makes a word of a gateway's text.
pub(super) fn word(text: &str) -> Word {
    Word::new(&clean(text))
}

/// Puts `…` in the place of secrets.
///
/// These are: what follows a name such as `api_key` or `token`, bearer tokens, QR texts (`2@…`, images), long runs of hex or
/// base64, phone numbers and the addresses made of them. There are backends that print `api_key` and `webhook_secret` at each poll.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let text = cut(text);
    match (&*SECRETS, can_hold_a_secret(text)) {
        (_, false) => Cow::Borrowed(text),
        (Some(secrets), true) => secrets.replace_all(text, masked),
        // Without the pattern nothing can be told apart.
        (None, true) => Cow::Borrowed(MASK),
    }
}

/// Puts a stand-in in the place of each secret, so that equal ones stay equal and different ones different. What it returns reads
/// as the same word as the text itself.
pub(super) fn stand_in<'t>(text: &'t str, of: &dyn Fn(Secret, &str) -> String) -> Cow<'t, str> {
    if !can_hold_a_secret(text) {
        return Cow::Borrowed(text);
    }
    let Some(secrets) = &*SECRETS else { return Cow::Borrowed(MASK) };
    let replaced = secrets.replace_all(text, |found: &Captures<'_>| stood_in(found, of));
    let is_changed = matches!(replaced, Cow::Owned(_)) && text.len() <= TEXT_BYTES_MAX;
    if !is_changed || clean(&replaced) == clean(text) {
        return replaced;
    }
    // Where a stand-in would read otherwise, nothing stands in.
    secrets.replace_all(text, masked)
}

/// Tells whether a line draws a QR code: block characters, or coloured blanks as `qrcode-terminal` prints them.
#[must_use]
pub fn draws_qr(line: &str) -> bool {
    line.contains(['█', '▀', '▄', '▌', '▐']) || line.contains("\u{1b}[47m  ") || line.contains("\u{1b}[40m  ")
}

/// Takes terminal colours out of a line.
pub(super) fn without_colours(line: &str) -> Cow<'_, str> {
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let mut pieces = line.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default();
    let rest = pieces.map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    Cow::Owned(
        rest.fold(first.to_owned(), |text, piece| text + piece.strip_prefix(char::is_alphabetic).unwrap_or(piece)),
    )
}

static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // A text may be cut in the middle of a quotation.
    let pattern = r#"(?ix)
        (?<name> (?: api[_-]?key | [\w-]*token | [\w-]*secret | authorization | pass(?:word|wd)? | cookie ) ["']? \s* [:=] \s* )
            (?<value> "[^"]*(?:"|$) | '[^']*(?:'|$) | (?:(?:bearer|basic)\s+)? [^\s"',;&}\])]+ )
        | (?<bearer> \bbearer \s+ ) (?<borne> [^\s"',;]{8,} )
        | \b (?: secret | phone | qr ) - [0-9a-f]{8,16} \b (?: @ [a-z.]+ )?
        | (?<qr> \b[12]@ [^\s"']+ | data:image/ [^\s"']+ )
        | \+? (?<jid> \d{6,} ) (?: :\d+ )? (?<at> @ [a-z.]+ )
        | \+ (?<phone> \d{7,15} ) \b
        | (?<run> [a-z0-9+/_=-]{24,} )
    "#;
    Regex::new(pattern).ok()
});

fn masked(found: &Captures<'_>) -> String {
    if let Some(run) = found.name("run").filter(|run| !looks_random(run.as_str())) {
        return run.as_str().to_owned();
    }
    let kept = found.name("name").or_else(|| found.name("bearer")).map_or("", |name| name.as_str());
    format!("{kept}{MASK}")
}

fn stood_in(found: &Captures<'_>, of: &dyn Fn(Secret, &str) -> String) -> String {
    let named = |name: &str| found.name(name).map(|found| found.as_str());
    if let Some(value) = named("value") {
        let quote = if value.starts_with('"') { "\"" } else { "" };
        return format!("{}{quote}{}{quote}", named("name").unwrap_or_default(), of(Secret::Key, value));
    }
    if let Some(borne) = named("borne") {
        return format!("{}{}", named("bearer").unwrap_or_default(), of(Secret::Key, borne));
    }
    if let Some(number) = named("jid").or_else(|| named("phone")) {
        return format!("{}{}", of(Secret::Phone, number), named("at").unwrap_or_default());
    }
    if let Some(text) = named("qr") {
        return of(Secret::Qr, text);
    }
    // Also what stands in already.
    named("run").filter(|run| looks_random(run)).map_or_else(
        || found.get(0).map_or_else(String::new, |whole| whole.as_str().to_owned()),
        |run| of(Secret::Key, run),
    )
}

/// Tells a key from a long path or the name of an error.
fn looks_random(run: &str) -> bool {
    let has = |test: fn(char) -> bool| run.contains(test);
    let mixed_case = has(|c| c.is_ascii_lowercase()) && has(|c| c.is_ascii_uppercase());
    has(|c| c.is_ascii_digit()) || (mixed_case && has(|c| matches!(c, '+' | '/' | '=')))
}

/// Passes the usual state words by without a search.
fn can_hold_a_secret(text: &str) -> bool {
    RUN_MIN <= text.len() || text.contains(['@', ':', '=', '+', '-']) || super::rule::contains(text, "bearer")
}

/// Cuts a text to what is looked at, at a blank, so that no half of a secret is left at its end.
fn cut(text: &str) -> &str {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let head = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default();
    head.rsplit_once(char::is_whitespace).map_or(head, |(whole, _)| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for (text, cleaned) in [
            ("CONFLICT", "CONFLICT"),
            ("Invalid API key", "Invalid API key"),
            ("Check that the Session and Token are correct", "Check that the Session and Token are correct"),
            (
                "Protocol error (Runtime.callFunctionOn): Target closed.",
                "Protocol error (Runtime.callFunctionOn): Target closed.",
            ),
            (
                "No query results for model [App\\Models\\WhatsappSession] 16548",
                "No query results for model [App\\Models\\WhatsappSession] 16548",
            ),
            ("api_key: 'k1', status: 'connected'", "api_key: …, status: 'connected'"),
            (r#"{"webhook_secret":"a b c","id":5}"#, r#"{"webhook_secret":…,"id":5}"#),
            ("Authorization: Bearer 1084|abc", "Authorization: …"),
            ("sent Bearer 1084|abcdef now", "sent Bearer … now"),
            ("qr 2@AbC,dEf,gH== shown", "qr … shown"),
            ("img data:image/png;base64,AAAA", "img …"),
            ("key 0123456789abcdef0123456789abcdef end", "key … end"),
            ("from 15550100123@s.whatsapp.net and +4915550100123", "from … and …"),
            ("/app/data/session-crm-client-folder", "/app/data/session-crm-client-folder"),
            ("UnhandledPromiseRejectionWarning", "UnhandledPromiseRejectionWarning"),
            ("at 2026-02-04T10:00:00.000Z (after 812ms)", "at 2026-02-04T10:00:00.000Z (after 812ms)"),
        ] {
            assert_eq!(clean(text), cleaned);
        }
    }

    #[test]
    fn a_secret_cut_in_two_shows_no_half() {
        let text = format!("{} {}", "2@abcdefgh ".repeat(92), "0123456789abcdef".repeat(40));
        assert!(!clean(&text).contains("0123"), "{}", clean(&text));
        assert_eq!(clean(&"k9".repeat(5000)), MASK);
    }

    #[test]
    fn a_drawn_qr_code_is_known() {
        assert!(draws_qr("█▀▀▀▀▀█ ▄ █▀▀▀▀▀█") && draws_qr("\u{1b}[47m  \u{1b}[0m\u{1b}[40m  \u{1b}[0m"));
        assert!(!draws_qr("📱 QR CODE GENERATED"));
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(without_colours("\u{1b}[32minfo\u{1b}[0m: \u{1b}[1;31mready"), "info: ready");
        assert_eq!(without_colours("\u{1b}[\u{1b}[x"), "");
    }
}
