//! Hooks against real processes and real sockets, on loopback.

#![cfg(unix)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper that fails fails its test"
)]
#![expect(clippy::disallowed_methods, reason = "a test measures on its own clock")]

mod coolify;
mod doubles;
mod exec;
mod fake;
mod http;
mod kubernetes;
mod orders;
mod orphan;
mod sqlite;
mod tls;
mod vault;
mod wasender;
mod wasender_backend;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::{Call, Exec, Hook, HookStep, HttpCall, Retry, Senses, Target};
use wa_watchdog::dialect::Dialect;
use wa_watchdog::engine::attempt::{Act, AttemptId, Cause, StepEnd, StepOrder, StepOutcome};
use wa_watchdog::engine::incident::IncidentId;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::plan::StepName;
use wa_watchdog::engine::{TargetId, Wall};
use wa_watchdog::http::Http;
use wa_watchdog::remedy::{Answer, QUEUE_MAX, Remedies};

/// Long enough for a slow machine; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hooks of one target, and where their answers come out.
struct Bench {
    remedies: Remedies,
    answers: mpsc::Receiver<Answer>,
    /// The folder of run files, and whatever a test's program writes.
    folder: tempfile::TempDir,
    /// Another folder of the test, which ends with it.
    extra: Option<tempfile::TempDir>,
}

impl Bench {
    fn new(hook: Hook) -> Self {
        Self::within(tempfile::tempdir().unwrap(), hook)
    }

    /// The same, in a folder that holds something already.
    fn within(folder: tempfile::TempDir, hook: Hook) -> Self {
        let state_dir = Some(folder.path().join("runs"));
        let (remedies, answers) = remedies(hook, state_dir);
        Self { remedies, answers, folder, extra: None }
    }

    /// A hook of one step that runs this program.
    fn exec(exec: Exec) -> Self {
        Self::new(single(Call::Exec(exec)))
    }

    /// A hook of one step that calls this URL.
    fn http(call: HttpCall) -> Self {
        Self::new(single(Call::Http(Box::new(call))))
    }

    async fn run(&mut self, order: StepOrder) -> StepEnd {
        self.remedies.run(order);
        self.answer().await
    }

    async fn act(&mut self, act: Act) -> StepEnd {
        self.run(order(act)).await
    }

    async fn answer(&mut self) -> StepEnd {
        timeout(PATIENCE, self.answers.recv()).await.expect("an answer in time").expect("an answer").end
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn runs(&self) -> Vec<String> {
        let Ok(entries) = self.path("runs").read_dir() else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn remedies(hook: Hook, state_dir: Option<PathBuf>) -> (Remedies, mpsc::Receiver<Answer>) {
    let (sender, answers) = mpsc::channel(QUEUE_MAX);
    let wall: Wall = "2026-02-04T09:00:00Z".parse().unwrap();
    let clock = Arc::new(move || wall);
    let http = Http::new().unwrap();
    (Remedies::new(targets(hook), http, state_dir, clock, sender, TaskTracker::new()), answers)
}

fn targets(hook: Hook) -> BTreeMap<TargetId, Arc<Target>> {
    let target = Target {
        id: shop(),
        dialect: Dialect::builtin("whatsapp-service").unwrap(),
        dialect_at: "whatsapp-service".to_owned(),
        url: "http://127.0.0.1:1".to_owned(),
        session: None,
        status_path: None,
        token: None,
        timeout: PATIENCE,
        body_bytes_max: 64 * 1024,
        qr_page: Some("http://127.0.0.1:1/qr".to_owned()),
        vendor: None,
        senses: Senses::default(),
        hooks: BTreeMap::from([(Remedy::Restart, Arc::new(hook))]),
    };
    BTreeMap::from([(shop(), Arc::new(target))])
}

fn order(act: Act) -> StepOrder {
    StepOrder {
        attempt: AttemptId(0x0019_4d8e),
        target: shop(),
        remedy: Remedy::Restart,
        number: 3,
        index: 0,
        step: StepName(Arc::from("run")),
        act,
        retry: 0,
        takes: PATIENCE,
        cause: Arc::new(Cause {
            incident: Some(IncidentId(7)),
            pattern: Some(Pattern::StateLoop),
            reason: "connecting 6 times\nwithin 10 min; the limit is 5".to_owned(),
            by: None,
            restores: None,
        }),
    }
}

fn shop() -> TargetId {
    TargetId::new("shop").unwrap()
}

fn single(run: Call) -> Hook {
    Hook { steps: vec![HookStep { run, check: None, undo: None }], look: None }
}

/// Runs a line of shell, which is what most programs of these tests are.
fn sh(script: &str) -> Exec {
    Exec {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        timeout: PATIENCE,
        kill_grace: Duration::from_secs(5),
        output_bytes_max: 64 * 1024,
        idempotent: false,
    }
}

fn post(url: String) -> HttpCall {
    HttpCall {
        method: "POST".to_owned(),
        url,
        token: None,
        body: None,
        signing: None,
        expect_status: Vec::new(),
        expect_json: BTreeMap::new(),
        timeout: PATIENCE,
        retry: Retry { only_unsent: false, tries_max: 3 },
        poll: None,
        ca_file: None,
    }
}

#[track_caller]
fn assert_end(end: &StepEnd, outcome: StepOutcome, note: &str) {
    let said = end.note.as_ref().map_or("", |note| note.as_str());
    assert!(end.outcome == outcome && said.contains(note), "{end:?} is not {outcome:?}, {note:?}");
}

/// Waits until nobody runs with this word among its arguments.
async fn until_gone(word: &str) {
    let gone = async {
        while !processes_with(word).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("left behind: {:?}", processes_with(word)));
}

/// Returns the numbers of the processes with this word among their arguments; those that ended and were not fetched have none.
fn processes_with(word: &str) -> Vec<String> {
    let entries = Path::new("/proc").read_dir().unwrap().filter_map(Result::ok);
    let has_word = |path: &Path| {
        let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    };
    entries
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|entry| has_word(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
