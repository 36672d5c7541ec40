//! Names of what was found: a session keeps its name for as long as it exists, and no two have the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Found;
use crate::engine::target::{NAME_BYTES_MAX, TargetId};
use crate::http::retry::hash;

/// Stands for a session whose name has no letter that a target's may have.
const NAMELESS: &str = "session";
/// Longest key that can be told as it is, in bytes.
const TAG_BYTES_MAX: usize = 12;

/// Names what was found; returns with it how many were too many. `known` are the names of before, by key: who has one goes first.
///
/// Of two that are told under one key the first counts.
pub fn name(
    known: &BTreeMap<&str, &TargetId>,
    found: Vec<Found>,
    prefix: &str,
    max: usize,
) -> (BTreeMap<TargetId, Found>, usize) {
    let mut keys = BTreeSet::new();
    let found = found.into_iter().filter(|found| keys.insert(found.key.clone()));
    let (old, new): (Vec<Found>, Vec<Found>) = found.partition(|found| known.contains_key(found.key.as_str()));
    let mut named = BTreeMap::new();
    let mut over: usize = 0;
    for found in old.into_iter().chain(new) {
        if max <= named.len() {
            over = over.saturating_add(1);
            continue;
        }
        let before = known.get(found.key.as_str()).map(|id| (*id).clone());
        let id = before.or_else(|| candidates(prefix, &found).find(|id| !named.contains_key(id)));
        if let Some(id) = id {
            named.insert(id, found);
        }
    }
    (named, over)
}

/// Returns the names that a session may get, the best first; without an end.
fn candidates(prefix: &str, found: &Found) -> impl Iterator<Item = TargetId> {
    let whole = format!("{prefix}{}", found.name);
    let plain = cleaned(&whole, prefix);
    let as_it_is = TargetId::new(&whole).ok();
    let mark = format!("{:08x}", hash(&[found.key.as_bytes()]) & 0xffff_ffff);
    let tag = if is_tag(&found.key) { found.key.clone() } else { mark.clone() };
    let suffixes = [tag, mark.clone()].into_iter().chain((2_u32..).map(move |number| format!("{mark}-{number}")));
    as_it_is.into_iter().chain(suffixes.filter_map(move |suffix| TargetId::new(&with(&plain, &suffix)).ok()))
}

/// Puts a suffix behind a name, which is cut where both are too long.
fn with(plain: &str, suffix: &str) -> String {
    let room = NAME_BYTES_MAX.saturating_sub(suffix.len()).saturating_sub(1);
    let start = plain.get(..room).unwrap_or(plain).trim_end_matches(['-', '.']);
    format!("{start}-{suffix}")
}

/// Writes a dash for everything that cannot stand in a name.
fn cleaned(text: &str, prefix: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' => plain.push(c),
            _ if plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    let plain = plain.trim_start_matches(['.', '-']).trim_end_matches('-');
    if plain.len() <= prefix.trim_end_matches('-').len() { format!("{prefix}{NAMELESS}") } else { plain.to_owned() }
}

fn is_tag(key: &str) -> bool {
    (1..=TAG_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &str, name: &str) -> Found {
        Found {
            key: key.to_owned(),
            name: name.to_owned(),
            url: "http://h".to_owned(),
            dialect: None,
            session: None,
            status_path: None,
            container: None,
        }
    }

    /// Names by key.
    fn named(
        known: &[(&str, &str)],
        list: &[(&str, &str)],
        prefix: &str,
        max: usize,
    ) -> (Vec<(String, String)>, usize) {
        let ids: Vec<(&str, TargetId)> = known.iter().map(|(key, id)| (*key, TargetId::new(id).unwrap())).collect();
        let known = ids.iter().map(|(key, id)| (*key, id)).collect();
        let list = list.iter().map(|(key, name)| found(key, name)).collect();
        let (named, over) = name(&known, list, prefix, max);
        let mut by_key: Vec<_> = named.into_iter().map(|(id, found)| (found.key, id.to_string())).collect();
        by_key.sort();
        (by_key, over)
    }

    fn names(known: &[(&str, &str)], list: &[(&str, &str)]) -> Vec<String> {
        named(known, list, "", 100).0.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn a_name_is_the_vendors_where_that_can_be() {
        assert_eq!(names(&[], &[("1", "shop"), ("2", "acme-2.b_c")]), ["shop", "acme-2.b_c"]);
        let (by_key, _) = named(&[], &[("7", "shop")], "wa-", 9);
        assert_eq!(by_key, [("7".to_owned(), "wa-shop".to_owned())]);
    }

    #[test]
    fn what_cannot_be_a_name_is_turned_into_one_always_the_same() {
        let list = [("16548", "Käthes Laden"), ("http://gateway:3001/x", "../../etc"), ("9", "日本"), ("8", "")];
        assert_eq!(names(&[], &list), ["K-thes-Laden-16548", "session-8", "session-9", "etc-2a15f093"]);
        assert_eq!(names(&[], &list), names(&[], &list));
        let long = "x".repeat(300);
        let one = names(&[], &[("5", &long)]);
        assert_eq!((one[0].len(), one[0].ends_with("x-5")), (64, true));
        let (by_key, _) = named(&[], &[("1", "é")], "wa-", 9);
        assert_eq!(by_key[0].1, "wa-session-1");
    }

    #[test]
    fn two_of_one_name_are_told_apart_and_keep_that() {
        assert_eq!(names(&[], &[("1", "shop"), ("2", "shop"), ("3", "shop")]), ["shop", "shop-2", "shop-3"]);
        // The first one goes, and another one comes: the second keeps what it has.
        let known = [("1", "shop"), ("2", "shop-2")];
        assert_eq!(names(&known, &[("2", "shop"), ("4", "shop")]), ["shop-2", "shop"]);
        // A vendor's new name changes nothing.
        assert_eq!(names(&known, &[("1", "market"), ("2", "shop")]), ["shop", "shop-2"]);
        // Who is named as another one was turned into.
        let marked = names(&[], &[("1", "a-2"), ("2", "a"), ("3", "a")]);
        assert_eq!(marked, ["a-2", "a", "a-3"]);
        let all = names(&[], &[("x/1", "a"), ("x/2", "a"), ("1", "a-2"), ("2", "a"), ("3", "a-2")]);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 5, "{all:?}");
    }

    #[test]
    fn beyond_the_limit_who_is_known_stays() {
        let known = [("9", "i"), ("8", "h")];
        let (by_key, over) = named(&known, &[("1", "a"), ("2", "b"), ("8", "h"), ("9", "i")], "", 3);
        let keys: Vec<&str> = by_key.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((keys, over), (vec!["1", "8", "9"], 1));
    }

    #[test]
    fn a_session_that_is_told_twice_is_one() {
        assert_eq!(names(&[], &[("1", "shop"), ("1", "shop")]), ["shop"]);
    }
}
