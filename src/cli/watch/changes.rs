//! `status --watch` where nothing can be drawn over: a line for each change.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::{Listing, Row};
use crate::engine::Wall;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    rows: BTreeMap<String, String>,
    weather: BTreeSet<String>,
    silent: Option<String>,
}

impl Told {
    /// Tells what is new since the last time; the first time that is everything.
    pub(super) fn hear(&mut self, listing: &Listing) -> Vec<String> {
        let say = |whom: &str, what: &str| format!("{}  {whom}  {what}", listing.at);
        let mut lines: Vec<String> =
            self.silent.take().map(|_| say("all", "the watchdog answers again")).into_iter().collect();
        let weather: BTreeSet<String> = listing.weather().into_iter().collect();
        lines.extend(weather.difference(&self.weather).map(|line| say("all", line)));
        lines.extend(self.weather.difference(&weather).map(|line| say("all", &format!("over: {line}"))));
        self.weather = weather;
        let mut gone = std::mem::take(&mut self.rows);
        for row in &listing.rows {
            let key = key(row);
            if gone.remove(&row.target).as_ref() != Some(&key) {
                lines.push(say(&row.target, &in_words(row)));
            }
            self.rows.insert(row.target.clone(), key);
        }
        lines.extend(gone.keys().map(|target| say(target, "is no longer watched")));
        lines
    }

    /// Tells that nobody answers, once for each reason.
    pub(super) fn miss(&mut self, now: Wall, why: &str) -> Option<String> {
        if self.silent.as_deref() == Some(why) {
            return None;
        }
        self.silent = Some(why.to_owned());
        Some(format!("{now}  all  {why}"))
    }
}

/// What makes a line when it changes. Evidence counts on from poll to poll, so it does not.
fn key(row: &Row) -> String {
    let belief = row.belief();
    [
        row.state.as_deref().unwrap_or("-"),
        &belief.verdict,
        belief.pattern.as_deref().unwrap_or("-"),
        row.mode(),
        row.pending(),
    ]
    .join(" ")
}

fn in_words(row: &Row) -> String {
    let belief = row.belief();
    let pattern = belief.pattern.as_deref().map_or_else(String::new, |pattern| format!(" {pattern}"));
    let part = |text: &str| if text.is_empty() { String::new() } else { format!(", {text}") };
    let why = if belief.why().is_empty() { String::new() } else { format!(": {}", belief.why()) };
    let state = row.state.as_deref().unwrap_or("no state known");
    format!("{}{pattern}, {state}, {}{}{why}", belief.verdict, row.mode(), part(row.pending()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(second: u32, storm: bool, rows: &[(&str, &str, &str)]) -> Listing {
        let row = |(target, verdict, why): &(&str, &str, &str)| {
            format!(
                r#"{{"target":"{target}","state":"connected","since":null,"verdict":"{verdict}","pattern":null,"evidence":"{why}",
                "missing":null,"mode":"act","paused":false,"pending":null}}"#
            )
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        let at = format!("2026-02-04T09:00:{second:02}Z");
        let rows = rows.join(",");
        Listing::parse(&format!(r#"{{"at":"{at}","pause":null,"storm":{storm},"paths":[],"targets":[{rows}]}}"#))
            .unwrap()
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut told = Told::default();
        let first = told.hear(&listing(1, false, &[("a", "healthy", ""), ("b", "failing", "1 return")]));
        assert_eq!(
            first,
            [
                "2026-02-04T09:00:01.000Z  b  failing, connected, act: 1 return",
                "2026-02-04T09:00:01.000Z  a  healthy, connected, act"
            ]
        );
        assert!(told.hear(&listing(2, false, &[("a", "healthy", ""), ("b", "failing", "2 returns")])).is_empty());
        let third = told.hear(&listing(3, true, &[("a", "suspect", "x")]));
        assert_eq!(third.len(), 3, "{third:?}");
        assert!(third[0].contains("  all  a storm is on"));
        assert!(third[1].ends_with("  a  suspect, connected, act: x"));
        assert!(third[2].ends_with("  b  is no longer watched"));
        assert!(told.hear(&listing(4, false, &[("a", "suspect", "x")]))[0].contains("  all  over: a storm is on"));
    }

    #[test]
    fn a_watchdog_that_is_away_is_told_of_once() {
        let (mut told, now) = (Told::default(), "2026-02-04T09:00:00Z".parse().unwrap());
        assert_eq!(told.miss(now, "no answer").as_deref(), Some("2026-02-04T09:00:00.000Z  all  no answer"));
        assert_eq!(told.miss(now, "no answer"), None);
        let lines = told.hear(&listing(1, false, &[]));
        assert_eq!(lines, ["2026-02-04T09:00:01.000Z  all  the watchdog answers again"]);
        assert!(told.miss(now, "no answer").is_some());
    }
}
