//! A reader of the Prometheus text format 0.0.4, strict enough to find what a scrape would refuse.

use std::collections::BTreeMap;

/// One metric with its series.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) series: Vec<Series>,
}

/// One line of values.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Reads a whole page; panics on what Prometheus would refuse.
pub(crate) fn parse(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line must end");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and its help");
            name.clone_into(&mut current);
            let family = Family { help: unescape(help), kind: String::new(), series: Vec::new() };
            assert!(families.insert(name.to_owned(), family).is_none(), "{name} has two groups");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and its type");
            assert_eq!(name, current, "TYPE follows HELP");
            kind.clone_into(&mut families.get_mut(name).expect("it has HELP").kind);
        } else {
            let series = parse_series(line);
            let family = families.get_mut(&current).expect("a series follows its HELP and TYPE");
            let suffix = series.name.strip_prefix(&current).unwrap_or_else(|| panic!("{line} stands under {current}"));
            let may: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(may.contains(&suffix), "{line} stands under {current}");
            family.series.push(series);
        }
    }
    families
}

fn parse_series(line: &str) -> Series {
    let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while let Some((label, after)) = rest.split_once("=\"").filter(|_| !rest.starts_with('}')) {
            let (value, after) = after.split_at(closing_quote(after));
            labels.insert(label.trim_start_matches(',').to_owned(), unescape(value));
            rest = after.strip_prefix('"').unwrap_or_default();
        }
        rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("labels do not end: {line}"));
    }
    let value = rest.trim_start().parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Series { name: name.to_owned(), labels, value }
}

fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    panic!("a label value does not end: {text}")
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next().expect("something is escaped") {
                'n' => '\n',
                other => other,
            },
            other => other,
        });
    }
    plain
}
