//! A proxy before the daemon that lets everything pass but one kind of call.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use regex::Regex;

/// What it says instead of passing on.
#[derive(Clone, Copy)]
pub(super) enum Says {
    /// As a socket proxy forbids.
    Forbidden,
    /// As a daemon fails.
    Failed,
}

/// Starts one; returns its address. `stops` tells of a request line whether it is not passed on. Its threads end with the process.
pub(super) fn start(socket: &str, says: Says, stops: impl Fn(&str) -> bool + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let (socket, stops) = (socket.to_owned(), Arc::new(stops));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (socket, stops) = (socket.clone(), Arc::clone(&stops));
            std::thread::spawn(move || serve(client, &socket, says, &*stops));
        }
    });
    format!("tcp://{address}")
}

/// One request and its answer; a second one on the same connection is not waited for.
fn serve(mut client: TcpStream, socket: &str, says: Says, stops: &dyn Fn(&str) -> bool) {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    if stops(text.lines().next().unwrap_or_default()) {
        let answer = match says {
            Says::Forbidden => {
                "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 22\r\nConnection: close\r\n\r\n<h1>403 Forbidden</h1>"
            }
            Says::Failed => {
                "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{\"message\":\"broke\"}"
            }
        };
        drop(client.write_all(answer.as_bytes()));
        return;
    }
    let Ok(mut daemon) = UnixStream::connect(socket) else { return };
    // The daemon closes after its answer, so that the next request comes on a connection of its own.
    let head = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    drop(daemon.write_all(head.as_bytes()));
    let (mut up, mut down) = (client.try_clone().expect("a clone"), daemon.try_clone().expect("a clone"));
    let body = std::thread::spawn(move || drop(std::io::copy(&mut up, &mut down)));
    drop(std::io::copy(&mut daemon, &mut client));
    drop(client.shutdown(Shutdown::Both));
    drop(body.join());
}

/// Starts one that lets pass only what the proxy of `config/compose.yaml` does, for a container of this name.
pub(super) fn of_example(socket: &str, container: &str) -> String {
    let example = include_str!("../../../config/compose.yaml").replace("whatsapp-service", container);
    let rules: Vec<(String, Regex)> = Regex::new(r"-allow(GET|POST|HEAD|DELETE)=([^']+)'")
        .expect("a pattern")
        .captures_iter(&example)
        .map(|rule| (rule[1].to_owned(), Regex::new(&format!("^{}$", &rule[2])).expect("a pattern")))
        .collect();
    assert_eq!(rules.len(), 2, "the example's rules are found");
    start(socket, Says::Forbidden, move |line| {
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = path.split('?').next().unwrap_or_default();
        !rules.iter().any(|(allowed, paths)| allowed == method && paths.is_match(path))
    })
}
