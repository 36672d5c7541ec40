//! One listener a role: hyper on one side, the role's script on the other.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cast::{Mend, Part, Role};
use super::reply::{JSON, Reply};
use super::{Playtime, Tick, account, backend, memory, service};

/// Pause after a failed accept: out of file descriptors, the next one would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where every role takes notifications.
pub(super) const NOTICE: &str = "/demo/notice";

/// A role being played, and which of its hooks was called.
pub(super) struct Actor {
    role: &'static Role,
    playtime: Playtime,
    mended: Mutex<Option<Call>>,
}

/// The last call of a hook.
struct Call {
    mend: &'static Mend,
    /// When it was called, after the start.
    at: Duration,
    /// The id under which it was called: the same one again changes nothing.
    id: String,
}

impl Actor {
    /// Begins a role.
    pub(super) fn new(role: &'static Role, playtime: Playtime) -> Self {
        Self { role, playtime, mended: Mutex::new(None) }
    }

    /// Answers one request.
    fn answer(&self, request: &Request<Incoming>) -> Reply {
        let (tick, method, path) = (self.playtime.tick(), request.method(), request.uri().path());
        let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        if let (Some(memory), memory::PATH) = (&self.role.memory, path) {
            return memory::answer(memory, tick, request.uri().query().unwrap_or_default());
        }
        if method == Method::POST && path == NOTICE {
            return Reply::json(StatusCode::OK, JSON, &serde_json::json!({ "success": true }));
        }
        let mut mended = self.mended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mend) = self.called(method, path) {
            let Some(id) = header(HeaderName::from_static("webhook-id")) else {
                return Reply::page(StatusCode::BAD_REQUEST, "no webhook-id".to_owned());
            };
            if mended.as_ref().is_none_or(|call| call.id != id) {
                *mended = Some(Call { mend, at: tick.elapsed, id: id.to_owned() });
            }
            return Reply::json(StatusCode::OK, JSON, &serde_json::json!({ "success": true }));
        }
        match (&self.role.part, &*mended) {
            (_, Some(call)) => {
                let tick = Tick { elapsed: tick.elapsed.saturating_sub(call.at), ..tick };
                service::answer(&call.mend.script, tick, method, path)
            }
            (Part::Service(script), None) => service::answer(script, tick, method, path),
            (Part::Account(script), None) => account::answer(script, tick, method, path, header(AUTHORIZATION)),
            (Part::Backend, None) => backend::answer(method, path, header(AUTHORIZATION)),
        }
    }

    /// Returns the hook that is called.
    fn called(&self, method: &Method, path: &str) -> Option<&'static Mend> {
        let remedy = path.strip_prefix("/demo/").filter(|_| method == Method::POST)?;
        self.role.mends.iter().find(|mend| mend.remedy.as_str() == remedy)
    }
}

/// Plays a role to everybody who connects, until `stop` is cancelled. Open connections are then cut: a hanging one would
/// never end by itself.
pub(super) async fn serve(listener: TcpListener, actor: Arc<Actor>, tracker: TaskTracker, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tracker.spawn(converse(stream, Arc::clone(&actor), stop.clone()));
            }
            Err(err) => {
                tracing::debug!(role = actor.role.name, error = %err, "scripted gateway could not accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, actor: Arc<Actor>, stop: CancellationToken) {
    let service = service_fn(|request| respond(&actor, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        ended = connection => {
            if let Err(err) = ended {
                tracing::debug!(role = actor.role.name, error = %err, "connection to scripted gateway broke");
            }
        }
    }
}

async fn respond(actor: &Actor, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    match actor.answer(&request) {
        Reply::Sent { status, content_type, body } => {
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            Ok(response)
        }
        Reply::Never => std::future::pending().await,
    }
}
