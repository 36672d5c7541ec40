//! The order to read the configuration anew.

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::reply::{Answer, json, problems, unavailable};
use super::{BODY_BYTES_MAX, Desk, RELOAD_WITHIN, ReloadOrder, body, warden};

/// Orders a reload and waits for what comes of it.
pub(super) async fn reload(desk: &Desk, headers: &HeaderMap, body: Incoming) -> Result<Answer, Answer> {
    warden::admit(desk, headers).await?;
    body::read(body, BODY_BYTES_MAX, "this route needs no body").await?;
    let (answer, answered) = oneshot::channel();
    match desk.state.reload.try_send(ReloadOrder { answer }) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => {
            return Err(unavailable("a reload is running already", "ask again when it has ended"));
        }
        Err(TrySendError::Closed(_)) => return Err(unavailable("the watchdog is stopping", "ask again when it runs")),
    }
    Ok(match timeout(RELOAD_WITHIN, answered).await {
        Ok(Ok(Ok(done))) => json(StatusCode::OK, &done),
        Ok(Ok(Err(found))) => problems(
            StatusCode::BAD_REQUEST,
            "the configuration was not taken; the one before is still in force",
            "mend what `problems` says, then reload again",
            &found,
        ),
        Ok(Err(_)) => unavailable("the reload was given up", "see the watchdog's log"),
        Err(_) => unavailable("the reload takes too long", "see the watchdog's log for how it ends"),
    })
}
