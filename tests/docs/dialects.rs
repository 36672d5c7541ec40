//! The dialect that docs/dialects.md shows works as it stands there.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use wa_watchdog::config;
use wa_watchdog::dialect::{Heard, Pace, Route};
use wa_watchdog::engine::sample::SessionState;
use wa_watchdog::engine::{Ask, Wall};

use crate::read;

#[test]
fn the_dialect_that_is_shown_understands_its_gateway() {
    let text = read("docs/dialects.md");
    let mut blocks = text.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let (dialect, settings) = (blocks.next().unwrap(), blocks.next().unwrap());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("my-gateway.toml"), dialect).unwrap();
    let settings = config::parse(settings, "docs/dialects.md", folder.path(), &BTreeMap::new()).unwrap();
    let target = &settings.targets["shop"];
    let route = Route { session: target.session.as_deref(), status_path: None };
    assert_eq!(target.dialect.path(Ask::Status, route).as_deref(), Some("/sessions/shop"));
    let state = |body: &str| {
        let heard = Heard::Reply { status: 200, pace: Pace::default(), body: body.as_bytes() };
        let read = target.dialect.read(Ask::Status, route, Wall::from_secs(0), Duration::ZERO, heard);
        read.answer().map(|answer| (answer.state, answer.facts.messages))
    };
    assert_eq!(state(r#"{"session":{"state":"online"},"messages":17}"#), Some((SessionState::Connected, Some(17))));
    assert_eq!(state(r#"{"session":{"state":"qr"}}"#), Some((SessionState::NeedsScan, None)));
    assert_eq!(state(r#"{"session":{"state":"humming"}}"#), Some((SessionState::Unknown, None)));
    let line = target.dialect.read_log("session replaced by another client").unwrap();
    assert_eq!(line.state, SessionState::Conflict);
}
