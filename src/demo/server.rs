//! One listener a role: hyper on one side, the role's script on the other.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cast::{Part, Role};
use super::reply::Reply;
use super::{Playtime, account, service};

/// Pause after a failed accept: out of file descriptors, the next one would fail at once too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Plays a role to everybody who connects, until `stop` is cancelled. Open connections are then cut: a hanging one would
/// never end by itself.
pub(super) async fn serve(
    listener: TcpListener,
    role: &'static Role,
    playtime: Playtime,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tracker.spawn(converse(stream, role, playtime.clone(), stop.clone()));
            }
            Err(err) => {
                tracing::debug!(role = role.name, error = %err, "scripted gateway could not accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, role: &'static Role, playtime: Playtime, stop: CancellationToken) {
    let service = service_fn(|request| respond(role, &playtime, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        ended = connection => {
            if let Err(err) = ended {
                tracing::debug!(role = role.name, error = %err, "connection to scripted gateway broke");
            }
        }
    }
}

async fn respond(
    role: &Role,
    playtime: &Playtime,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (tick, method, path) = (playtime.tick(), request.method(), request.uri().path());
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let reply = match &role.part {
        Part::Service(script) => service::answer(script, tick, method, path),
        Part::Account(script) => account::answer(script, tick, method, path, authorization),
    };
    match reply {
        Reply::Sent { status, content_type, body } => {
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            Ok(response)
        }
        Reply::Never => std::future::pending().await,
    }
}
