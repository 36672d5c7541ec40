//! Attempts as JSON, of all targets together.

use std::cmp::Reverse;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use crate::engine::attempt::AttemptView;
use crate::engine::moment::Wall;
use crate::engine::snapshot::Snapshot;

use super::api::no_such_target;
use super::query::{BadQuery, Query, limit};
use super::reply::{Answer, json};

/// How many attempts are listed when nobody says.
const ATTEMPTS_DEFAULT: usize = 100;
/// Most attempts that are listed.
const ATTEMPTS_MAX: usize = 1000;

#[derive(Serialize)]
struct Listing<'a> {
    at: Wall,
    /// How many fit the query, also those beyond the limit.
    found: usize,
    attempts: Vec<&'a AttemptView>,
}

/// Answers with the attempts that fit a query, newest first.
pub(super) fn list(snapshot: &Snapshot, query: &Query<'_>) -> Result<Answer, BadQuery> {
    let [target, most] = query.only(&["target", "limit"])?;
    let most = limit(most, ATTEMPTS_DEFAULT, ATTEMPTS_MAX)?;
    if target.is_some_and(|name| snapshot.target(name).is_none()) {
        return Ok(no_such_target());
    }
    let views = snapshot.targets.iter().filter(|view| target.is_none_or(|name| view.target.as_str() == name));
    let mut attempts: Vec<&AttemptView> = views.flat_map(|view| view.care.attempts.iter().map(Arc::as_ref)).collect();
    attempts.sort_by_key(|attempt| (Reverse(attempt.id), &attempt.target));
    let found = attempts.len();
    attempts.truncate(most);
    Ok(json(StatusCode::OK, &Listing { at: snapshot.at, found, attempts }))
}
