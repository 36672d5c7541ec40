//! The keys of the hook for a backend's database.

use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::config::{Call, Settings, SqliteDeed, UserKey};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::Resume;

use crate::{SHOP, refused, settings};

#[test]
fn the_hook_for_a_database_knows_one_user_and_one_session() {
    let hook = |remedy: &str, keys: &str| {
        format!(
            "{SHOP}session = \"16548\"\n[target.shop.remedy.{remedy}]\nallow_destructive = true\nsqlite = {{ {keys} }}\n"
        )
    };
    let read = settings(&hook("reset", "path = \"bot.db\", user = 42")).expect("it is well");
    let hook_of = |settings: &Settings| Arc::clone(&settings.targets["shop"].hooks[&Remedy::Reset]);
    let Call::Sqlite(call) = &hook_of(&read).steps[1].run else { panic!("another call") };
    assert_eq!((&call.user, call.session.as_str(), call.keep), (&UserKey::Number(42), "16548", 5));
    assert_eq!(call.path.parent(), Some(call.backup_dir.as_path()));
    let plan = &read.policy.targets["shop"].plans[&Remedy::Reset];
    let steps: Vec<_> = plan.steps.iter().map(|step| (step.name.to_string(), step.destroys, step.resume)).collect();
    let expected = [("backup".to_owned(), false, Resume::Again), ("clear".to_owned(), true, Resume::Check)];
    assert_eq!(steps, expected);
    let every =
        "path = \"/d/bot.db\", user = \"5c3b\", session = 7, backup_dir = \"/b\", keep = 2, busy_timeout = \"1s\"";
    let read = settings(&hook("reset", every)).expect("it is well");
    let Call::Sqlite(call) = &hook_of(&read).steps[0].run else { panic!("another call") };
    assert_eq!((&call.user, call.session.as_str()), (&UserKey::Text("5c3b".to_owned()), "7"));
    assert_eq!((call.keep, call.busy_timeout, call.deed.clone()), (2, Duration::from_secs(1), SqliteDeed::Backup));

    let mut words = String::new();
    for (remedy, keys) in [
        ("restart", "path = \"bot.db\", user = 42"),
        ("reset", "users = \"all\""),
        ("reset", "path = \"bot.db\", user = 42, keep = 0, busy_timeout = \"1h\""),
        ("reset", "path = \"bot.db\", user = true"),
    ] {
        words.extend([refused(&hook(remedy, keys)), "\n".to_owned()]);
    }
    words.push_str(&refused(&hook("reset", "path = \"bot.db\", user = 1").replace("session = \"16548\"\n", "")));
    insta::assert_snapshot!(words, @r#"
    watchdog.toml:7: target.shop.remedy.restart.sqlite: cannot restart a session
      hint: it takes a session out of a database, which is a reset: write it under reset
    watchdog.toml:7: target.shop.remedy.reset.sqlite.path: is missing
      hint: write where the backend's database file is, as in path = "/data/whatsapp_bot.db"
    watchdog.toml:7: target.shop.remedy.reset.sqlite.user: is missing
      hint: write the id of the user whose session it is, as in user = 42: never more than one
    watchdog.toml:7: target.shop.remedy.reset.sqlite.users: unknown key
      hint: this hook knows one user; all of them are unlinked by a person alone: wa-watchdog reset-all-users
    watchdog.toml:7: target.shop.remedy.reset.sqlite.busy_timeout: is above 1m
      hint: write something from 100ms to 1m
    watchdog.toml:7: target.shop.remedy.reset.sqlite.keep: is below 1
      hint: write something from 1 to 100
    watchdog.toml:7: target.shop.remedy.reset.sqlite.user: is true or false, not a text
      hint: write it in quotes
    watchdog.toml:6: target.shop.remedy.reset.sqlite.session: is missing
      hint: write the id that went stale, as in session = "16548": only this one is taken out
    "#);
}
