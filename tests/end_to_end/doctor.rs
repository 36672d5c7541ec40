//! The doctor, before a gateway and a Docker daemon that say what a test says.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{run, text, write_config};

/// Answers by path: the first that the request begins with.
type Routes = Vec<(&'static str, u16, String)>;

/// Starts a server whose threads end with the test process.
fn serve(routes: Routes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let routes = Arc::new(routes);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let routes = Arc::clone(&routes);
            std::thread::spawn(move || {
                let mut head = [0_u8; 4096];
                let length = stream.read(&mut head).unwrap_or(0);
                let head = text(head.get(..length).unwrap_or_default());
                let Some(path) = head.split(' ').nth(1) else { return };
                let found = routes.iter().find(|(begin, ..)| path.starts_with(begin));
                let (status, body) = found.map_or((404, "{}"), |(_, status, body)| (*status, body.as_str()));
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                // Whoever only wanted to connect is gone by now.
                drop(stream.write_all(reply.as_bytes()));
            });
        }
    });
    address
}

/// A service that is well, as its gateway tells it.
fn gateway() -> Routes {
    vec![
        ("/status", 200, r#"{"connected":true,"hasQR":false}"#.to_owned()),
        ("/qr-display", 200, "<html>".to_owned()),
        ("/health", 200, "{}".to_owned()),
    ]
}

/// A container that is well.
fn container(backend: SocketAddr) -> Value {
    json!({
        "Id": "aaaa",
        "Args": ["index.js"],
        "RestartCount": 0,
        "State": { "Status": "running", "Running": true, "OOMKilled": false, "ExitCode": 0 },
        "Config": {
            "Image": "mlh/whatsapp-service",
            "Env": [
                format!("BACKEND_URL=http://{backend}/api?key=s3cret"),
                format!("WEBHOOK_URL=http://{backend}/api/whatsapp/incoming?key=s3cret"),
            ],
            "Cmd": null,
            "Labels": { "com.docker.compose.project": "mlh", "com.docker.compose.service": "whatsapp-service" },
        },
        "HostConfig": {
            "Memory": 1_073_741_824,
            "ShmSize": 268_435_456,
            "IpcMode": "private",
            "RestartPolicy": { "Name": "unless-stopped", "MaximumRetryCount": 0 },
        },
        "Mounts": [{ "Type": "volume", "Name": "mlh_whatsapp-session", "Destination": "/app/data" }],
    })
}

fn docker(container: &Value, listed: &Value) -> Routes {
    let stats = json!({ "memory_stats": { "usage": 524_288_000, "stats": { "inactive_file": 104_857_600 } } });
    vec![
        ("/containers/json", 200, listed.to_string()),
        ("/containers/wa/json", 200, container.to_string()),
        ("/containers/wa/stats", 200, stats.to_string()),
    ]
}

fn alone() -> Value {
    json!([{ "Id": "aaaa", "Names": ["/wa"], "Image": "mlh/whatsapp-service", "State": "running" }])
}

/// What a running watchdog says of its resets.
fn daemon(grade: &str, is_underlying: bool) -> Routes {
    let resets = json!({ "day": 0, "week": 1, "month": 1, "grade": grade, "underlying_problem": is_underlying, "gave_up": false });
    vec![
        ("/api/v1/targets/shop", 200, json!({ "care": { "resets": resets } }).to_string()),
        (
            "/api/v1/attempts",
            200,
            json!({ "attempts": [{ "at": "2026-02-04T09:00:00.000Z", "destroys": true }] }).to_string(),
        ),
    ]
}

fn config(gateway: SocketAddr, docker: SocketAddr) -> String {
    format!(
        "[target.shop]\ndialect = \"whatsapp-service\"\nurl = \"http://{gateway}\"\nqr_page = \"http://{gateway}/qr-display\"\n\
         [target.shop.remedy.restart.docker]\ncontainer = \"wa\"\nendpoint = \"tcp://{docker}\"\n"
    )
}

fn examine(folder: &Path, config: &str, daemon: SocketAddr, more: &[&str]) -> Output {
    let file = write_config(folder, "127.0.0.1:9".parse().expect("an address"), config).display().to_string();
    let whatsapp = format!("http://{}/", serve(vec![("/", 200, String::new())]));
    let url = format!("http://{daemon}");
    let arguments = ["--log", "off", "doctor", "shop", "--config", &file, "--whatsapp", &whatsapp, "--url", &url];
    run(&[&arguments[..], more].concat())
}

/// The lines by the name of what was looked at: finding, what was seen.
fn lines(output: &Output) -> std::collections::BTreeMap<String, (String, String)> {
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let word = |line: &Value, key: &str| line[key].as_str().expect("a text").to_owned();
    let lines = said["lines"].as_array().expect("lines");
    lines.iter().map(|line| (word(line, "check"), (word(line, "finding"), word(line, "seen")))).collect()
}

#[test]
fn a_service_that_is_well_is_well_in_every_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let docker = serve(docker(&container(serve(Vec::new())), &alone()));
    let config = config(serve(gateway()), docker);
    let well = examine(folder.path(), &config, serve(daemon("rare", false)), &[]);
    let said = text(&well.stdout);
    assert_eq!(well.status.code(), Some(0), "{said}{}", text(&well.stderr));
    for line in [
        "well            status: connected",
        "well            memory limit: 1024 MiB",
        "well            memory use: 400 MiB of 1024 MiB (39 %)",
        "well            second holder: nobody else",
        "well            restart policy: unless-stopped",
        "well            path to WhatsApp (TCP): 127.0.0.1:",
        "well            resets: rare: 0 in 24 h, 1 in 7 d, 1 in 30 d; the last one ",
        "could not look  version: ",
    ] {
        assert!(said.contains(line), "no line {line:?} in\n{said}");
    }
    assert!(!said.contains("not well  ") && !said.contains("s3cret"), "{said}");
    // The container is known as well where only its memory is read.
    let read = config.replace("remedy.restart.docker", "memory.docker");
    let found = lines(&examine(folder.path(), &read, serve(daemon("rare", false)), &["--format", "json"]));
    assert_eq!(found["memory limit"], ("well".to_owned(), "1024 MiB".to_owned()));
    let again = examine(folder.path(), &config, serve(daemon("rare", false)), &["--format", "json"]);
    let lines = lines(&again);
    assert_eq!(again.status.code(), Some(0), "{lines:?}");
    assert!(lines["environment BACKEND_URL"].1.ends_with("takes connections, from here"), "{lines:?}");
    assert!(!text(&again.stdout).contains("s3cret"));
}

#[test]
fn everything_that_is_wrong_is_named_with_advice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut ill = container(serve(Vec::new()));
    ill["HostConfig"] = json!({ "Memory": 419_430_400, "ShmSize": 67_108_864, "RestartPolicy": { "Name": "no" } });
    ill["State"]["OOMKilled"] = json!(true);
    ill["Config"]["Env"] = json!(["BACKEND_URL=not a url s3cret"]);
    ill["Config"]["Labels"]["autoheal"] = json!("true");
    ill["Args"] = json!(["index-baileys.js"]);
    let listed = json!([
        { "Id": "aaaa", "Names": ["/wa"], "State": "running" },
        { "Id": "bbbb", "Names": ["/wa-old"], "State": "running" },
        { "Id": "cccc", "Names": ["/wa-older"], "State": "exited" },
    ]);
    let gateway = serve(vec![("/health", 200, "{}".to_owned())]);
    let twin = format!(
        "[target.twin]\ndialect = \"whatsapp-service\"\nurl = \"http://{gateway}\"\nstatus_path = \"/health\"\n"
    );
    let config = config(gateway, serve(docker(&ill, &listed))) + &twin;
    let found = examine(folder.path(), &config, serve(daemon("daily", true)), &["--format", "json"]);
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stderr));
    let lines = lines(&found);
    for (check, seen) in [
        ("status", "HTTP 404"),
        ("QR page", "/qr-display answers 404"),
        ("container", "killed for memory"),
        ("memory limit", "400 MiB"),
        ("memory use", "400 MiB of 400 MiB (100 %)"),
        ("/dev/shm", "64 MiB"),
        ("restart policy", "none"),
        ("other healers", "its labels call for one: autoheal"),
        ("second holder", "wa-old has the volume mlh_whatsapp-session too"),
        ("stop signal", "SIGTERM, to a build on Baileys"),
        ("environment BACKEND_URL", "is no URL"),
        ("environment WEBHOOK_URL", "is not set"),
        ("configured once", "twin asks the same session"),
        ("resets", "daily"),
    ] {
        let (finding, said) = lines.get(check).unwrap_or_else(|| panic!("no line {check}: {lines:?}"));
        assert!(finding == "not_well" && said.contains(seen), "{check}: {finding}: {said}");
    }
    assert!(!lines["second holder"].1.contains("wa-older"), "a container that is stopped holds nothing");
    let said: Value = serde_json::from_slice(&found.stdout).expect("JSON");
    assert_eq!(said["well"], json!(false));
    let ill = said["lines"].as_array().expect("lines").iter().filter(|line| line["finding"] == "not_well");
    assert!(ill.into_iter().all(|line| line["advice"].is_string()), "a fault without advice");
    assert!(!text(&found.stdout).contains("s3cret"), "a secret is shown");
}

#[test]
fn a_session_that_is_gone_is_told_from_a_gateway_that_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = |gateway: SocketAddr| {
        format!("[target.shop]\ndialect = \"waha\"\nurl = \"http://{gateway}\"\nsession = \"default\"\n")
    };
    let ok = |path| (path, 200, "{}".to_owned());
    let (alive, lost) = (serve(vec![ok("/ping"), ok("/health")]), serve(Vec::new()));
    for (gateway, seen) in
        [(alive, "/health answers 200: the stored id is stale"), (lost, "404 for a route that always exists, too")]
    {
        let found = examine(folder.path(), &config(gateway), serve(daemon("never", false)), &["--format", "json"]);
        assert_eq!(found.status.code(), Some(1), "{}", text(&found.stderr));
        let (finding, said) = &lines(&found)["session id"];
        assert!(finding == "not_well" && said.ends_with(seen), "{finding}: {said}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_said_and_is_no_fault() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = format!("[target.shop]\ndialect = \"whatsapp-service\"\nurl = \"http://{}\"\n", serve(gateway()));
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let found = examine(folder.path(), &config, nobody, &["--format", "json"]);
    let lines = lines(&found);
    assert_eq!(found.status.code(), Some(0), "{lines:?}");
    for (check, seen) in [
        ("memory limit", "no docker hook and no memory.docker names the container"),
        ("second holder", "no docker hook and no memory.docker names the container"),
        ("QR page", "no qr_page is configured"),
        ("resets", "no watchdog answers"),
    ] {
        let (finding, said) = &lines[check];
        assert!(finding == "could_not_look" && said.contains(seen), "{check}: {finding}: {said}");
    }
    let refused = run(&["doctor", "nobody", "--config", &folder.path().join("watchdog.toml").display().to_string()]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_proxy_that_refuses_and_a_whatsapp_that_does_not_answer_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refusing = serve(vec![("/", 403, "<h1>403 Forbidden</h1>".to_owned())]);
    let config = config(serve(gateway()), refusing);
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let whatsapp = format!("https://{nobody}/");
    let file = write_config(folder.path(), nobody, &config).display().to_string();
    let arguments = ["--log", "off", "doctor", "--config", &file, "--whatsapp", &whatsapp, "--format", "json"];
    let found = run(&arguments);
    let lines = lines(&found);
    assert_eq!(found.status.code(), Some(1), "{lines:?}");
    assert_eq!(lines["container"].0, "could_not_look");
    assert!(lines["container"].1.contains("the proxy denies GET /containers/wa/json"), "{lines:?}");
    for check in ["path to WhatsApp (TCP)", "path to WhatsApp (TLS)"] {
        assert_eq!(lines[check].0, "not_well", "{lines:?}");
    }
}
