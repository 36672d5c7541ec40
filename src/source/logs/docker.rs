//! The log of a container, followed over the Docker API.

use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, DATE};
use tokio::time::{sleep, timeout_at};

use super::container::Container;
use super::form::Form;
use super::frames::Garbled;
use super::lines::Line;
use super::reader::Reader;
use super::seen::{Seen, in_query, part};
use crate::config::{DockerAt, DockerEndpoint};
use crate::docker::{Daemon, Trouble};
use crate::http::message::until;

/// How long the daemon may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long is waited before a log is opened again; doubled each time nothing came of it.
const BACK_OFF_MIN: Duration = Duration::from_millis(250);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// How often a container that stands still is asked whether it was started.
const STOPPED_EVERY: Duration = Duration::from_secs(2);
/// How often it is seen to that the container is still the same one and runs, while its log is open.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// A log over a network that is silent for this long is opened anew: the connection may be dead without saying so.
const QUIET_MAX: Duration = Duration::from_mins(1);
/// Most lines that may have been missed in that time; so that the daemon need not search the whole log for none.
const QUIET_LINES_MAX: &str = "12000";
/// A line that comes this late is no news: what it says may long be over.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Containers of this name that are known again, should one of them get it back.
const CONTAINERS_MAX: usize = 4;

/// Follows a container's log, for ever.
pub(super) async fn follow(at: DockerAt, reader: Reader) {
    let mut pursuit = Pursuit {
        at,
        reader,
        daemon: None,
        begin: Begin::Unknown,
        read: Vec::new(),
        read_out: None,
        pause: BACK_OFF_MIN,
    };
    let mut was_quiet = false;
    loop {
        let end = pursuit.go(was_quiet).await;
        was_quiet = matches!(end, End::Quiet);
        match end {
            End::Quiet => continue,
            End::Stopped => {
                sleep(STOPPED_EVERY).await;
                continue;
            }
            End::Over => {}
            End::Trouble(trouble) => {
                // Whatever it was: the next daemon at this place may speak another version.
                pursuit.daemon = None;
                pursuit.reader.lost(&trouble);
            }
            End::Garbled(garbled) => pursuit.reader.lost(&garbled),
        }
        sleep(pursuit.pause).await;
        pursuit.pause = pursuit.pause.saturating_mul(2).min(BACK_OFF_MAX);
    }
}

/// One container's log, over every interruption.
struct Pursuit {
    at: DockerAt,
    reader: Reader,
    daemon: Option<Daemon>,
    begin: Begin,
    /// How far the log of each container of this name was read; the present one is the last.
    read: Vec<(String, Seen)>,
    /// The start of the container that has ended, and whose log was read to its end.
    read_out: Option<(String, String)>,
    /// How long is waited next; the shortest again as soon as something comes.
    pause: Duration,
}

/// What was there when following began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    /// Nobody knows yet: what a container has said until it is found is old.
    Unknown,
    /// Nothing of this name, or it is followed already: whatever comes by this name is new.
    Known,
}

/// How it ended.
enum End {
    /// The stream ended, or it is not worth anything any more.
    Over,
    /// Nothing came for long.
    Quiet,
    /// The container stands still, and its log is read.
    Stopped,
    Trouble(Trouble),
    Garbled(Garbled),
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// An open log.
struct Stream {
    response: Response,
    form: Form,
    /// By the daemon's clock.
    opened: Timestamp,
    container: Container,
}

impl Pursuit {
    async fn go(&mut self, was_quiet: bool) -> End {
        match self.open(was_quiet).await {
            Ok(Some(stream)) => self.read(stream).await,
            Ok(None) => End::Stopped,
            Err(end) => end,
        }
    }

    /// Opens the log where reading ended. None: there is nothing to read.
    async fn open(&mut self, was_quiet: bool) -> Result<Option<Stream>, End> {
        if self.daemon.is_none() {
            let daemon = Daemon::at(&self.at.endpoint, self.reader.http(), until(ANSWER_WITHIN)).await?;
            self.daemon = Some(daemon);
        }
        let container = self.inspect().await.inspect_err(|trouble| {
            if trouble.is_missing() {
                self.begin = Begin::Known;
            }
        })?;
        if !container.is_running() && self.read_out == Some(container.start()) {
            return Ok(None);
        }
        let is_first = self.begin == Begin::Unknown;
        let since = if is_first { None } else { self.turn_to(&container.id).and_then(Seen::resume).map(in_query) };
        let tail = match (is_first, was_quiet) {
            (true, _) => "0",
            (false, true) => QUIET_LINES_MAX,
            (false, false) => "all",
        };
        let response = self.request(since.as_deref(), tail).await?;
        // Whoever has the name now may be another one than a moment ago.
        if self.inspect().await?.id != container.id {
            return Err(End::Over);
        }
        let opened = date(&response).unwrap_or_else(|| self.reader.wall());
        if is_first {
            self.read = vec![(container.id.clone(), Seen::from(opened))];
            self.begin = Begin::Known;
        }
        self.reader.found();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let form = Form::of(content_type, container.has_terminal());
        Ok(Some(Stream { response, form, opened, container }))
    }

    async fn read(&mut self, mut stream: Stream) -> End {
        let is_remote = matches!(self.at.endpoint, DockerEndpoint::Tcp(_));
        let (mut check, mut quiet) = (until(CHECK_EVERY), until(QUIET_MAX));
        loop {
            match timeout_at(check, stream.response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    let lines = match stream.form.feed(&chunk) {
                        Ok(lines) => lines,
                        Err(garbled) => return End::Garbled(garbled),
                    };
                    for line in &lines {
                        self.line(line, stream.opened);
                    }
                    quiet = until(QUIET_MAX);
                }
                // The end, or a broken connection: what was cut off comes again, from its beginning.
                Ok(end) => {
                    if end.is_ok() && !stream.container.is_running() {
                        self.read_out = Some(stream.container.start());
                    }
                    return End::Over;
                }
                Err(_elapsed) => {
                    match self.inspect().await {
                        Ok(now) if now.start() == stream.container.start() && now.is_running() => {}
                        Ok(_other) => return End::Over,
                        Err(trouble) => return End::Trouble(trouble),
                    }
                    if is_remote && quiet <= until(Duration::ZERO) {
                        return End::Quiet;
                    }
                    (check, self.pause) = (until(CHECK_EVERY), BACK_OFF_MIN);
                }
            }
        }
    }

    /// Reads one line, unless it was read before.
    fn line(&mut self, line: &Line, opened: Timestamp) {
        let (at, text) = part(&line.bytes);
        // Every daemon writes times; a line without one is taken as it comes.
        let at = at.unwrap_or(opened);
        let is_news = self.read.last_mut().is_none_or(|(_, seen)| seen.is_news(at, &line.bytes));
        if !is_news {
            return;
        }
        self.pause = BACK_OFF_MIN;
        if AGE_MAX < opened.duration_since(at) {
            self.reader.drop_old();
        } else {
            self.reader.read(text, line.is_cut, at.as_second());
        }
    }

    async fn inspect(&self) -> Result<Container, Trouble> {
        let path = format!("/containers/{}/json", self.at.container);
        let said = self.daemon()?.read(&path, &[], until(ANSWER_WITHIN)).await?;
        Ok(Container::of(&said))
    }

    async fn request(&self, since: Option<&str>, tail: &str) -> Result<Response, Trouble> {
        let path = format!("/containers/{}/logs", self.at.container);
        let mut query = vec![("follow", "1"), ("stdout", "1"), ("stderr", "1"), ("timestamps", "1"), ("tail", tail)];
        query.extend(since.map(|since| ("since", since)));
        self.daemon()?.open(&path, &query, until(ANSWER_WITHIN)).await
    }

    fn daemon(&self) -> Result<&Daemon, Trouble> {
        self.daemon.as_ref().ok_or_else(|| Trouble::Silent("nobody was asked".to_owned()))
    }

    /// Returns how far the log of a container was read, which is the present one from here on. One that was never seen is read
    /// from its first line.
    fn turn_to(&mut self, id: &str) -> Option<&mut Seen> {
        let known = self.read.iter().position(|(known, _)| known == id).map(|place| self.read.remove(place));
        if CONTAINERS_MAX <= self.read.len() {
            self.read.remove(0);
        }
        self.read.push(known.unwrap_or_else(|| (id.to_owned(), Seen::default())));
        self.read.last_mut().map(|(_, seen)| seen)
    }
}

/// When the daemon answered, by its own clock.
fn date(response: &Response) -> Option<Timestamp> {
    let text = response.headers().get(DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
