//! A local gateway with a thousand sessions, for measuring the watchdog under load.
//!
//! Every session has a path of its own on one port, `/s/0001/status` and so on, in the form of the dialect whatsapp-service.
//! A share of them hangs for ever: takes the question, never answers. The rest answers at once. At the end it says whether
//! every good session was asked in every interval, and ends with 1 if not.
//!
//! ```console
//! $ ulimit -n 8192                                                   # one connection for each hanging session
//! $ cargo build --release --bins --examples
//! $ target/release/examples/load --print-config > load.toml          # say the other options here too
//! $ target/release/examples/load --for 90s &
//! $ target/release/wa-watchdog run --config load.toml &
//! $ grep -E 'VmRSS|VmHWM' /proc/$!/status; ps -o time= -p $!         # memory and CPU time of the watchdog
//! ```

#![expect(clippy::print_stdout, reason = "this program is for the person at the terminal")]
#![expect(clippy::disallowed_methods, reason = "a program of its own, outside the driver: it reads its own clock")]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Parser;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Serves many scripted sessions and checks that each is asked in time.
#[derive(Clone, Copy, Debug, Parser)]
struct Options {
    /// How many sessions there are.
    #[arg(long, default_value_t = 1000)]
    sessions: usize,
    /// How many of a hundred hang for ever.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    hang_percent: u8,
    /// The port on the loopback; the same for both uses.
    #[arg(long, default_value_t = 19_100)]
    port: u16,
    /// How long to serve.
    #[arg(long = "for", default_value = "90s", value_parser = humantime::parse_duration)]
    lasts: Duration,
    /// How often every session must be asked.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    poll_every: Duration,
    /// How much later than that a question may come, for jitter and for a busy machine.
    #[arg(long, default_value = "1500ms", value_parser = humantime::parse_duration)]
    slack: Duration,
    /// Prints a configuration for the watchdog, and serves nothing.
    #[arg(long)]
    print_config: bool,
}

fn main() -> io::Result<ExitCode> {
    let options = Options::parse();
    if options.print_config {
        print!("{}", config(options));
        return Ok(ExitCode::SUCCESS);
    }
    // One thread: the machine belongs to the watchdog that is measured.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> io::Result<ExitCode> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let hanging = (0..options.sessions).filter(|session| options.hangs(*session)).count();
    let (count, address) = (options.sessions, listener.local_addr()?);
    println!("{count} sessions at http://{address}/s/…/status, {hanging} of them hang; for {:?}", options.lasts);

    let asked = Arc::new(Asked::new(options));
    let served = tokio::time::timeout(options.lasts, serve(listener, Arc::clone(&asked))).await;
    if let Ok(Err(err)) = served {
        return Err(err);
    }
    let report = asked.report();
    print!("{report}", report = report.text(options));
    Ok(if report.all_in_time() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    /// Hanging sessions are spread evenly, so that a schedule cannot have them all at once or all at the end.
    fn hangs(self, session: usize) -> bool {
        let share = usize::from(self.hang_percent);
        let upto = |count: usize| count.saturating_mul(share).div_euclid(100);
        upto(session) < upto(session.saturating_add(1))
    }

    /// Two questions may lie this far apart.
    fn gap_max(self) -> Duration {
        self.poll_every.saturating_add(self.slack)
    }
}

/// Writes the configuration that watches these sessions.
fn config(options: Options) -> String {
    let (address, every) = (SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)), options.poll_every);
    let timeout = humantime::format_duration(every.div_f64(2.0));
    let every = humantime::format_duration(every);
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:9877\"\n\n[store]\npath = \"load.db\"\n\n[policy]\npoll_every = \"{every}\"\ntimeout = \"{timeout}\"\n"
    );
    for session in 0..options.sessions {
        let section = writeln!(
            text,
            "\n[target.s{session:04}]\ndialect = \"whatsapp-service\"\nurl = \"http://{address}/s/{session:04}\""
        );
        debug_assert!(section.is_ok(), "writing to a String cannot fail");
    }
    text
}

// --- what is asked ---

/// When each session was asked. One lock for all: a thousand sessions ask a hundred times a second.
struct Asked {
    options: Options,
    started: Instant,
    sessions: Mutex<Vec<Times>>,
}

/// When one session was asked.
#[derive(Clone, Copy, Default)]
struct Times {
    count: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    longest_gap: Duration,
}

impl Asked {
    fn new(options: Options) -> Self {
        let sessions = Mutex::new(vec![Times::default(); options.sessions]);
        Self { options, started: Instant::now(), sessions }
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Times>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, session: usize) {
        let now = Instant::now();
        if let Some(times) = self.sessions().get_mut(session) {
            times.count = times.count.saturating_add(1);
            times.first.get_or_insert(now);
            if let Some(last) = times.last.replace(now) {
                times.longest_gap = times.longest_gap.max(now.saturating_duration_since(last));
            }
        }
    }

    /// Judges the time between the first and the last question to anybody: before and after, no watchdog ran.
    fn report(&self) -> Report {
        let sessions = self.sessions();
        let from = sessions.iter().filter_map(|times| times.first).min().unwrap_or(self.started);
        let to = sessions.iter().filter_map(|times| times.last).max().unwrap_or(self.started);
        let (mut good, mut hanging) = (Vec::new(), Group::default());
        for (session, times) in sessions.iter().enumerate() {
            let gap = times.gap_within(from, to);
            if self.options.hangs(session) {
                hanging.add(times.count, gap);
            } else {
                good.push(Asking { session, count: times.count, gap });
            }
        }
        Report { watched: to.saturating_duration_since(from), good, hanging, gap_max: self.options.gap_max() }
    }
}

impl Times {
    /// Returns the longest time without a question, the time before the first and after the last included.
    fn gap_within(&self, from: Instant, to: Instant) -> Duration {
        let before = self.first.unwrap_or(to).saturating_duration_since(from);
        let after = to.saturating_duration_since(self.last.unwrap_or(from));
        self.longest_gap.max(before).max(after)
    }
}

/// How it went.
struct Report {
    watched: Duration,
    good: Vec<Asking>,
    hanging: Group,
    gap_max: Duration,
}

/// How often one good session was asked.
struct Asking {
    session: usize,
    count: u64,
    gap: Duration,
}

/// Some sessions taken together.
#[derive(Default)]
struct Group {
    sessions: u64,
    questions: u64,
    questions_min: Option<u64>,
    longest_gap: Duration,
}

/// Most sessions that are named in a report.
const NAMED_MAX: usize = 10;

impl Group {
    fn add(&mut self, questions: u64, gap: Duration) {
        self.sessions = self.sessions.saturating_add(1);
        self.questions = self.questions.saturating_add(questions);
        self.questions_min = Some(self.questions_min.map_or(questions, |min| min.min(questions)));
        self.longest_gap = self.longest_gap.max(gap);
    }

    fn text(&self, name: &str) -> String {
        format!(
            "{name}: {} sessions, {} questions, at least {} each, longest gap {:.1} s\n",
            self.sessions,
            self.questions,
            self.questions_min.unwrap_or(0),
            self.longest_gap.as_secs_f64()
        )
    }
}

impl Report {
    /// Tells whether somebody asked, for long enough to tell, and nobody was left waiting.
    fn all_in_time(&self) -> bool {
        self.is_long_enough() && self.late().next().is_none()
    }

    fn is_long_enough(&self) -> bool {
        self.gap_max.saturating_mul(2) <= self.watched
    }

    fn late(&self) -> impl Iterator<Item = &Asking> {
        self.good.iter().filter(|asking| self.gap_max < asking.gap)
    }

    fn text(&self, options: Options) -> String {
        let mut good = Group::default();
        for asking in &self.good {
            good.add(asking.count, asking.gap);
        }
        let watched = self.watched.as_secs_f64();
        let mut text = format!("asked for {watched:.1} s\n{}{}", good.text("good"), self.hanging.text("hanging"));
        if !self.is_long_enough() {
            text.push_str("too short to judge: let the watchdog ask for more than two intervals\n");
            return text;
        }
        let late = self.late().count();
        for asking in self.late().take(NAMED_MAX) {
            let (session, gap) = (asking.session, asking.gap.as_secs_f64());
            text.extend([format!("  late: s{session:04}, {} questions, longest gap {gap:.1} s\n", asking.count)]);
        }
        let (every, slack) = (options.poll_every, options.slack);
        text.extend([match late {
            0 => format!("every good session was asked every {every:?} (slack {slack:?})\n"),
            _ => format!("{late} good sessions were not asked every {every:?} (slack {slack:?})\n"),
        }]);
        text
    }
}

// --- the server ---

async fn serve(listener: TcpListener, asked: Arc<Asked>) -> io::Result<()> {
    let tracker = TaskTracker::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tracker.spawn(converse(stream, Arc::clone(&asked)));
    }
}

/// A watchdog that hangs up on a hanging session is what is wanted here, so a broken connection is no news.
async fn converse(stream: TcpStream, asked: Arc<Asked>) {
    let service = service_fn(|request| answer(request, &asked));
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(request: Request<Incoming>, asked: &Asked) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match session_of(request.uri().path(), asked.options.sessions) {
        Some(session) => {
            asked.count(session);
            if asked.options.hangs(session) {
                std::future::pending::<()>().await;
            }
            (StatusCode::OK, r#"{"connected":true,"hasQR":false,"state":"connected"}"#)
        }
        None => (StatusCode::NOT_FOUND, r#"{"error":"no such session"}"#),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Returns the session of `/s/0001/status`, if there is such a one.
fn session_of(path: &str, sessions: usize) -> Option<usize> {
    let number = path.strip_prefix("/s/")?.strip_suffix("/status")?;
    number.parse().ok().filter(|session| *session < sessions)
}
