//! The configuration as an operator meets it: files, their mistakes, and what problems say about them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on shall stop"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use wa_watchdog::config::{self, Problem, Secret};
use wa_watchdog::engine::policy::{FleetLimits, Limits, Mode, TOGETHER};

use reader::{settings, with};

#[path = "config/calls.rs"]
mod calls;
#[path = "config/discover.rs"]
mod discover;
#[path = "config/docker.rs"]
mod docker;
#[path = "config/hooks.rs"]
mod hooks;
#[path = "config/inbound.rs"]
mod inbound;
#[path = "config/keys.rs"]
mod keys;
#[path = "config/logs.rs"]
mod logs;
#[path = "config/memory.rs"]
mod memory;
#[path = "config/modes.rs"]
mod modes;
#[path = "config/notify.rs"]
mod notify;
#[path = "config/platforms.rs"]
mod platforms;
#[path = "support/reader.rs"]
mod reader;
#[path = "config/sqlite.rs"]
mod sqlite;
#[path = "config/wasender.rs"]
mod wasender;

/// The least that is a configuration; line 1 to 3.
const SHOP: &str = "[target.shop]\ndialect = \"whatsapp-service\"\nurl = \"http://localhost:3001\"\n";

/// The signing secret of the Standard Webhooks specification's examples.
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn five_mistakes_give_five_problems_with_their_lines() {
    let text = r#"
mode = "auto"

[polcy]
poll_every = "15s"

[policy.conflict]
ladder = ["notify", "reset"]

[target.shop]
dialect = "whatsap-service"
url = "http://user:pa55word@gateway"
"#;
    insta::assert_snapshot!(refused(text), @r#"
    watchdog.toml:2: mode: "auto" is not a mode
      hint: write "observe", "approve" or "act"
    watchdog.toml:4: polcy: unknown key
      hint: did you mean "policy"?
    watchdog.toml:8: policy.conflict.ladder: reset is never done about conflict: the other client stays, and takes a new session as well
      hint: allowed here: notify, reconnect, restart
    watchdog.toml:11: target.shop.dialect: "whatsap-service" is not a built-in dialect
      hint: did you mean "whatsapp-service"?
    watchdog.toml:12: target.shop.url: holds a user or a password
      hint: take it out; a token is read from token_file or token_env
    "#);
}

#[test]
fn a_syntax_error_is_told_with_its_line() {
    insta::assert_snapshot!(refused("[server]\nlisten = 127.0.0.1:9877\n"), @r#"
    watchdog.toml:2: invalid float, expected nothing
      hint: mend the TOML (texts stand in quotes); other problems are looked for then
    "#);
    insta::assert_snapshot!(refused("[target.a]\nurl = 'x'\n[target.a]\n"), @r#"
    watchdog.toml:3: duplicate key
      hint: mend the TOML (texts stand in quotes); other problems are looked for then
    "#);
}

#[test]
fn a_key_that_nobody_knows_is_a_problem_at_every_level() {
    let text = r#"
targets = {}
poll_every = "1s"
[server]
lisen = 1
[store]
zebra = 1
[policy]
"poll every" = "15s"
[policy.stateloop]
[policy.state_loop]
return_min = 3
[policy.silent_session.night]
form = "22:00"
[target.shop]
dialect = "generic"
url = "http://localhost"
poll_every = "15s"
token = "s3cret"
remedy.restrat.exec.argv = ["/x"]
[target.shop.policy]
together = "5m"
unreachable = { clear = 2 }
"#;
    insta::assert_snapshot!(refused(text), @r#"
    watchdog.toml:2: targets: unknown key
      hint: each target is a section of its own, [target.NAME]
    watchdog.toml:3: poll_every: unknown key
      hint: write it under [policy]
    watchdog.toml:5: server.lisen: unknown key
      hint: did you mean "listen"?
    watchdog.toml:7: store.zebra: unknown key
      hint: known here: path, keep
    watchdog.toml:9: policy."poll every": unknown key
      hint: did you mean "poll_every"?
    watchdog.toml:10: policy.stateloop: unknown key
      hint: did you mean "state_loop"?
    watchdog.toml:12: policy.state_loop.return_min: unknown key
      hint: did you mean "returns_min"?
    watchdog.toml:14: policy.silent_session.night.form: unknown key
      hint: did you mean "from"?
    watchdog.toml:18: target.shop.poll_every: unknown key
      hint: thresholds of one target stand in its own section, [target.NAME.policy]
    watchdog.toml:19: target.shop.token: unknown key
      hint: a token is read from token_file or token_env, and never stands in the configuration
    watchdog.toml:20: target.shop.remedy.restrat: unknown key
      hint: did you mean "restart"?
    watchdog.toml:22: target.shop.policy.together: unknown key
      hint: write it under [policy]: it counts for all targets together
    watchdog.toml:23: target.shop.policy.unreachable.clear: unknown key
      hint: did you mean "clears"?
    "#);
}

#[test]
fn every_value_has_a_range() {
    for (key, bad, good) in [
        ("policy.poll_every", "\"999ms\"", "\"1s\""),
        ("policy.poll_every", "\"25h\"", "\"1d\""),
        ("policy.deep_every", "\"0s\"", "\"1s\""),
        ("policy.qr_every", "\"2d\"", "\"24h\""),
        ("policy.settle", "\"0s\"", "\"1ms\""),
        ("policy.steady", "\"31d\"", "\"30d\""),
        ("policy.together", "\"0s\"", "\"1s\""),
        ("policy.gap", "180", "\"180s\""),
        ("policy.timeout", "\"15s\"", "\"14s\""),
        ("policy.timeout", "\"9ms\"", "\"10ms\""),
        ("policy.body_max", "\"1B\"", "\"1KiB\""),
        ("policy.body_max", "\"65MiB\"", "\"64MiB\""),
        ("policy.body_max", "1048576", "\"1MB\""),
        ("policy.conflict.times_min", "0", "1"),
        ("policy.conflict.times_min", "25", "24"),
        ("policy.state_loop.returns_min", "17", "16"),
        ("policy.unreachable.clears", "-1", "1"),
        ("policy.unreachable.times_min", "1001", "1000"),
        ("policy.repeated_404.times_min", "99999999999", "3"),
        ("policy.repeated_404.times_min", "\"3\"", "3"),
        ("policy.repeated_404.times_min", "2.5", "3"),
        ("policy.memory_pressure.percent_min", "\"0%\"", "\"1%\""),
        ("policy.memory_pressure.percent_min", "\"101%\"", "\"100%\""),
        ("policy.memory_pressure.percent_min", "90", "\"90%\""),
        ("policy.silent_session.moves_min", "33", "32"),
        ("policy.silent_session.night.from", "22:00", "\"22:00\""),
        ("policy.silent_session.night.to", "\"24:00\"", "\"00:00\""),
        ("policy.silent_session.night.zone", "\"Mars/Base\"", "\"UTC\""),
        ("policy.silent_session.night", "\"22:00\"", "{ from = \"8:00\", to = \"8:00\" }"),
        ("policy.conflict.ladder", "[]", "[\"notify\"]"),
        ("policy.conflict.ladder", "[\"pray\"]", "\"restart\""),
        ("policy.conflict.ladder", "[1]", "[\"reconnect\", \"restart\"]"),
        ("policy.state_loop.ladder", "[\"reset\"]", "[\"notify\", \"reset\"]"),
        ("policy.repeated_404.ladder", "[\"restart\"]", "[\"reset\"]"),
        ("policy.credentials_refused.ladder", "[\"notify\", \"reconnect\"]", "[\"notify\"]"),
        ("policy", "\"strict\"", "{}"),
        ("policy.quiet_hours", "\"22:00\"", "{ from = \"22:00\", to = \"8:00\", zone = \"UTC\" }"),
        ("policy.budget.restarts_hourly", "-1", "0"),
        ("policy.budget.resets_daily", "1001", "1000"),
        ("policy.budget.resets_weekly", "0", "1"),
        ("policy.budget.gives_up_after", "0", "1"),
        ("policy.budget.reset_every", "\"31d\"", "\"7d\""),
        ("policy.cooldown", "{ first = \"2h\", longest = \"1h\" }", "{ first = \"1h\", longest = \"1h\" }"),
        ("policy.cooldown", "{ longest = \"4m\" }", "{ longest = \"5m\" }"),
        ("policy.attempt.resume_within", "\"0s\"", "\"10m\""),
        ("policy.hand_off.round", "180", "\"180s\""),
        ("fleet.storm_targets", "1", "2"),
        ("fleet.storm_share", "50", "\"50%\""),
        ("fleet.storm_exit", "\"31d\"", "\"2m\""),
        ("fleet.attempts", "0", "100"),
        ("fleet.restarts_hourly", "1001", "0"),
        ("fleet.resets_daily", "-1", "0"),
        ("mode", "\"auto\"", "\"approve\""),
        ("mode", "true", "\"act\""),
        ("target.shop.mode", "\"never\"", "\"observe\""),
        ("target.shop.restart_keeps_session", "\"yes\"", "false"),
        ("target.shop.group", "\"\"", "\"host-1\""),
        ("server.listen", "\"localhost:9877\"", "\"[::]:9877\""),
        ("server.listen", "9877", "\"0.0.0.0:0\""),
        ("store.keep", "\"29d\"", "\"30d\""),
        ("store.path", "\" \"", "\"ledger.db\""),
        ("target.shop.url", "\"ftp://localhost\"", "\"https://localhost\""),
        ("target.shop.url", "\"localhost:3001\"", "\"http://localhost:3001\""),
        ("target.shop.url", "\"http://localhost/?key=1\"", "\"http://localhost/api\""),
        ("target.shop.url", "\"http://localhost/#top\"", "\"http://[::1]:3001/\""),
        ("target.shop.url", "\"http://localhost:99999\"", "\"http://10.0.0.1:65535\""),
        ("target.shop.url", "3001", "\"http://localhost\""),
        ("target.shop.qr_page", "\"javascript:alert(1)\"", "\"https://shop.example/qr?day=1\""),
        ("target.shop.status_path", "\"health\"", "\"/health\""),
        ("target.shop.status_path", "\"/{name}\"", "\"/status?full=1\""),
        ("target.shop.status_path", "\"/a b\"", "\"/a-b\""),
        ("target.shop.session", "\"a\\nb\"", "16548"),
        ("target.shop.session", "\"\"", "\"Shop 1\""),
        ("target.shop.dialect", "\"./no-such.toml\"", "\"generic\""),
        ("target.shop.policy.poll_every", "\"0s\"", "\"5s\""),
        ("target.shop.policy.timeout", "\"20s\"", "\"5s\""),
    ] {
        let problems = problems(&with(key, bad));
        assert_eq!(problems.len(), 1, "{key} = {bad}: {problems:?}");
        assert_eq!(problems[0].key, key, "{bad}");
        assert!(problems[0].line.is_some() && !problems[0].hint.is_empty(), "{key} = {bad}");
        assert!(settings(&with(key, good)).is_ok(), "{key} = {good}: {:?}", settings(&with(key, good)).err());
    }
}

#[test]
fn what_must_be_there_is_asked_for() {
    let text =
        "[target.a]\n[target.b]\ndialect = \"waha\"\n[target.\"b c\"]\ndialect = \"generic\"\nurl = \"http://h\"\n";
    insta::assert_snapshot!(refused(text), @r#"
    watchdog.toml:1: target.a.dialect: is missing
      hint: name the gateway's dialect, as in dialect = "whatsapp-service"
    watchdog.toml:2: target.b.url: is missing
      hint: write where the gateway is, as in url = "http://localhost:3001"
    watchdog.toml:2: target.b.session: is missing
      hint: dialect waha asks by session: write its name or number
    watchdog.toml:4: target."b c": "b c" cannot name a target: use 1 to 64 letters, digits, '_', '-' or '.'
      hint: rename it, as in "shop" or "acme-2"
    "#);
    insta::assert_snapshot!(refused(""), @r#"
    watchdog.toml: target: is missing
      hint: write a section for each session to watch, as in [target.shop], with dialect and url
    "#);
}

#[test]
fn two_targets_may_not_ask_for_the_same_session() {
    let target = |name: &str, session: u32| {
        format!("[target.{name}]\ndialect = \"waha\"\nurl = \"http://waha:3000/\"\nsession = {session}\n")
    };
    let text = target("a", 1) + &target("b", 2) + &target("c", 1).replace("waha:3000/", "WAHA:3000");
    insta::assert_snapshot!(refused(&text), @r#"
    watchdog.toml:9: target.c: asks for the same session as target.a: same url, session, path and token
      hint: take one of them out, or name another session
    "#);
}

#[test]
fn a_url_is_kept_as_it_is_asked() {
    for (url, kept) in [
        ("http://localhost:3001/", "http://localhost:3001"),
        ("HTTPS://Gateway.example/api//", "https://gateway.example/api"),
        ("http://[::1]:3001", "http://[::1]:3001"),
        ("https://wasenderapi.com", "https://wasenderapi.com/api"),
        ("https://www.wasenderapi.com/", "https://www.wasenderapi.com/api"),
        ("https://www.wasenderapi.com/other", "https://www.wasenderapi.com/other"),
    ] {
        let settings = settings(&with("target.shop.url", &format!("{url:?}"))).expect(url);
        assert_eq!(settings.targets["shop"].url, kept);
    }
    let wasender = "[target.a]\ndialect = \"wasender\"\nsession = 16548\n";
    let settings = settings(wasender).expect("the vendor's url is known");
    assert_eq!(settings.targets["a"].url, "https://www.wasenderapi.com/api");
    assert_eq!(settings.targets["a"].session.as_deref(), Some("16548"));
    assert_eq!(settings.warnings.len(), 1, "it has no token");
}

#[test]
fn a_target_overrides_thresholds_and_shares_equal_ones() {
    let mut text = "[policy]\npoll_every = \"20s\"\n[policy.conflict]\ntimes_min = 4\n".to_owned();
    for (name, own) in [
        ("plain", ""),
        ("also-plain", ""),
        ("own", "[target.own.policy]\npoll_every = \"5s\"\nconflict.lasts = \"7s\"\n"),
        ("twin", "[target.twin.policy]\nconflict.lasts = \"7s\"\npoll_every = \"5s\"\n"),
        ("back", "[target.back.policy]\nsettle = \"60s\"\n"),
    ] {
        text.extend(["[target.", name, "]\ndialect = \"generic\"\nurl = \"http://", name, "\"\n", own]);
    }
    let settings = settings(&text).expect("it is well");
    let limits = |name| &settings.policy.targets[name].limits;
    let mut expected = Limits { poll_every: Duration::from_secs(20), ..Limits::default() };
    expected.conflict.times_min = 4;
    assert_eq!(**limits("plain"), expected);
    assert!(Arc::ptr_eq(limits("plain"), limits("also-plain")) && Arc::ptr_eq(limits("plain"), limits("back")));
    expected.poll_every = Duration::from_secs(5);
    expected.conflict.lasts = Duration::from_secs(7);
    assert_eq!(**limits("own"), expected);
    assert!(Arc::ptr_eq(limits("own"), limits("twin")));
    assert_eq!(settings.targets["plain"].timeout, Duration::from_secs(10));
    assert_eq!(settings.targets["own"].timeout, Duration::from_secs(4));
}

#[test]
fn a_timeout_that_a_target_inherits_must_fit_its_own_polls() {
    let text = format!("policy.timeout = \"8s\"\n{SHOP}policy.poll_every = \"5s\"\n");
    insta::assert_snapshot!(refused(&text), @r#"
    watchdog.toml:5: target.shop.policy.poll_every: one call may take 8s, and the next is due after 5s
      hint: make timeout shorter than poll_every, or leave timeout out
    "#);
}

#[test]
fn endpoints_that_a_dialect_lacks_are_not_watched() {
    let watch = |text: &str| settings(text).expect(text).policy.targets["a"].clone();
    let waha = watch("[target.a]\ndialect = \"waha\"\nurl = \"http://h\"\nsession = \"s\"\n");
    assert!(waha.has_deep && waha.has_qr && waha.has_status);
    // Its QR endpoint needs a session; this status path does not.
    let list = watch("[target.a]\ndialect = \"waha\"\nurl = \"http://h\"\nstatus_path = \"/api/sessions\"\n");
    assert!(!list.has_deep && !list.has_qr && list.has_status);
}

#[test]
fn a_token_comes_from_one_place_and_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("token"), "s3cret\n");
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let env = env(&[("TOKEN", "s3cret"), ("EMPTY", " "), ("s3cretHex00ff", "x")]);
    let read = |keys: &str| {
        let text = format!("[target.a]\ndialect = \"waha\"\nurl = \"http://h\"\nsession = \"s\"\n{keys}\n");
        config::parse(&text, "f", folder.path(), &env)
    };
    let token = |keys: &str| read(keys).expect(keys).targets["a"].token.clone();
    assert_eq!(token("token_file = \"token\""), Some(Secret::File(folder.path().join("token"))));
    assert_eq!(token("token_env = \"TOKEN\""), Some(Secret::Env("TOKEN".to_owned())));
    assert_eq!(token(""), None);
    let refused: Vec<String> = [
        "token_file = \"token\"\ntoken_env = \"TOKEN\"",
        "token_file = \"s3cret\"",
        "token_file = \"empty\"",
        "token_file = \".\"",
        "token_env = \"EMPTY\"",
        "token_env = \"s3cretHex00fe\"",
        "token_env = \"16548|s3cret\"",
        "token = \"s3cret\"",
    ]
    .iter()
    .map(|keys| in_words(&read(keys).expect_err(keys)))
    .collect();
    assert!(refused.iter().all(|words| !words.contains("s3cret")), "a problem never repeats what may be a token");
    insta::assert_snapshot!(refused.join("\n"), @r#"
    f:6: target.a.token_env: stands beside token_file
      hint: the token comes from one of the two: take the other out
    f:5: target.a.token_file: the file cannot be read: No such file or directory (os error 2)
      hint: name a file that holds the token alone; a relative path begins at the folder of the configuration
    f:5: target.a.token_file: it is empty
      hint: name a file that holds the token alone; a relative path begins at the folder of the configuration
    f:5: target.a.token_file: the file cannot be read: it is not a file
      hint: name a file that holds the token alone; a relative path begins at the folder of the configuration
    f:5: target.a.token_env: it is empty
      hint: set the variable that is named here; it holds the token alone
    f:5: target.a.token_env: the environment variable is not set, or is not text
      hint: set the variable that is named here; it holds the token alone
    f:5: target.a.token_env: is not the name of an environment variable
      hint: write the name of the variable that holds the token, as in "WASENDER_TOKEN"
    f:5: target.a.token: unknown key
      hint: a token is read from token_file or token_env, and never stands in the configuration
    "#);
}

#[cfg(unix)]
#[test]
fn a_token_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    write_private(&file, "s3cret");
    let text = "[target.a]\ndialect = \"waha\"\nurl = \"http://h\"\nsession = \"s\"\ntoken_file = \"token\"\n";
    let warnings = || config::parse(text, "f", folder.path(), &BTreeMap::new()).expect("it is well").warnings;
    assert_eq!(warnings(), []);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(in_words(&warnings()), @r#"
    f:5: target.a.token_file: everybody on this machine can read the file
      hint: take the right away: chmod o-r
    "#);
}

#[test]
fn a_token_that_is_not_sent_is_a_warning() {
    let text = format!("{SHOP}token_env = \"TOKEN\"\n");
    let settings = config::parse(&text, "f", Path::new(""), &env(&[("TOKEN", "x")])).expect("it is well");
    insta::assert_snapshot!(in_words(&settings.warnings), @r#"
    f:1: target.shop: has a token, which the dialect does not send
      hint: take it out, or use another dialect
    "#);
}

#[test]
fn a_dialect_of_ones_own_is_loaded_by_path_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let generic = fs::read_to_string(root().join("config/dialects/generic.toml")).unwrap();
    fs::write(folder.path().join("good.toml"), generic.replace("name = \"generic\"", "name = \"my-own\"")).unwrap();
    fs::write(folder.path().join("bad.toml"), "name = \"my-own\"\nzebra = 1\n").unwrap();
    let read = |dialect: &str| {
        let target = |name| format!("[target.{name}]\ndialect = \"{dialect}\"\nurl = \"http://{name}\"\n");
        config::parse(&(target("a") + &target("b")), "f", folder.path(), &BTreeMap::new())
    };
    let settings = read("./good.toml").expect("it is well");
    assert_eq!(settings.targets["a"].dialect.name(), "my-own");
    assert!(Arc::ptr_eq(&settings.targets["a"].dialect, &settings.targets["b"].dialect), "it is read once");
    let problems = read("bad.toml").expect_err("it has faults");
    assert!(problems.iter().all(|problem| problem.source.ends_with("bad.toml") && problem.line.is_some()));
    assert_eq!(problems.iter().filter(|problem| problem.key == "zebra").count(), 1, "it is told once");
}

#[test]
fn relative_paths_begin_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watchdog.toml");
    fs::write(&file, format!("store.path = \"data/ledger.db\"\n{SHOP}")).unwrap();
    let settings = config::load(&file, &BTreeMap::new()).expect("it is well");
    assert_eq!(settings.store.path, folder.path().join("data/ledger.db"));
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("latin1.toml"), b"# caf\xe9\n").unwrap();
    for name in ["none.toml", "latin1.toml", "."] {
        let problems = config::load(&folder.path().join(name), &BTreeMap::new()).expect_err(name);
        assert_eq!(problems.len(), 1, "{name}");
        assert!(problems[0].what.starts_with("cannot be read: "), "{}", problems[0]);
    }
}

#[test]
fn the_commented_file_holds_the_defaults() {
    let settings = config::load(&root().join("config/watchdog.toml"), &BTreeMap::new()).expect("it is well");
    let least = reader::settings(SHOP).expect("it is well");
    assert_eq!(settings.server, least.server);
    assert_eq!(settings.store, least.store);
    assert_eq!(*settings.policy.targets["shop"].limits, Limits::default());
    assert_eq!(settings.policy.together, TOGETHER);
    assert_eq!(settings.policy.fleet, FleetLimits::default());
    assert_eq!(settings.policy.targets["shop"].mode, Mode::Observe);
    assert!(settings.policy.targets["shop"].restart_keeps_session);
    let (shop, plain) = (&settings.targets["shop"], &least.targets["shop"]);
    assert_eq!((shop.timeout, shop.body_bytes_max), (plain.timeout, plain.body_bytes_max));
    assert_eq!(settings.warnings, []);
}

#[test]
fn every_example_is_well() {
    let env =
        env(&[("WASENDER_PAT", "t"), ("WAHA_API_KEY", "t"), ("EVOLUTION_API_KEY", "t"), ("WPPCONNECT_TOKEN", "t")]);
    let mut targets = 0;
    for entry in fs::read_dir(root().join("config/examples")).unwrap() {
        let file = entry.unwrap().path();
        let settings = config::load(&file, &env).unwrap_or_else(|problems| panic!("{}", in_words(&problems)));
        // They listen where Prometheus can ask, and have no operator's token to name. The one that acts names programs that are not here.
        let of_hooks = |key: &&str| *key != "mode" && !key.rsplit('.').any(|part| part == "argv");
        let warned = settings.warnings.iter().map(|warning| warning.key.as_str()).filter(of_hooks);
        let is_near = file.ends_with("acting.toml") || file.ends_with("systemd.toml");
        let expected: &[&str] = if is_near { &[] } else { &["server.listen"] };
        assert_eq!(warned.collect::<Vec<_>>(), expected, "{}", file.display());
        targets += settings.targets.len();
    }
    assert_eq!(targets, 1 + 1 + 1 + 1 + 2 + 5);
}

#[test]
fn a_reload_tells_what_waits_for_a_restart() {
    let read = |head: &str| settings(&format!("{head}\n{SHOP}")).expect(head);
    let old = read("");
    assert_eq!(old.needs_restart(&read("policy.poll_every = \"5s\"")), Vec::<&str>::new());
    let head = "server.listen = \"127.0.0.1:1\"\nserver.token_env = \"T\"\nstore.path = \"x\"\nstore.keep = \"1y\"\n";
    let new = config::parse(&format!("{head}{SHOP}"), "f", Path::new(""), &env(&[("T", "t")])).expect(head);
    assert_eq!(old.needs_restart(&new), ["server.listen", "store.path", "store.keep", "recorder"]);
}

#[test]
fn problems_are_told_as_json_too() {
    let problems = problems("mode = \"auto\"");
    let json = serde_json::to_value(&problems[0]).unwrap();
    assert_eq!((&json["source"], &json["line"], &json["key"]), (&"watchdog.toml".into(), &1.into(), &"mode".into()));
}

#[test]
fn a_large_fleet_is_read_and_a_larger_one_refused() {
    let fleet = |count: usize| {
        let target = |n| format!("[target.t{n}]\ndialect = \"generic\"\nurl = \"http://h{n}\"\n");
        settings(&(0..count).map(target).collect::<String>())
    };
    assert_eq!(fleet(config::TARGETS_MAX).expect("it is well").targets.len(), config::TARGETS_MAX);
    let problems = fleet(config::TARGETS_MAX + 1).expect_err("it is too large");
    assert_eq!(in_words(&problems).lines().count(), 2);
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in ".{0,200}") {
        prop_assert!(settings(&text).is_err_and(|problems| are_short(&problems)));
    }

    #[test]
    fn no_slip_in_a_real_file_is_a_panic(cut in 0_usize..20_000, length in 0_usize..40, put in "[\\[\\]{}=\"'.a0#\n -]{0,6}") {
        let text = include_str!("../config/watchdog.toml");
        let slipped = [text.get(..cut), Some(&put), text.get(cut.saturating_add(length)..)].map(Option::unwrap_or_default).concat();
        if let Err(problems) = settings(&slipped) {
            prop_assert!(!problems.is_empty() && are_short(&problems));
            let lines = slipped.split('\n').count();
            prop_assert!(problems.iter().all(|problem| problem.line.is_none_or(|line| (1..=lines).contains(&line))));
        }
    }

    #[test]
    fn no_variable_is_a_panic(name in "[A-Z0-9_a-zß]{0,40}", value in ".{0,40}") {
        let env = env(&[(&format!("{}{name}", config::PREFIX), &value)]);
        prop_assert!(are_short(&config::parse(SHOP, "f", Path::new(""), &env).err().unwrap_or_default()));
    }
}

fn problems(text: &str) -> Vec<Problem> {
    settings(text).expect_err(text)
}

fn refused(text: &str) -> String {
    in_words(&problems(text))
}

fn in_words(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Tells whether every problem is one line and a hint, whatever text is in it.
fn are_short(problems: &[Problem]) -> bool {
    problems.iter().all(|problem| problem.to_string().lines().count() <= 2)
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn write_private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
