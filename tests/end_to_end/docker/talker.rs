//! A container that prints what a test tells it to, and a Docker daemon that a test may restart.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::super::{free_address, text};
use super::host::Host;

/// A container with a service that says what it is told. It goes with the test.
pub(super) struct Talker<'h> {
    host: &'h Host,
    directory: tempfile::TempDir,
    name: String,
    port: u16,
    told: AtomicU32,
}

impl<'h> Talker<'h> {
    pub(super) fn start(host: &'h Host, name: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(directory.path().join("talk/www")).expect("a folder");
        let (name, port) = (format!("wa-talks-{name}"), free_address().port());
        let talker = Self { host, directory, name, port, told: AtomicU32::new(0) };
        talker.shows(true, false);
        talker.run(options);
        talker
    }

    fn run(&self, options: &[&str]) {
        let (talk, port) = (format!("{}:/talk", self.talk().display()), format!("PORT={}", self.port));
        let mut arguments =
            vec!["run", "-d", "--init", "--name", &self.name, "--network", "host", "-v", &talk, "-e", &port];
        arguments.extend(options);
        arguments.extend(["wa-session:test", "/talker"]);
        self.host.docker(&arguments);
    }

    /// Makes the container anew under the same name.
    pub(super) fn make_anew(&self, options: &[&str]) {
        self.host.docker(&["rm", "-f", &self.name]);
        self.run(options);
    }

    /// What `/status` shows from now on.
    pub(super) fn shows(&self, connected: bool, has_qr: bool) {
        let status = format!(r#"{{"connected":{connected},"hasQR":{has_qr}}}"#);
        self.put("www/status", &status);
    }

    /// Prints lines.
    pub(super) fn say(&self, lines: &[&str]) {
        let number = self.told.fetch_add(1, Ordering::Relaxed);
        self.put(&format!("{number:06}"), &(lines.join("\n") + "\n"));
    }

    /// Prints lines that mean something, and are not like any other.
    pub(super) fn say_numbered(&self, numbers: Range<u32>) {
        let lines: Vec<String> = numbers.map(|n| format!("🔄 State changed to: OPENING (after {n}ms)")).collect();
        self.say(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// How many of those the daemon has written down.
    pub(super) fn numbered(&self) -> usize {
        let said = self.host.try_docker(&["logs", &self.name]);
        let count = |output: &[u8]| text(output).matches("State changed to: OPENING").count();
        count(&said.stdout).saturating_add(count(&said.stderr))
    }

    /// Tells whether everything was said.
    pub(super) fn is_done(&self) -> bool {
        let entries = fs::read_dir(self.talk()).expect("the folder");
        !entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with('0'))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A target whose log is followed.
    pub(super) fn target(&self, name: &str) -> String {
        format!(
            "[target.{name}]\ndialect = \"whatsapp-service\"\nurl = \"http://127.0.0.1:{}\"\n\
             [target.{name}.logs.docker]\nendpoint = \"unix://{}\"\ncontainer = \"{}\"\nlines_max = 10000\n",
            self.port, self.host.socket, self.name
        )
    }

    fn talk(&self) -> std::path::PathBuf {
        self.directory.path().join("talk")
    }

    /// Puts a file there at once.
    fn put(&self, name: &str, content: &str) {
        let new = self.talk().join("new");
        fs::write(&new, content).expect("a file");
        fs::rename(new, self.talk().join(name)).expect("a file");
    }
}

impl Drop for Talker<'_> {
    fn drop(&mut self) {
        drop(self.host.try_docker(&["rm", "-f", &self.name]));
    }
}

/// A daemon of a test's own. It ends with the test, and its containers with it.
pub(super) struct OwnDaemon {
    pub(super) host: Host,
    room: tempfile::TempDir,
    child: Child,
}

impl OwnDaemon {
    /// Starts one that has the image of the tests.
    pub(super) fn start() -> Self {
        let room = tempfile::tempdir().expect("a temporary folder");
        let host = Host { socket: room.path().join("docker.sock").display().to_string() };
        let daemon = Self { child: spawn(room.path()), host, room };
        daemon.wait();
        let image = daemon.room.path().join("image.tar").display().to_string();
        Host::of_test().docker(&["save", "-o", &image, "wa-session:test"]);
        daemon.host.docker(&["load", "-i", &image]);
        daemon
    }

    /// Ends it, its containers with it, and starts it again after a moment.
    pub(super) fn restart(&mut self) {
        self.end();
        std::thread::sleep(Duration::from_secs(1));
        self.child = spawn(self.room.path());
        self.wait();
    }

    fn wait(&self) {
        let begin = Instant::now();
        while !self.host.try_docker(&["version"]).status.success() {
            assert!(begin.elapsed() < Duration::from_mins(1), "the daemon does not answer");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn end(&mut self) {
        drop(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status());
        drop(self.child.wait());
    }
}

impl Drop for OwnDaemon {
    fn drop(&mut self) {
        let containers = self.host.try_docker(&["ps", "-aq"]);
        for id in text(&containers.stdout).split_whitespace() {
            drop(self.host.try_docker(&["rm", "-f", id]));
        }
        self.end();
        drop(Command::new("umount").arg(self.room.path().join("exec/netns/default")).status());
    }
}

fn spawn(room: &Path) -> Child {
    let path = |name: &str| room.join(name).display().to_string();
    let log = fs::OpenOptions::new().create(true).append(true).open(room.join("log")).expect("a file");
    Command::new("dockerd")
        .args(["--data-root", &path("root"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
        .args(["-H", &format!("unix://{}", path("docker.sock"))])
        .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()
        .expect("dockerd starts")
}
