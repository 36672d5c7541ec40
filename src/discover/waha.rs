//! The sessions of a WAHA server: `GET /api/sessions?all=true`. Without `all` stopped ones are left out.

use serde::Deserialize;

use super::account::{Asker, session};
use super::{Clock, Failed, Heard};
use crate::config::Account;
use crate::http::Http;

const DIALECT: &str = "waha";

#[derive(Debug, Deserialize)]
struct Row {
    name: String,
}

pub(super) async fn ask(account: &Account, http: &Http, clock: &Clock) -> Result<Heard, Failed> {
    let asker = Asker::new(account, DIALECT, http, clock).await?;
    let rows: Vec<Row> = asker.get("/api/sessions?all=true").await?;
    let found = rows.into_iter().map(|row| session(account, DIALECT, row.name, None)).collect();
    Ok(Heard { found, odd: Vec::new() })
}
