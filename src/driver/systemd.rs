//! What the service manager is told, as `sd_notify(3)` asks for: up, alive, reading anew, ending, and how the fleet is.
//!
//! The loop itself says that it lives, so that a loop that hangs falls silent. Nothing here waits: a manager that does not read
//! misses the news.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::engine::Moment;
use crate::engine::snapshot::FleetView;

use super::clock;

/// Where systemd says that it listens: a path, or "@" and a name that is no file.
const SOCKET: &str = "NOTIFY_SOCKET";
/// After how many microseconds of silence it ends the watchdog ...
const PATIENCE: &str = "WATCHDOG_USEC";
/// ... and which process it means, if it says so.
const PROCESS: &str = "WATCHDOG_PID";

/// The service manager that started the watchdog. Where none did, nobody is told.
#[derive(Debug, Default)]
pub struct Manager {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the loop turns.
    every: Option<Duration>,
    /// When it last heard so.
    heard: Option<Moment>,
    /// What it shows people.
    status: String,
}

impl Manager {
    /// Finds it in the environment.
    #[must_use]
    pub fn of(env: &BTreeMap<String, String>) -> Self {
        let Some(place) = env.get(SOCKET).filter(|place| !place.is_empty()) else { return Self::default() };
        match connect(place) {
            Ok(socket) => Self { socket: Some(socket), every: every(env), ..Self::default() },
            Err(error) => {
                tracing::warn!(%error, place, "the service manager is not told anything: its socket cannot be used");
                Self::default()
            }
        }
    }

    /// Tells that the watchdog is up.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Tells that the loop turns, where that is due.
    pub(super) fn turned(&mut self, now: Moment) {
        if self.due(now) == Some(Duration::ZERO) {
            self.heard = Some(now);
            self.tell("WATCHDOG=1");
        }
    }

    /// Returns how long the manager need not hear that the loop turns; nothing where it never wants to.
    pub(super) fn due(&self, now: Moment) -> Option<Duration> {
        let every = self.every?;
        Some(self.heard.map_or(Duration::ZERO, |heard| every.saturating_sub(now.since(heard))))
    }

    /// Tells how the fleet is, where that changed.
    pub(super) fn show(&mut self, fleet: &FleetView) {
        if self.socket.is_none() {
            return;
        }
        let status = summary(fleet);
        if status != self.status {
            self.tell(&format!("STATUS={status}"));
            self.status = status;
        }
    }

    /// Tells that the configuration is being read anew, and since when.
    pub(super) fn reloading(&self) {
        if self.socket.is_some() {
            self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::since_boot().as_micros()));
        }
    }

    /// Tells that the watchdog is ending.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, news: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(news.as_bytes()) {
            tracing::debug!(%error, news, "the service manager did not hear it");
        }
    }
}

fn connect(place: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address(place)?)?;
    Ok(socket)
}

fn address(place: &str) -> io::Result<SocketAddr> {
    match place.strip_prefix('@') {
        Some(name) => nameless(name),
        None => SocketAddr::from_pathname(place),
    }
}

#[cfg(target_os = "linux")]
fn nameless(name: &str) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Half of the manager's patience, as it advises; nothing where it waits for another process.
fn every(env: &BTreeMap<String, String>) -> Option<Duration> {
    let is_other = env.get(PROCESS).is_some_and(|process| *process != std::process::id().to_string());
    let micros: u64 = env.get(PATIENCE)?.parse().ok()?;
    (!is_other && 0 < micros).then(|| Duration::from_micros(micros.div_ceil(2)))
}

/// Says how the fleet is, in one line.
fn summary(fleet: &FleetView) -> String {
    let FleetView { targets, failing, well, storm, paused, turned_bad_together: _ } = *fleet;
    let marks = [(storm, ", a storm is on"), (paused, ", all paused")];
    let marks: String = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark).collect();
    format!("{well} of {targets} well, {failing} failing{marks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_at_half_its_patience_that_the_loop_turns() {
        let (mut manager, heard) = pair(Some(Duration::from_secs(15)));
        manager.turned(at(0));
        assert_eq!(read(&heard), ["WATCHDOG=1"]);
        assert_eq!(manager.due(at(10)), Some(Duration::from_secs(5)));
        manager.turned(at(10));
        assert!(read(&heard).is_empty());
        manager.turned(at(15));
        manager.turned(at(15));
        assert_eq!(read(&heard), ["WATCHDOG=1"]);
    }

    #[test]
    fn who_wants_no_signs_of_life_gets_none() {
        let (mut manager, heard) = pair(None);
        manager.turned(at(0));
        assert_eq!(manager.due(at(0)), None);
        assert!(read(&heard).is_empty());
    }

    #[test]
    fn the_interval_is_half_of_what_the_manager_says_and_only_for_the_process_that_it_means() {
        let env = |entries: &[(&str, String)]| {
            every(&entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let usec = || (PATIENCE, "30000000".to_owned());
        assert_eq!(env(&[usec()]), Some(Duration::from_secs(15)));
        assert_eq!(env(&[usec(), (PROCESS, std::process::id().to_string())]), Some(Duration::from_secs(15)));
        assert_eq!(env(&[usec(), (PROCESS, "1".to_owned())]), None);
        assert_eq!(env(&[(PATIENCE, "0".to_owned())]), None);
        assert_eq!(env(&[(PATIENCE, "soon".to_owned())]), None);
        assert_eq!(env(&[]), None);
    }

    #[test]
    fn the_fleet_is_told_once_until_it_changes() {
        let (mut manager, heard) = pair(None);
        let mut fleet = FleetView { targets: 9, failing: 2, well: 6, ..FleetView::default() };
        manager.show(&fleet);
        manager.show(&fleet);
        assert_eq!(read(&heard), ["STATUS=6 of 9 well, 2 failing"]);
        fleet.storm = true;
        fleet.paused = true;
        manager.show(&fleet);
        assert_eq!(read(&heard), ["STATUS=6 of 9 well, 2 failing, a storm is on, all paused"]);
    }

    #[test]
    fn a_manager_that_does_not_read_is_never_waited_for() {
        let (manager, _unread) = pair(None);
        for _ in 0..5_000 {
            manager.ready();
        }
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_no_reason_not_to_run() {
        for place in ["/nonexistent/notify", "@wa-watchdog nobody listens here", "vsock:2:1234"] {
            let manager = Manager::of(&BTreeMap::from([(SOCKET.to_owned(), place.to_owned())]));
            assert!(manager.socket.is_none(), "{place}");
        }
    }

    fn pair(every: Option<Duration>) -> (Manager, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair of sockets");
        for end in [&ours, &theirs] {
            end.set_nonblocking(true).expect("a socket that does not wait");
        }
        (Manager { socket: Some(ours), every, ..Manager::default() }, theirs)
    }

    fn at(seconds: u64) -> Moment {
        let since = Duration::from_secs(seconds);
        Moment { uptime: since, wall: crate::engine::Wall::from_millis(0).after(since) }
    }

    fn read(socket: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 4096];
        std::iter::from_fn(|| {
            socket.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into())
        })
        .collect()
    }
}
