//! The body of a request, read to its limits.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Incoming};
use tokio::time::timeout;

use super::reply::{Answer, problem};
use super::{BODY_BYTES_MAX, BODY_WITHIN};

/// Reads the form of a page.
pub(super) async fn form(body: Incoming) -> Result<String, Answer> {
    let text = read(body, BODY_BYTES_MAX, "send the form as it is").await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Reads a body of so many bytes at most; `needs` says what the route takes, as a hint.
pub(super) async fn read(body: Incoming, bytes_max: usize, needs: &str) -> Result<Bytes, Answer> {
    let too_large = || {
        let error = format!("the body is longer than {bytes_max} bytes");
        problem(StatusCode::PAYLOAD_TOO_LARGE, &error, needs)
    };
    // A length that is announced is refused before anything is read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| bytes_max < announced) {
        return Err(too_large());
    }
    match timeout(BODY_WITHIN, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "the body is broken", needs)),
        Err(_) => Err(problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", needs)),
    }
}
