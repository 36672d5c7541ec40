//! A Docker daemon, as far as a log needs one, that breaks wherever a test wants it to.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// One daemon with one container, or none.
pub(crate) struct Docker {
    state: Arc<Mutex<State>>,
    pub(crate) address: String,
    _task: JoinSet<()>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) container: Option<Container>,
    /// A proxy before it lets nothing pass.
    pub(crate) is_denied: bool,
    /// Bytes that are written at once; 0: as many as there are.
    pub(crate) piece: usize,
    /// The next log breaks off after so many bytes.
    pub(crate) breaks_after: Option<usize>,
    /// Logs that are open say nothing any more, and do not end either.
    pub(crate) is_dead: bool,
    /// Raised to break every open log.
    pub(crate) broken: usize,
    /// Logs that are open.
    pub(crate) open: usize,
    /// The queries of every log that was asked for.
    pub(crate) asked: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Container {
    pub(crate) id: &'static str,
    pub(crate) has_terminal: bool,
    pub(crate) is_running: bool,
    pub(crate) log: Vec<Said>,
}

/// What a container printed, when, and on which output.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) at: Timestamp,
    pub(crate) output: u8,
    pub(crate) text: String,
}

impl Container {
    pub(crate) fn new(id: &'static str) -> Self {
        Self { id, has_terminal: false, is_running: true, log: Vec::new() }
    }
}

impl Docker {
    pub(crate) async fn over_tcp(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        let (shared, mut task) = (Arc::clone(&state), JoinSet::new());
        task.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { state, address, _task: task }
    }

    pub(crate) fn over_socket(path: &Path, state: State) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let state = Arc::new(Mutex::new(state));
        let (shared, mut task) = (Arc::clone(&state), JoinSet::new());
        task.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { state, address: path.display().to_string(), _task: task }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Prints lines now.
    pub(crate) fn say(&self, lines: &[&str]) {
        for line in lines {
            self.say_at(Timestamp::now(), line);
        }
    }

    pub(crate) fn say_at(&self, at: Timestamp, line: &str) {
        let mut state = self.state();
        let log = &mut state.container.as_mut().unwrap().log;
        // The one and the other output in turn.
        let output = if log.len().is_multiple_of(2) { 1 } else { 2 };
        log.push(Said { at, output, text: line.to_owned() });
    }

    /// Breaks every log that is open.
    pub(crate) fn break_off(&self) {
        self.state().broken += 1;
    }

    /// Tells how many logs are open.
    pub(crate) fn open(&self) -> usize {
        self.state().open
    }
}

/// Answers requests on one connection until a log ends it.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let path = text.split(' ').nth(1).unwrap().to_owned();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        if path.ends_with("/logs") && state.lock().unwrap().answers() {
            state.lock().unwrap().asked.push(query.to_owned());
            state.lock().unwrap().open += 1;
            let end = follow(&mut stream, query, &state).await;
            state.lock().unwrap().open -= 1;
            if end.is_none() {
                return;
            }
            continue;
        }
        let answer = answer(path, &state.lock().unwrap());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl State {
    fn answers(&self) -> bool {
        !self.is_denied && self.container.is_some()
    }
}

fn answer(path: &str, state: &State) -> String {
    let date = date();
    let (status, kind, body) = if path == "/_ping" {
        return format!(
            "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nServer: Docker/25\r\nDate: {date}\r\nContent-Length: 2\r\n\r\nOK"
        );
    } else if state.is_denied {
        ("403 Forbidden", "text/html", "<h1>403 Forbidden</h1>".to_owned())
    } else if let Some(container) = &state.container {
        assert!(path.ends_with("/containers/wa/json"), "{path}");
        let (id, running, tty) = (container.id, container.is_running, container.has_terminal);
        let body = format!(
            r#"{{"Id":"{id}","State":{{"Running":{running},"StartedAt":"of {id}"}},"Config":{{"Tty":{tty}}}}}"#
        );
        ("200 OK", "application/json", body)
    } else {
        ("404 Not Found", "application/json", r#"{"message":"No such container: wa"}"#.to_owned())
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nDate: {date}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Sends a log as a daemon does. None: it broke off.
async fn follow(stream: &mut (impl AsyncWrite + Unpin), query: &str, state: &Mutex<State>) -> Option<()> {
    let (broken, breaks_after, container) = {
        let mut state = state.lock().unwrap();
        (state.broken, state.breaks_after.take(), state.container.clone()?)
    };
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let since = value("since").map(|since| {
        let (secs, nanos) = since.split_once('.').unwrap();
        Timestamp::new(secs.parse().unwrap(), nanos.parse().unwrap()).unwrap()
    });
    let mut next = match value("tail") {
        Some("0") => container.log.len(),
        Some("all") => 0,
        lines => container.log.len().saturating_sub(lines.unwrap().parse().unwrap()),
    };
    let kind = if container.has_terminal { "raw" } else { "multiplexed" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.{kind}-stream\r\nDate: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        date()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut room = breaks_after.unwrap_or(usize::MAX);
    loop {
        let (bytes, piece, is_over) = {
            let state = state.lock().unwrap();
            let present = state.container.as_ref().filter(|present| present.id == container.id);
            let log = present.and_then(|present| present.log.get(next..)).unwrap_or_default();
            let log = if state.is_dead { &[][..] } else { log };
            next += log.len();
            let new = log.iter().filter(|said| since.is_none_or(|since| since <= said.at));
            let bytes: Vec<u8> = new.flat_map(|said| frame(said, container.has_terminal)).collect();
            if state.broken != broken {
                return None;
            }
            let is_over = !state.is_dead && present.is_none_or(|present| !present.is_running);
            (bytes, state.piece, is_over)
        };
        let pieces = bytes.chunks(if piece == 0 { bytes.len().max(1) } else { piece });
        for piece in pieces {
            let (piece, _) = piece.split_at(piece.len().min(room));
            room -= piece.len();
            if !piece.is_empty() {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                stream.write_all(&chunk).await.ok()?;
                stream.flush().await.ok()?;
            }
            if room == 0 {
                return None;
            }
            tokio::task::yield_now().await;
        }
        if is_over {
            return stream.write_all(b"0\r\n\r\n").await.ok();
        }
        sleep(Duration::from_millis(2)).await;
    }
}

fn frame(said: &Said, has_terminal: bool) -> Vec<u8> {
    let end = if has_terminal { "\r\n" } else { "\n" };
    let line = format!("{} {}{end}", said.at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"), said.text).into_bytes();
    if has_terminal {
        return line;
    }
    let length = u32::try_from(line.len()).unwrap().to_be_bytes();
    [&[said.output, 0, 0, 0], length.as_slice(), &line].concat()
}

fn date() -> String {
    Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
