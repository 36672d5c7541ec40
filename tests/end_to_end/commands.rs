//! The commands that need no daemon.

use std::path::Path;

use super::gateway::{Does, Gateway};
use super::{run, text};

#[test]
fn every_command_explains_itself_with_an_example() {
    let commands = [
        "run",
        "check",
        "probe",
        "status",
        "explain",
        "history",
        "pause",
        "resume",
        "approve",
        "ack",
        "reconnect",
        "restart",
        "reset",
        "reset-all-users",
        "doctor",
        "replay",
        "dialects",
        "demo",
        "healthcheck",
        "wipe",
    ];
    for command in commands {
        let help = run(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains("Example"), "{command} --help shows no example");
    }
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
}

#[test]
fn a_variable_that_is_set_to_nothing_means_the_default() {
    let empty = ["WA_WATCHDOG_LOG", "WA_WATCHDOG_LOG_FORMAT", "WA_WATCHDOG_URL", "WA_WATCHDOG_TOKEN_FILE"];
    let mut command = super::binary();
    command.args(["dialects"]).envs(empty.map(|name| (name, "")));
    let listed = command.output().expect("the binary runs");
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let wrong = super::binary().args(["dialects"]).env("WA_WATCHDOG_LOG_FORMAT", "xml").output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn an_order_that_says_too_little_is_misuse() {
    let cases: [(&[&str], &str); 8] = [
        (&["pause", "--all", "--who", "ana"], "--reason"),
        (&["pause", "--all", "--who", "ana", "--reason", " "], "--reason is empty"),
        (&["pause", "--all", "--reason", "x"], "--who"),
        (&["pause", "--reason", "x", "--who", "ana"], "--all"),
        (&["pause", "shop", "--all", "--reason", "x", "--who", "ana"], "cannot be used"),
        (&["pause", "--all", "--reason", "x", "--who", "ana", "--for", "2 parsecs"], "--for"),
        (&["approve", "shop", "xyz", "--reason", "x", "--who", "ana"], "xyz"),
        (&["reset", "shop", "--reason", "x", "--who", "ana"], "add --yes if you mean it"),
    ];
    for (arguments, said) in cases {
        let refused = run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains(said), "{arguments:?}: {}", text(&refused.stderr));
    }
    let nobody = run(&["pause", "--all", "--reason", "x", "--who", "ana", "--url", "http://127.0.0.1:9"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("is it running?"), "{}", text(&nobody.stderr));
}

#[test]
fn five_mistakes_are_five_problems_with_lines_and_hints() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let file = directory.path().join("bad.toml");
    let config = "\
[policy]
poll_evry = \"15s\"
[policy.conflict]
ladder = [\"notify\", \"reset\"]
[policy.unreachable]
lasts = \"5 parsecs\"
[target.shop]
dialect = \"whatsapp-servis\"
url = \"http://127.0.0.1:3001\"
[target.acme]
dialect = \"whatsapp-service\"
url = \"ftp://127.0.0.1\"
";
    std::fs::write(&file, config).expect("a file");
    let checked = run(&["check", "--config", &file.display().to_string()]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(said.contains("5 problems"), "{said}");
    for line in [2, 4, 6, 8, 12] {
        assert!(said.contains(&format!("bad.toml:{line}: ")), "no problem in line {line}:\n{said}");
    }
    assert_eq!(said.matches("hint: ").count(), 5, "{said}");
    let json = run(&["check", "--config", &file.display().to_string(), "--format", "json"]);
    assert_eq!(text(&json.stdout).lines().count(), 5);
}

#[test]
fn check_live_says_what_every_gateway_answered() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let (good, bad) = (Gateway::start(Does::Says(r#"{"connected":true}"#.to_owned())), Gateway::start(Does::Closes));
    let file = directory.path().join("watchdog.toml");
    std::fs::write(&file, good.target("good")).expect("a file");
    let file = file.display().to_string();
    let well = run(&["check", "--config", &file, "--live"]);
    assert_eq!(well.status.code(), Some(0), "{}", text(&well.stderr));
    assert!(text(&well.stdout).contains("ok  good: status: connected"), "{}", text(&well.stdout));
    std::fs::write(&file, good.target("good") + &bad.target("bad")).expect("a file");
    let ill = run(&["check", "--config", &file, "--live"]);
    assert_eq!(ill.status.code(), Some(1));
    assert!(text(&ill.stdout).contains("BAD bad: status: no answer"), "{}", text(&ill.stdout));
    let probed = run(&["probe", "good", "--config", &file]);
    assert_eq!(probed.status.code(), Some(0));
    assert!(text(&probed.stdout).starts_with("status: connected"), "{}", text(&probed.stdout));
}

#[test]
fn a_recording_is_replayed_in_words_and_in_json_and_a_bad_one_is_named_by_its_line() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/conflict-waha-engine-state.jsonl");
    let recording = recording.display().to_string();
    let words = run(&["replay", &recording]);
    assert_eq!(words.status.code(), Some(0), "{}", text(&words.stderr));
    assert!(text(&words.stdout).contains("conflict"), "{}", text(&words.stdout));
    let json = text(&run(&["replay", "--format", "json", &recording]).stdout);
    let first = json.lines().next().expect("a line");
    let verdict: serde_json::Value = serde_json::from_str(first).expect("JSON");
    assert_eq!((verdict["event"].as_str(), verdict["pattern"].as_str()), (Some("verdict"), Some("conflict")));
    assert_eq!(verdict["remedy"].as_str(), Some("notify"));
    let last: serde_json::Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"].as_str(), Some("summary"));

    let directory = tempfile::tempdir().expect("a temporary folder");
    let bad = directory.path().join("bad.jsonl");
    std::fs::write(&bad, "{\"recording\":1,\"targets\":{\"shop\":{\"dialect\":\"waha\"}}}\nnonsense\n")
        .expect("a file");
    let refused = run(&["replay", &bad.display().to_string()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("bad.jsonl:2"), "{}", text(&refused.stderr));
}

#[test]
fn dialects_are_listed_and_shown_as_files_that_can_be_used() {
    let listed = text(&run(&["dialects"]).stdout);
    let names = [
        "whatsapp-service",
        "wasender",
        "wasender-backend",
        "waha",
        "evolution",
        "wwebjs-api",
        "wppconnect",
        "go-whatsapp",
        "openwa",
        "generic",
    ];
    for name in names {
        assert!(listed.contains(name), "{name} is not listed");
    }
    let directory = tempfile::tempdir().expect("a temporary folder");
    let shown = run(&["dialects", "show", "waha"]).stdout;
    std::fs::write(directory.path().join("mine.toml"), shown).expect("a file");
    let config = "[target.shop]\ndialect = \"mine.toml\"\nurl = \"http://127.0.0.1:3000\"\nsession = \"default\"\n";
    let file = directory.path().join("watchdog.toml");
    std::fs::write(&file, config).expect("a file");
    let checked = run(&["check", "--config", &file.display().to_string()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert_eq!(run(&["dialects", "show", "nobody"]).status.code(), Some(2));
}

#[test]
fn a_short_demo_plays_and_ends_by_itself() {
    let played = run(&["--log", "off", "demo", "--for", "3s", "--listen", "127.0.0.1:0"]);
    let said = text(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{said}{}", text(&played.stderr));
    assert!(said.contains("healthy: first seen connected"), "{said}");
    assert_eq!(run(&["demo", "--listen", "0.0.0.0:0"]).status.code(), Some(2));
}
