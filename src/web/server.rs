//! The listener and its connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{CONNECTION_AGE_MAX, CONNECTIONS_MAX, Desk, HEAD_BYTES_MAX, HEAD_WITHIN, STOP_GRACE, State, live, route};

/// How long to wait after a connection could not be taken: most often there are no file descriptors left, and trying at once
/// would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP until `stop`. Each connection is a task of `tracker`: who waits for the tracker waits until the running answers
/// have left, at most [`STOP_GRACE`].
pub async fn serve(listener: TcpListener, state: State, stop: CancellationToken, tracker: TaskTracker) {
    let loopback_only = listener.local_addr().is_ok_and(is_loopback);
    let desk = Arc::new(Desk::new(state, loopback_only));
    tokio::join!(live::keep(Arc::clone(&desk), stop.clone()), listen(listener, desk, stop, tracker));
}

/// Takes connections until `stop`.
async fn listen(listener: TcpListener, desk: Arc<Desk>, stop: CancellationToken, tracker: TaskTracker) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let (desk, stop) = (Arc::clone(&desk), stop.clone());
                tracker.spawn(async move {
                    converse(stream, desk, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Tells whether only this machine can reach an address.
fn is_loopback(at: SocketAddr) -> bool {
    at.ip().to_canonical().is_loopback()
}

/// Takes a connection once there is a place for it. Until then it waits in the kernel's bounded queue: a scrape that comes late
/// is worth more than one that is turned away.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

/// Answers on one connection until the client leaves, it is too slow or too old, or the server stops.
async fn converse(stream: TcpStream, desk: Arc<Desk>, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move {
            tracing::debug!(method = %request.method(), path = request.uri().path(), "request");
            Ok::<_, Infallible>(route::answer(&desk, request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ended_from_here(&stop) => {
            connection.as_mut().graceful_shutdown();
            match timeout(STOP_GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!("a connection was cut: its answer did not leave in time"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Returns when a connection may take no further request.
async fn ended_from_here(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(CONNECTION_AGE_MAX) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_but_loopback_can_be_reached_from_elsewhere() {
        for local in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            assert!(is_loopback(local.parse().unwrap()), "{local}");
        }
        for reachable in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"] {
            assert!(!is_loopback(reachable.parse().unwrap()), "{reachable}");
        }
    }
}
