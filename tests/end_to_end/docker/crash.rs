//! The watchdog killed after every single entry of a reset by quarantine: the session is moved aside exactly once, and the service runs.

use std::time::{Duration, Instant};

use super::super::crash::Entries;
use super::super::{Daemon, PATIENCE, run, text};
use super::host::{Host, Service};
use super::{POLICY, connected};

/// Intended; find, look, stop, look, quarantine and its check count as one, start: the start and end of each; the run's end.
const ENTRIES: u32 = 14;

#[test]
#[ignore = "needs a Docker daemon: scripts/check-docker"]
fn killed_after_every_entry_of_a_reset() {
    let host = Host::of_test();
    for first in (1..=ENTRIES).step_by(4) {
        std::thread::scope(|scope| {
            for entries in first..(first + 4).min(ENTRIES + 1) {
                let host = &host;
                scope.spawn(move || play(host, entries));
            }
        });
    }
}

fn play(host: &Host, entries: u32) {
    let service = Service::start(host, &format!("crash-{entries}"), &[]);
    let old = service.linked();
    let config = format!("{POLICY}{}{}", service.target("shop"), service.hooks("shop"));
    let first = Daemon::start(service.directory(), &config);
    first.wait_for("the session", connected);
    let ledger = Entries::of(service.directory());
    ledger.hold_after(entries);
    let url = format!("http://{}", first.address);
    let mut order = std::process::Command::new(env!("CARGO_BIN_EXE_wa-watchdog"));
    order.args(["reset", "shop", "--yes", "--reason", "to see", "--who", "ana", "--url", &url]);
    let mut order = order.spawn().expect("the binary runs");
    let begin = Instant::now();
    while ledger.count() < entries {
        assert!(begin.elapsed() < PATIENCE.saturating_mul(2), "{entries} entries: only {}", ledger.count());
        std::thread::sleep(Duration::from_millis(10));
    }
    first.signal("KILL");
    drop(first);
    drop(order.wait());
    assert_eq!(ledger.count(), entries, "not one entry more");
    ledger.let_go();

    let second = Daemon::start(service.directory(), &config);
    second.wait_long_for(&format!("after {entries} entries: closed and well"), |daemon| {
        ledger.is_closed() && connected(daemon)
    });
    let path = service.directory().join("ledger.db").display().to_string();
    let history = text(&run(&["history", "--ledger", &path]).stdout);
    assert!(service.is_running(), "after {entries} entries: it runs\n{history}");
    let aside = service.quarantines();
    // Where not even the first act was durable nothing was done, and nothing is lost.
    let is_untouched = service.linked() == old;
    assert!(aside.len() == usize::from(!is_untouched), "after {entries} entries: {aside:?}\n{history}");
    assert!(aside.iter().all(|attempt| service.linked_aside(attempt) == old), "{aside:?}\n{history}");
    assert!(entries <= 3 || !is_untouched, "after {entries} entries: it went on\n{history}");
    assert_eq!(second.stop().0, Some(0));
}
