//! An interface that answers as a test says, over real HTTP, on a thread of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method, path and query, as in `GET /a?b=c`.
    pub(crate) line: String,
    /// Every header, its name in small letters.
    pub(crate) headers: Vec<(String, String)>,
    /// Null where there is none.
    pub(crate) body: Value,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Json(u16, Value),
    /// With a `Retry-After` of so many seconds.
    Busy(u16, u32),
    /// Closes the connection without a word.
    Nothing,
}

type Answers = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// The interface. Its thread ends with the test process.
#[derive(Clone)]
pub(crate) struct Fake {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Asked>>>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

impl Fake {
    pub(crate) fn start(answers: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Mutex<Answers>> = Arc::new(Mutex::new(Box::new(answers)));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, answers) = (Arc::clone(&shared), Arc::clone(&answers));
                std::thread::spawn(move || serve(stream, &heard, &answers));
            }
        });
        Self { address, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<Asked> {
        self.heard.lock().unwrap().clone()
    }

    /// Returns the first lines of what was asked that is no question.
    pub(crate) fn orders(&self) -> Vec<String> {
        self.heard().into_iter().map(|asked| asked.line).filter(|line| !line.starts_with("GET ")).collect()
    }
}

/// Answers one request, and closes.
fn serve(mut stream: TcpStream, heard: &Mutex<Vec<Asked>>, answers: &Mutex<Answers>) {
    let Some(asked) = read(&stream) else { return };
    heard.lock().unwrap().push(asked.clone());
    let reply = (answers.lock().unwrap())(&asked);
    let (status, header, body) = match reply {
        Reply::Json(status, body) => (status, String::new(), body.to_string()),
        Reply::Busy(status, secs) => (status, format!("Retry-After: {secs}\r\n"), "{}".to_owned()),
        Reply::Nothing => return,
    };
    let length = body.len();
    let start = format!(
        "HTTP/1.1 {status} X\r\n{header}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // Whoever asked may have given up meanwhile: that is its right.
    drop(stream.write_all([start, body].concat().as_bytes()));
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let line = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { line, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}
