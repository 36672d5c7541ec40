//! The ledger on a real disk: what was answered as recorded is there, whatever happened since.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper that fails fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use wa_watchdog::engine::day::CELLS;
use wa_watchdog::engine::evidence::{Evidence, Exhibit};
use wa_watchdog::engine::incident::{Closing, IncidentId};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::ledger::{Fact, LedgerEntry, Seq};
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::policy::{Policy, Watch};
use wa_watchdog::engine::sample::{SessionState, Word};
use wa_watchdog::engine::{Moment, TargetId, Wall, Watchdog};
use wa_watchdog::store::{
    CHANGES_PER_TARGET_MAX, ENTRIES_PER_INCIDENT_MAX, INCIDENTS_RESTORED_MAX, NotTaken, QUEUE_MAX, Query, Reader,
    Sorting, Store, StoreError,
};

use helpers::{Ledger, append, append_all, assert_holds, changed, closed, opened, state, verdict, word};

#[path = "store/helpers.rs"]
mod helpers;

const DAY: i64 = 86_400;

/// Tells the test that runs as a child which ledger to write without end.
const CHILD_LEDGER: &str = "WA_WATCHDOG_TEST_LEDGER";

// === What is recorded stays ===

#[test]
fn entries_survive_a_reopen_in_the_order_of_writing() {
    let ledger = Ledger::new();
    let (store, answers) = ledger.open();
    // The clock went back between the two: the order of writing holds.
    append_all(&store, answers, [state("shop", 20, "a"), state("shop", 10, "b")]);
    store.close();

    let (store, answers) = ledger.open();
    append_all(&store, answers, [state("shop", 30, "c")]);
    drop(store);
    assert_eq!(ledger.words(), ["a", "b", "c"]);
}

#[test]
fn closing_writes_what_is_queued_up_and_its_answers_can_still_be_read() {
    let ledger = Ledger::new();
    let (store, mut answers) = ledger.open();
    for number in 0..500 {
        store.append(Seq(number), state("shop", 1, "x")).unwrap();
    }
    store.close();
    let answered: Vec<Seq> = std::iter::from_fn(|| answers.blocking_recv()).map(|answer| answer.seq).collect();
    assert_eq!(answered, (0..500).map(Seq).collect::<Vec<_>>());
    assert_eq!(ledger.words().len(), 500);
}

/// Runs for a short while as a test of its own, and without end as the child of the test below.
#[test]
fn entries_are_answered_once_each_in_order() {
    let (ledger, rounds) = match env::var_os(CHILD_LEDGER) {
        Some(path) => (Ledger::at(path.into()), u64::MAX),
        None => (Ledger::new(), 300),
    };
    let (store, mut answers) = ledger.open();
    let mut out = std::io::stdout();
    for number in 0..rounds {
        store.append(Seq(number), state("shop", 1, &number.to_string())).unwrap();
        // A few are always on their way, so that a kill finds a transaction open.
        let Some(due) = number.checked_sub(20) else { continue };
        let answer = answers.blocking_recv().unwrap();
        assert_eq!(answer.seq, Seq(due));
        answer.result.unwrap();
        writeln!(out, "\nrecorded {due}").unwrap();
    }
}

#[test]
fn a_kill_loses_nothing_that_was_answered_as_recorded() {
    let ledger = Ledger::new();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "entries_are_answered_once_each_in_order", "--nocapture", "--test-threads=1"])
        .env(CHILD_LEDGER, &ledger.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut recorded = lines.filter_map(|line| line.ok()?.strip_prefix("recorded ").map(str::to_owned));

    let mut promised: Vec<String> = recorded.by_ref().take(400).collect();
    assert_eq!(promised.len(), 400);
    // Another process reads while the daemon writes.
    assert_holds(&ledger.words(), &promised);

    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    promised.extend(recorded);
    assert_holds(&ledger.words(), &promised);
    // The next daemon takes it over as it is.
    let (store, answers) = ledger.open();
    append_all(&store, answers, [state("shop", 2, "after")]);
    assert_holds(&ledger.words(), &promised);
    assert_eq!(ledger.words().last().map(String::as_str), Some("after"));
}

#[test]
fn a_ledger_that_is_moved_away_fails_entries_until_it_is_back() {
    let ledger = Ledger::new();
    let (store, mut answers) = ledger.open();
    let (here, away) = (ledger.folder.path().join("deep"), ledger.folder.path().join("away"));
    assert!(append(&store, &mut answers, state("shop", 1, "before")).result.is_ok());

    fs::rename(&here, &away).unwrap();
    assert!(append(&store, &mut answers, state("shop", 1, "lost")).result.is_err());

    fs::rename(&away, &here).unwrap();
    assert!(append(&store, &mut answers, state("shop", 1, "after")).result.is_ok());
    assert_eq!(ledger.words(), ["before", "after"]);
}

#[test]
fn a_ledger_that_is_deleted_under_the_daemon_is_begun_anew() {
    let ledger = Ledger::new();
    let (store, mut answers) = ledger.open();
    assert!(append(&store, &mut answers, state("shop", 1, "deleted")).result.is_ok());
    for file in fs::read_dir(ledger.path.parent().unwrap()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert!(append(&store, &mut answers, state("shop", 1, "kept")).result.is_ok());
    assert_eq!(ledger.words(), ["kept"]);
}

#[test]
fn an_entry_beyond_the_limit_is_refused_at_once_and_counted() {
    let ledger = Ledger::new();
    let (store, mut answers) = Store::open(&ledger.path, Duration::MAX, 2).unwrap();
    let append = |number| store.append(Seq(number), state("shop", 1, "x"));
    assert_eq!([append(0), append(1), append(2)], [Ok(()), Ok(()), Err(NotTaken::Full)]);
    assert_eq!(store.refused(), 1);
    assert_eq!(answers.blocking_recv().unwrap().seq, Seq(0));
    assert_eq!(append(3), Ok(()));
}

#[test]
fn an_entry_whose_answer_nobody_can_read_is_refused() {
    let (store, answers) = Store::in_memory().unwrap();
    drop(answers);
    assert_eq!(store.append(Seq(0), state("shop", 1, "x")), Err(NotTaken::Stopped));
}

// === What is no ledger is left alone ===

#[test]
fn a_new_ledger_belongs_to_its_user_alone_and_says_whose_it_is() {
    let ledger = Ledger::new();
    let (store, answers) = ledger.open();
    append_all(&store, answers, [state("shop", 1, "x")]);
    for file in fs::read_dir(ledger.path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
    }
    drop(store);
    // Where https://sqlite.org/fileformat2.html#application_id puts it.
    assert_eq!(fs::read(&ledger.path).unwrap().get(68..72), Some(b"wadg".as_slice()));
}

#[test]
fn a_ledger_of_a_newer_program_is_refused_untouched() {
    let ledger = Ledger::new();
    ledger.open().0.close();
    ledger.sql("PRAGMA user_version = 999");
    let before = fs::read(&ledger.path).unwrap();
    for refusal in ledger.refusals() {
        assert!(matches!(refusal, StoreError::Newer { found: 999, .. }), "{refusal:?}");
        assert!(refusal.to_string().contains("run the newer program"), "{refusal}");
    }
    assert_eq!(fs::read(&ledger.path).unwrap(), before);
}

#[test]
fn the_database_of_another_program_is_refused_untouched() {
    for strange in ["CREATE TABLE theirs (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"] {
        let ledger = Ledger::new();
        ledger.make_folder();
        ledger.sql(strange);
        let before = fs::read(&ledger.path).unwrap();
        for refusal in ledger.refusals() {
            assert!(matches!(refusal, StoreError::Foreign { .. }), "{refusal:?}");
        }
        assert_eq!(fs::read(&ledger.path).unwrap(), before);
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_untouched() {
    let ledger = Ledger::new();
    ledger.make_folder();
    fs::write(&ledger.path, "mode = \"observe\"\n".repeat(500)).unwrap();
    let before = fs::read(&ledger.path).unwrap();
    for refusal in ledger.refusals() {
        assert!(matches!(refusal, StoreError::Damaged { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains("move it away"), "{refusal}");
    }
    assert_eq!(fs::read(&ledger.path).unwrap(), before);
}

#[test]
fn a_damaged_ledger_is_refused() {
    let ledger = Ledger::new();
    let (store, answers) = ledger.open();
    append_all(&store, answers, (0..200).map(|number| state("shop", number, "x")));
    store.close();
    let mut bytes = fs::read(&ledger.path).unwrap();
    bytes.iter_mut().skip(100).for_each(|byte| *byte = 0xA5);
    fs::write(&ledger.path, bytes).unwrap();
    for refusal in ledger.refusals() {
        assert!(matches!(refusal, StoreError::Damaged { .. }), "{refusal:?}");
    }
}

#[test]
fn a_row_that_was_spoilt_by_hand_is_named() {
    let ledger = Ledger::new();
    let (store, answers) = ledger.open();
    append_all(&store, answers, [state("shop", 1, "x"), state("mill", 1, "x")]);
    store.close();
    ledger.sql("UPDATE ledger SET body = '{' WHERE id = 2");
    let refusal = ledger.reader().load_for_restore().unwrap_err();
    assert!(matches!(refusal, StoreError::Entry { id: 2, .. }), "{refusal:?}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let ledger = Ledger::new();
    fs::write(ledger.folder.path().join("deep"), "a file").unwrap();
    let refusal = Store::open(&ledger.path, Duration::MAX, 1).unwrap_err();
    assert!(matches!(refusal, StoreError::Folder { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("deep"), "{refusal}");
}

#[test]
fn reading_creates_no_ledger() {
    let ledger = Ledger::new();
    let refusal = Reader::open(&ledger.path).unwrap_err();
    assert!(matches!(refusal, StoreError::Missing { .. }), "{refusal:?}");
    assert!(!ledger.path.exists());
}

// === What is read back ===

#[test]
fn a_restore_brings_the_last_state_and_verdict_of_every_target() {
    let (store, answers) = Store::in_memory().unwrap();
    let entries = [
        state("shop", 1, "old"),
        verdict("shop", 2, "old"),
        state("mill", 3, "mill"),
        verdict("shop", 4, "shop"),
        state("shop", 5, "shop"),
    ];
    append_all(&store, answers, entries.clone());
    assert_eq!(store.reader().load_for_restore().unwrap(), entries);
}

#[test]
fn a_restore_brings_what_the_last_day_of_each_target_is_told_from_and_no_more() {
    let (store, answers) = Store::in_memory().unwrap();
    let most = i64::from(CHANGES_PER_TARGET_MAX);
    // One that changes all the time takes nothing away from one that changed long ago.
    let still = [state("mill", 1, "still"), verdict("mill", 2, "still")];
    let busy = (3..2 * most).flat_map(|at| [state("shop", at, "busy"), verdict("shop", at, "busy")]);
    append_all(&store, answers, still.clone().into_iter().chain(busy));
    let restored = store.reader().load_for_restore().unwrap();
    let of = |kind, name: &str| {
        let is_of = |entry: &&LedgerEntry| entry.fact.kind() == kind && entry.target.as_str() == name;
        restored.iter().filter(is_of).map(|entry| entry.at).collect::<Vec<_>>()
    };
    let newest: Vec<Wall> = (most..2 * most).map(Wall::from_secs).collect();
    assert_eq!((of("state_changed", "shop"), of("verdict_changed", "shop")), (newest.clone(), newest));
    assert_eq!(restored.into_iter().take(2).collect::<Vec<_>>(), still);
}

#[test]
fn the_last_day_of_a_session_comes_back_out_of_the_ledger() {
    let (store, answers) = Store::in_memory().unwrap();
    let suspect = Fact::VerdictChanged {
        verdict: String::from("suspect"),
        pattern: Some(Pattern::StateLoop),
        why: String::from("loops"),
    };
    let shop = TargetId::new("shop").unwrap();
    let entry =
        |minute: i64, fact| LedgerEntry { at: Wall::from_secs(600_000 + 60 * minute), target: shop.clone(), fact };
    let state = |to| Fact::StateChanged { from: None, to, word: None };
    let entries = [
        entry(0, state(SessionState::Connected)),
        entry(20, state(SessionState::Disconnected)),
        entry(30, state(SessionState::Connected)),
        entry(40, suspect),
        entry(50, Fact::VerdictChanged { verdict: String::from("healthy"), pattern: None, why: String::new() }),
        entry(60, state(SessionState::NeedsScan)),
    ];
    append_all(&store, answers, entries);
    let remembered = store.reader().load_for_restore().unwrap();
    let now = Moment { uptime: Duration::ZERO, wall: Wall::from_secs(600_000 + 60 * 70) };
    let policy = Policy { targets: BTreeMap::from([(shop, Watch::default())]), ..Policy::default() };
    let newest = |remembered: &[LedgerEntry], now: Moment| {
        let snapshot = Watchdog::restore(policy.clone(), remembered, now).snapshot(now);
        let cells = snapshot.targets.first().unwrap().day.cells().to_owned();
        cells.iter().skip(CELLS - 9).map(|cell| cell.as_str()).collect::<Vec<_>>()
    };
    let told = ["nothing", "well", "well", "unsettled", "unsettled", "unsettled", "unsettled", "waiting", "waiting"];
    assert_eq!(newest(&remembered, now), told);

    // Somebody watched for ten minutes more, and then nobody for forty.
    let began = Fact::Began { watched_until: Some(Wall::from_secs(600_000 + 60 * 70)) };
    let later = Moment { uptime: Duration::ZERO, wall: Wall::from_secs(600_000 + 60 * 110) };
    let remembered = [remembered, vec![LedgerEntry { at: later.wall, target: TargetId::all(), fact: began }]].concat();
    let told =
        ["unsettled", "unsettled", "unsettled", "waiting", "waiting", "nothing", "nothing", "nothing", "waiting"];
    assert_eq!(newest(&remembered, later), told, "what nobody saw stays empty");
}

#[test]
fn a_ledger_knows_until_when_it_was_held_by_somebody_who_watched() {
    let ledger = Ledger::new();
    let (store, _answers) = ledger.open();
    assert_eq!(store.watched_until(), None, "nobody before");
    for secs in [7_000, 7_030, 7_061, 7_100] {
        store.mark(Wall::from_secs(secs));
    }
    store.close();
    let (store, _answers) = ledger.open();
    assert_eq!(store.watched_until(), Some(Wall::from_secs(7_061)), "marked once a minute");
}

#[test]
fn a_restore_of_a_large_ledger_is_small_and_complete() {
    const INCIDENTS: u64 = 25_000;
    let ledger = Ledger::new();
    ledger.open().0.close();
    // Incident 1 stays open and changes its pattern 250 times; the others open and close, among endless changes of state.
    let entries = (1..=INCIDENTS).flat_map(|number| {
        let (target, at) = (format!("t{}", number % 50), i64::try_from(number).unwrap());
        let last = match number {
            1 => verdict(&target, at, "still open"),
            _ => closed(&target, at, number),
        };
        let extra = (number % 100 == 0).then(|| changed("t1", at, 1));
        [state(&target, at, "a"), state(&target, at, "b"), opened(&target, at, number), last].into_iter().chain(extra)
    });
    ledger.fill(entries);

    let restored = ledger.reader().load_for_restore().unwrap();
    let of = |number| restored.iter().filter(move |entry| entry.fact.incident() == Some(IncidentId(number))).count();
    let incidents: BTreeSet<u64> = restored.iter().filter_map(|entry| Some(entry.fact.incident()?.0)).collect();
    let newest = INCIDENTS + 1 - u64::from(INCIDENTS_RESTORED_MAX)..=INCIDENTS;
    assert_eq!(incidents, std::iter::once(1).chain(newest).collect());
    assert_eq!((of(1), of(INCIDENTS)), (usize::try_from(ENTRIES_PER_INCIDENT_MAX).unwrap(), 2));
    let first = restored.iter().find(|entry| entry.fact.incident().is_some()).unwrap();
    assert!(matches!(first.fact, Fact::IncidentOpened { incident: IncidentId(1), .. }));
    let last_states = restored.iter().filter(|entry| entry.fact.kind() == "state_changed");
    // Of each of the fifty.
    assert_eq!(last_states.count(), 50 * usize::try_from(CHANGES_PER_TARGET_MAX).unwrap());
}

#[test]
fn a_restore_holds_the_highest_incident_number_even_when_others_closed_later() {
    let (store, answers) = Store::in_memory().unwrap();
    let last = 2 * u64::from(INCIDENTS_RESTORED_MAX);
    let openings = (1..=last).map(|number| opened("shop", 1, number));
    let closings = (1..=last).rev().map(|number| closed("shop", 2, number));
    append_all(&store, answers, openings.chain(closings));
    let restored = store.reader().load_for_restore().unwrap();
    assert_eq!(restored.iter().filter_map(|entry| entry.fact.incident()).max(), Some(IncidentId(last)));
    assert_eq!(restored.len(), 2 * (usize::try_from(INCIDENTS_RESTORED_MAX).unwrap() + 1));
}

#[test]
fn a_query_takes_what_it_names_page_by_page() {
    let (store, answers) = Store::in_memory().unwrap();
    let entries = [state("shop", 1, "a"), state("mill", 2, "b"), opened("shop", 3, 7), state("shop", 4, "c")];
    append_all(&store, answers, entries);
    let reader = store.reader();
    let ids = |query: Query| -> Vec<i64> { reader.query(&query).unwrap().into_iter().map(|(id, _)| id).collect() };
    let all = Query::default;
    let shop = || Some(TargetId::new("shop").unwrap());
    let kinds = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
    let (since, until) = (Some(Wall::from_secs(2)), Some(Wall::from_secs(4)));
    let sorting = Sorting::OldestFirst;

    assert_eq!(ids(all()), [4, 3, 2, 1]);
    assert_eq!(ids(Query { sorting, ..all() }), [1, 2, 3, 4]);
    assert_eq!(ids(Query { target: shop(), ..all() }), [4, 3, 1]);
    assert_eq!(ids(Query { kinds: kinds(&["state_changed"]), target: shop(), ..all() }), [4, 1]);
    let two_kinds = kinds(&["incident_opened", "state_changed"]);
    assert_eq!(ids(Query { kinds: two_kinds, limit: Some(2), ..all() }), [4, 3]);
    assert!(ids(Query { kinds: kinds(&["'; DROP TABLE ledger; --"]), ..all() }).is_empty());
    assert_eq!(ids(Query { incident: Some(IncidentId(7)), ..all() }), [3]);
    assert_eq!(ids(Query { since, until, ..all() }), [3, 2]);
    assert_eq!(ids(Query { after: Some(3), limit: Some(1), ..all() }), [2]);
    assert_eq!(ids(Query { after: Some(3), sorting, ..all() }), [4]);
}

#[test]
fn a_reader_neither_stops_the_writer_nor_sees_what_came_after_it() {
    let ledger = Ledger::new();
    let (store, mut answers) = ledger.open();
    for _ in 0..3 {
        assert!(append(&store, &mut answers, state("shop", 1, "before")).result.is_ok());
    }
    let mut seen = Vec::new();
    let visited = ledger.reader().for_each(&Query::default(), |_, entry| {
        assert!(append(&store, &mut answers, state("shop", 2, "meanwhile")).result.is_ok());
        seen.push(word(&entry).to_owned());
        ControlFlow::Continue(())
    });
    visited.unwrap();
    assert_eq!(seen, ["before"; 3]);
    assert_eq!(ledger.words().len(), 6);
}

#[test]
fn a_reader_stops_when_it_has_seen_enough() {
    let (store, answers) = Store::in_memory().unwrap();
    append_all(&store, answers, [state("shop", 1, "a"), state("shop", 1, "b")]);
    let mut seen = Vec::new();
    let visited = store.reader().for_each(&Query::default(), |id, _| {
        seen.push(id);
        ControlFlow::Break(())
    });
    visited.unwrap();
    assert_eq!(seen, [2]);
}

#[test]
fn ledgers_in_memory_are_apart() {
    let (one, answers) = Store::in_memory().unwrap();
    let (other, _answers) = Store::in_memory().unwrap();
    append_all(&one, answers, [state("shop", 1, "x")]);
    assert_eq!(one.reader().query(&Query::default()).unwrap().len(), 1);
    assert_eq!(other.reader().query(&Query::default()).unwrap().len(), 0);
}

// === What is too old goes ===

#[test]
fn old_entries_go_and_what_a_restart_needs_stays() {
    let ledger = Ledger::new();
    let (store, answers) = Store::open(&ledger.path, Duration::from_hours(24 * 30), QUEUE_MAX).unwrap();
    let kept = [
        opened("shop", 2, 1),
        changed("shop", 3, 1),
        verdict("shop", 6, "last of a quiet target"),
        state("shop", 6, "last of a quiet target"),
        opened("mill", 7, 3),
        closed("mill", 80 * DAY, 3),
        opened("mill", 9, 4),
        closed("mill", 10, 4),
        state("mill", 80 * DAY, "young"),
    ];
    let gone = (0..2000).map(|at| state("shop", at, "old")).chain([
        verdict("shop", 1, "old"),
        opened("mill", 4, 2),
        closed("mill", 5, 2),
    ]);
    // Without a sweep of its own: written past the thread.
    ledger.fill(gone.chain(kept.clone()));
    assert_eq!(ledger.entries().len(), 2003 + kept.len());

    store.retain(Wall::from_secs(100 * DAY));
    ledger.wait_until_it_holds(kept.len());
    assert_eq!(ledger.entries(), kept);
    assert_eq!(ledger.numbers_of("SELECT incident FROM open_incident"), [1]);
    drop((store, answers));
}

#[test]
fn time_that_passes_in_the_entries_is_enough_to_delete_old_ones() {
    let ledger = Ledger::new();
    let (store, mut answers) = Store::open(&ledger.path, Duration::from_hours(24), QUEUE_MAX).unwrap();
    for at in [0, 1, 2, 10 * DAY] {
        assert!(append(&store, &mut answers, state("shop", at, "x")).result.is_ok());
    }
    ledger.wait_until_it_holds(1);
}

#[test]
fn the_number_of_a_deleted_entry_is_not_used_again() {
    let ledger = Ledger::new();
    let (store, answers) = ledger.open();
    append_all(&store, answers, [state("shop", 1, "a"), state("shop", 1, "b")]);
    store.close();
    ledger.sql("DELETE FROM ledger");
    let (store, answers) = ledger.open();
    append_all(&store, answers, [state("shop", 1, "c")]);
    assert_eq!(ledger.numbers_of("SELECT id FROM ledger"), [3]);
}

// === Whatever is written is read ===

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_entry_reads_back_as_it_was_written(entries in prop::collection::vec(any_entry(), 1..20)) {
        let (store, answers) = Store::in_memory().unwrap();
        append_all(&store, answers, entries.clone());
        let lines = store.reader().query(&Query { sorting: Sorting::OldestFirst, ..Query::default() }).unwrap();
        prop_assert_eq!(lines.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>(), entries);
        prop_assert!(store.reader().load_for_restore().is_ok());
    }
}

fn any_entry() -> impl Strategy<Value = LedgerEntry> {
    (any::<i64>(), "[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", any_fact()).prop_map(|(millis, name, fact)| LedgerEntry {
        at: Wall::from_millis(millis),
        target: TargetId::new(&name).unwrap(),
        fact,
    })
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let state = || prop::sample::select(SessionState::ALL.to_vec());
    let pattern = || prop::sample::select(Pattern::ALL.to_vec());
    let remedy = || prop::sample::select(Remedy::ALL.to_vec());
    let incident = || any::<u64>().prop_map(IncidentId);
    let wall = || any::<i64>().prop_map(Wall::from_millis);
    let how = prop::sample::select(vec![Closing::Recovered, Closing::Stopped, Closing::Unwatched]);
    let evidence = || {
        let exhibit = (wall(), any::<String>()).prop_map(|(at, seen)| Exhibit { at, seen });
        (any::<String>(), prop::collection::vec(exhibit, 0..4)).prop_map(|(text, samples)| Evidence::new(text, samples))
    };
    prop_oneof![
        (prop::option::of(state()), state(), prop::option::of(any::<String>()))
            .prop_map(|(from, to, word)| { Fact::StateChanged { from, to, word: word.map(|word| Word::new(&word)) } }),
        (any::<String>(), prop::option::of(pattern()), any::<String>())
            .prop_map(|(verdict, pattern, why)| Fact::VerdictChanged { verdict, pattern, why }),
        (incident(), pattern(), remedy(), evidence()).prop_map(|(incident, pattern, remedy, evidence)| {
            Fact::IncidentOpened { incident, pattern, remedy, evidence }
        }),
        (incident(), pattern(), pattern(), remedy(), evidence()).prop_map(|(incident, from, to, remedy, evidence)| {
            Fact::PatternChanged { incident, from, to, remedy, evidence }
        }),
        (incident(), pattern(), wall(), how).prop_map(|(incident, pattern, opened, how)| Fact::IncidentClosed {
            incident,
            pattern,
            opened,
            how
        }),
    ]
}
