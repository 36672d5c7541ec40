//! The watchdog's own house: its configuration, its ledger, and what it did.

use std::path::Path;

use rustix::fs::{Access, access};
use serde::Deserialize;

use super::Patient;
use super::finding::Line;
use crate::cli::operate::reachable;
use crate::engine::moment::{Wall, words};
use crate::store::Reader;

pub(super) fn lines(patient: &Patient<'_>) -> Vec<Line> {
    vec![twins(patient), ledger(&patient.settings.store.path)]
}

/// Looks for another target that is the same session.
fn twins(patient: &Patient<'_>) -> Line {
    const CHECK: &str = "configured once";
    let mine = &patient.target;
    let same = patient
        .settings
        .targets
        .values()
        .filter(|other| other.id != mine.id && other.url == mine.url && other.session == mine.session);
    let names: Vec<&str> = same.map(|other| other.id.as_str()).collect();
    if names.is_empty() {
        return Line::well(CHECK, "no other target asks the same session");
    }
    let advice = "take one out, or give each its own session: two would act on one service at once";
    Line::ill(CHECK, format!("{} asks the same session", names.join(", ")), advice)
}

fn ledger(path: &Path) -> Line {
    const CHECK: &str = "ledger";
    let shown = path.display();
    let advice = "let the user of the watchdog write there: without it incidents and budgets do not outlive a restart";
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // SQLite makes files beside it.
    let place = if path.exists() { [folder, path] } else { [folder, folder] };
    if let Some(error) = place.iter().find_map(|place| access(*place, Access::WRITE_OK).err()) {
        return Line::ill(CHECK, format!("{shown} cannot be written: {error}"), advice);
    }
    if !path.exists() {
        return Line::well(CHECK, format!("{shown} is not there yet, and can be made"));
    }
    match Reader::open(path) {
        Ok(_reader) => Line::well(CHECK, format!("{shown} can be read and written")),
        Err(error) => Line::ill(CHECK, format!("{shown}: {error}"), "see the message; a copy of it may be in a backup"),
    }
}

/// What a running watchdog knows.
#[derive(Debug, Deserialize)]
struct Known {
    care: Care,
}

#[derive(Debug, Deserialize)]
struct Care {
    resets: Resets,
}

#[derive(Debug, Deserialize)]
struct Resets {
    day: u32,
    week: u32,
    month: u32,
    grade: String,
    underlying_problem: bool,
    gave_up: bool,
}

#[derive(Debug, Deserialize)]
struct Attempts {
    attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    at: Wall,
    destroys: bool,
}

/// Asks the running watchdog how often resets were needed.
pub(super) async fn past(patient: &Patient<'_>) -> Vec<Line> {
    const CHECK: &str = "resets";
    let api = patient.args.api.clone().or(Some(reachable(patient.settings.server.listen)));
    let name = &patient.target.id;
    let known = match api.text(&format!("/api/v1/targets/{name}")).await {
        Ok(text) => serde_json::from_str::<Known>(&text).map_err(|_| "its answer is not understood".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let Resets { day, week, month, grade, underlying_problem, gave_up } = match known {
        Ok(Known { care: Care { resets } }) => resets,
        Err(why) => return vec![Line::blind(CHECK, why)],
    };
    let attempts = api.text(&format!("/api/v1/attempts?target={name}")).await.ok();
    let attempts = attempts.and_then(|text| serde_json::from_str::<Attempts>(&text).ok());
    let last = attempts.and_then(|list| list.attempts.into_iter().filter(|one| one.destroys).map(|one| one.at).max());
    let last = last.map_or_else(String::new, |at| format!("; the last one {} ago", words(patient.now.since(at))));
    let seen = format!("{grade}: {day} in 24 h, {week} in 7 d, {month} in 30 d{last}");
    let often = matches!(grade.as_str(), "weekly" | "daily");
    let advice = "something else is wrong: look at log, memory, network and versions, then wa-watchdog ack";
    vec![if often || underlying_problem || gave_up { Line::ill(CHECK, seen, advice) } else { Line::well(CHECK, seen) }]
}
