//! A made-up account at a vendor with as many sessions as a test wants: its list in pages, each session's status, its empty log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What stands in every row of the list, and must never be kept.
pub(crate) const SECRET: &str = "5ecret-of-a-session";
/// The account's token.
pub(crate) const TOKEN: &str = "1084|personal";
/// Rows of one page.
const PAGE: usize = 100;

/// An account. Its threads end with the test process.
#[derive(Clone)]
pub(crate) struct Account {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

#[derive(Debug, Default)]
struct World {
    sessions: BTreeSet<u64>,
    /// What the list answers in the place of itself.
    refusal: Option<&'static str>,
    lists: usize,
    polls: BTreeMap<u64, Polls>,
}

/// How one session was asked for its status.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polls {
    pub(crate) count: u32,
    pub(crate) last: Instant,
    /// The longest time between two of them.
    pub(crate) longest: Duration,
}

impl Account {
    pub(crate) fn start(sessions: impl IntoIterator<Item = u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let world = World { sessions: sessions.into_iter().collect(), ..World::default() };
        let account = Self { address, world: Arc::new(Mutex::new(world)) };
        let shared = account.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let account = shared.clone();
                std::thread::spawn(move || account.serve(stream));
            }
        });
        account
    }

    /// The section that discovers it; the token lies in the file `pat`.
    pub(crate) fn section(&self) -> String {
        let address = self.address;
        format!(
            "[discover.acc]\nevery = \"5s\"\n[discover.acc.wasender]\nurl = \"http://{address}/api\"\ntoken_file = \"pat\"\n"
        )
    }

    pub(crate) fn change(&self, gone: impl IntoIterator<Item = u64>, new: impl IntoIterator<Item = u64>) {
        let mut world = self.world();
        for id in gone {
            world.sessions.remove(&id);
        }
        world.sessions.extend(new);
    }

    /// Answers this status line and nothing else to whoever wants the list.
    pub(crate) fn refuse(&self, line: Option<&'static str>) {
        self.world().refusal = line;
    }

    /// How often the first page of the list was asked for.
    pub(crate) fn lists(&self) -> usize {
        self.world().lists
    }

    pub(crate) fn polls(&self) -> BTreeMap<u64, Polls> {
        self.world().polls.clone()
    }

    /// Counts gaps between polls anew.
    pub(crate) fn forget_gaps(&self) {
        for polls in self.world().polls.values_mut() {
            polls.longest = Duration::ZERO;
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics with it")
    }

    fn serve(&self, mut stream: TcpStream) {
        let Ok(reading) = stream.try_clone() else { return };
        let mut lines = BufReader::new(reading).lines().map_while(Result::ok);
        while let Some(first) = lines.next() {
            let wanted = format!("authorization: Bearer {TOKEN}");
            let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let has_token = head.iter().any(|line| line.eq_ignore_ascii_case(&wanted));
            let path = first.split(' ').nth(1).unwrap_or_default();
            let (line, body) = if has_token {
                self.answer(path)
            } else {
                ("401 Unauthorized", r#"{"message":"Unauthenticated."}"#.to_owned())
            };
            let answer = format!(
                "HTTP/1.1 {line}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, path: &str) -> (&'static str, String) {
        let mut world = self.world();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let rest = path.strip_prefix("/api/whatsapp-sessions").unwrap_or_default().trim_start_matches('/');
        if rest.is_empty() {
            let page = query.strip_prefix("page=").and_then(|page| page.parse().ok()).unwrap_or(1);
            world.lists += usize::from(page == 1);
            return match world.refusal {
                Some(line) => (line, r#"{"success":true,"data":[]}"#.to_owned()),
                None => ("200 OK", world.page(page)),
            };
        }
        let (id, below) = rest.split_once('/').unwrap_or((rest, ""));
        let id = id.parse().unwrap_or_default();
        if !world.sessions.contains(&id) {
            return ("404 Not Found", r#"{"message":"No query results for model"}"#.to_owned());
        }
        if below == "session-logs" {
            return ("200 OK", r#"{"success":true,"data":{"data":[]}}"#.to_owned());
        }
        world.note(id);
        ("200 OK", format!(r#"{{"success":true,"data":{{"id":{id},"status":"connected","api_key":"{SECRET}"}}}}"#))
    }
}

impl World {
    fn page(&self, page: usize) -> String {
        let row = |id: &u64| {
            format!(
                r#"{{"id":{id},"name":"shop {id}","status":"connected","api_key":"{SECRET}","webhook_secret":"{SECRET}"}}"#
            )
        };
        let rows: Vec<String> = self.sessions.iter().skip((page - 1) * PAGE).take(PAGE).map(row).collect();
        let last = self.sessions.len().div_ceil(PAGE).max(1);
        format!(
            r#"{{"success":true,"data":{{"current_page":{page},"data":[{}],"last_page":{last},"per_page":{PAGE}}}}}"#,
            rows.join(",")
        )
    }

    fn note(&mut self, id: u64) {
        let now = Instant::now();
        let first = Polls { count: 0, last: now, longest: Duration::ZERO };
        let polls = self.polls.entry(id).or_insert(first);
        if 0 < polls.count {
            polls.longest = polls.longest.max(now - polls.last);
        }
        (polls.count, polls.last) = (polls.count + 1, now);
    }
}
