//! Hooks over `WasenderAPI`, and over a backend that hides it.

use std::path::Path;
use std::time::Duration;

use wa_watchdog::config::{self, BackendCall, BackendDeed, Call, Proof, Secret, Settings, WasenderCall, WasenderDeed};
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::plan::Resume;

use crate::{SHOP, env, in_words, write_private};

const VENDOR: &str = "[target.shop]\ndialect = \"wasender\"\nsession = 16548\ntoken_env = \"PAT\"\n";
const BACKEND: &str =
    "[target.shop]\ndialect = \"wasender-backend\"\nurl = \"http://backend:5000\"\ntoken_env = \"JWT\"\n";

fn parse(text: &str) -> Result<Settings, String> {
    let env = env(&[("PAT", "1084|x"), ("JWT", "a.b.c"), ("PHONE", "+491511234567"), ("LOCAL", "01709988776")]);
    config::parse(text, "watchdog.toml", Path::new(""), &env).map_err(|problems| in_words(&problems))
}

fn read(text: &str) -> Settings {
    parse(text).expect("it is well")
}

fn vendor(settings: &Settings, remedy: Remedy) -> WasenderCall {
    let run = &settings.targets["shop"].hooks[&remedy].steps[0].run;
    let call = if let Call::Wasender(call) = run { Some(call.as_ref().clone()) } else { None };
    call.expect("a call of the vendor")
}

fn backend(settings: &Settings, remedy: Remedy, step: usize) -> BackendCall {
    let run = &settings.targets["shop"].hooks[&remedy].steps[step].run;
    let call = if let Call::WasenderBackend(call) = run { Some(call.as_ref().clone()) } else { None };
    call.expect("a call of the backend")
}

#[test]
fn a_target_at_the_vendor_says_everything_already() {
    let settings = read(&format!("{VENDOR}[target.shop.remedy]\nreconnect.wasender = {{}}\nrestart.wasender = {{}}\n"));
    let connect = vendor(&settings, Remedy::Reconnect);
    assert_eq!(connect.at.url, "https://www.wasenderapi.com/api");
    assert_eq!((connect.at.session.as_str(), &connect.at.token), ("16548", &Secret::Env("PAT".to_owned())));
    assert_eq!((connect.deed, connect.patience), (WasenderDeed::Connect, Duration::from_secs(45)));
    assert_eq!(vendor(&settings, Remedy::Restart).deed, WasenderDeed::Restart);
    let plans = &settings.policy.targets["shop"].plans;
    let resume = |remedy| plans[&remedy].steps[0].resume;
    assert_eq!([resume(Remedy::Reconnect), resume(Remedy::Restart)], [Resume::Again, Resume::Never]);
}

#[test]
fn what_is_written_wins() {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("pat"), "1084|y");
    let text = format!(
        "{VENDOR}[target.shop.remedy.reconnect.wasender]\nurl = \"https://wasenderapi.com\"\nsession = \"7\"\n\
         token_file = \"pat\"\ntimeout = \"1m\"\n"
    );
    let settings = config::parse(&text, "f", folder.path(), &env(&[("PAT", "x")])).unwrap();
    let connect = vendor(&settings, Remedy::Reconnect);
    assert_eq!((connect.at.url.as_str(), connect.at.session.as_str()), ("https://wasenderapi.com/api", "7"));
    assert_eq!(connect.at.token, Secret::File(folder.path().join("pat")));
    assert_eq!(connect.patience, Duration::from_mins(1));
}

#[test]
fn the_vendor_is_asked_for_a_number_with_the_token_of_the_account() {
    let mut words = String::new();
    for text in [
        format!("{SHOP}[target.shop.remedy]\nreconnect.wasender = {{}}\n"),
        format!(
            "{SHOP}[target.shop.remedy]\nreconnect.wasender = {{ session = \"k3y-of-a-session\", token_env = \"PAT\" }}\n"
        ),
        // On this path the target's token is the key of its session, which opens nothing here.
        format!("{VENDOR}status_path = \"/status\"\n[target.shop.remedy]\nrestart.wasender = {{}}\n"),
        format!("{VENDOR}[target.shop.remedy.reset]\nallow_destructive = true\nwasender = {{}}\n"),
        format!("{VENDOR}[target.shop.remedy]\nreconnect.wasender = {{ token = \"s3cret\", zebra = 1 }}\n"),
    ] {
        words.extend([parse(&text).expect_err(&text), "\n".to_owned()]);
    }
    assert!(!words.contains("k3y") && !words.contains("s3cret"), "{words}");
    insta::assert_snapshot!(words, @r#"
    watchdog.toml:5: target.shop.remedy.reconnect.wasender.session: is missing
      hint: write the session's number, as the vendor's dashboard shows it; a name or a key is not known there
    watchdog.toml:5: target.shop.remedy.reconnect.wasender.token_file: is missing
      hint: name the file that holds the personal access token
    watchdog.toml:5: target.shop.remedy.reconnect.wasender.session: is not the number of a session
      hint: write the session's number, as the vendor's dashboard shows it; a name or a key is not known there
    watchdog.toml:7: target.shop.remedy.restart.wasender.session: is missing
      hint: write the session's number, as the vendor's dashboard shows it; a name or a key is not known there
    watchdog.toml:7: target.shop.remedy.restart.wasender.token_file: is missing
      hint: name the file that holds the personal access token
    watchdog.toml:7: target.shop.remedy.reset.wasender: cannot reset a session
      hint: a session deleted at the vendor comes back with another number and another key, and everything that knows the old ones stops working; write wasender-backend, whose backend learns the new ones
    watchdog.toml:6: target.shop.remedy.reconnect.wasender.token: unknown key
      hint: the personal access token is read from token_file or token_env
    watchdog.toml:6: target.shop.remedy.reconnect.wasender.zebra: unknown key
      hint: known here: url, session, token_file, token_env, timeout
    "#);
}

#[test]
fn a_reset_by_a_backend_is_three_steps() {
    let text = format!(
        "{VENDOR}[target.shop.remedy]\nreconnect.wasender-backend = {{ url = \"http://backend:5000/\", token_env = \"JWT\" }}\n\
         [target.shop.remedy.reset]\nallow_destructive = true\n[target.shop.remedy.reset.wasender-backend]\n\
         url = \"http://backend:5000\"\ntoken_env = \"JWT\"\nphone_env = \"PHONE\"\ntimeout = \"50s\"\n"
    );
    let settings = read(&text);
    let plan = &settings.policy.targets["shop"].plans[&Remedy::Reset];
    let steps: Vec<_> =
        plan.steps.iter().map(|step| (&*step.name.0, step.destroys, step.leaves_running, step.resume)).collect();
    assert_eq!(
        steps,
        [
            ("prove", false, false, Resume::Again),
            ("delete", true, false, Resume::Check),
            ("ensure", false, true, Resume::Check)
        ]
    );
    let prove = backend(&settings, Remedy::Reset, 0);
    assert_eq!(prove.at.proof, Some(Proof::Vendor(Secret::Env("PAT".to_owned()))));
    assert_eq!(
        (prove.at.vendor.as_str(), prove.at.session.as_deref()),
        ("https://www.wasenderapi.com/api", Some("16548"))
    );
    assert_eq!(prove.at.url, "http://backend:5000");
    assert_eq!(prove.patience, Duration::from_secs(50));
    assert_eq!(
        backend(&settings, Remedy::Reset, 2).deed,
        BackendDeed::Ensure { phone: Secret::Env("PHONE".to_owned()) }
    );
    let plan = &settings.policy.targets["shop"].plans[&Remedy::Reconnect];
    assert_eq!((plan.steps.len(), plan.steps[0].resume), (1, Resume::Never));
    assert_eq!(backend(&settings, Remedy::Reconnect, 0).deed, BackendDeed::Reconnect);
}

#[test]
fn a_reset_wants_a_proof() {
    let reset = |keys: &str| {
        format!(
            "{BACKEND}[target.shop.remedy.reset]\nallow_destructive = true\n[target.shop.remedy.reset.wasender-backend]\n{keys}\n"
        )
    };
    let known = "url = \"http://backend:5000\"\ntoken_env = \"JWT\"\nphone_env = \"PHONE\"\n";
    let listed = read(&reset(&format!("{known}prove = \"list-sessions\"")));
    assert_eq!(backend(&listed, Remedy::Reset, 0).at.proof, Some(Proof::ListSessions));
    let asked =
        read(&reset(&format!("{known}vendor_token_env = \"PAT\"\nvendor_session = 16548\nvendor_url = \"http://v\"")));
    let at = backend(&asked, Remedy::Reset, 0).at;
    assert_eq!(at.proof, Some(Proof::Vendor(Secret::Env("PAT".to_owned()))));
    assert_eq!((at.vendor.as_str(), at.session.as_deref()), ("http://v", Some("16548")));
    let hasty = read(&reset(&format!("{known}prove = \"list-sessions\"\ntimeout = \"30s\"")));
    assert!(in_words(&hasty.warnings).contains("is shorter than the backend may take"));
    let plain = read(&format!(
        "{BACKEND}[target.shop.remedy]\nreconnect.wasender-backend = {{ url = \"http://b\", token_env = \"JWT\" }}\n"
    ));
    assert_eq!(backend(&plain, Remedy::Reconnect, 0).at.proof, None);

    let mut words = String::new();
    for text in [
        reset(known),
        reset(&format!("{known}prove = \"belief\"")),
        reset(&format!("{known}prove = \"list-sessions\"\nvendor_token_env = \"PAT\"")),
        reset(&format!("{known}vendor_token_env = \"UNSET\"")),
        reset("prove = \"list-sessions\""),
        reset(&format!("{known}prove = \"list-sessions\"").replace("PHONE", "LOCAL")),
        reset(&format!("{known}prove = \"list-sessions\"\nphone = \"+491709988776\"\njwt = \"s3cret\"")),
        format!("{BACKEND}[target.shop.remedy]\nrestart.wasender-backend = {{}}\n"),
        format!(
            "{BACKEND}[target.shop.remedy]\nreconnect.wasender-backend = {{ url = \"http://b\", token_env = \"JWT\", phone_env = \"PHONE\" }}\n"
        ),
        reset(&format!("{known}prove = \"list-sessions\"")).replace("allow_destructive = true", ""),
    ] {
        words.extend([parse(&text).expect_err(&text), "\n".to_owned()]);
    }
    assert!(!words.contains("1709988776") && !words.contains("s3cret"), "{words}");
    insta::assert_snapshot!(words, @r#"
    watchdog.toml:7: target.shop.remedy.reset.wasender-backend.vendor_token_file: is missing
      hint: name the file that holds the vendor's personal access token, or write prove = "list-sessions": a reset while the vendor is unwell orphans the session
    watchdog.toml:11: target.shop.remedy.reset.wasender-backend.prove: "belief" is not a way to see whether the vendor knows a session
      hint: write "list-sessions", which asks the backend; or take it out and name vendor_token_file
    watchdog.toml:12: target.shop.remedy.reset.wasender-backend.vendor_token_env: stands beside prove
      hint: the vendor is asked directly or by the backend: take one out
    watchdog.toml:11: target.shop.remedy.reset.wasender-backend.vendor_token_env: the environment variable is not set, or is not text
      hint: set the variable that is named here; it holds the token alone
    watchdog.toml:7: target.shop.remedy.reset.wasender-backend.url: is missing
      hint: write where the backend is, as in url = "http://backend:5000"
    watchdog.toml:7: target.shop.remedy.reset.wasender-backend.token_file: is missing
      hint: name the file that holds the user's JWT
    watchdog.toml:7: target.shop.remedy.reset.wasender-backend.phone_file: is missing
      hint: name the file that holds the number of the phone, as +491511234567: a new session is made for it
    watchdog.toml:10: target.shop.remedy.reset.wasender-backend.phone_env: it is not the number of a phone, as +491511234567
      hint: set the variable that is named here; it holds the number alone
    watchdog.toml:12: target.shop.remedy.reset.wasender-backend.phone: unknown key
      hint: the number of the phone is read from phone_file or phone_env
    watchdog.toml:13: target.shop.remedy.reset.wasender-backend.jwt: unknown key
      hint: the JWT is read from token_file or token_env
    watchdog.toml:6: target.shop.remedy.restart.wasender-backend: cannot restart a session
      hint: a backend reconnects its session, or resets it: write it under one of the two
    watchdog.toml:6: target.shop.remedy.reconnect.wasender-backend.phone_env: unknown key
      hint: only a reset makes a session for a phone: take it out
    watchdog.toml:5: target.shop.remedy.reset.allow_destructive: is missing
      hint: reset destroys the session: write allow_destructive = true if that is meant
    "#);
}

#[test]
fn a_session_that_was_replaced_is_replaced_wherever_it_is_meant() {
    let reset = "[target.shop.remedy.reset]\nallow_destructive = true\nwasender-backend = { url = \"http://b\", \
                 token_env = \"JWT\", phone_env = \"PHONE\" }\n";
    let settings = read(&format!("{VENDOR}{reset}[target.shop.remedy]\nrestart.wasender = {{}}\n"));
    let (target, vendor_url) = (&settings.targets["shop"], "https://www.wasenderapi.com/api");
    let changed = target.with_session(vendor_url, "16548", "16549").expect("it means this session");
    assert_eq!(changed.session.as_deref(), Some("16549"));
    let Call::Wasender(restart) = &changed.hooks[&Remedy::Restart].steps[0].run else { panic!("{changed:?}") };
    assert_eq!(restart.at.session, "16549");
    let reset = &changed.hooks[&Remedy::Reset];
    for call in reset.steps.iter().flat_map(|step| [Some(&step.run), step.check.as_ref()]).flatten() {
        let Call::WasenderBackend(call) = call else { panic!("{call:?}") };
        assert_eq!(call.at.session.as_deref(), Some("16549"));
    }
    for (vendor, old) in [(vendor_url, "16547"), ("https://elsewhere.example/api", "16548")] {
        assert!(target.with_session(vendor, old, "16549").is_none(), "{vendor} {old}");
    }
    // A session of that name at another gateway is another session.
    let waha = "[target.shop]\ndialect = \"waha\"\nurl = \"https://www.wasenderapi.com/api\"\nsession = \"16548\"\n";
    assert!(read(waha).targets["shop"].with_session(vendor_url, "16548", "16549").is_none());
}
