//! Who tells which sessions there are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use wa_watchdog::config::{
    self, DiscoverFrom, Discovery, DockerAddress, DockerEndpoint, Found, Ready, Secret, Settings,
};
use wa_watchdog::engine::TargetId;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::policy::Mode;

use crate::{SHOP, env, in_words, refused, settings, write_private};

#[test]
fn every_mistake_is_told_at_once() {
    let text = r#"
[discover.account]
every = "1s"
max = 0
prefix = "a b"
interval = "5s"
[discover.account.wasender]
url = "http://user:pa55word@host"
tokn_file = "x"
[discover.two.waha]
url = "http://waha:3000"
[discover.two.file]
path = "a/*/b.json"
[discover.none]
[discover."a b".docker]
address = "dns"
endpoint = "socket"
[discover.files.file]
[discover.evolution.evolution]
token_file = "no-such-file"
"#;
    insta::assert_snapshot!(refused(text), @r#"
    watchdog.toml:3: discover.account.every: is below 5s
      hint: write something from 5s to 1h
    watchdog.toml:4: discover.account.max: is below 1
      hint: write something from 1 to 20000
    watchdog.toml:5: discover.account.prefix: cannot begin the name of a target
      hint: use at most 32 letters, digits, '_', '-' or '.'
    watchdog.toml:6: discover.account.interval: unknown key
      hint: write every = "60s"
    watchdog.toml:7: discover.account.wasender.token_file: is missing
      hint: name the file of the personal access token: a session's own key cannot list sessions
    watchdog.toml:8: discover.account.wasender.url: holds a user or a password
      hint: take it out; a token is read from token_file or token_env
    watchdog.toml:9: discover.account.wasender.tokn_file: unknown key
      hint: did you mean "token_file"?
    watchdog.toml:12: discover.two.file: stands beside another kind
      hint: one section has one kind: write another section for the other one
    watchdog.toml:14: discover.none: says not who is asked
      hint: say who is asked, in one of the sections wasender, waha, evolution, docker and file below it
    watchdog.toml:15: discover."a b": is not a name
      hint: name it with 1 to 32 letters, digits, '_' or '-', as in [discover.account.wasender]
    watchdog.toml:16: discover."a b".docker.address: "dns" is not a way to reach a container
      hint: write "name", for a watchdog on the same network, or "ip"
    watchdog.toml:17: discover."a b".docker.endpoint: "socket" is not the address of a Docker daemon
      hint: write "unix:///var/run/docker.sock", or the address of a proxy as in "tcp://dockerproxy:2375"
    watchdog.toml:18: discover.files.file.path: is missing
      hint: name the file, as in path = "targets/*.json"
    watchdog.toml:19: discover.evolution.evolution.url: is missing
      hint: write where the gateway is, as in url = "http://localhost:3000"
    watchdog.toml:20: discover.evolution.evolution.token_file: the file cannot be read: No such file or directory (os error 2)
      hint: name a file that holds the token alone; a relative path begins at the folder of the configuration
    "#);
}

#[test]
fn a_template_is_read_like_a_target() {
    let text = r#"
[discover.w.waha]
url = "http://waha:3000"
[discover.w.target]
url = "http://other"
token_file = "x"
mode = "auto"
qr_pag = "x"
[discover.w.target.policy]
poll_every = "5"
[discover.w.target.remedy.restart.docker]
container = "waha"
[discover.w.target.remedy.reconnect.coolify]
url = "http://c"
[discover.d.docker]
[discover.d.target.remedy.restart.docker]
container = "one"
"#;
    insta::assert_snapshot!(refused(text), @r#"
    watchdog.toml:5: discover.w.target.url: is found for each target
      hint: take it out
    watchdog.toml:6: discover.w.target.token_file: is not the template's
      hint: everything that is found is asked with the token of [discover.NAME.waha]
    watchdog.toml:7: discover.w.target.mode: "auto" is not a mode
      hint: write "observe", "approve" or "act"
    watchdog.toml:8: discover.w.target.qr_pag: unknown key
      hint: did you mean "qr_page"?
    watchdog.toml:10: discover.w.target.policy.poll_every: "5" is not a time span
      hint: write a number and a unit, as in "15s", "10m" or "1h 30m"
    watchdog.toml:11: discover.w.target.remedy.restart.docker: is about one container, and the template is for many
      hint: nobody knows here in which container a session runs: write the target by hand, or find it by the kind docker
    watchdog.toml:13: discover.w.target.remedy.reconnect.coolify: is about one service, and the template is for many
      hint: use wasender, http or exec, which are told the target; or write the target by hand
    watchdog.toml:16: discover.d.target.remedy.restart.docker.container: is one container, and the template is for many
      hint: write container = "{container}", which stands for the one that was found
    "#);
}

#[test]
fn a_configuration_may_have_no_target_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("pat"), "t");
    let text = "[discover.account.wasender]\ntoken_file = \"pat\"\n[discover.box.docker]\n[discover.f]\nfile.path = \"t/*.json\"\n\
                prefix = \"\"\nevery = \"5s\"\nmax = 7\n";
    let settings = parse(text, folder.path());
    let [account, docker, files] = settings.discoveries.as_slice() else { panic!("{:?}", settings.discoveries) };
    let DiscoverFrom::Wasender(at) = &account.from else { panic!("{account:?}") };
    assert_eq!(at.url, "https://www.wasenderapi.com/api");
    assert_eq!(at.token, Some(Secret::File(folder.path().join("pat"))));
    assert_eq!((account.every, account.max, account.prefix.as_str()), (Duration::from_mins(1), 1000, "account-"));
    let socket = DockerEndpoint::Unix("/var/run/docker.sock".into());
    assert_eq!(docker.from, DiscoverFrom::Docker { endpoint: socket, address: DockerAddress::Name });
    assert_eq!(files.from, DiscoverFrom::File(folder.path().join("t/*.json")));
    assert_eq!((files.every, files.max, files.prefix.as_str()), (Duration::from_secs(5), 7, ""));
    assert!(settings.targets.is_empty() && settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert_eq!(
        in_words(&config::parse("", "f", Path::new(""), &BTreeMap::new()).unwrap_err())
            .matches("target: is missing")
            .count(),
        1
    );
}

#[test]
fn a_section_has_twins_in_the_environment() {
    let env = env(&[
        ("WA_WATCHDOG__DISCOVER__MY_WAHA__WAHA__URL", "http://waha:3000/"),
        ("WA_WATCHDOG__DISCOVER__MY_WAHA__EVERY", "30s"),
        ("WA_WATCHDOG__DISCOVER__MY_WAHA__TARGET__POLICY__STATE_LOOP__RETURNS_MIN", "5"),
    ]);
    let settings = config::parse("[discover.my-waha]\n", "f", Path::new(""), &env).unwrap();
    let discovery = &settings.discoveries[0];
    assert_eq!((discovery.from.place().as_str(), discovery.every.as_secs()), ("http://waha:3000", 30));
    assert_eq!(ready(discovery, &session("1", "http://waha:3000")).watch.limits.state_loop.returns_min, 5);
}

#[test]
fn what_is_found_becomes_a_target_with_all_that_the_template_says() {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("pat"), "t");
    let text = r#"
mode = "approve"
[policy]
settle = "7s"
[discover.account]
wasender = { token_file = "pat", url = "http://127.0.0.1:1/api" }
[discover.account.target]
group = "vendor"
[discover.account.target.policy]
poll_every = "20s"
[discover.account.target.remedy.reconnect.wasender]
"#;
    let settings = parse(text, folder.path());
    let discovery = &settings.discoveries[0];
    let found = [session("16548", "http://127.0.0.1:1/api"), session("2", "http://127.0.0.1:1/api")];
    let ids = [id("account-shop"), id("account-2")];
    let read = discovery.read(ids.iter().zip(&found), []);
    let [Ok(one), Ok(two)] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((one.target.id.as_str(), one.target.session.as_deref()), ("account-shop", Some("16548")));
    assert_eq!(one.target.token, Some(Secret::File(folder.path().join("pat"))));
    assert_eq!((one.watch.mode, one.watch.group.as_ref()), (Mode::Approve, "vendor"));
    assert_eq!((one.watch.limits.poll_every.as_secs(), one.watch.limits.settle.as_secs()), (20, 7));
    assert!(one.target.hooks.contains_key(&Remedy::Reconnect));
    assert!(std::sync::Arc::ptr_eq(&one.watch.limits, &two.watch.limits), "equal thresholds are shared");
    // Later ones share them as well.
    let later = discovery.read([(&id("account-3"), &session("3", "http://127.0.0.1:1/api"))], [one]);
    assert!(std::sync::Arc::ptr_eq(&later[0].as_ref().unwrap().watch.limits, &one.watch.limits));
}

#[test]
fn a_hook_of_docker_means_the_container_that_was_found() {
    let text = "[discover.d.docker]\n[discover.d.target]\ndialect = \"generic\"\n[discover.d.target.remedy.restart.docker]\n\
                container = \"{container}\"\nclear_locks = true\nsession_dir = \"/sessions/{container}\"\n";
    let discovery = &settings(text).unwrap().discoveries[0];
    let found = Found { container: Some("wa-7".to_owned()), ..session("1", "http://wa-7:3001") };
    let hooks = format!("{:?}", ready(discovery, &found).target.hooks);
    assert!(
        hooks.contains("\"wa-7\"") && hooks.contains("/sessions/wa-7") && !hooks.contains("{container}"),
        "{hooks}"
    );
}

#[test]
fn a_label_cannot_name_a_file_and_a_bad_one_is_no_target() {
    let discovery = &settings("[discover.d.docker]\n").unwrap().discoveries[0];
    let read = |found: Found| discovery.read([(&id("x"), &found)], []).pop().unwrap();
    let problem =
        |found| read(found).unwrap_err().into_iter().map(|problem| problem.what).collect::<Vec<_>>().join("; ");
    let found = |dialect: Option<&str>| Found { dialect: dialect.map(str::to_owned), ..session("1", "http://h") };
    assert_eq!(problem(found(Some("/etc/x.toml"))), "the label wa-watchdog.dialect names a file");
    assert_eq!(problem(found(Some("wahaa"))), "\"wahaa\" is not a built-in dialect");
    assert_eq!(problem(found(None)), "is missing");
    assert_eq!(problem(Found { url: "http://u:p@h".to_owned(), ..found(Some("waha")) }), "holds a user or a password");
    assert_eq!(problem(Found { session: None, ..found(Some("waha")) }), "is missing");
    assert!(read(found(Some("waha"))).is_ok());
}

#[test]
fn a_section_is_the_same_wherever_it_stands_and_another_one_if_it_says_something_else() {
    let one = |text: &str| settings(text).unwrap().discoveries.remove(0);
    let base = "[discover.a.waha]\nurl = \"http://w\"\n[discover.a.target.policy]\nsettle = \"5s\"\n";
    let first = one(base);
    assert!(first.is_same(&one(&format!("# moved\n\n{base}"))));
    for (text, finds_the_same) in [
        (base.replace("5s", "6s"), true),
        (format!("mode = \"approve\"\n{base}"), true),
        (format!("[policy]\nsteady = \"3m\"\n{base}"), true),
        (format!("{base}[discover.a]\nevery = \"5s\"\n"), true),
        (base.replace("http://w", "http://v"), false),
        (format!("{base}[discover.a]\nprefix = \"x\"\n"), false),
    ] {
        let other = one(&text);
        assert!(!first.is_same(&other), "{text}");
        assert_eq!(first.finds_as(&other), finds_the_same, "{text}");
    }
}

#[test]
fn a_section_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let env = env(&[("PAT", "s3cret-token"), ("OTHER", "s3cret-other")]);
    let text = "[discover.a.wasender]\ntoken_env = \"PAT\"\n";
    let settings = config::parse(text, "f", folder.path(), &env).unwrap();
    assert!(!format!("{settings:?}").contains("s3cret"), "{settings:?}");
}

#[test]
fn two_sections_with_one_prefix_are_warned_of() {
    let text = format!(
        "{SHOP}[discover.a]\nprefix = \"\"\nwaha.url = \"http://a\"\n[discover.b]\nprefix = \"\"\nwaha.url = \"http://b\"\n"
    );
    let warnings = in_words(&settings(&text).unwrap().warnings);
    assert!(
        warnings.starts_with("watchdog.toml:7: discover.b: gives its targets the same prefix as discover.a"),
        "{warnings}"
    );
}

fn parse(text: &str, folder: &Path) -> Settings {
    fs::write(folder.join("watchdog.toml"), text).unwrap();
    config::load(&folder.join("watchdog.toml"), &BTreeMap::new()).unwrap()
}

fn session(session: &str, url: &str) -> Found {
    Found {
        key: session.to_owned(),
        name: session.to_owned(),
        url: url.to_owned(),
        dialect: None,
        session: Some(session.to_owned()),
        status_path: None,
        container: None,
    }
}

fn ready(discovery: &Discovery, found: &Found) -> Ready {
    discovery.read([(&id("x"), found)], []).pop().unwrap().unwrap()
}

fn id(name: &str) -> TargetId {
    TargetId::new(name).unwrap()
}
