//! How remedies are carried out: hooks, plans and modes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use wa_watchdog::config::{self, Call, Exec, HttpCall, HttpPoll, Retry, Secret, Settings, Signing};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::{Plan, Resume};
use wa_watchdog::engine::policy::{FleetLimits, Mode};

use crate::{SHOP, WHSEC, env, in_words, problems, refused, settings, write_private};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one file, and all that it says")]
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
storm_holds = "40m"
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
        storm_holds: secs(2400),
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
exec = { argv = ["/bin/sh"], timeout = "5s", kill_grace = "0s" }
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
            // So may the look, which is ordered in its place.
            ("start", false, true, false, Resume::Again, secs(4 * 5)),
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
        ("look]\nexec = { argv = [\"/bin/sh\"]", "look]\nexec = { argv = [\"/bin/cat\"]"),
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
      hint: such a hook knows its steps itself: write it in the place of step, not in it
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
fn a_hook_is_one_of_those_that_there_are() {
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
    watchdog.toml:5: target.shop.remedy.restart.docker.container: "x" is not a name that Docker knows
      hint: write the container's name, as docker ps shows it
    watchdog.toml:5: target.shop.remedy.restart.exec: stands beside a hook that the watchdog brings along
      hint: target.shop.remedy.restart.kubernetes knows its steps itself: take one of the two out
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
fn a_problem_of_a_step_has_its_line() {
    let text = format!("{SHOP}{RESET}").replace("destroys = true", "destroys = 1");
    let problems = problems(&text);
    assert_eq!(problems.len(), 1);
    let line = text.lines().position(|line| line.starts_with("destroys")).unwrap() + 1;
    assert_eq!((problems[0].key.as_str(), problems[0].line), ("target.shop.remedy.reset.step[1].destroys", Some(line)));
}
