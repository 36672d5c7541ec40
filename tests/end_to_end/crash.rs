//! The watchdog killed after every single entry of a reset: whatever it had written, the session is wiped exactly once and the run is
//! closed.
//!
//! A trigger in the ledger makes the entry after the one in question so slow that the kill comes before it is durable.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::gateway::{Does, Gateway};
use super::{Daemon, PATIENCE, run, text};

const CONNECTED: &str = r#"{"connected":true,"hasQR":false,"state":"CONNECTED"}"#;
const EXPIRED: &str = r#"{"connected":false,"hasQR":false,"state":"LOGOUT"}"#;
const POLICY: &str = "mode = \"act\"\n[policy]\npoll_every = \"1s\"\ntimeout = \"800ms\"\nsteady = \"2s\"\n[policy.hand_off]\nafter = \"1s\"\n";

/// Counts the entries of attempts.
const COUNT: &str =
    "SELECT count(*) FROM ledger WHERE kind IN ('intended', 'step_started', 'step_ended', 'run_ended', 'verified')";

/// A reset of one program, which keeps its promise that it does its work once a key.
#[test]
fn killed_after_every_entry_of_a_reset_in_one_step() {
    // Intended, the step's start and end, the run's end: then it is only verified.
    in_parallel(4, |entries| {
        let stand = Stand::new(|directory| {
            let wipe = script(directory, "wipe", WIPE_ONCE);
            format!("[target.shop.remedy.reset.exec]\nargv = [{wipe:?}, {directory:?}]\nidempotent = true\n")
        });
        stand.play(entries);
    });
}

/// A reset in three steps, where the wipe can only tell whether it is done.
#[test]
fn killed_after_every_entry_of_a_reset_in_three_steps() {
    in_parallel(8, |entries| {
        let stand = Stand::new(|directory| {
            let step = |name: &str, body: &str, keys: &str| {
                let program = script(directory, name, body);
                format!(
                    "[[target.shop.remedy.reset.step]]\nname = {name:?}\nexec = {{ argv = [{program:?}, {directory:?}], \
                     idempotent = {} }}\n{keys}",
                    name != "wipe"
                )
            };
            let check = script(directory, "check", "test -s \"$1/wipes\" || exit 69\n");
            let check = format!("check = {{ exec = {{ argv = [{check:?}, {directory:?}] }} }}\ndestroys = true\n");
            let undo = script(directory, "undo", "touch \"$1/running\"\n");
            let undo = format!("undo = {{ exec = {{ argv = [{undo:?}, {directory:?}], idempotent = true }} }}\n");
            [
                step("stop", "rm -f \"$1/running\"\n", &undo),
                step("wipe", "echo wiped >> \"$1/wipes\"\n", &check),
                step("start", "touch \"$1/running\"\n", "leaves_running = true\n"),
            ]
            .concat()
        });
        stand.play(entries);
        assert!(stand.directory.path().join("running").exists(), "after {entries} entries: the service runs");
    });
}

const WIPE_ONCE: &str = "mkdir \"$1/$WA_WATCHDOG_IDEMPOTENCY_KEY\" 2>/dev/null || exit 0\necho wiped >> \"$1/wipes\"\n";

/// One session service and one watchdog with its ledger.
struct Stand {
    directory: tempfile::TempDir,
    gateway: Gateway,
    config: String,
}

impl Stand {
    fn new(hook: impl Fn(&str) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(directory.path().join("running"), "").expect("a file");
        let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
        let hook = hook(&directory.path().display().to_string());
        let allow = "[target.shop.remedy.reset]\nallow_destructive = true\n";
        // The options of a remedy stand before its hook.
        let config = format!("{POLICY}{}{allow}{hook}", gateway.target("shop"));
        Self { directory, gateway, config }
    }

    /// Kills the watchdog once so many entries of the attempt are durable, starts it again, and sees it through.
    fn play(&self, entries: u32) {
        let first = Daemon::start(self.directory.path(), &self.config);
        first.wait_for("the session", |daemon| {
            daemon.metric("wa_watchdog_session_state{target=\"shop\",state=\"connected\"}") == Some(1.0)
        });
        let ledger = Entries::of(self.directory.path());
        ledger.hold_after(entries);
        self.gateway.now(Does::Says(EXPIRED.to_owned()));
        let begin = Instant::now();
        while ledger.count() < entries {
            assert!(begin.elapsed() < PATIENCE, "{entries} entries: only {}", ledger.count());
            self.keep_up();
            std::thread::sleep(Duration::from_millis(10));
        }
        first.signal("KILL");
        drop(first);
        assert_eq!(ledger.count(), entries, "not one entry more");
        ledger.let_go();

        let second = Daemon::start(self.directory.path(), &self.config);
        second.wait_for(&format!("after {entries} entries: helped"), |daemon| {
            self.keep_up();
            daemon.get("/api/v1/incidents?open=true").contains("\"incidents\":[]") && ledger.is_closed()
        });
        let wipes = std::fs::read_to_string(self.directory.path().join("wipes")).unwrap_or_default();
        let path = self.directory.path().join("ledger.db").display().to_string();
        let history = text(&run(&["history", "--ledger", &path]).stdout);
        assert_eq!(wipes.lines().count(), 1, "after {entries} entries: wiped once\n{history}");
        assert_eq!(second.stop().0, Some(0));
    }

    /// The service is what its files say.
    fn keep_up(&self) {
        let is_wiped = self.directory.path().join("wipes").exists();
        let is_running = self.directory.path().join("running").exists();
        self.gateway.now(match (is_running, is_wiped) {
            (false, _) => Does::Closes,
            (true, false) => Does::Says(EXPIRED.to_owned()),
            (true, true) => Does::Says(CONNECTED.to_owned()),
        });
    }
}

/// The entries of attempts in a ledger, from outside.
pub(crate) struct Entries(PathBuf);

impl Entries {
    pub(crate) fn of(directory: &Path) -> Self {
        Self(directory.join("ledger.db"))
    }

    pub(crate) fn count(&self) -> u32 {
        self.ledger().query_row(COUNT, (), |row| row.get(0)).expect("a number")
    }

    /// Tells whether it is known of every attempt what came of it.
    pub(crate) fn is_closed(&self) -> bool {
        let open = "SELECT (SELECT count(*) FROM ledger WHERE kind = 'intended')
            - (SELECT count(*) FROM ledger WHERE kind = 'verified')";
        self.ledger().query_row(open, (), |row| row.get::<_, i64>(0)).expect("a number") == 0
    }

    /// Makes the entry after so many very slow.
    pub(crate) fn hold_after(&self, entries: u32) {
        let slow = format!(
            "CREATE TRIGGER slow BEFORE INSERT ON ledger
             WHEN {entries} <= ({COUNT}) BEGIN
                SELECT max(n) FROM (WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count LIMIT 200000000)
                    SELECT n FROM count);
             END"
        );
        self.ledger().execute_batch(&slow).expect("a trigger");
    }

    pub(crate) fn let_go(&self) {
        self.ledger().execute_batch("DROP TRIGGER slow").expect("the trigger goes");
    }

    fn ledger(&self) -> Connection {
        let ledger = Connection::open(&self.0).expect("the ledger");
        ledger.busy_timeout(PATIENCE).expect("a time-out");
        ledger
    }
}

fn in_parallel(most: u32, play: impl Fn(u32) + Sync) {
    std::thread::scope(|scope| {
        for entries in 1..=most {
            let play = &play;
            scope.spawn(move || play(entries));
        }
    });
}

fn script(directory: &str, name: &str, body: &str) -> String {
    let file = Path::new(directory).join(format!("{name}.sh"));
    std::fs::write(&file, format!("#!/bin/sh\n{body}")).expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    file.display().to_string()
}
