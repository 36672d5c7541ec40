//! A server over a made-up snapshot, with the test in the driver's seat.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::{Alertmanager, Secret, Target};
use wa_watchdog::engine::command::{CommandAnswer, OperatorCommand};
use wa_watchdog::engine::moment::Wall;
use wa_watchdog::engine::snapshot::Snapshot;
use wa_watchdog::engine::target::TargetId;
use wa_watchdog::web::{self, Denials, Inflow, Order, Push, Readiness, ReloadOrder, State};

use crate::made_up;
use crate::openapi_document::Document;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for pushed news: few, so that a test can fill it.
pub(crate) const PUSHES_MAX: usize = 8;

/// Writes metrics in place of the real ones; the snapshot decides what.
pub(crate) type Render = fn(&Snapshot) -> String;

/// A running server.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(crate) ready: Readiness,
    pub(crate) reloads: mpsc::Receiver<ReloadOrder>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) token: watch::Sender<Option<Secret>>,
    pub(crate) denials: Denials,
    pub(crate) pushes: mpsc::Receiver<Push>,
    pub(crate) targets: watch::Sender<Arc<BTreeMap<TargetId, Arc<Target>>>>,
    pub(crate) alertmanager: watch::Sender<Option<Alertmanager>>,
    pub(crate) inflow: Inflow,
    pub(crate) stop: CancellationToken,
    pub(crate) tracker: TaskTracker,
    now_millis: Arc<AtomicI64>,
    client: reqwest::Client,
}

impl Server {
    /// Starts one on loopback.
    pub(crate) async fn start() -> Self {
        Self::rendering(|snapshot| format!("targets {}\n", snapshot.fleet.targets)).await
    }

    /// Starts one whose metrics come from `render`.
    pub(crate) async fn rendering(render: Render) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let at = listener.local_addr().expect("it is bound");
        let (snapshot, seen) = watch::channel(Arc::new(made_up::snapshot()));
        let (reload, reloads) = mpsc::channel(1);
        let (placed, orders) = mpsc::channel(1);
        let (token, seen_token) = watch::channel(None);
        let (denials, inflow) = (Denials::default(), Inflow::default());
        let (push_queue, pushes) = mpsc::channel(PUSHES_MAX);
        let (targets, seen_targets) = watch::channel(Arc::default());
        let (alertmanager, seen_alertmanager) = watch::channel(None);
        let now_millis = Arc::new(AtomicI64::new(made_up::ago(0).millis()));
        let (ready, stop, tracker) = (Readiness::default(), CancellationToken::new(), TaskTracker::new());
        let clock = Arc::clone(&now_millis);
        let state = State {
            snapshot: seen,
            ready: ready.clone(),
            reload,
            orders: placed,
            token: seen_token,
            denials: denials.clone(),
            pushes: push_queue,
            targets: seen_targets,
            alertmanager: seen_alertmanager,
            inflow: inflow.clone(),
            render_metrics: Arc::new(render),
            clock: Arc::new(move || Wall::from_millis(clock.load(Ordering::Relaxed))),
        };
        tracker.spawn(web::serve(listener, state, stop.clone(), tracker.clone()));
        Self {
            at,
            snapshot,
            ready,
            reloads,
            orders,
            token,
            denials,
            pushes,
            targets,
            alertmanager,
            inflow,
            stop,
            tracker,
            now_millis,
            client: client(),
        }
    }

    /// Sets the clock to so many milliseconds after the snapshot.
    pub(crate) fn set_clock(&self, millis_after_snapshot: i64) {
        self.now_millis.store(made_up::ago(0).millis() + millis_after_snapshot, Ordering::Relaxed);
    }

    /// Returns how many milliseconds after the snapshot the clock stands.
    pub(crate) fn now_after_snapshot(&self) -> i64 {
        self.now_millis.load(Ordering::Relaxed) - made_up::ago(0).millis()
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.at))
    }

    /// Gets a path.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// Posts nothing to a path.
    pub(crate) async fn post(&self, path: &str) -> Reply {
        send(self.request(Method::POST, path)).await
    }

    /// Orders something, with the body that every order takes.
    pub(crate) fn order(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).body(r#"{"reason":"deploy","who":"ana"}"#)
    }

    /// Answers the next order as the driver would, and returns what was ordered.
    pub(crate) async fn drive(&mut self, answer: CommandAnswer) -> OperatorCommand {
        let order = bounded(self.orders.recv()).await.expect("an order");
        order.answer.send(answer).expect("somebody waits");
        order.command
    }

    /// Opens a connection without HTTP.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.expect("it listens")
    }

    /// Writes bytes as they are and reads until the server ends the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("it takes them");
        read_to_end(&mut stream).await
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// Returns a header's text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("it is text"))
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).expect("it is JSON")
    }

    /// Asserts that it is an error as the API tells one, and returns what it says.
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        let json = self.json();
        assert!(json["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{self:?}");
        json["error"].as_str().expect("it says what is wrong").to_owned()
    }
}

/// Sends a request and reads the answer, which must be what the document of the API says.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let reply = ask(&client, request).await;
    DOCUMENT.assert_answer(
        method.as_str(),
        &path,
        reply.status.as_u16(),
        &|name| reply.header(name).to_owned(),
        &reply.body,
    );
    reply
}

/// Sends a request and reads the answer, whatever it is.
pub(crate) async fn ask(client: &reqwest::Client, request: reqwest::Request) -> Reply {
    let answered = bounded(client.execute(request)).await.expect("it answers");
    let (status, headers) = (answered.status(), answered.headers().clone());
    let body = bounded(answered.text()).await.expect("the answer is whole");
    Reply { status, headers, body }
}

/// What the API is said to be.
pub(crate) static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

/// Reads what comes until the other side ends; a reset is an end too.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        bytes.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for what must happen soon.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}

fn client() -> reqwest::Client {
    // A second test in this process finds the provider installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client without certificates")
}
