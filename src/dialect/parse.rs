//! From a dialect file to a [`Dialect`], or to everything that is wrong with it.

mod file;
mod logs;
mod places;
mod rules;

use toml::de::DeTable;

use self::file::{Item, Report, Section};
use self::places::Places;
use super::facts::FactPlaces;
use super::history::History;
use super::list::List;
use super::probe::{DeepProbe, QrProbe};
use super::proof::{Proofs, Vendor};
use super::rule::PlaceId;
use super::{Auth, Body, Dialect, Fault, template};
use crate::engine::sample::{Phase, SessionState};

/// Longest dialect file, in bytes.
const FILE_BYTES_MAX: usize = 256 * 1024;

const ROOT_KEYS: [&str; 17] = [
    "name",
    "title",
    "notes",
    "path",
    "auth",
    "place",
    "word",
    "rule",
    "facts",
    "list",
    "refused",
    "deep",
    "qr",
    "history",
    "known_good",
    "vendor",
    "log",
];
const FACT_KEYS: [&str; 8] =
    ["last_message", "messages", "qr", "progress", "started", "version", "owner", "local_hour"];
/// Keys under which gateways keep what must not be shown.
const SECRET_KEYS: [&str; 8] = ["qr", "qrCode", "qrcode", "urlcode", "api_key", "apiKey", "webhook_secret", "token"];
const PHASES: [(&str, Phase); 3] =
    [("opening", Phase::Opening), ("pairing", Phase::Pairing), ("linked", Phase::Linked)];

/// Parses and checks a file.
pub(super) fn parse(text: &str) -> Result<Dialect, Vec<Fault>> {
    let mut report = Report::new(text);
    if FILE_BYTES_MAX < text.len() {
        report.add(0..0, "", format!("is longer than {FILE_BYTES_MAX} bytes"), "split it, or leave notes out");
        return Err(report.finish());
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.add(
            error.span().unwrap_or(0..0),
            "",
            error.message(),
            "mend the TOML; other faults are looked for then",
        );
    }
    if !errors.is_empty() {
        return Err(report.finish());
    }
    let dialect = dialect(&mut report, &Section::root(&table));
    match (dialect, report.finish()) {
        (Some(dialect), faults) if faults.is_empty() => Ok(dialect),
        (_, faults) => Err(faults),
    }
}

/// Reads the whole file. None only where a fault was noted.
fn dialect(report: &mut Report<'_>, root: &Section<'_, '_>) -> Option<Dialect> {
    root.refuse_unknown(report, &ROOT_KEYS);
    let name = name(report, root);
    let path = root.need(report, "path", "write where the status is asked, as in path = \"/status\"");
    let path = path.and_then(|item| path_of(report, &item));
    let auth = root.get("auth").and_then(|item| auth(report, &item));
    let mut places = Places::parse(report, root);
    let rules = rules::rules(report, root, &mut places);
    let word = root.get("word").map(|item| words(report, &item, &mut places)).unwrap_or_default();
    let facts = facts(report, root, &mut places);
    let list = root.get("list").and_then(|item| list(report, &item));
    let speaks_of_session = root.get("refused").map(|item| refused(report, &item)).unwrap_or_default();
    let deep = root.get("deep").and_then(|item| deep(report, &item, &mut places));
    let qr = root.get("qr").and_then(|item| qr(report, &item));
    let history = root.get("history").and_then(|item| history(report, &item));
    let known_good = root.get("known_good").and_then(|item| known_good(report, &item));
    let vendor = root.get("vendor").and_then(|item| vendor(report, &item));
    let shown = facts.qr.and_then(|id| places.place(id)).map(|place| place.0.clone()).unwrap_or_default();
    let qr_texts = shown.into_iter().chain(qr.iter().flat_map(|probe| probe.text.iter().cloned())).collect();
    let logs = logs::rules(report, root);
    let (search, known_words) = places.finish();
    let text = |report: &mut Report<'_>, key| root.text(report, key).unwrap_or_default().trim().to_owned();
    Some(Dialect {
        title: text(report, "title"),
        notes: text(report, "notes"),
        name: name?,
        path: path?,
        auth,
        body: Body { search, rules, word, facts, list, known_words },
        speaks_of_session,
        deep,
        qr,
        qr_texts,
        history,
        proofs: Proofs { known_good, vendor },
        logs,
    })
}

fn name(report: &mut Report<'_>, root: &Section<'_, '_>) -> Option<String> {
    let item = root.need(report, "name", "write the gateway's name in small letters, as in name = \"waha\"")?;
    let text = item.text(report)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.bytes().all(plain) {
        item.fault(report, format!("{text:?} cannot name a dialect"), "use small letters, digits and '-'");
        return None;
    }
    Some(text.to_owned())
}

fn path_of(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<String> {
    let text = item.text(report)?;
    if let Err(what) = template::check(text) {
        item.fault(report, format!("{text:?} {what}"), "write a path such as /api/sessions/{session}");
        return None;
    }
    Some(text.to_owned())
}

fn auth(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Auth> {
    let section = item.section(report, &["header", "prefix"])?;
    let header = section.need(report, "header", "write the header's name, as in header = \"Authorization\"")?;
    let text = header.text(report)?;
    // The characters of a token in RFC 9110, 5.6.2.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.bytes().all(plain) {
        header.fault(report, format!("{text:?} is no header name"), "use letters, digits and '-'");
        return None;
    }
    let prefix = section.get("prefix").and_then(|item| item.value.as_str()).unwrap_or_default();
    if prefix.contains(|c: char| c.is_control()) {
        section.fault(report, "has control characters in its prefix", "write it as in prefix = \"Bearer \"");
        return None;
    }
    Some(Auth { header: text.to_owned(), prefix: prefix.to_owned() })
}

/// Reads the places of the words that are kept. These are shown, so none may be a place of secrets.
fn words(report: &mut Report<'_>, item: &Item<'_, '_>, places: &mut Places) -> Vec<PlaceId> {
    let ids = places.several(report, item);
    for key in
        ids.iter().filter_map(|id| places.place(*id)).flat_map(|place| &place.0).map(super::pointer::Pointer::last_key)
    {
        if SECRET_KEYS.contains(&key) {
            item.fault(report, format!("{key:?} holds a secret"), "words are shown as evidence; take another place");
        }
    }
    ids
}

fn facts(report: &mut Report<'_>, root: &Section<'_, '_>, places: &mut Places) -> FactPlaces {
    let Some(section) = root.get("facts").and_then(|item| item.section(report, &FACT_KEYS)) else {
        return FactPlaces::default();
    };
    let mut at = |key| section.get(key).and_then(|item| places.one(report, &item));
    FactPlaces {
        last_message: at("last_message"),
        messages: at("messages"),
        qr: at("qr"),
        progress: at("progress"),
        started: at("started"),
        version: at("version"),
        owner: at("owner"),
        local_hour: at("local_hour"),
    }
}

fn list(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<List> {
    let section = item.section(report, &["at", "name", "complete_if"])?;
    let mut pointers = |key, hint| {
        let items = section.need(report, key, hint).map(|item| item.one_or_more()).unwrap_or_default();
        items.iter().filter_map(|item| places::pointer(report, item)).collect()
    };
    let at = pointers("at", "write where the array is; \"\" is the whole body");
    let names = pointers("name", "write which pointers name an element, as in \"/name\"");
    Some(List { at, names, complete_if: section.text(report, "complete_if").map(str::to_owned) })
}

fn refused(report: &mut Report<'_>, item: &Item<'_, '_>) -> Vec<String> {
    let paths = item.section(report, &["of_session"]).and_then(|section| section.get("of_session"));
    let items = paths.map(|item| item.one_or_more()).unwrap_or_default();
    items.iter().filter_map(|item| path_of(report, item)).collect()
}

fn deep(report: &mut Report<'_>, item: &Item<'_, '_>, places: &mut Places) -> Option<DeepProbe> {
    let section = item.section(report, &["path", "dead", "dead_when", "timeout_fails"])?;
    let path = section.get("path").and_then(|item| path_of(report, &item));
    let dead = section.texts(report, "dead").into_iter().map(str::to_owned).collect();
    let dead_when = section.get("dead_when").and_then(|item| rules::conditions(report, &item, places));
    let timeout_fails = section.get("timeout_fails").and_then(|item| item.flag(report)).unwrap_or_default();
    Some(DeepProbe { path, dead, dead_when, timeout_fails })
}

fn qr(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<QrProbe> {
    let section = item.section(report, &["path", "text"])?;
    let path = section.need(report, "path", "write where the QR code is asked").and_then(|item| path_of(report, &item));
    let texts = section.need(report, "text", "write the pointer to the QR text, as in \"/qr\"")?.one_or_more();
    let text = texts.iter().filter_map(|item| places::pointer(report, item)).collect();
    Some(QrProbe { path: path?, text })
}

fn history(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<History> {
    let section = item.section(report, &["path", "rows", "id", "line"])?;
    let hint = "write where it is listed what happened to the session";
    let path = section.need(report, "path", hint).and_then(|item| path_of(report, &item));
    let mut pointers = |key, hint| -> Option<Vec<super::pointer::Pointer>> {
        let items = section.need(report, key, hint)?.one_or_more();
        Some(items.iter().filter_map(|item| places::pointer(report, item)).collect())
    };
    let rows = pointers("rows", "write where the array of rows is, as in \"/data\"");
    let id = pointers("id", "write where a row has its number, as in \"/id\"");
    let line = pointers("line", "write which texts of a row are the line that the log rules judge");
    Some(History { path: path?, rows: rows?, id: id?.into_iter().next()?, line: line? })
}

fn known_good(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<String> {
    let section = item.section(report, &["path"])?;
    let path = section.need(report, "path", "write a route that always answers, as in path = \"/ping\"")?;
    path_of(report, &path)
}

fn vendor(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Vendor> {
    let section = item.section(report, &["dialect", "session"])?;
    let name = section.need(report, "dialect", "write the vendor's dialect, as in dialect = \"wasender\"");
    let name = name.and_then(|item| {
        let text = item.text(report)?;
        let is_known = super::builtins().iter().any(|(known, _)| *known == text);
        if !is_known {
            item.fault(report, format!("{text:?} is not a built-in dialect"), "write the name of one");
        }
        is_known.then(|| text.to_owned())
    });
    let hint = "write where an answer has the session's number at the vendor, as in \"/data/sessionId\"";
    let session = section.need(report, "session", hint).and_then(|item| places::pointer(report, &item));
    Some(Vendor { dialect: name?, session: session? })
}

fn state(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<SessionState> {
    one_of(report, item, &SessionState::ALL.map(|state| (state.as_str(), state)))
}

fn phase(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Phase> {
    one_of(report, item, &PHASES)
}

/// Reads one word of a closed list.
fn one_of<T: Copy>(report: &mut Report<'_>, item: &Item<'_, '_>, words: &[(&str, T)]) -> Option<T> {
    let text = item.text(report)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        item.fault(report, format!("{text:?} is not known"), format!("write one of: {}", known.join(", ")));
    }
    found
}
