//! Pages that are open, as things happen.

use std::sync::Arc;

use reqwest::{Method, Response};
use wa_watchdog::engine::sample::Word;
use wa_watchdog::engine::snapshot::{PauseView, Snapshot, TargetView};
use wa_watchdog::web::STREAMS_MAX;

use crate::made_up;
use crate::server::{Server, bounded, send};

/// A stream of events that is being read.
struct Stream {
    answer: Response,
    read: String,
}

impl Stream {
    async fn open(server: &Server, query: &str) -> Self {
        Self::resume(server, query, None).await
    }

    async fn resume(server: &Server, query: &str, last: Option<&str>) -> Self {
        let mut request = server.request(Method::GET, &format!("/events?{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = bounded(request.send()).await.expect("it answers");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, read: String::new() }
    }

    /// Reads until a text came; returns all that came so far.
    async fn until(&mut self, text: &str) -> String {
        while !self.read.contains(text) {
            let chunk = bounded(self.answer.chunk()).await.expect("it goes on");
            let chunk = chunk.unwrap_or_else(|| panic!("it ended without {text}: {}", self.read));
            self.read.push_str(&String::from_utf8_lossy(&chunk));
        }
        std::mem::take(&mut self.read)
    }

    /// Reads until the other side ends it.
    async fn ends(&mut self) {
        while let Ok(Some(_)) = bounded(self.answer.chunk()).await {}
    }
}

/// Returns the snapshot with another word of one target.
fn said(name: &str, word: &str) -> Arc<Snapshot> {
    changed(&made_up::snapshot(), name, word)
}

fn changed(snapshot: &Snapshot, name: &str, word: &str) -> Arc<Snapshot> {
    let mut snapshot = snapshot.clone();
    for view in snapshot.targets.iter_mut().filter(|view| view.target.as_str() == name) {
        *view = Arc::new(TargetView { word: Some(Word::new(word)), ..TargetView::clone(view) });
    }
    Arc::new(snapshot)
}

/// The query with which a page's script opens its stream.
async fn stream_of(server: &Server, path: &str) -> String {
    feed(&server.get(path).await.body)
}

fn feed(page: &str) -> String {
    let (_, rest) = page.split_once("data-feed=\"").expect("a live page");
    rest.split_once('"').expect("its end").0.replace("&#38;", "&")
}

#[tokio::test]
async fn a_row_that_changes_is_sent_and_no_other() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, &stream_of(&server, "/").await).await;
    let begun = stream.until("retry: 2000").await;
    assert!(!begun.contains("resync"), "it goes on from the page: {begun}");
    server.snapshot.send_replace(said("atelier", "NEWS <1>"));
    let news = stream.until("event: seen").await;
    assert!(
        news.contains("event: row\ndata: <tr role=row data-target=\"atelier\"") && news.contains("NEWS &#60;1&#62;"),
        "{news}"
    );
    assert_eq!(news.matches("event: row").count(), 1, "{news}");
    assert!(!news.contains("event: part"), "the rest stayed the same: {news}");
}

#[tokio::test]
async fn banners_and_cards_are_sent_when_they_change() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, &stream_of(&server, "/").await).await;
    let mut calm = made_up::snapshot();
    calm.pause = None;
    calm.fleet.storm = false;
    server.snapshot.send_replace(Arc::new(calm));
    let news = stream.until("event: seen").await;
    assert!(news.contains("data: <div id=\"banners\">") && !news.contains("A storm is on"), "{news}");
    assert!(!news.contains("event: row"), "{news}");
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed() {
    let server = Server::start().await;
    let query = stream_of(&server, "/").await;
    let mut stream = Stream::open(&server, &query).await;
    server.snapshot.send_replace(said("atelier", "FIRST"));
    let news = stream.until("event: seen").await;
    let mark = news.split_once("id: ").and_then(|(_, rest)| rest.split_once('\n')).expect("a mark").0.to_owned();
    server.snapshot.send_replace(said("atelier", "SECOND"));
    stream.until("event: seen").await;
    let missed = Stream::resume(&server, &query, Some(&mark)).await.until("event: seen").await;
    assert!(missed.contains("SECOND") && !missed.contains("FIRST") && !missed.contains("resync"), "{missed}");
    let all = Stream::open(&server, &query).await.until("SECOND").await;
    assert!(all.contains("FIRST"), "{all}");
    for unknown in ["view=fleet", "view=fleet&after=nonsense", "view=fleet&after=0-0", "view=fleet&after=0-99999"] {
        Stream::open(&server, unknown).await.until("event: resync").await;
    }
}

#[tokio::test]
async fn a_page_that_was_loaded_between_two_rounds_sees_what_changed_back() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, &stream_of(&server, "/").await).await;
    let first = said("atelier", "FIRST");
    server.snapshot.send_replace(Arc::clone(&first));
    // From here on there is no round for a while.
    stream.until("event: seen").await;
    server.snapshot.send_replace(said("atelier", "SECOND"));
    let page = server.get("/").await.body;
    assert!(page.contains("SECOND") && !page.contains("FIRST"), "{page}");
    let query = feed(&page);
    server.snapshot.send_replace(first);
    let news = Stream::open(&server, &query).await.until("event: seen").await;
    assert!(news.contains("FIRST") && !news.contains("SECOND"), "{news}");
    let all = stream.until("FIRST").await;
    assert!(all.contains("SECOND"), "who watches meanwhile sees both: {all}");
}

#[tokio::test]
async fn many_rows_at_once_mean_to_load_anew() {
    let server = Server::start().await;
    let fleet = made_up::fleet(300);
    server.snapshot.send_replace(Arc::new(fleet.clone()));
    let mut stream = Stream::open(&server, &stream_of(&server, "/").await).await;
    let turned = |count: usize, word: &str| {
        let mut snapshot = fleet.clone();
        for view in snapshot.targets.iter_mut().take(count) {
            *view = Arc::new(TargetView { word: Some(Word::new(word)), ..TargetView::clone(view) });
        }
        Arc::new(snapshot)
    };
    server.snapshot.send_replace(turned(200, "FIRST"));
    let news = stream.until("event: seen").await;
    assert_eq!((news.matches("event: row").count(), news.matches("event: resync").count()), (200, 0));
    server.snapshot.send_replace(turned(201, "SECOND"));
    let news = stream.until("event: seen").await;
    assert_eq!((news.matches("event: row").count(), news.matches("event: resync").count()), (0, 1));
}

#[tokio::test]
async fn another_set_of_sessions_means_to_load_anew() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, &stream_of(&server, "/").await).await;
    server.snapshot.send_replace(Arc::new(made_up::fleet(5)));
    let news = stream.until("event: seen").await;
    assert!(news.contains("event: resync") && !news.contains("event: row"), "{news}");
}

#[tokio::test]
async fn the_page_of_a_session_follows_it() {
    let server = Server::start().await;
    let query = stream_of(&server, "/targets/shop").await;
    assert_eq!(query, "target=shop");
    let mut stream = Stream::open(&server, &query).await;
    stream.until("data: <div id=\"session\"").await;
    server.snapshot.send_replace(said("shop", "NEWS"));
    let news = stream.until("NEWS").await;
    assert!(news.contains("event: session\ndata: <div id=\"session\" data-target=\"shop\""), "{news}");
    server.get("/events?target=nobody").await.error(404);
    for wrong in ["/events", "/events?view=all", "/events?view=fleet&target=shop", "/events?x=1"] {
        server.get(wrong).await.error(400);
    }
    let head = send(server.request(Method::HEAD, "/events?view=fleet")).await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn what_holds_for_all_sessions_is_told_on_the_page_of_each_as_it_changes() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "target=atelier").await;
    let begun = stream.until("Log signals").await;
    assert!(begun.contains("A network path is down") && begun.contains("A storm is on"), "{begun}");
    // The session itself stays as it is.
    let mut snapshot = Snapshot::clone(&server.snapshot.borrow());
    snapshot.pause = snapshot.pause.map(|pause| PauseView { reason: Word::new("moving house"), ..pause });
    server.snapshot.send_replace(Arc::new(snapshot));
    let news = stream.until("moving house").await;
    assert!(news.contains("event: session") && !news.contains("deploy of"), "{news}");
}

#[tokio::test]
async fn a_session_that_is_watched_no_more_is_told_once() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "target=atelier").await;
    stream.until("data: <div id=\"session\"").await;
    let mut snapshot = made_up::snapshot();
    snapshot.targets.retain(|view| view.target.as_str() != "atelier");
    server.snapshot.send_replace(Arc::new(snapshot));
    stream.until("event: gone").await;
    stream.ends().await;
    server.get("/events?target=atelier").await.error(404);
    server.get("/targets/atelier").await.error(404);
}

#[tokio::test]
async fn streams_are_limited_and_leave_room_for_everybody_else() {
    let server = Server::start().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        streams.push(Stream::open(&server, "view=fleet").await);
    }
    let refused = server.get("/events?view=fleet").await;
    assert_eq!(refused.error(503), "as many pages are live already as may be");
    assert_eq!(refused.header("retry-after"), "15");
    assert_eq!(server.get("/metrics").await.status, 200);
    drop(streams.pop());
    // The place comes back once the server sees that the client is gone.
    bounded(async {
        while server.get("/events?target=nobody").await.status == 503 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    Stream::open(&server, "view=fleet").await.until("retry").await;
}

#[tokio::test]
async fn streams_end_with_the_server() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "view=fleet").await;
    stream.until("resync").await;
    server.stop.cancel();
    stream.ends().await;
    server.tracker.close();
    bounded(server.tracker.wait()).await;
}
