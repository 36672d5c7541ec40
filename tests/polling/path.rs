//! Network paths: any answer proves the way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use wa_watchdog::config::PathAt;
use wa_watchdog::http::Http;
use wa_watchdog::source::path::{PathSeen, QUEUE_MAX, keep_looking};

use super::PATIENCE;
use super::server::{Act, Server, http};

fn path(name: &str, url: &str) -> PathAt {
    let (every, timeout) = (Duration::from_millis(20), Duration::from_millis(300));
    PathAt { name: Arc::from(name), url: url.to_owned(), every, timeout, dialects: Vec::new() }
}

async fn next(seen: &mut mpsc::Receiver<PathSeen>, name: &str) -> Option<String> {
    loop {
        let PathSeen { path, down } = tokio::time::timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
        if &*path == name {
            return down.map(|why| why.as_str().to_owned());
        }
    }
}

#[tokio::test]
async fn any_answer_proves_the_way_and_none_does_not() {
    let sick = Server::always(Act::Say(http("503 Service Unavailable", &[], ""))).await;
    let deaf = Server::always(Act::Hang).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let all: Arc<[PathAt]> =
        [path("sick", &sick.url), path("deaf", &deaf.url), path("closed", &format!("http://{closed}/"))].into();
    let (paths, wanted) = watch::channel(all);
    let (sender, mut seen) = mpsc::channel(QUEUE_MAX);
    let looking = tokio::spawn(keep_looking(wanted, Http::new().unwrap(), sender));
    assert_eq!(next(&mut seen, "sick").await, None);
    assert_eq!(next(&mut seen, "deaf").await.as_deref(), Some("time-out"));
    assert_eq!(next(&mut seen, "closed").await.as_deref(), Some("connection refused"));
    assert!(sick.requests()[0].starts_with("HEAD / "), "{:?}", sick.requests());

    // Others take their place at once.
    paths.send_replace([path("other", &sick.url)].into());
    assert_eq!(next(&mut seen, "other").await, None);
    drop(paths);
    tokio::time::timeout(PATIENCE, looking).await.unwrap().unwrap();
}
