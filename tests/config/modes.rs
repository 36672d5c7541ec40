//! What may be done, and who may order it.

use std::path::Path;

use wa_watchdog::config::{self, Secret};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::policy::Mode;

use crate::{SHOP, env, in_words, settings};

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
