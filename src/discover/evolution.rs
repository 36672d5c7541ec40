//! The instances of an Evolution API server: `GET /instance/fetchInstances`.

use serde::Deserialize;

use super::account::{Asker, session};
use super::{Clock, Failed, Heard};
use crate::config::Account;
use crate::http::Http;

const DIALECT: &str = "evolution";

/// An instance, as version 2 and as version 1 write it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Row {
    Two { name: String },
    One { instance: Instance },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    instance_name: String,
}

pub(super) async fn ask(account: &Account, http: &Http, clock: &Clock) -> Result<Heard, Failed> {
    let asker = Asker::new(account, DIALECT, http, clock).await?;
    let rows: Vec<Row> = asker.get("/instance/fetchInstances").await?;
    let name = |row| match row {
        Row::Two { name } | Row::One { instance: Instance { instance_name: name } } => name,
    };
    let found = rows.into_iter().map(|row| session(account, DIALECT, name(row), None)).collect();
    Ok(Heard { found, odd: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        let rows: Vec<Row> = serde_json::from_str(
            r#"[{"id":"1","name":"shop","connectionStatus":"open","token":"t"},{"instance":{"instanceName":"old"}}]"#,
        )
        .unwrap();
        assert!(matches!(&rows[0], Row::Two { name } if name == "shop"));
        assert!(matches!(&rows[1], Row::One { instance } if instance.instance_name == "old"));
        assert!(serde_json::from_str::<Vec<Row>>(r#"[{"id":"1"}]"#).is_err());
    }
}
