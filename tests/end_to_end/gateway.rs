//! A gateway that answers whatever a test says, on a thread of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a gateway does with a question.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers 200 with this body.
    Says(String),
    /// Answers with this status and an empty JSON object.
    Status(u16),
    /// Answers 200 with this many megabytes.
    Floods(usize),
    /// Promises a body and breaks off in the middle.
    BreaksOff,
    /// Closes without a word.
    Closes,
    /// Never answers.
    Hangs,
}

/// A gateway on loopback. Its thread ends with the test process.
#[derive(Clone)]
pub(crate) struct Gateway {
    address: SocketAddr,
    does: Arc<Mutex<Does>>,
}

impl Gateway {
    pub(crate) fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let does = Arc::new(Mutex::new(does));
        let shared = Arc::clone(&does);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let does = shared.lock().expect("nobody panics with it").clone();
                std::thread::spawn(move || answer(stream, &does));
            }
        });
        Self { address, does }
    }

    pub(crate) fn now(&self, does: Does) {
        *self.does.lock().expect("nobody panics with it") = does;
    }

    /// A target's section of a configuration.
    pub(crate) fn target(&self, name: &str) -> String {
        format!("[target.{name}]\ndialect = \"whatsapp-service\"\nurl = \"http://{}\"\n", self.address)
    }
}

fn answer(mut stream: TcpStream, does: &Does) {
    let mut head = [0_u8; 2048];
    if stream.read(&mut head).unwrap_or(0) == 0 {
        return;
    }
    let reply = |status: u16, length: usize, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    let sent = match does {
        Does::Says(body) => stream.write_all(reply(200, body.len(), body).as_bytes()),
        Does::Status(status) => stream.write_all(reply(*status, 2, "{}").as_bytes()),
        Does::Floods(megabytes) => {
            let body = "x".repeat(megabytes << 20);
            stream.write_all(reply(200, body.len(), &body).as_bytes())
        }
        Does::BreaksOff => stream.write_all(reply(200, 100, "{\"connected\":tr").as_bytes()),
        Does::Closes => Ok(()),
        Does::Hangs => {
            std::thread::sleep(super::PATIENCE);
            Ok(())
        }
    };
    // The watchdog may hang up on a flood: that is its right.
    drop(sent);
}
