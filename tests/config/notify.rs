//! Whom to tell.

use std::path::Path;

use wa_watchdog::config::{self, Notifier, Problem, Secret, Signing};

use crate::{SHOP, WHSEC, env, in_words};

#[test]
fn every_key_of_a_notifier_arrives() {
    let text = r#"
[notify.ops]
url = "https://hooks.example/wa?room=1"
events = ["incident.*", "scan.wanted", "remedy.*"]
secret_env = "SECRET"
token_env = "TOKEN"
timeout = "5s"
tries = 2
[notify.all]
url = "http://localhost"
events = "*"
"#;
    let notifiers = read(text).unwrap_or_else(|problems| panic!("{}", in_words(&problems)));
    let ops = Notifier {
        name: "ops".to_owned(),
        url: "https://hooks.example/wa?room=1".to_owned(),
        events: ["incident.*", "scan.wanted", "remedy.*"].map(str::to_owned).to_vec(),
        signing: Some(Signing { secret: Secret::Env("SECRET".to_owned()), previous: None }),
        token: Some(Secret::Env("TOKEN".to_owned())),
        timeout: std::time::Duration::from_secs(5),
        tries_max: 2,
    };
    let all = Notifier {
        name: "all".to_owned(),
        url: "http://localhost/".to_owned(),
        events: vec!["*".to_owned()],
        signing: None,
        token: None,
        timeout: std::time::Duration::from_secs(15),
        tries_max: 5,
    };
    assert_eq!(notifiers, [all, ops]);
}

#[test]
fn every_mistake_of_a_notifier_is_told() {
    let text = r#"
[notify.ops]
url = "https://me:pa55word@hooks.example/"
events = ["incidents.*", "scan", "zebra.*", "*"]
[notify."o p s"]
url = "http://h/${target}"
events = []
[notify.none]
tries = 11
timeout = "0s"
secret_env = "TOKEN"
token = "s3cret"
body = {}
[notify.text]
url = "ftp://h"
events = ["scan.Wanted"]
[notify]
web = "http://h"
"#;
    // Sections of one table may come in any order.
    let words = in_words(&read(text).expect_err("nothing is well"));
    assert!(!words.contains("pa55word") && !words.contains("s3cret"), "{words}");
    insta::assert_snapshot!(words, @r#"
    f:3: notify.ops.url: holds a user or a password
      hint: take it out; a token is read from token_file or token_env
    f:4: notify.ops.events: "incidents.*" is not an event
      hint: did you mean "incident.*"?
    f:4: notify.ops.events: "scan" is not an event
      hint: did you mean "scan.*"?
    f:4: notify.ops.events: "zebra.*" is not an event
      hint: known here: "incident.*", "remedy.*", "scan.*", "person.*", "service.*", "storm.*", "network.*", "command.*", "ledger.*", or "*" for all
    f:5: notify."o p s": is not a name
      hint: name it with 1 to 32 letters, digits, '_' or '-', as in [notify.ops]
    f:6: notify."o p s".url: has a placeholder
      hint: write the URL as it is: the event is in the body
    f:7: notify."o p s".events: has 0 events
      hint: write 1 to 32, or "*"
    f:8: notify.none.url: is missing
      hint: write whom to tell, as in url = "https://hooks.example/wa"
    f:8: notify.none.events: is missing
      hint: write which events it gets, as in events = ["incident.*", "scan.*", "remedy.*"], or "*"
    f:9: notify.none.tries: is above 10
      hint: write something from 1 to 10
    f:10: notify.none.timeout: is below 10ms
      hint: write something from 10ms to 5m
    f:11: notify.none.secret_env: it is not a signing secret: "whsec_" and the base64 of 24 to 64 random bytes
      hint: set the variable that is named here; it holds the secret alone
    f:12: notify.none.token: unknown key
      hint: a token is read from token_file or token_env, a signing secret from secret_file or secret_env
    f:13: notify.none.body: unknown key
      hint: the body is the event, in the form of Standard Webhooks
    f:15: notify.text.url: is not a URL of http or https
      hint: write it as in "http://localhost:3001"
    f:16: notify.text.events: "scan.Wanted" is not an event
      hint: did you mean "scan.*"?
    f:18: notify.web: is a text, not a table
      hint: write it as a section, [notify.web]
    "#);
}

#[test]
fn too_many_are_refused() {
    let some = |count: u32| -> String {
        let one = |n| format!("[notify.n{n}]\nurl = \"http://h\"\nevents = \"*\"\n");
        (0..count).map(one).collect::<Vec<_>>().concat()
    };
    assert_eq!(read(&some(16)).expect("it is well").len(), 16);
    assert_eq!(read(&some(17)).expect_err("too many").len(), 1);
}

#[test]
fn what_belongs_elsewhere_is_told_where() {
    let text = format!("notifiers = []\nhooks = {{}}\n{SHOP}notify = {{}}\nhooks = {{}}\n");
    let problems = config::parse(&text, "f", Path::new(""), &env(&[])).expect_err("four strangers");
    insta::assert_snapshot!(in_words(&problems), @r#"
    f:1: notifiers: unknown key
      hint: whom to tell stands in a section of its own, [notify.NAME]
    f:2: hooks: unknown key
      hint: the hooks of a target stand in its own sections, as in [target.NAME.remedy.restart.exec]
    f:6: target.shop.notify: unknown key
      hint: whom to tell stands in a section of its own, [notify.NAME]
    f:7: target.shop.hooks: unknown key
      hint: write them by remedy, as in [target.NAME.remedy.restart.exec]
    "#);
}

fn read(text: &str) -> Result<Vec<Notifier>, Vec<Problem>> {
    let env = env(&[("SECRET", WHSEC), ("TOKEN", "s3cret")]);
    config::parse(&format!("{text}{SHOP}"), "f", Path::new(""), &env).map(|settings| settings.notifiers)
}
