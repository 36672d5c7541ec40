//! Network paths that are looked at: to WhatsApp, to a vendor.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section};
use super::{PathAt, unit, url};
use crate::dialect::builtins;

/// Most paths.
const PATHS_MAX: usize = 16;
/// How often a path is looked at.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
const EVERY_DEFAULT: Duration = Duration::from_secs(30);
/// How long its answer may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Paths that everybody means the same by: name, URL, the dialects that need it (none: all).
const KNOWN: [(&str, &str, &[&str]); 2] = [
    ("whatsapp", "https://web.whatsapp.com/", &[]),
    ("wasender", "https://www.wasenderapi.com/api", &["wasender", "wasender-backend"]),
];

/// Takes every path.
pub(super) fn take(root: &mut Section, scope: &mut Scope<'_>) -> Vec<PathAt> {
    let Some(mut section) = root.take_section(scope.report, "path") else { return Vec::new() };
    let items = section.take_all();
    if PATHS_MAX < items.len() {
        let what = format!("has {} paths, more than {PATHS_MAX}", items.len());
        scope.report.refuse(&section.at, &section.key, what, "look at those that every session needs");
        return Vec::new();
    }
    items.into_iter().filter_map(|(name, item)| path(&name, item, scope)).collect()
}

fn path(name: &str, item: Item, scope: &mut Scope<'_>) -> Option<PathAt> {
    if !unit::is_name(name) {
        let hint = "name it with 1 to 32 letters, digits, '_' or '-', as in [path.whatsapp]";
        item.refuse(scope.report, "is not a name", hint);
        return None;
    }
    let known = KNOWN.iter().find(|(known, ..)| *known == name);
    let mut section = item.section(scope.report)?;
    let report = &mut *scope.report;
    let item = section.take("url");
    if item.is_none() && known.is_none() {
        section.missing(report, "url", "write where the path leads, as in url = \"https://web.whatsapp.com/\"");
    }
    let url = match item {
        Some(item) => url::read(&item, report).map(String::from),
        None => known.map(|(_, url, _)| (*url).to_owned()),
    };
    let every = section.take("every").map_or(Some(EVERY_DEFAULT), |item| item.span(report, EVERY));
    let timeout = section.take("timeout").map_or(Some(TIMEOUT_DEFAULT), |item| item.span(report, TIMEOUT));
    let hint = "write the dialects whose sessions need this path, as in dialects = [\"wasender\"]";
    let dialects = match section.take("dialects") {
        Some(item) => item.words(report, hint)?.iter().filter_map(|item| dialect(item, report)).collect(),
        None => {
            known.map(|(.., dialects)| dialects.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default()
        }
    };
    section.finish(report);
    Some(PathAt { name: Arc::from(name), url: url?, every: every?, timeout: timeout?, dialects })
}

/// Reads the name of a dialect; one that is loaded by path is named as its file names itself.
fn dialect(item: &Item, report: &mut Report) -> Option<String> {
    let name = item.text(report)?.trim();
    if !builtins().iter().any(|(known, _)| *known == name) {
        item.warn(report, "is not a built-in dialect", "it counts for a dialect of your own with that name");
    }
    Some(name.to_owned())
}
