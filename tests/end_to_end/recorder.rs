//! What the daemon concluded, and what a replay of its own recording concludes: line by line the same.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wa_watchdog::demo::{Gateways, Place, settings};
use wa_watchdog::driver::clock;

use super::gateway::{Does, Gateway};
use super::{Daemon, run, text};

/// When, whose, what, which pattern, and the evidence.
type Told = (String, String, String, String, String);

#[test]
fn a_replay_of_the_recording_says_what_the_daemon_said() {
    let stage = Stage::open();
    let directory = tempfile::tempdir().expect("a temporary folder");
    let place = Place::new(directory.path(), stage.gateways.targets()).expect("a place");
    // Nothing is done: whether a remedy helps no recording tells.
    let config = sections(&stage, &place).replace("mode = \"act\"\n", "");
    let daemon = Daemon::start(directory.path(), &config);
    std::thread::sleep(Duration::from_secs(25));
    assert_eq!(daemon.stop().0, Some(0));
    let told = daemons(directory.path());
    assert!(6 <= told.len(), "{told:#?}");
    assert_eq!(replayed(directory.path(), &[]), told);
    let listed = list(directory.path());
    assert!(listed.iter().all(|segment| segment["torn"].as_u64() == Some(0)), "{listed:#?}");
    assert!(150 < samples(&listed), "{listed:#?}");

    // One target alone is judged the same.
    let of_loop = |told: Vec<Told>| told.into_iter().filter(|line| line.1 == "loop").collect::<Vec<_>>();
    assert_eq!(replayed(directory.path(), &["--target", "loop"]), of_loop(told));
    let folder = directory.path().join("recordings").display().to_string();
    let none = run(&["record", "export", "--dir", &folder, "--target", "nobody"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("nothing was recorded of nobody"), "{}", text(&none.stderr));
}

#[test]
fn a_replay_knows_of_starts_crashes_and_reloads() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let (shop, other) = (Gateway::start(says("open", true)), Gateway::start(says("open", true)));
    let policy = "[policy]\npoll_every = \"1s\"\nsteady = \"2s\"\n[policy.unreachable]\nlasts = \"2s\"\n";
    let config = format!("{policy}{}{}", shop.target("shop"), other.target("other"));
    let daemon = Daemon::start(directory.path(), &config);
    let open = |target: &str| format!("wa_watchdog_incident_open{{target=\"{target}\",pattern=\"unreachable\"}}");
    let probes = "wa_watchdog_probes_total{target=\"shop\",outcome=\"answer\"}";
    daemon.wait_for("an answer", |daemon| daemon.metric(probes).is_some_and(|count| 1.0 <= count));
    shop.now(Does::Status(503));
    daemon.wait_for("the outage", |daemon| daemon.metric(&open("shop")) == Some(1.0));
    // What was seen is on the disk by then.
    let flushed =
        || list(directory.path()).first().is_some_and(|segment| 10 < segment["samples"].as_u64().unwrap_or(0));
    daemon.wait_for("a flush", |_| flushed());
    daemon.signal("KILL");
    drop(daemon);

    let daemon = Daemon::start(directory.path(), &config);
    shop.now(says("open", true));
    daemon.wait_for("the recovery", |daemon| daemon.metric(&open("shop")) == Some(0.0));
    let file = directory.path().join("watchdog.toml");
    let strict = fs::read_to_string(&file).expect("the configuration").replace("lasts = \"2s\"", "lasts = \"20s\"");
    fs::write(&file, strict).expect("a file");
    assert!(daemon.post("/-/reload").starts_with("HTTP/1.1 200"));
    other.now(Does::Status(503));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(daemon.metric(&open("other")), Some(0.0));
    assert_eq!(daemon.stop().0, Some(0));

    let begun = |segment: &Value| segment["started"].as_bool().expect("a flag");
    assert_eq!(list(directory.path()).iter().map(begun).collect::<Vec<_>>(), [true, true, false]);
    let told = daemons(directory.path());
    let events: Vec<&str> = told.iter().map(|line| line.2.as_str()).collect();
    assert_eq!(events, ["verdict", "recovered"]);
    assert_eq!(replayed(directory.path(), &[]), told);
}

#[test]
fn a_recording_holds_no_secret_and_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let secrets = [
        "s3cr3t-of-the-webhook",
        "0123456789abcdef0123456789abcdef",
        "2@AbCdEfGh,IjKlMnOp,QrStUvWx=",
        "iVBORw0KGgoAAAANSUhEUg",
        "15550100123",
        "15550100777",
        "15550100888",
        "1084|tokenoftheaccount",
        "WZYEH1YY",
        "Erika Mustermann",
    ];
    let body = format!(
        r#"{{"connected":true,"webhook_secret":"{}","data":{{"api_key":"{}","tokens":["{}"]}},"qr":"{}",
            "image":"data:image/png;base64,{}","me":{{"id":"{}:7@s.whatsapp.net","pushname":"{}"}},"phone":{},
            "chats":{{"{}@c.us":3}},"note":"call +{} or send Bearer {}","pairingCode":"{}"}}"#,
        secrets[0],
        secrets[1],
        secrets[7],
        secrets[2],
        secrets[3],
        secrets[4],
        secrets[9],
        secrets[5],
        secrets[6],
        secrets[6],
        secrets[7],
        secrets[8],
    );
    let directory = tempfile::tempdir().expect("a temporary folder");
    let (json, page) = (Gateway::start(Does::Says(body.clone())), Gateway::start(Does::Says(format!("<p>{body}"))));
    let session = format!(
        "[policy]\npoll_every = \"1s\"\n{}session = \"{}\"\n{}",
        json.target("shop"),
        secrets[4],
        page.target("page")
    );
    let daemon = Daemon::start(directory.path(), &session);
    let probes =
        |target: &str, outcome: &str| format!("wa_watchdog_probes_total{{target=\"{target}\",outcome=\"{outcome}\"}}");
    for series in [probes("shop", "answer"), probes("page", "not_json")] {
        daemon.wait_for("an answer", |daemon| daemon.metric(&series).is_some_and(|count| 2.0 <= count));
    }
    assert_eq!(daemon.stop().0, Some(0));
    let exported = export(directory.path(), &[]);
    assert!(
        exported.contains("phone-") && exported.contains("qr-") && exported.contains("\"connected\":true"),
        "{exported}"
    );
    for secret in secrets {
        assert!(!exported.contains(secret), "{secret} in {exported}");
    }
    let folder = directory.path().join("recordings");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in fs::read_dir(&folder).expect("the folder") {
        assert_eq!(mode(&file.expect("a file").path()), 0o600);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_the_watch_goes_on() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    fs::write(directory.path().join("recordings"), "a file").expect("a file");
    let gateway = Gateway::start(says("open", true));
    let daemon = Daemon::start(directory.path(), &format!("[policy]\npoll_every = \"1s\"\n{}", gateway.target("shop")));
    let probes = "wa_watchdog_probes_total{target=\"shop\",outcome=\"answer\"}";
    daemon.wait_for("an answer", |daemon| daemon.metric(probes).is_some_and(|count| 1.0 <= count));
    assert_eq!(daemon.metric("wa_watchdog_dropped_total{reason=\"recorder_failed\"}"), Some(0.0));
    assert_eq!(daemon.stop().0, Some(0));
}

/// A hundred sessions that fail in every way of the demo beside a hundred that are steady, for as many seconds as `SECONDS` says:
/// `cargo test --test end_to_end -- --ignored --nocapture a_hundred`.
#[test]
#[ignore = "takes ten minutes"]
fn a_hundred_sessions_cost_little_and_are_judged_the_same() {
    let seconds =
        std::env::vars().find(|(name, _)| name == "SECONDS").map_or(600, |(_, value)| value.parse().expect("a number"));
    let stage = Stage::open();
    let (mixed, steady) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let place = Place::new(mixed.path(), stage.gateways.targets()).expect("a place");
    let text = sections(&stage, &place).replace("mode = \"act\"\n", "");
    let policy = text.split("[target.").next().expect("a policy").to_owned();
    let of =
        |name: &str| stage.gateways.targets().iter().find(|target| target.name == name).expect("a role").url.clone();
    let target = |name: &str, number: usize, url: &str| {
        format!("[target.{name}-{number}]\ndialect = \"whatsapp-service\"\nurl = \"{url}\"\nsession = \"{number}\"\n")
    };
    let roles = ["healthy", "restarting", "loop", "conflict", "stuck-qr", "down", "hung", "expired"];
    let more = (0..91).map(|number| target(roles[number % roles.len()], number, &of(roles[number % roles.len()])));
    let fleet = format!("{text}{}", more.collect::<String>());
    let calm: String = (0..100).map(|number| target("calm", number, &of("restarting"))).collect();
    let daemons_running =
        [Daemon::start(mixed.path(), &fleet), Daemon::start(steady.path(), &format!("{policy}{calm}"))];
    std::thread::sleep(Duration::from_secs(seconds));
    for daemon in daemons_running {
        assert_eq!(daemon.metric("wa_watchdog_dropped_total{reason=\"recorder_queue_full\"}"), Some(0.0));
        assert_eq!(daemon.stop().0, Some(0));
    }
    for (name, directory) in [("mixed", mixed.path()), ("steady", steady.path())] {
        let told = daemons(directory);
        let (count, bytes) = (samples(&list(directory)), bytes(&directory.join("recordings")));
        let exported = export(directory, &[]);
        let each = bytes.saturating_mul(100).checked_div(count).unwrap_or(0);
        #[expect(clippy::print_stdout, reason = "this is what it is run for")]
        {
            println!(
                "{name}: {count} samples, {bytes} bytes on disk, {}.{:02} bytes a sample, {} bytes exported, {} verdicts",
                each.div_euclid(100),
                each.rem_euclid(100),
                exported.len(),
                told.len()
            );
        }
        assert_eq!(replayed(directory, &[]), told, "{name}");
        assert!(name != "steady" || bytes < count.saturating_mul(8), "{name}");
    }
}

/// The gateways of the demo, on a runtime of their own.
struct Stage {
    gateways: Gateways,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Stage {
    fn open() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let stop = CancellationToken::new();
        let gateways = runtime
            .block_on(Gateways::start(
                Arc::new({
                    let clock = clock::machine();
                    move || clock()
                }),
                NonZeroU32::MIN,
                &TaskTracker::new(),
                &stop,
            ))
            .expect("free ports");
        Self { gateways, stop, _runtime: runtime }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The configuration of the demo, without what a test's own says.
fn sections(stage: &Stage, place: &Place) -> String {
    let text = settings(stage.gateways.targets(), "127.0.0.1:1".parse().expect("an address"), place);
    let (_, policy) = text.split_once("# Most of the gateways").expect("its policy");
    format!("# Most of the gateways{policy}")
}

fn says(state: &str, connected: bool) -> Does {
    Does::Says(format!(r#"{{"connected":{connected},"state":"{state}"}}"#))
}

/// What the daemon told, from its ledger.
fn daemons(directory: &Path) -> Vec<Told> {
    let ledger = directory.join("ledger.db").display().to_string();
    let kinds = ["--kind", "incident_opened", "--kind", "pattern_changed", "--kind", "incident_closed"];
    let arguments = ["history", "--ledger", &ledger, "--format", "json", "--limit", "100000"];
    let printed = run(&[&arguments[..], &kinds].concat());
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let told = |entry: &Value| {
        let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let (event, pattern) = match entry["kind"].as_str() {
            Some("incident_opened") => ("verdict".to_owned(), word("pattern")),
            Some("pattern_changed") => ("verdict".to_owned(), word("to")),
            _ => (word("how"), word("pattern")),
        };
        let evidence = entry["evidence"]["sentence"].as_str().unwrap_or_default().to_owned();
        (word("at"), word("target"), event, pattern, evidence)
    };
    lines(&text(&printed.stdout)).iter().map(told).collect()
}

/// What a replay of the recording tells.
fn replayed(directory: &Path, wanted: &[&str]) -> Vec<Told> {
    let file = directory.join("export.jsonl");
    fs::write(&file, export(directory, wanted)).expect("a file");
    let printed = run(&["replay", "--format", "json", &file.display().to_string()]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let told = |line: &Value| {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        (word("at"), word("target"), word("event"), word("pattern"), word("evidence"))
    };
    lines(&text(&printed.stdout)).iter().filter(|line| line["pattern"].is_string()).map(told).collect()
}

fn export(directory: &Path, wanted: &[&str]) -> String {
    let folder = directory.join("recordings").display().to_string();
    let printed = run(&[&["record", "export", "--dir", &folder], wanted].concat());
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    text(&printed.stdout)
}

fn list(directory: &Path) -> Vec<Value> {
    let folder = directory.join("recordings").display().to_string();
    lines(&text(&run(&["record", "list", "--format", "json", "--dir", &folder]).stdout))
}

fn samples(listed: &[Value]) -> u64 {
    listed.iter().filter_map(|segment| segment["samples"].as_u64()).sum()
}

fn bytes(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).expect("the folder");
    files.map(|file| file.expect("a file").metadata().expect("its length").len()).sum()
}

fn lines(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}
