//! A server that answers by path as a test says, and whose events go on for as long as it wants.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use wa_watchdog::config::{DockerAt, DockerEndpoint};

/// Makes the answer to a path with its query: status and body.
type Answers = Box<dyn Fn(&str) -> (u16, String) + Send>;

pub(crate) struct Daemon {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

struct Shared {
    answers: Mutex<Answers>,
    /// The heads of all requests.
    asked: Mutex<Vec<String>>,
    /// What the next one to ask for events hears at once.
    missed: Mutex<Vec<String>>,
    /// What those hear who listen; nothing: it hangs up.
    events: broadcast::Sender<Option<String>>,
}

impl Daemon {
    pub(crate) async fn start(answers: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (events, _) = broadcast::channel(64);
        let answers: Answers = Box::new(answers);
        let answers = Mutex::new(answers);
        let shared = Arc::new(Shared { answers, asked: Mutex::default(), missed: Mutex::default(), events });
        let (mut task, serving) = (JoinSet::new(), Arc::clone(&shared));
        task.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                open.spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { url, shared, _task: task }
    }

    /// The container `wa` on it.
    pub(crate) fn container(&self) -> DockerAt {
        DockerAt { endpoint: DockerEndpoint::Tcp(self.url.clone()), container: "wa".to_owned() }
    }

    /// Answers otherwise from here on.
    pub(crate) fn answers(&self, answers: impl Fn(&str) -> (u16, String) + Send + 'static) {
        *self.shared.answers.lock().unwrap() = Box::new(answers);
    }

    /// The first lines of the requests whose path has this in it.
    pub(crate) fn asked(&self, part: &str) -> Vec<String> {
        let asked = self.shared.asked.lock().unwrap();
        let lines = asked.iter().map(|head| head.lines().next().unwrap_or_default().to_owned());
        lines.filter(|line| line.contains(part)).collect()
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        self.shared.events.receiver_count()
    }

    /// Tells an event to those who listen.
    pub(crate) fn say(&self, event: &str) {
        self.shared.events.send(Some(event.to_owned())).unwrap();
    }

    /// Hangs up; whoever comes back hears these events at once.
    pub(crate) fn hang_up(&self, missed: &[String]) {
        *self.shared.missed.lock().unwrap() = missed.to_vec();
        self.shared.events.send(None).unwrap();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    shared.asked.lock().unwrap().push(head);
    // Whoever asked may be gone: that is its right.
    drop(if path.contains("/events") {
        tell(&mut stream, &shared).await
    } else {
        answer(&mut stream, &shared, &path).await
    });
}

async fn answer(stream: &mut TcpStream, shared: &Shared, path: &str) -> std::io::Result<()> {
    let (status, body) = (shared.answers.lock().unwrap())(path);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nApi-Version: 1.41\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await
}

async fn tell(stream: &mut TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut events = shared.events.subscribe();
    let missed = std::mem::take(&mut *shared.missed.lock().unwrap());
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
    for event in missed {
        stream.write_all(&chunk(&event)).await?;
    }
    while let Ok(Some(event)) = events.recv().await {
        stream.write_all(&chunk(&event)).await?;
    }
    Ok(())
}

fn chunk(event: &str) -> Vec<u8> {
    format!("{:x}\r\n{event}\n\r\n", event.len() + 1).into_bytes()
}
