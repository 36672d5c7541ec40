//! A server that does what no good server does.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A session service, well.
pub(crate) const CONNECTED: &str = r#"{"connected":true,"hasQR":false}"#;

/// What a connection does with its next request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends this and keeps the connection.
    Say(String),
    /// Sends this and closes.
    Last(String),
    /// Closes.
    Close,
    /// Breaks the connection.
    Reset,
    /// Does nothing.
    Hang,
    /// Sends the first, then the second for ever, one each 10 ms.
    Flood(String, String),
}

/// Each connection has its list of acts, one for each request; the last list is for all that follow. At the end of its list a
/// connection is closed, so one with an empty list is closed at once.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
    _task: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

impl Server {
    pub(crate) async fn start(connections: impl IntoIterator<Item = Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::default();
        let mut task = JoinSet::new();
        task.spawn(accept(listener, connections.into_iter().collect(), Arc::clone(&seen)));
        Self { url, seen, _task: task }
    }

    /// Every connection does the same with its one request.
    pub(crate) async fn always(act: Act) -> Self {
        Self::start([vec![act]]).await
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }
}

async fn accept(listener: TcpListener, connections: Vec<Vec<Act>>, seen: Arc<Mutex<Seen>>) {
    let mut open = JoinSet::new();
    let mut scripts = connections.iter();
    let mut script = None;
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        seen.lock().unwrap().connections += 1;
        script = scripts.next().or(script);
        open.spawn(play(stream, script.cloned().unwrap_or_default(), Arc::clone(&seen)));
    }
}

async fn play(mut stream: TcpStream, acts: Vec<Act>, seen: Arc<Mutex<Seen>>) {
    for act in acts {
        let Some(request) = request(&mut stream).await else { return };
        seen.lock().unwrap().requests.push(request);
        // The other side may go away at any time; nothing is left to do then.
        let gone = match act {
            Act::Say(text) => stream.write_all(text.as_bytes()).await.is_err(),
            Act::Last(text) => return drop(stream.write_all(text.as_bytes()).await),
            Act::Close => return,
            Act::Reset => return stream.set_zero_linger().unwrap(),
            Act::Hang => return std::future::pending().await,
            Act::Flood(first, then) => flood(&mut stream, &first, &then).await.is_err(),
        };
        if gone {
            return;
        }
    }
}

async fn flood(stream: &mut TcpStream, first: &str, then: &str) -> io::Result<()> {
    stream.write_all(first.as_bytes()).await?;
    loop {
        stream.write_all(then.as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads the head of a request, or the first record of TLS.
async fn request(stream: &mut TcpStream) -> Option<String> {
    // All at once: a connection closed over unread bytes would be reset.
    let mut head = Vec::with_capacity(16 * 1024);
    while !head.ends_with(b"\r\n\r\n") && !head.starts_with(&[TLS_HANDSHAKE]) {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

const TLS_HANDSHAKE: u8 = 0x16;

/// An answer with a body.
pub(crate) fn http(status: &str, headers: &[&str], body: &str) -> String {
    let (first, length) = (format!("HTTP/1.1 {status}"), format!("Content-Length: {}", body.len()));
    [&[first.as_str()], headers, &[&length, "", body]].concat().join("\r\n")
}

/// A good answer.
pub(crate) fn ok(body: &str) -> Act {
    Act::Say(http("200 OK", &["Content-Type: application/json"], body))
}

/// The head of an answer whose body comes in chunks.
pub(crate) const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
