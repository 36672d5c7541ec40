//! The sessions of a `WasenderAPI` account: `GET /whatsapp-sessions` with the personal access token.
//!
//! The vendor's pages show the whole list in one answer. Where it comes in pages, as the framework behind it writes them, all of
//! them are read: half a list would take targets away.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::account::{Asker, session};
use super::{Clock, Failed, Heard};
use crate::config::{Account, Found};
use crate::http::Http;

const DIALECT: &str = "wasender";
/// Most pages of one list.
const PAGES_MAX: u64 = 100;

/// One answer. Rows carry keys and secrets too, which are not read.
#[derive(Debug, Deserialize)]
struct Answer {
    success: Option<bool>,
    data: Data,
    meta: Option<Paging>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Data {
    Rows(Vec<Row>),
    Page {
        data: Vec<Row>,
        #[serde(flatten)]
        paging: Paging,
    },
}

#[derive(Debug, Default, Deserialize)]
struct Paging {
    current_page: Option<u64>,
    last_page: Option<u64>,
    next_page_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: Id,
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

pub(super) async fn ask(account: &Account, http: &Http, clock: &Clock) -> Result<Heard, Failed> {
    let asker = Asker::new(account, DIALECT, http, clock).await?;
    // By number: a list that moves between two pages shows a session twice.
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for page in 1..=PAGES_MAX {
        let path = if page == 1 { "/whatsapp-sessions".to_owned() } else { format!("/whatsapp-sessions?page={page}") };
        let (rows, has_more) = read(asker.get(&path).await?, page)?;
        for Row { id, name } in rows {
            let id = match id {
                Id::Number(number) => number.to_string(),
                Id::Text(text) => text,
            };
            found.insert(id.clone(), session(account, DIALECT, id, name));
        }
        if !has_more {
            return Ok(Heard { found: in_order(found), odd: Vec::new() });
        }
    }
    Err(Failed::NotUnderstood(format!("it has more than {PAGES_MAX} pages")))
}

/// Returns the rows of a page, and whether another one follows.
fn read(answer: Answer, page: u64) -> Result<(Vec<Row>, bool), Failed> {
    if answer.success == Some(false) {
        return Err(Failed::NotUnderstood("it says that it failed".to_owned()));
    }
    let (rows, paging) = match answer.data {
        Data::Rows(rows) => (rows, answer.meta.unwrap_or_default()),
        Data::Page { data, paging } => (data, paging),
    };
    let Paging { current_page, last_page, next_page_url } = paging;
    if current_page.is_some_and(|current| current != page) {
        return Err(Failed::NotUnderstood(format!("page {page} was asked for, and another one came")));
    }
    Ok((rows, next_page_url.is_some() || last_page.is_some_and(|last| page < last)))
}

/// The oldest first: a session keeps the name that it had before a newer one of the same name came.
fn in_order(found: BTreeMap<String, Found>) -> Vec<Found> {
    let mut found: Vec<Found> = found.into_values().collect();
    found.sort_by_cached_key(|found| (found.key.parse::<u64>().unwrap_or(u64::MAX), found.key.clone()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str, number: u64) -> Result<(usize, bool), Failed> {
        read(serde_json::from_str(body).unwrap(), number).map(|(rows, more)| (rows.len(), more))
    }

    #[test]
    fn a_list_may_come_whole_or_in_pages() {
        let row = r#"{"id":16548,"name":"shop","phone_number":"+15550100","api_key":"k","webhook_secret":"s"}"#;
        assert_eq!(page(&format!(r#"{{"success":true,"data":[{row},{row}]}}"#), 1), Ok((2, false)));
        let paged = |more: &str| format!(r#"{{"success":true,"data":{{"current_page":2,"data":[{row}],{more}}}}}"#);
        assert_eq!(page(&paged(r#""last_page":3,"next_page_url":"x""#), 2), Ok((1, true)));
        assert_eq!(page(&paged(r#""last_page":2,"next_page_url":null"#), 2), Ok((1, false)));
        let meta = format!(r#"{{"data":[{row}],"meta":{{"current_page":1,"last_page":2}}}}"#);
        assert_eq!(page(&meta, 1), Ok((1, true)));
        assert!(page(&paged(r#""last_page":3"#), 1).is_err(), "it is asked for page 1 and sends page 2");
        assert!(page(r#"{"success":false,"data":[]}"#, 1).is_err());
        for bad in ["{}", "[]", r#"{"data":{}}"#, r#"{"data":[{"name":"x"}]}"#, r#"{"data":null}"#] {
            assert!(serde_json::from_str::<Answer>(bad).is_err(), "{bad}");
        }
    }
}
