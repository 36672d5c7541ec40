//! What may be pushed.

use std::collections::BTreeMap;

use wa_watchdog::config::{self, Secret};

use crate::SHOP;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["secret", "before"] {
        std::fs::write(folder.path().join(name), format!("s3cret-{name}")).unwrap();
    }
    folder
}

#[test]
fn a_target_takes_pushes_where_it_names_a_secret() {
    let folder = folder();
    let path = |name: &str| Secret::File(folder.path().join(name));
    let text = format!(
        "{SHOP}[target.shop.inbound]\nsecret_file = \"secret\"\n[target.other]\ndialect = \"whatsapp-service\"\nurl = \"http://other\"\n\
         [target.other.inbound]\nsecret_env = \"HOOK\"\nprevious_secret_file = \"before\"\nrate_max = 7\n\
         [alertmanager]\ntoken_file = \"secret\"\n"
    );
    let env = BTreeMap::from([("HOOK".to_owned(), "s3cret".to_owned())]);
    let settings = config::parse(&text, "f", folder.path(), &env).unwrap();
    let shop = settings.targets["shop"].senses.inbound.clone().unwrap();
    assert_eq!((shop.secret, shop.previous, shop.rate_max), (path("secret"), None, 50));
    let other = settings.targets["other"].senses.inbound.clone().unwrap();
    assert_eq!(other.secret, Secret::Env("HOOK".to_owned()));
    assert_eq!((other.previous, other.rate_max), (Some(path("before")), 7));
    let alertmanager = settings.alertmanager.unwrap();
    assert_eq!((alertmanager.token, alertmanager.label.as_str()), (path("secret"), "target"));
    assert!(config::parse(SHOP, "f", folder.path(), &env).unwrap().alertmanager.is_none());
}

#[test]
fn whatever_is_wrong_is_said_without_the_secret() {
    let folder = folder();
    let text = format!(
        "{SHOP}[target.shop.inbound]\nsecret = \"s3cret-in-the-file\"\nrate_max = 0\n\
         [alertmanager]\nlabel = \"9 lives\"\ntoken_env = \"NEVER_SET\"\n"
    );
    let problems = config::parse(&text, "f", folder.path(), &BTreeMap::new()).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(!problems.concat().contains("s3cret"));
    insta::assert_snapshot!(problems.join("\n"), @r#"
    f:4: target.shop.inbound.secret_file: is missing
      hint: write secret_file or secret_env: whoever pushes must send it, or sign with it
    f:5: target.shop.inbound.secret: unknown key
      hint: a secret is read from secret_file or secret_env, and never stands in the configuration
    f:6: target.shop.inbound.rate_max: is below 1
      hint: write something from 1 to 10000
    f:8: alertmanager.label: "9 lives" is not the name of a label
      hint: write it as in "target" or "instance"
    f:9: alertmanager.token_env: the environment variable is not set, or is not text
      hint: set the variable that is named here; it holds the token alone
    "#);
}
