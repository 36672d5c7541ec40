//! The Docker daemon of the tests, and services on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::super::{free_address, text};

/// The daemon that `scripts/check-docker` started.
pub(super) struct Host {
    pub(super) socket: String,
}

/// A container with a scripted session service, and a volume with its session. Both go with the test.
pub(super) struct Service<'h> {
    host: &'h Host,
    directory: tempfile::TempDir,
    name: String,
    port: u16,
}

impl Host {
    pub(super) fn of_test() -> Self {
        let socket = std::env::var("WA_WATCHDOG_TEST_DOCKER").expect("run it by scripts/check-docker");
        Self { socket }
    }

    pub(super) fn try_docker(&self, arguments: &[&str]) -> Output {
        let socket = format!("unix://{}", self.socket);
        Command::new("docker").env("DOCKER_HOST", socket).args(arguments).output().expect("docker runs")
    }

    pub(super) fn docker(&self, arguments: &[&str]) -> String {
        let output = self.try_docker(arguments);
        assert!(output.status.success(), "docker {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    pub(super) fn inspect(&self, container: &str) -> serde_json::Value {
        serde_json::from_str(&self.docker(&["inspect", "--format", "{{json .}}", container])).expect("JSON")
    }
}

impl<'h> Service<'h> {
    /// Starts one and waits until somebody has scanned.
    pub(super) fn start(host: &'h Host, name: &str, options: &[&str]) -> Self {
        Self::start_on(host, name, "host", options)
    }

    /// The same on a network that is not the host's: nobody can ask it then.
    pub(super) fn start_on(host: &'h Host, name: &str, network: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let name = format!("wa-{name}");
        let port = free_address().port();
        let service = Self { host, directory, name, port };
        let (volume, env) = (format!("{}:/app/data", service.volume()), format!("PORT={port}"));
        host.docker(&["volume", "create", "--label", "com.docker.compose.volume=session", &service.volume()]);
        let mut arguments = vec!["run", "-d", "--name", &service.name, "--network", network, "-v", &volume];
        arguments.extend(["-e", &env, "-e", "SCAN_AFTER=4"]);
        arguments.extend(options);
        arguments.push("wa-session:test");
        host.docker(&arguments);
        // As the volume would be mounted into the watchdog's container.
        let place = host.docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &service.volume()]);
        std::fs::create_dir(service.session_dir()).expect("a folder");
        let mounted = Command::new("mount").args(["--bind", &place]).arg(service.session_dir()).status();
        assert!(mounted.expect("mount runs").success());
        let begin = Instant::now();
        while service.linked().is_none() {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "nobody scanned: {}",
                host.docker(&["logs", &service.name])
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        service
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn volume(&self) -> String {
        format!("{}-session", self.name)
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn session_dir(&self) -> PathBuf {
        self.directory.path().join("session")
    }

    pub(super) fn target(&self, name: &str) -> String {
        format!("[target.{name}]\ndialect = \"whatsapp-service\"\nurl = \"http://127.0.0.1:{}\"\n", self.port)
    }

    pub(super) fn hooks(&self, target: &str) -> String {
        self.hooks_over(target, &format!("unix://{}", self.host.socket))
    }

    pub(super) fn hooks_over(&self, target: &str, endpoint: &str) -> String {
        let (container, dir) = (&self.name, self.session_dir());
        let dir = dir.display();
        format!(
            "[target.{target}.remedy.restart.docker]\nendpoint = \"{endpoint}\"\ncontainer = \"{container}\"\n\
             stop_timeout = \"3s\"\nclear_locks = true\nsession_dir = \"{dir}\"\n\
             [target.{target}.remedy.reset]\nallow_destructive = true\n\
             [target.{target}.remedy.reset.docker]\nendpoint = \"{endpoint}\"\ncontainer = \"{container}\"\n\
             stop_timeout = \"3s\"\nsession_dir = \"{dir}\"\n"
        )
    }

    /// What is in the session: a word that no other one has.
    pub(super) fn linked(&self) -> Option<String> {
        read(&self.session_dir().join("session/Default/linked"))
    }

    pub(super) fn break_session(&self) {
        std::fs::write(self.session_dir().join("session/Default/broken"), "").expect("a file");
    }

    /// The attempts whose sessions are aside.
    pub(super) fn quarantines(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.session_dir().join(".quarantine")) else { return Vec::new() };
        folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    pub(super) fn linked_aside(&self, attempt: &str) -> Option<String> {
        read(&self.aside(attempt).join("session/Default/linked"))
    }

    pub(super) fn mend_aside(&self, attempt: &str) {
        std::fs::remove_file(self.aside(attempt).join("session/Default/broken")).expect("it was broken");
    }

    pub(super) fn is_running(&self) -> bool {
        self.host.docker(&["inspect", "--format", "{{.State.Running}}", &self.name]) == "true"
    }

    fn aside(&self, attempt: &str) -> PathBuf {
        self.session_dir().join(".quarantine").join(attempt)
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // Whatever became of it in the test.
        drop(self.host.try_docker(&["rm", "-f", &self.name]));
        drop(Command::new("umount").arg(self.session_dir()).status());
        drop(self.host.try_docker(&["volume", "rm", &self.volume()]));
    }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
