//! URLs, and those with placeholders in path and query.

use reqwest::Url;

use super::placeholder;
use super::problem::Report;
use super::section::Item;

/// Longest URL or path, in bytes.
pub(super) const URL_BYTES_MAX: usize = 2048;

/// What else may stand in a placeholder's place: a URL whose host is still the same has none there.
const FILLINGS: [&str; 2] = ["a", "bb"];

/// Reads a URL. No problem repeats it: it may hold a password.
pub(super) fn read(item: &Item, report: &mut Report) -> Option<Url> {
    checked(item, item.text(report)?.trim(), report)
}

/// Reads a URL that may hold placeholders, in path and query alone: what is asked must not choose who is asked.
pub(super) fn read_template(item: &Item, report: &mut Report) -> Option<String> {
    let text = item.text(report)?.trim();
    if let Err((what, hint)) = placeholder::check(text) {
        item.refuse(report, what, hint);
        return None;
    }
    let [one, other] = FILLINGS.map(|filling| placeholder::fill(text, filling));
    let is_early = text.split("://").nth(1).is_none_or(|rest| placeholder::is_in(before_path(rest)));
    let same = |one: &Url, other: &Url| one.origin() == other.origin();
    if placeholder::is_in(text)
        && (is_early || !Url::parse(&one).is_ok_and(|one| Url::parse(&other).is_ok_and(|other| same(&one, &other))))
    {
        let hint = "write scheme, host and port as they are; placeholders stand in path and query alone";
        item.refuse(report, "has a placeholder before its path", hint);
        return None;
    }
    checked(item, &one, report).map(|_| text.to_owned())
}

fn before_path(rest: &str) -> &str {
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

fn checked(item: &Item, text: &str, report: &mut Report) -> Option<Url> {
    let hint = "write it as in \"http://localhost:3001\"";
    let parsed = Url::parse(text);
    let wrong = match &parsed {
        Err(error) => format!("is not a URL: {error}"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !text.contains("://") => {
            "is not a URL of http or https".to_owned()
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            let hint = "take it out; a token is read from token_file or token_env";
            item.refuse(report, "holds a user or a password", hint);
            return None;
        }
        Ok(url) if url.fragment().is_some() => "has a part after '#'".to_owned(),
        Ok(_) if URL_BYTES_MAX < text.len() => format!("is longer than {URL_BYTES_MAX} bytes"),
        Ok(_) => return parsed.ok(),
    };
    item.refuse(report, wrong, hint);
    None
}
