//! How remedies are carried out: hooks, plans and modes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use wa_watchdog::config::{self, Call, Exec, HttpCall, HttpPoll, Retry, Secret, Settings, Signing};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::{Plan, Resume};
use wa_watchdog::engine::policy::{FleetLimits, Mode};

use crate::{SHOP, env, in_words, problems, refused, settings, write_private};

/// The vector of Standard Webhooks.
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn every_key_of_a_hook_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, content) in [("token", "t"), ("secret", WHSEC), ("ca.pem", ca)] {
        write_private(&folder.path().join(name), content);
    }
    let text = r#"
[fleet]
storm_targets = 3
storm_share = "40%"
storm_exit = "3m"
storm_jitter = "30s"
attempts = 2
restarts_hourly = 0
resets_daily = 1
[target.shop]
dialect = "whatsapp-service"
url = "http://localhost:3001"
mode = "act"
restart_keeps_session = false
group = "host-1"
[target.shop.remedy.restart]
allow_destructive = true
within = "5m"
[target.shop.remedy.restart.exec]
argv = ["/bin/sh", "", "${target}"]
env = { LANG = "C.UTF-8" }
timeout = "1m"
kill_grace = "0s"
output_max = "1KiB"
idempotent = true
[target.shop.remedy.reconnect.http]
url = "https://hooks.example/${target}?key=${run.key}"
method = "put"
token_file = "token"
secret_file = "secret"
previous_secret_env = "BEFORE"
body = { text = "${reason}", n = 1, f = 1.5, list = [true, { a = "${run.try}" }] }
expect_status = [200, 202]
expect_json = { "/success" = true, "/a/0" = [1] }
timeout = "10s"
tries = 3
only_unsent = true
ca_file = "ca.pem"
poll = { url = "https://hooks.example/jobs/${run.key}", expect_json = { "/done" = true }, every = "2s", within = "1m" }
"#;
    let env = env(&[("BEFORE", WHSEC)]);
    let settings =
        config::parse(text, "f", folder.path(), &env).unwrap_or_else(|problems| panic!("{}", in_words(&problems)));
    let expected = FleetLimits {
        storm_targets: 3,
        storm_percent: 40,
        storm_exit: secs(180),
        storm_jitter: secs(30),
        attempts: 2,
        restarts_hourly: 0,
        resets_daily: 1,
    };
    assert_eq!(settings.policy.fleet, expected);
    let (watch, target) = (&settings.policy.targets["shop"], &settings.targets["shop"]);
    assert_eq!((watch.mode, watch.restart_keeps_session, watch.group.as_ref()), (Mode::Act, false, "host-1"));
    assert!(watch.plans.keys().eq(target.hooks.keys()), "the same remedies");
    let exec = Exec {
        argv: ["/bin/sh", "", "${target}"].map(str::to_owned).to_vec(),
        env: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
        timeout: secs(60),
        kill_grace: secs(0),
        output_bytes_max: 1024,
        idempotent: true,
    };
    assert_eq!(target.hooks[&Remedy::Restart].steps[0].run, Call::Exec(exec));
    let Call::Http(http) = &target.hooks[&Remedy::Reconnect].steps[0].run else { panic!("a URL") };
    let expected = HttpCall {
        method: "PUT".to_owned(),
        url: "https://hooks.example/${target}?key=${run.key}".to_owned(),
        token: Some(Secret::File(folder.path().join("token"))),
        body: Some(json!({ "text": "${reason}", "n": 1, "f": 1.5, "list": [true, { "a": "${run.try}" }] })),
        signing: Some(Signing {
            secret: Secret::File(folder.path().join("secret")),
            previous: Some(Secret::Env("BEFORE".to_owned())),
        }),
        expect_status: vec![200, 202],
        expect_json: BTreeMap::from([("/success".to_owned(), json!(true)), ("/a/0".to_owned(), json!([1]))]),
        timeout: secs(10),
        retry: Retry { only_unsent: true, tries_max: 3 },
        poll: Some(HttpPoll {
            url: "https://hooks.example/jobs/${run.key}".to_owned(),
            expect_json: BTreeMap::from([("/done".to_owned(), json!(true))]),
            every: secs(2),
            within: secs(60),
        }),
        ca_file: Some(folder.path().join("ca.pem")),
    };
    assert_eq!(**http, expected);
    let restart = &watch.plans[&Remedy::Restart];
    assert_eq!((restart.within, restart.steps.len(), restart.has_look), (secs(300), 1, false));
    let step = &restart.steps[0];
    assert_eq!((step.name.0.as_ref(), step.destroys, step.resume, step.takes), ("run", true, Resume::Again, secs(240)));
    let reconnect = &watch.plans[&Remedy::Reconnect];
    let step = &reconnect.steps[0];
    // Three tries, waits of one and two seconds between them, and a minute of asking.
    assert_eq!((step.destroys, step.resume, step.takes), (false, Resume::Never, secs(30 + 3 + 60)));
    assert_eq!(reconnect.within, step.takes);
}

#[test]
fn little_is_needed() {
    let text = format!(
        "{SHOP}remedy.restart.exec.argv = \"/bin/sh\"\nremedy.reconnect.http.url = \"http://h/x\"\n\
         [target.other]\ndialect = \"generic\"\nurl = \"http://h:1\"\nmode = \"approve\"\n"
    );
    let settings = settings(&text).expect("it is well");
    let watch = &settings.policy.targets["shop"];
    assert_eq!((watch.mode, watch.restart_keeps_session, watch.group.as_ref()), (Mode::Observe, true, "localhost"));
    assert_eq!(settings.policy.targets["other"].mode, Mode::Approve);
    let Call::Exec(exec) = &settings.targets["shop"].hooks[&Remedy::Restart].steps[0].run else { panic!("a program") };
    assert_eq!((exec.timeout, exec.kill_grace, exec.output_bytes_max), (secs(120), secs(10), 64 << 10));
    assert_eq!((exec.env.len(), exec.idempotent), (0, false));
    let Call::Http(http) = &settings.targets["shop"].hooks[&Remedy::Reconnect].steps[0].run else { panic!("a URL") };
    assert_eq!((http.method.as_str(), http.timeout, http.retry.tries_max), ("POST", secs(15), 5));
    assert_eq!((http.retry.only_unsent, &http.body, &http.poll), (false, &None, &None));
    let step = |remedy| watch.plans[&remedy].steps[0].clone();
    assert_eq!((step(Remedy::Restart).resume, step(Remedy::Restart).takes), (Resume::Never, secs(490)));
    assert_eq!((step(Remedy::Reconnect).resume, step(Remedy::Reconnect).takes), (Resume::Again, secs(75 + 15)));
}

/// A reset in three steps.
const RESET: &str = r#"
[target.shop.remedy.reset]
allow_destructive = true
[target.shop.remedy.reset.look]
exec = { argv = ["/bin/sh"] }
[[target.shop.remedy.reset.step]]
name = "stop"
exec = { argv = ["/bin/sh"], timeout = "1s" }
undo = { http = { url = "http://h/start" } }
check = { exec = { argv = ["/bin/sh"], timeout = "1m", kill_grace = "30s" } }
[[target.shop.remedy.reset.step]]
name = "wipe"
destroys = true
exec = { argv = ["/bin/sh"], timeout = "20m" }
[[target.shop.remedy.reset.step]]
name = "start"
leaves_running = true
exec = { argv = ["/bin/sh"], timeout = "1s", kill_grace = "0s", idempotent = true }
check = { exec = { argv = ["/bin/sh"], timeout = "1s" } }
"#;

#[test]
fn a_line_of_steps_is_a_plan() {
    let settings = settings(&format!("{SHOP}{RESET}")).expect("it is well");
    let plan = &settings.policy.targets["shop"].plans[&Remedy::Reset];
    let hook = &settings.targets["shop"].hooks[&Remedy::Reset];
    assert!(plan.has_look && hook.look.is_some());
    // The sum would be longer than a run takes by default.
    assert_eq!(plan.within, secs(30 * 60));
    let rows: Vec<_> = plan
        .steps
        .iter()
        .map(|step| (step.name.0.as_ref(), step.destroys, step.leaves_running, step.has_undo, step.resume, step.takes))
        .collect();
    assert_eq!(
        rows,
        [
            // A check may take longer than the step itself.
            ("stop", false, false, true, Resume::Check, secs(4 * 60 + 30)),
            ("wipe", true, false, false, Resume::Never, secs(30 * 60)),
            ("start", false, true, false, Resume::Again, secs(4 + 10)),
        ]
    );
    let parts = hook.steps.iter().map(|step| (step.check.is_some(), step.undo.is_some())).collect::<Vec<_>>();
    assert_eq!(parts, [(true, true), (false, false), (true, false)]);
    assert_eq!(settings.warnings, []);
}

#[test]
fn a_mark_stands_for_all_that_a_hook_says_and_for_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mark = |text: &str| plan(&config::parse(text, "f", folder.path(), &env(&[("S", WHSEC)])).expect(text)).mark;
    let whole = format!("{SHOP}{RESET}");
    let first = mark(&whole);
    for (old, new) in [
        ("name = \"stop\"", "name = \"halt\""),
        ("destroys = true", "destroys = true\nleaves_running = false\ncheck.http.url = \"http://h/\""),
        ("leaves_running = true", "leaves_running = false"),
        ("http://h/start", "http://h/started"),
        ("timeout = \"20m\"", "timeout = \"19m\""),
        ("idempotent = true", "idempotent = false"),
        ("allow_destructive = true", "allow_destructive = true\nwithin = \"31m\""),
        ("look]\nexec = { argv = [\"/bin/sh\"] }", "look]\nexec = { argv = [\"/bin/cat\"] }"),
        ("{ url = \"http://h/start\" }", "{ url = \"http://h/start\", secret_env = \"S\" }"),
    ] {
        let changed = whole.replace(old, new);
        assert_ne!(changed, whole, "{old}");
        assert_ne!(mark(&changed), first, "{new}");
    }
    // What is the same in other words is the same, on every machine and in every version.
    assert_eq!(mark(&whole.replace("timeout = \"20m\"", "kill_grace = \"10s\", timeout = \"1200s\"")), first);
    let single = format!("{SHOP}[target.shop.remedy.reset]\nallow_destructive = true\nhttp.url = \"http://h\"\n");
    assert_eq!(format!("{:016x}", mark(&single)), "bddb0cbcc538da6f");
    let with_secret = single.replace("http.url", "http.secret_file = \"secret\"\nhttp.url");
    write_private(&folder.path().join("secret"), WHSEC);
    let before = mark(&with_secret);
    write_private(&folder.path().join("secret"), &WHSEC.replace("MfKQ", "QKfM"));
    assert_eq!(mark(&with_secret), before, "a rotated secret is the same hook");
}

fn plan(settings: &Settings) -> &Plan {
    &settings.policy.targets["shop"].plans[&Remedy::Reset]
}

#[test]
fn what_destroys_is_said_twice() {
    let text = format!(
        "{SHOP}restart_keeps_session = false\n[target.shop.remedy]\nrestart.exec.argv = [\"/bin/sh\"]\n\
         reset = {{ allow_destructive = false, http.url = \"http://h\" }}\nreconnect.http.url = \"http://h\"\n"
    );
    insta::assert_snapshot!(refused(&text), @r#"
    watchdog.toml:6: target.shop.remedy.restart.allow_destructive: is missing
      hint: restart destroys the session, as restart_keeps_session = false says: write allow_destructive = true if that is meant
    watchdog.toml:7: target.shop.remedy.reset.allow_destructive: is false, and the hook is there
      hint: reset destroys the session: write allow_destructive = true if that is meant
    "#);
    let text = text.replace("allow_destructive = false, ", "allow_destructive = true, ");
    let text = text.replace("restart.exec", "restart.allow_destructive = true\nrestart.exec");
    let settings = settings(&text).expect("it is well");
    let destroys = |remedy| settings.policy.targets["shop"].plans[&remedy].steps[0].destroys;
    assert_eq!([Remedy::Reconnect, Remedy::Restart, Remedy::Reset].map(destroys), [false, true, true]);
}

#[test]
fn a_line_of_steps_must_make_sense() {
    let step = |keys: &str| format!("{{ exec.argv = [\"/bin/sh\"], {keys} }}");
    let mut words = String::new();
    for (remedy, steps) in [
        ("restart", "[]".to_owned()),
        ("restart", "{ name = \"a\" }".to_owned()),
        ("restart", "[\"a\"]".to_owned()),
        ("restart", format!("[{}]", step("zebra = 1"))),
        ("restart", format!("[{}]", step("name = \"a b\""))),
        ("restart", "[{ name = \"a\" }]".to_owned()),
        ("restart", format!("[{}]", step("name = \"a\", http.url = \"http://h\""))),
        ("restart", format!("[{}]", step("name = \"a\", docker.container = \"x\""))),
        ("restart", format!("[{}, {}]", step("name = \"a\""), step("name = \"a\", leaves_running = true"))),
        ("restart", format!("[{}]", step("name = \"a\", destroys = true"))),
        ("restart", format!("[{}]", step("name = \"a\", undo = {}, check = { exec.argv = [\"sh\"] }"))),
        ("reset", format!("[{}]", step("name = \"a\""))),
        ("reset", format!("[{}]", step("name = \"a\", destroys = true, leaves_running = true"))),
        ("reset", format!("[{}]", vec![step("name = \"a\""); 17].join(", "))),
    ] {
        let allow = "allow_destructive = true";
        let text = format!("{SHOP}[target.shop.remedy.{remedy}]\n{allow}\nstep = {steps}\n");
        words.extend([refused(&text), "\n".to_owned()]);
    }
    insta::assert_snapshot!(words, @r#"
    watchdog.toml:6: target.shop.remedy.restart.step: has 0 steps
      hint: write 1 to 16
    watchdog.toml:6: target.shop.remedy.restart.step: is a table, not a list of steps
      hint: begin each step with [[target.shop.remedy.restart.step]]
    watchdog.toml:6: target.shop.remedy.restart.step[0]: "a" is not a step
      hint: begin each step with [[target.shop.remedy.restart.step]]
    watchdog.toml:6: target.shop.remedy.restart.step[0].name: is missing
      hint: write a short name, as in name = "stop"
    watchdog.toml:6: target.shop.remedy.restart.step[0].zebra: unknown key
      hint: known here: name, destroys, leaves_running, check, undo, exec, http
    watchdog.toml:6: target.shop.remedy.restart.step[0].name: "a b" is not a name
      hint: use 1 to 32 letters, digits, '_' or '-'
    watchdog.toml:6: target.shop.remedy.restart.step[0]: calls nothing
      hint: write exec = { argv = ["/path/to/program"] } or http = { url = "https://…" }
    watchdog.toml:6: target.shop.remedy.restart.step[0].http: stands beside exec
      hint: a call is one of the two: take the other out
    watchdog.toml:6: target.shop.remedy.restart.step[0].docker: unknown key
      hint: this version has the hooks exec and http; an exec may call its client
    watchdog.toml:6: target.shop.remedy.restart.step: has two steps of the name "a"
      hint: give each a name of its own
    watchdog.toml:6: target.shop.remedy.restart.step[0].destroys: is true, and restart keeps the session
      hint: take it out; or, if it does not, write restart_keeps_session = false at the target
    watchdog.toml:6: target.shop.remedy.restart.step[0].check.exec.argv: names a program without its path
      hint: write its whole path, as in "/usr/local/bin/restart-wa"; no shell and no PATH looks for it
    watchdog.toml:6: target.shop.remedy.restart.step[0].undo: calls nothing
      hint: write exec = { argv = ["/path/to/program"] } or http = { url = "https://…" }
    watchdog.toml:6: target.shop.remedy.reset.step: has no step that destroys the session, and reset does
      hint: write destroys = true at the step that does: up to it a run that fails goes back, after it only on
    watchdog.toml:6: target.shop.remedy.reset.step[0].destroys: stands beside leaves_running
      hint: what is tried whatever else failed must not destroy: make two steps of it
    watchdog.toml:6: target.shop.remedy.reset.step: has 17 steps
      hint: write 1 to 16
    "#);
    let text = format!(
        "{SHOP}[target.shop.remedy.restart]\nstep = [{}, {}]\n",
        step("name = \"stop\""),
        step("name = \"start\"")
    );
    insta::assert_snapshot!(in_words(&settings(&text).expect("it is well").warnings), @r#"
    watchdog.toml:5: target.shop.remedy.restart.step: has no step that leaves the service running
      hint: write leaves_running = true at the step that starts the service: it is tried whatever else failed
    "#);
}

#[test]
fn a_hook_is_one_of_what_this_version_has() {
    let mut words = String::new();
    for keys in [
        "restart = {}",
        "restart.docker.container = \"x\"",
        "restart = { exec.argv = [\"/bin/sh\"], kubernetes = {} }",
        "restart = { exec.argv = [\"/bin/sh\"], http.url = \"http://h\" }",
        "restart = { exec.argv = [\"/bin/sh\"], step = [] }",
        "restart = { exec.argv = [\"/bin/sh\"], within = \"2m\" }",
        "restart = { exec.argv = [\"/bin/sh\"], look = {} }",
        "notify.http.url = \"http://h\"",
        "reboot.exec.argv = [\"/bin/sh\"]",
        "restart = \"systemctl restart wa\"",
    ] {
        words.extend([refused(&format!("{SHOP}[target.shop.remedy]\n{keys}\n")), "\n".to_owned()]);
    }
    insta::assert_snapshot!(words, @r#"
    watchdog.toml:5: target.shop.remedy.restart: calls nothing
      hint: write exec = { argv = ["/path/to/program"] } or http = { url = "https://…" }
    watchdog.toml:5: target.shop.remedy.restart.docker: unknown key
      hint: this version has the hooks exec and http; an exec may call its client
    watchdog.toml:5: target.shop.remedy.restart.kubernetes: unknown key
      hint: this version has the hooks exec and http; an exec may call its client
    watchdog.toml:5: target.shop.remedy.restart.http: stands beside exec
      hint: a call is one of the two: take the other out
    watchdog.toml:5: target.shop.remedy.restart.exec: stands beside steps
      hint: a hook is one call or a line of steps: take one of them out
    watchdog.toml:5: target.shop.remedy.restart.within: is shorter than one try of a step, which may take 2m 10s
      hint: make it longer, or the timeout of the step shorter
    watchdog.toml:5: target.shop.remedy.restart.look: calls nothing
      hint: write exec = { argv = ["/path/to/program"] } or http = { url = "https://…" }
    watchdog.toml:5: target.shop.remedy.notify: unknown key
      hint: whom to tell stands in a section of its own, [notify.NAME]
    watchdog.toml:5: target.shop.remedy.reboot: unknown key
      hint: known here: reconnect, restart, reset
    watchdog.toml:5: target.shop.remedy.restart: is a text, not a table
      hint: write it as a section, [target.shop.remedy.restart]
    "#);
}

#[test]
fn a_call_has_limits() {
    for (key, bad, good) in [
        ("exec.argv", "[]", "[\"/bin/sh\", \"-c\", \"\"]"),
        ("exec.argv", "[\"sh\"]", "\"/bin/sh\""),
        ("exec.argv", "[\"./sh\"]", "[\"/bin/sh\", \"./x\"]"),
        ("exec.argv", "[\"/bin/sh\", 1]", "[\"/bin/sh\", \"1\"]"),
        ("exec.argv", "[\"/bin/sh\", \"a\\u0000b\"]", "[\"/bin/sh\", \"a\\nb\"]"),
        ("exec.env", "{ \"A B\" = \"x\" }", "{ A_B = \"\" }"),
        ("exec.env", "{ \"\" = \"x\" }", "{}"),
        ("exec.env", "{ WA_WATCHDOG_TARGET = \"x\" }", "{ WATCHDOG = \"x\" }"),
        ("exec.env", "{ A = 1 }", "{ A = \"1\" }"),
        ("exec.timeout", "\"21m\"", "\"20m\""),
        ("exec.kill_grace", "\"6m\"", "\"0s\""),
        ("exec.output_max", "\"2MiB\"", "\"1MiB\""),
        ("exec.idempotent", "\"yes\"", "true"),
        ("http.url", "\"hooks.example\"", "\"https://hooks.example\""),
        ("http.url", "\"ftp://h/\"", "\"http://h:8080/?a=b\""),
        ("http.url", "\"http://me:pa55@h/\"", "\"http://h/@me\""),
        ("http.url", "\"http://h/${traget}\"", "\"http://h/${target}/${remedy}/${pattern}?why=${reason}\""),
        ("http.url", "\"http://h/${target\"", "\"http://h/$target\""),
        ("http.url", "\"http://${target}/\"", "\"http://h?${target}\""),
        ("http.url", "\"http://h.${target}.example/\"", "\"http://h/${run.attempt}\""),
        ("http.url", "\"http://${target}@h/\"", "\"http://h/${run.step}\""),
        ("http.url", "\"http://h:${run.try}/\"", "\"http://h/${run.try}\""),
        ("http.url", "\"http:///${target}/\"", "\"http://h/${run.key}\""),
        ("http.url", "\"http:\\\\\\\\${target}/\"", "\"http://h/a\""),
        ("http.url", "\"${target}://h/\"", "\"http://h/b\""),
        ("http.url", "\"${target}\"", "\"http://h/c\""),
        ("http.method", "\"HEAD\"", "\"delete\""),
        ("http.body", "\"text\"", "{ text = \"$\" }"),
        ("http.body", "{ a = \"${traget}\" }", "{ a = \"${target}\" }"),
        ("http.body", "{ a = [{ b = \"${target\" }] }", "{ a = [{ b = \"x${target}y\" }] }"),
        ("http.body", "{ \"${target}\" = 1 }", "{ target = 1 }"),
        ("http.body", "{ at = 2026-01-01 }", "{ at = \"2026-01-01\" }"),
        ("http.body", "{ n = inf }", "{ n = 1e3 }"),
        ("http.expect_status", "[]", "204"),
        ("http.expect_status", "[200, 600]", "[200, 599]"),
        ("http.expect_status", "[\"200\"]", "[404]"),
        ("http.expect_json", "{}", "{ \"\" = {} }"),
        ("http.expect_json", "{ success = true }", "{ \"/success\" = true }"),
        ("http.expect_json", "true", "{ \"/a~1b\" = [1, \"x\", 0.5] }"),
        ("http.timeout", "\"6m\"", "\"10ms\""),
        ("http.tries", "0", "1"),
        ("http.tries", "11", "10"),
        ("http.only_unsent", "1", "true"),
        ("http.ca_file", "\"none.pem\"", "\"ca.pem\""),
        ("http.ca_file", "\"token\"", "\"ca.pem\""),
        ("http.ca_file", "\".\"", "\"ca.pem\""),
        (
            "http.poll",
            "{ url = \"http://h\", expect_json = {} }",
            "{ url = \"http://h\", expect_json = { \"/a\" = 1 } }",
        ),
        (
            "http.poll",
            "{ url = \"http://${target}\", expect_json = { \"/a\" = 1 } }",
            "{ url = \"http://h/${target}\", expect_json = { \"/a\" = 1 } }",
        ),
        (
            "http.poll",
            "{ url = \"http://h\", expect_json = { \"/a\" = 1 }, every = \"1m\", within = \"30s\" }",
            "{ url = \"http://h\", expect_json = { \"/a\" = 1 }, every = \"1m\", within = \"1m\" }",
        ),
        ("http.secret_file", "\"token\"", "\"secret\""),
        ("http.secret_env", "\"TOKEN\"", "\"SECRET\""),
        ("http.secret_env", "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", "\"SECRET\""),
        ("http.token_env", "\"NONE\"", "\"TOKEN\""),
    ] {
        let read = |value: &str| read_call(key, value);
        let problems = read(bad).expect_err(bad);
        assert_eq!(problems.len(), 1, "{key} = {bad}: {problems:?}");
        let place = format!("target.shop.remedy.restart.{key}");
        assert!(problems[0].key.starts_with(&place), "{bad}: {}", problems[0]);
        assert!(problems[0].line.is_some() && !problems[0].hint.is_empty(), "{key} = {bad}");
        let words = in_words(&problems);
        assert!(["pa55", "s3cret", &WHSEC[6..]].iter().all(|secret| !words.contains(secret)), "{words}");
        assert!(read(good).is_ok(), "{key} = {good}: {:?}", read(good).err());
    }
}

/// Reads a configuration whose one hook has one key set.
fn read_call(key: &str, value: &str) -> Result<Settings, Vec<config::Problem>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("token", "s3cret"), ("secret", WHSEC), ("ca.pem", "-----BEGIN CERTIFICATE-----")] {
        write_private(&folder.path().join(name), content);
    }
    let least = match key.split_once('.').unwrap() {
        (_, "argv" | "url") => "",
        ("exec", _) => "exec.argv = [\"/bin/sh\"]",
        _ => "http.url = \"http://h\"",
    };
    let text = format!("{SHOP}[target.shop.remedy.restart]\n{least}\n{key} = {value}\n");
    config::parse(&text, "f", folder.path(), &env(&[("TOKEN", "s3cret"), ("SECRET", WHSEC)]))
}

#[test]
fn some_keys_of_a_call_do_not_go_together() {
    let mut words = String::new();
    for keys in [
        "method = \"GET\"\nbody = {}",
        "expect_status = 200\npoll = { url = \"http://h\", expect_json = { \"/a\" = 1 } }",
        "poll = {}",
        "previous_secret_env = \"SECRET\"",
        "secret_env = \"SECRET\"\nsecret_file = \"x\"",
        "token = \"s3cret\"\nheaders = {}\nretries = 3",
        "secret_env = \"TOKEN\"",
    ] {
        let text = format!("{SHOP}[target.shop.remedy.restart.http]\nurl = \"http://h\"\n{keys}\n");
        let problems = config::parse(&text, "f", Path::new(""), &env(&[("TOKEN", "s3cret"), ("SECRET", WHSEC)]));
        words.extend([in_words(&problems.expect_err(keys)), "\n".to_owned()]);
    }
    assert!(!words.contains("s3cret") && !words.contains(WHSEC), "{words}");
    insta::assert_snapshot!(words, @r#"
    f:7: target.shop.remedy.restart.http.body: stands beside method GET, which has no body
      hint: take it out, or use another method
    f:7: target.shop.remedy.restart.http.poll: waits for a 202, which expect_status does not name
      hint: add 202 to expect_status
    f:6: target.shop.remedy.restart.http.poll.url: is missing
      hint: write where to ask whether the work is done
    f:6: target.shop.remedy.restart.http.poll.expect_json: is missing
      hint: write what means that the work is done, as in expect_json = { "/state" = "done" }
    f:6: target.shop.remedy.restart.http.previous_secret_env: stands without the secret that comes after it
      hint: write the new secret into secret_file or secret_env; both sign until this one is taken out
    f:6: target.shop.remedy.restart.http.secret_env: stands beside secret_file
      hint: the secret comes from one of the two: take the other out
    f:6: target.shop.remedy.restart.http.token: unknown key
      hint: a token is read from token_file or token_env, a signing secret from secret_file or secret_env
    f:7: target.shop.remedy.restart.http.headers: unknown key
      hint: a token is read from token_file or token_env, a signing secret from secret_file or secret_env
    f:8: target.shop.remedy.restart.http.retries: unknown key
      hint: write tries = 5, how often it is tried in all
    f:6: target.shop.remedy.restart.http.secret_env: it is not a signing secret: "whsec_" and the base64 of 24 to 64 random bytes
      hint: set the variable that is named here; it holds the secret alone
    "#);
    let text = format!("{SHOP}[target.shop.remedy.restart.exec]\ncommand = \"reboot\"\ntries = 3\nargs = []\n");
    insta::assert_snapshot!(refused(&text), @r#"
    watchdog.toml:4: target.shop.remedy.restart.exec.argv: is missing
      hint: write program and arguments, as in argv = ["/usr/local/bin/restart-wa", "shop"]
    watchdog.toml:5: target.shop.remedy.restart.exec.command: unknown key
      hint: write argv = ["/path/to/program", "argument"]: there is no shell, but a program may be one
    watchdog.toml:6: target.shop.remedy.restart.exec.tries: unknown key
      hint: a program that ends with 75 is tried again, others where idempotent = true says that they may be
    watchdog.toml:7: target.shop.remedy.restart.exec.args: unknown key
      hint: write argv = ["/path/to/program", "argument"]: there is no shell, but a program may be one
    "#);
}

#[cfg(unix)]
#[test]
fn a_program_that_cannot_be_called_now_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("restart-wa");
    let warned = |program: &str| {
        let text = format!("{SHOP}remedy.restart.exec.argv = [{program:?}, \"shop\"]\n");
        let warnings = settings(&text).expect(program).warnings;
        warnings.iter().map(|warning| warning.what.clone()).collect::<Vec<_>>().join("; ")
    };
    let program = file.to_str().unwrap();
    assert_eq!(warned(program), "cannot be found here: No such file or directory (os error 2)");
    assert_eq!(warned(folder.path().to_str().unwrap()), "is not a file");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    for (mode, words) in
        [(0o644, "cannot be executed"), (0o757, "can be changed by everybody on this machine"), (0o755, "")]
    {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(warned(program), words);
    }
}

#[test]
fn modes_that_let_less_or_more_be_done_than_it_seems_are_warned_of() {
    let target =
        |name: &str, keys: &str| format!("[target.{name}]\ndialect = \"generic\"\nurl = \"http://{name}\"\n{keys}\n");
    let restart = "remedy.restart.exec.argv = \"/bin/sh\"";
    let reset = "remedy.reset = { allow_destructive = true, exec.argv = \"/bin/sh\" }";
    let text = format!(
        "mode = \"act\"\n[server]\nlisten = \"0.0.0.0:1\"\n{}{}{}{}{}",
        target("all", &format!("{restart}\n{reset}")),
        target("none", ""),
        target("asked", "mode = \"approve\""),
        target("watched", "mode = \"observe\""),
        target("reset", reset),
    );
    insta::assert_snapshot!(in_words(&settings(&text).expect("it is well").warnings), @r#"
    watchdog.toml:1: mode: lets the watchdog act by itself
      hint: try it on recordings first: wa-watchdog replay --config FILE RECORDING
    watchdog.toml:3: server.listen: is seen from other machines, and there is no token: orders of operators are refused
      hint: write token_file or token_env into [server], or listen at 127.0.0.1
    watchdog.toml:9: target.none: is in mode act, and has no hook: nothing can be done
      hint: write one, as in [target.none.remedy.restart.exec], or mode = "observe"
    watchdog.toml:13: target.asked: is in mode approve, and has no hook: nothing can be done
      hint: write one, as in [target.asked.remedy.restart.exec], or mode = "observe"
    watchdog.toml:21: target.reset: has a hook for reset and none for restart: state_loop and never_ready will never be reset
      hint: a restart comes before the reset there: write [target.reset.remedy.restart.exec] too
    "#);
    let text = text.replace("mode = \"act\"\n", "");
    assert!(settings(&text).expect("it is well").warnings.len() == 2, "nobody acts");
    let own = target("a", &format!("mode = \"act\"\n{restart}")) + &target("b", &format!("mode = \"act\"\n{restart}"));
    let warnings = settings(&own).expect("it is well").warnings;
    assert_eq!(warnings.iter().map(|warning| warning.key.as_str()).collect::<Vec<_>>(), ["target.a.mode"], "once");
}

#[test]
fn orders_of_operators_need_a_token_where_others_listen() {
    let read =
        |keys: &str| config::parse(&format!("[server]\n{keys}\n{SHOP}"), "f", Path::new(""), &env(&[("T", "t")]));
    for (keys, token, warnings) in [
        ("", None, 0),
        ("listen = \"[::1]:1\"", None, 0),
        ("listen = \"0.0.0.0:1\"", None, 1),
        ("listen = \"0.0.0.0:1\"\ntoken_env = \"T\"", Some(Secret::Env("T".to_owned())), 0),
    ] {
        let settings = read(keys).expect(keys);
        assert_eq!((settings.server.token, settings.warnings.len()), (token, warnings), "{keys}");
    }
    let problems = read("listen = \"0.0.0.0:1\"\ntoken_env = \"NONE\"").expect_err("it is not set");
    assert_eq!(problems.len(), 1);
    insta::assert_snapshot!(in_words(&read("token = \"t\"").expect_err("it stands there")), @r#"
    f:2: server.token: unknown key
      hint: a token is read from token_file or token_env, and never stands in the configuration
    "#);
}

#[test]
fn variables_set_hooks_too() {
    let env = env(&[
        ("WA_WATCHDOG__MODE", "approve"),
        ("WA_WATCHDOG__FLEET__ATTEMPTS", "1"),
        ("WA_WATCHDOG__TARGET__SHOP__RESTART_KEEPS_SESSION", "false"),
        ("WA_WATCHDOG__TARGET__SHOP__REMEDY__RESTART__ALLOW_DESTRUCTIVE", "true"),
        ("WA_WATCHDOG__TARGET__SHOP__REMEDY__RESTART__EXEC__ARGV", "[\"/bin/sh\", \"-c\"]"),
        ("WA_WATCHDOG__TARGET__SHOP__REMEDY__RESTART__EXEC__ENV", "{ LANG = \"C\" }"),
        ("WA_WATCHDOG__TARGET__SHOP__REMEDY__RECONNECT__HTTP__URL", "http://h"),
        ("WA_WATCHDOG__TARGET__SHOP__REMEDY__RECONNECT__HTTP__POLL__URL", "http://h"),
        ("WA_WATCHDOG__TARGET__SHOP__REMEDY__RECONNECT__HTTP__POLL__EXPECT_JSON", "{ \"/a\" = true }"),
        ("WA_WATCHDOG__NOTIFY__OPS__URL", "http://variable"),
        ("WA_WATCHDOG__NOTIFY__OPS__EVENTS", "*"),
    ]);
    let text = format!("{SHOP}[notify.Ops]\nurl = \"http://file\"\n");
    let settings =
        config::parse(&text, "f", Path::new(""), &env).unwrap_or_else(|problems| panic!("{}", in_words(&problems)));
    let watch = &settings.policy.targets["shop"];
    assert_eq!((watch.mode, settings.policy.fleet.attempts), (Mode::Approve, 1));
    assert!(watch.plans[&Remedy::Restart].steps[0].destroys && watch.plans.contains_key(&Remedy::Reconnect));
    let notifiers: Vec<_> = settings.notifiers.iter().map(|to| (to.name.as_str(), to.url.as_str())).collect();
    assert_eq!(notifiers, [("Ops", "http://variable/")]);
}

#[test]
fn a_problem_of_a_step_has_its_line() {
    let text = format!("{SHOP}{RESET}").replace("destroys = true", "destroys = 1");
    let problems = problems(&text);
    assert_eq!(problems.len(), 1);
    let line = text.lines().position(|line| line.starts_with("destroys")).unwrap() + 1;
    assert_eq!((problems[0].key.as_str(), problems[0].line), ("target.shop.remedy.reset.step[1].destroys", Some(line)));
}
