//! `run`: polling, metrics, restarts, reloads, signals.

use std::time::Duration;

use super::gateway::{Does, Gateway};
use super::{Daemon, run, text};

const CONNECTED: &str = r#"{"connected":true,"hasQR":false}"#;
const FAST: &str =
    "[policy]\npoll_every = \"1s\"\ntimeout = \"300ms\"\nsteady = \"3s\"\n[policy.unreachable]\nlasts = \"2s\"\n";

#[test]
fn whatever_a_gateway_answers_becomes_a_sample_and_a_metric_and_never_a_crash() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let cases = [
        ("good", Does::Says(CONNECTED.to_owned()), "answer"),
        ("html", Does::Says("<html><body>Welcome to nginx!</body></html>".to_owned()), "not_json"),
        ("half", Does::Says(r#"{"connected":tr"#.to_owned()), "not_json"),
        ("empty", Does::Says(String::new()), "not_json"),
        ("flood", Does::Floods(10), "too_large"),
        ("broken", Does::BreaksOff, "reset"),
        ("closed", Does::Closes, "reset"),
        ("hung", Does::Hangs, "timeout"),
        ("proxy", Does::Status(502), "server_error"),
        ("moved", Does::Status(302), "unexpected_status"),
        ("shut", Does::Status(401), "refused"),
        ("busy", Does::Status(429), "throttled"),
    ];
    let gateways: Vec<_> = cases.iter().map(|(name, does, _)| (*name, Gateway::start(does.clone()))).collect();
    let targets: String = gateways.iter().map(|(name, gateway)| gateway.target(name)).collect();
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{targets}"));
    for (name, _, outcome) in &cases {
        let series = format!("wa_watchdog_probes_total{{target=\"{name}\",outcome=\"{outcome}\"}}");
        let twice = if *outcome == "throttled" { 1.0 } else { 2.0 };
        daemon.wait_for(&series, |daemon| daemon.metric(&series).is_some_and(|count| twice <= count));
    }
    assert_eq!(daemon.metric("wa_watchdog_session_state{target=\"good\",state=\"connected\"}"), Some(1.0));
    assert_eq!(daemon.metric("wa_watchdog_probe_up{target=\"hung\"}"), Some(0.0));
    daemon.wait_for("the hung one to be named", |daemon| {
        daemon.metric("wa_watchdog_incident_open{target=\"hung\",pattern=\"unreachable\"}") == Some(1.0)
    });
    assert_eq!(daemon.metric("wa_watchdog_incident_open{target=\"html\",pattern=\"unreachable\"}"), Some(0.0));
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "took {took:?}");
}

#[test]
fn an_incident_survives_a_kill_and_closes_only_by_what_is_seen_afterwards() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Status(503));
    let config = format!("{FAST}{}", gateway.target("shop"));
    let ledger = directory.path().join("ledger.db").display().to_string();
    let opened = |daemon: &Daemon| daemon.get("/api/v1/incidents?open=true").contains("\"pattern\":\"unreachable\"");

    let first = Daemon::start(directory.path(), &config);
    first.wait_for("an incident", opened);
    // The ledger is ahead of the page: what is shown was handed over before, and is durable within a moment.
    first.wait_for("its line in the ledger", |_| {
        text(&run(&["history", "--ledger", &ledger, "--kind", "incident_opened"]).stdout).contains("incident #1 opened")
    });
    first.signal("KILL");
    drop(first);

    let second = Daemon::start(directory.path(), &config);
    assert!(opened(&second), "the incident is open from the start");
    gateway.now(Does::Says(CONNECTED.to_owned()));
    second.wait_for("recovery", |daemon| !opened(daemon));
    second.wait_for("its end in the ledger", |_| {
        text(&run(&["history", "--ledger", &ledger]).stdout).contains("incident #1 closed, unreachable recovered")
    });
    let history = text(&run(&["history", "--ledger", &ledger, "--target", "shop"]).stdout);
    assert_eq!(history.matches("opened").count(), 1, "{history}");
    assert_eq!(second.stop().0, Some(0));
}

#[test]
fn a_reload_takes_a_good_file_and_keeps_the_old_policy_on_a_bad_one() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let [gateway, other] = [(); 2].map(|()| Gateway::start(Does::Says(CONNECTED.to_owned())));
    let config = format!("{FAST}{}", gateway.target("shop"));
    let daemon = Daemon::start(directory.path(), &config);

    super::write_config(directory.path(), daemon.address, &format!("{config}urll = 3\n"));
    let refused = daemon.post("/-/reload");
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("urll"), "{refused}");
    daemon.wait_for("the metric", |daemon| daemon.metric("wa_watchdog_config_last_reload_successful") == Some(0.0));
    assert!(daemon.get("/api/v1/targets/shop").starts_with("HTTP/1.1 200"));

    super::write_config(directory.path(), daemon.address, &format!("{config}{}", other.target("second")));
    daemon.signal("HUP");
    daemon.wait_for("the second target", |daemon| {
        daemon.metric("wa_watchdog_session_state{target=\"second\",state=\"connected\"}") == Some(1.0)
    });
    assert_eq!(daemon.metric("wa_watchdog_config_last_reload_successful"), Some(1.0));

    super::write_config(directory.path(), daemon.address, &config);
    assert!(daemon.post("/-/reload").starts_with("HTTP/1.1 200"));
    daemon.wait_for("its series to go", |daemon| !daemon.get("/metrics").contains("target=\"second\""));
    assert!(daemon.get("/-/reload").starts_with("HTTP/1.1 405"));
}

#[test]
fn status_explain_and_healthcheck_ask_the_running_watchdog() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Status(503));
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}", gateway.target("shop")));
    daemon.wait_for("an incident", |daemon| daemon.get("/api/v1/incidents?open=true").contains("unreachable"));
    let url = format!("http://{}", daemon.address);

    let status = run(&["status", "--url", &url]);
    assert_eq!(status.status.code(), Some(1), "a failing session is not well");
    assert!(text(&status.stdout).contains("unreachable"), "{}", text(&status.stdout));
    let explained = run(&["explain", "shop", "--url", &url]);
    assert!(text(&explained.stdout).contains("failing, unreachable: no answer"), "{}", text(&explained.stdout));
    let nobody = run(&["explain", "nobody", "--url", &url]);
    assert_eq!(nobody.status.code(), Some(1));
    let said = text(&nobody.stderr);
    assert!(said.contains("error: no target has this name\nhint: ") && !said.contains('{'), "{said}");
    assert_eq!(run(&["healthcheck", "--url", &url]).status.code(), Some(0));
    drop(daemon);
    let gone = run(&["healthcheck", "--url", &url]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stderr).contains("is it running?"), "{}", text(&gone.stderr));
}

#[test]
fn a_person_orders_and_the_ledger_remembers() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let config = format!("{FAST}{}", gateway.target("shop"));
    let daemon = Daemon::start(directory.path(), &config);
    let url = format!("http://{}", daemon.address);
    let order = |arguments: &[&str]| {
        let common = ["--reason", "deploy", "--who", "ana", "--url", &url];
        let done = run(&[arguments, &common].concat());
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, said) = order(&["pause", "shop", "--for", "2h"]);
    assert_eq!((code, said.starts_with("paused: ")), (Some(0), true), "{said}");
    assert_eq!(order(&["pause", "--all"]).0, Some(0));
    assert_eq!(order(&["ack", "shop"]).0, Some(0));
    for (arguments, why) in [
        (&["restart", "shop"][..], "refused: paused: paused by ana"),
        (&["reset", "shop", "--yes"], "refused: paused: paused by ana"),
        (&["approve", "shop", "19c27e14280"], "refused: nothing waits for approval at shop"),
        (&["reconnect", "nobody"], "refused: no target has this name"),
        (&["restart", "nobody"], "error: no target has this name"),
    ] {
        let (code, said) = order(arguments);
        assert_eq!((code, said.starts_with(why)), (Some(1), true), "{said}");
        assert!(said.contains("hint: "), "{said}");
    }
    daemon.wait_for("the pause", |daemon| daemon.metric("wa_watchdog_paused") == Some(1.0));
    daemon.signal("KILL");
    drop(daemon);

    let second = Daemon::start(directory.path(), &config);
    let url = format!("http://{}", second.address);
    let resumed = |arguments: &[&str]| {
        let common = ["--reason", "done", "--who", "ana", "--format", "json", "--url", &url];
        run(&[arguments, &common].concat())
    };
    assert_eq!(second.metric("wa_watchdog_paused"), Some(1.0), "a pause survives a kill");
    let status = text(&run(&["status", "--url", &url]).stdout);
    assert!(
        status.contains("paused") && status.contains("all targets are paused by ana until it is resumed"),
        "{status}"
    );
    let explained = text(&run(&["explain", "shop", "--url", &url]).stdout);
    assert!(explained.contains("paused by ana") && explained.contains("mode is observe"), "{explained}");
    let json = text(&resumed(&["resume", "--all"]).stdout);
    assert!(json.contains("\"result\":\"accepted\""), "{json}");
    assert_eq!(resumed(&["resume", "shop"]).status.code(), Some(0));
    assert_eq!(second.stop().0, Some(0));
    let ledger = directory.path().join("ledger.db").display().to_string();
    let history = text(&run(&["history", "--ledger", &ledger, "--kind", "commanded", "--since", "2026-01-01"]).stdout);
    let told: Vec<&str> = history.lines().filter_map(|line| line.split_once("  ").map(|(_, what)| what)).collect();
    assert!(told[0].starts_with("shop  ana paused it until 2"), "{history}");
    let rest = [
        "all  ana paused it: deploy",
        "shop  ana looked at the underlying problem: deploy",
        "all  ana ended the pause: done",
        "shop  ana ended the pause: done",
    ];
    assert_eq!(told[1..], rest, "{history}");
}

#[test]
fn whoever_holds_the_token_orders_a_restart_and_sees_what_came_of_it() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let token = directory.path().join("token");
    std::fs::write(&token, "0a1b2c3d4e5f").expect("a file");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let hooks = "[target.shop.remedy.restart.exec]\nargv = [\"/bin/true\"]\n\
                 [target.frail]\ndialect = \"whatsapp-service\"\nurl = \"http://127.0.0.1:9\"\n\
                 restart_keeps_session = false\n[target.frail.remedy.restart]\nallow_destructive = true\n\
                 [target.frail.remedy.restart.exec]\nargv = [\"/bin/true\"]\n";
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}{hooks}", gateway.target("shop")));
    let file = directory.path().join("watchdog.toml");
    // The operator's token is added by a reload.
    let config = std::fs::read_to_string(&file).expect("the configuration");
    let config = config.replace("[server]", &format!("[server]\ntoken_file = \"{}\"", token.display()));
    std::fs::write(&file, config).expect("a file");
    assert!(daemon.post("/-/reload").starts_with("HTTP/1.1 200"));
    assert!(daemon.post("/-/reload").starts_with("HTTP/1.1 401"), "from now on a reload needs it too");

    let (url, config, ledger) =
        (format!("http://{}", daemon.address), file.display().to_string(), directory.path().join("ledger.db"));
    let order = |arguments: &[&str]| {
        let done = run(&[arguments, &["--reason", "new version", "--who", "ana"]].concat());
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, said) = order(&["restart", "shop", "--url", &url]);
    assert!(code == Some(1) && said.contains("refused: orders are taken only with the token"), "{said}");
    let (code, said) = order(&["restart", "frail", "--url", &url]);
    assert!(code == Some(2) && said.contains("a restart of frail destroys its session"), "{said}");
    let (code, said) = order(&["reset", "shop", "--yes", "--url", &url, "--token-file", &token.display().to_string()]);
    assert!(code == Some(1) && said.contains("refused: no_hook: no hook is configured for reset"), "{said}");
    let (code, said) = order(&["restart", "shop", "--config", &config]);
    assert!(code == Some(0) && said.starts_with("restart begins (attempt "), "{said}");

    let ended = "wa_watchdog_remedy_duration_seconds_count{target=\"shop\",remedy=\"restart\"}";
    daemon.wait_for("the run to end", |daemon| daemon.metric(ended) == Some(1.0));
    assert_eq!(daemon.metric("wa_watchdog_budget_remaining{target=\"shop\",remedy=\"restart\"}"), Some(2.0));
    assert_eq!(daemon.metric("wa_watchdog_orders_denied_total{reason=\"no_token\"}"), Some(2.0));
    assert!(daemon.get("/api/v1/attempts?target=shop").contains("\"by\":\"ana\""));
    let explained = text(&run(&["explain", "shop", "--url", &url]).stdout);
    assert!(explained.contains(", ordered or released by ana) ended done at "), "{explained}");
    assert_eq!(daemon.stop().0, Some(0));
    let history = text(&run(&["history", "--ledger", &ledger.display().to_string(), "--target", "shop"]).stdout);
    let told: Vec<&str> =
        history.lines().filter_map(|line| line.split_once("  shop  ")).map(|(_, what)| what).collect();
    let begin = told.iter().position(|what| *what == "ana ordered a restart: new version").expect("the order");
    assert!(told[begin + 1].ends_with(": restart, ordered or released by ana: new version"), "{history}");
    assert!(told[begin + 2].starts_with("  run: done in "), "{history}");
    assert!(told[begin + 3].starts_with("  restart ") && told[begin + 3].contains(" done after "), "{history}");
}

#[test]
fn while_the_network_path_is_down_nothing_is_done_unforced() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let closed = super::free_address();
    let more = format!(
        "[target.shop.remedy.restart.exec]\nargv = [\"/bin/true\"]\n\
         [path.whatsapp]\nurl = \"http://{closed}/\"\nevery = \"1s\"\ntimeout = \"1s\"\n"
    );
    let daemon = Daemon::start(directory.path(), &format!("{FAST}{}{more}", gateway.target("shop")));
    let up = "wa_watchdog_network_path_up{path=\"whatsapp\"}";
    daemon.wait_for("the path is down", |daemon| daemon.metric(up) == Some(0.0));
    let url = format!("http://{}", daemon.address);
    let order = |more: &[&str]| {
        let arguments = ["restart", "shop", "--url", &url, "--reason", "test", "--who", "ana"];
        let done = run(&[&arguments[..], more].concat());
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, said) = order(&[]);
    let why = "refused: storm: the network path whatsapp is down since ";
    assert!(code == Some(1) && said.contains(why) && said.contains("(connection refused)"), "{said}");
    let told = "the network path whatsapp is down (connection refused); what needs it is left alone until it is back";
    assert!(text(&run(&["status", "--url", &url]).stdout).contains(told));
    assert!(daemon.get("/").contains(&told.replacen("the", "The", 1)), "as a sentence");
    let (code, said) = order(&["--force"]);
    assert!(code == Some(0) && said.starts_with("restart begins (attempt "), "{said}");

    // It comes back, and that is waited out.
    let back = std::net::TcpListener::bind(closed).expect("the port is free");
    std::thread::spawn(move || {
        for stream in back.incoming().flatten() {
            drop(std::io::Write::write_all(&mut { stream }, b"HTTP/1.1 204 No Content\r\n\r\n"));
        }
    });
    daemon.wait_for("the path is up", |daemon| daemon.metric(up) == Some(1.0));
    let (code, said) = order(&[]);
    assert!(code == Some(1) && said.contains("just came back; it waits until "), "{said}");
    let ledger = directory.path().join("ledger.db").display().to_string();
    let history = text(&run(&["history", "--ledger", &ledger, "--kind", "path"]).stdout);
    assert!(history.contains("is down (connection refused)") && history.contains("is up again"), "{history}");
}

#[test]
fn a_service_named_by_a_flag_runs_without_a_file() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let gateway = Gateway::start(Does::Says(CONNECTED.to_owned()));
    let address = super::free_address();
    let section = gateway.target("x");
    let url = section.split('"').nth(3).expect("its url").to_owned();
    let child = super::binary()
        .args(["--log", "warn", "run", "--service", &url, "--name", "shop"])
        .env("WA_WATCHDOG__SERVER__LISTEN", address.to_string())
        .env("WA_WATCHDOG__STORE__PATH", directory.path().join("ledger.db"))
        .env("WA_WATCHDOG__POLICY__POLL_EVERY", "1s")
        .spawn()
        .expect("the binary starts");
    let daemon = Daemon { child, address };
    daemon.wait_for("the session", |daemon| {
        daemon.metric("wa_watchdog_session_state{target=\"shop\",state=\"connected\"}") == Some(1.0)
    });
    assert_eq!(daemon.stop().0, Some(0));
}
