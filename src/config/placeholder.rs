//! Placeholders in URLs and bodies: `${target}`.

use super::nearest::nearest;
use super::section::quoted;

const OPEN: &str = "${";

/// Every placeholder.
const KNOWN: [&str; 8] = ["run.attempt", "run.key", "run.step", "run.try", "target", "remedy", "pattern", "reason"];

/// Tells whether a text has any.
pub(super) fn is_in(text: &str) -> bool {
    text.contains(OPEN)
}

/// Says what is wrong with those of a text, and what to do about it.
pub(super) fn check(text: &str) -> Result<(), (String, String)> {
    for part in text.split(OPEN).skip(1) {
        let Some((name, _)) = part.split_once('}') else {
            let hint = "write placeholders as in ${target}";
            return Err(("has a placeholder without its end".to_owned(), hint.to_owned()));
        };
        if !KNOWN.contains(&name) {
            let hint = match nearest(name, KNOWN) {
                Some(meant) => format!("did you mean ${{{meant}}}?"),
                None => format!("known here: {}", KNOWN.map(|name| format!("${{{name}}}")).join(", ")),
            };
            return Err((format!("has a placeholder that nobody knows, {}", quoted(name)), hint));
        }
    }
    Ok(())
}

/// Puts one text in the place of every placeholder.
pub(super) fn fill(text: &str, filling: &str) -> String {
    let mut parts = text.split(OPEN);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(filling);
        filled.push_str(part.split_once('}').map_or(part, |(_, rest)| rest));
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ones_are_filled_and_others_told() {
        assert_eq!(check("/a/${target}?b=${run.key}&c=$1{}"), Ok(()));
        assert_eq!(fill("/a/${target}?b=${run.key}&c=$1{}", "x"), "/a/x?b=x&c=$1{}");
        let (what, hint) = check("/${targte}").unwrap_err();
        assert_eq!(
            (what.as_str(), hint.as_str()),
            ("has a placeholder that nobody knows, \"targte\"", "did you mean ${target}?")
        );
        assert!(check("${zebra-crossing}").unwrap_err().1.contains("${run.attempt}, ${run.key}"));
        assert_eq!(check("${target").unwrap_err().0, "has a placeholder without its end");
        assert!(check("${}").is_err() && check("${ target }").is_err());
    }
}
