//! Calls of programs and of URLs, and their mistakes.

use std::fs;
use std::path::Path;

use wa_watchdog::config::{self, Settings};

use crate::{SHOP, WHSEC, env, in_words, refused, settings, write_private};

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
