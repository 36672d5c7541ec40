//! Where a session's log is.

use std::collections::BTreeMap;
use std::path::Path;

use wa_watchdog::config::{self, DockerEndpoint, Logs, LogsAt};

use crate::{SHOP, refused, settings};

fn logs(section: &str) -> Logs {
    let settings = settings(&format!("{SHOP}{section}")).expect("it is well");
    settings.targets["shop"].senses.logs.clone().expect("a log")
}

#[test]
fn a_log_is_a_containers_or_a_file() {
    let read = logs("[target.shop.logs.docker]\ncontainer = \"wa\"\n");
    let LogsAt::Docker(at) = read.at else { panic!("docker") };
    assert_eq!((at.container.as_str(), read.lines_max), ("wa", 200));
    assert_eq!(at.endpoint, DockerEndpoint::Unix("/var/run/docker.sock".into()));

    let read = logs("[target.shop.logs.file]\npath = \"/var/log/wa.log\"\nlines_max = 50\n");
    assert_eq!(read, Logs { at: LogsAt::File("/var/log/wa.log".into()), lines_max: 50 });

    // A relative path begins at the folder of the configuration.
    let text = format!("{SHOP}[target.shop.logs.file]\npath = \"wa.log\"\n");
    let settings = config::parse(&text, "watchdog.toml", Path::new("/etc/wa"), &BTreeMap::new()).expect("it is well");
    let read = settings.targets["shop"].senses.logs.clone().expect("a log");
    assert_eq!(read.at, LogsAt::File("/etc/wa/wa.log".into()));
}

#[test]
fn mistakes_are_told() {
    insta::assert_snapshot!(refused(&format!("{SHOP}[target.shop.logs]\n")), @r"
    watchdog.toml:4: target.shop.logs: does not say where the log is
      hint: write one of the sections docker and file below it, as in [target.NAME.logs.docker]
    ");
    let docker = "[target.shop.logs.docker]\ncontainer = \"wa\"\n";
    let file = "[target.shop.logs.file]\npath = \"x\"\n";
    insta::assert_snapshot!(refused(&format!("{SHOP}{docker}{file}")), @r"
    watchdog.toml:4: target.shop.logs: names two logs
      hint: keep one of the sections docker and file below it
    ");
    let docker = "[target.shop.logs.docker]\nendpoint = \"unix:docker.sock\"\ncontainer = \"a/b\"\nlines_max = 0\n";
    insta::assert_snapshot!(refused(&format!("{SHOP}{docker}path = \"x\"\n")), @r#"
    watchdog.toml:5: target.shop.logs.docker.endpoint: "unix:docker.sock" is not the address of a Docker daemon
      hint: write "unix:///var/run/docker.sock", or the address of a proxy as in "tcp://dockerproxy:2375"
    watchdog.toml:6: target.shop.logs.docker.container: "a/b" is not a name that Docker knows
      hint: write the container's name, as docker ps shows it
    watchdog.toml:7: target.shop.logs.docker.lines_max: is below 1
      hint: write something from 1 to 10000
    watchdog.toml:8: target.shop.logs.docker.path: unknown key
      hint: known here: container, endpoint, lines_max
    "#);
    insta::assert_snapshot!(refused(&format!("{SHOP}[target.shop.logs.file]\npaht = \"x\"\n")), @r#"
    watchdog.toml:4: target.shop.logs.file.path: is missing
      hint: write the path of the file that the service writes its log to
    watchdog.toml:5: target.shop.logs.file.paht: unknown key
      hint: did you mean "path"?
    "#);
}
