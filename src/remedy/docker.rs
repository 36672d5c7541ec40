//! Acts on containers.
use tokio::time::Instant;

use super::brief::Brief;
use super::end::CallEnd;
use super::run::Desk;
use crate::config::DockerCall;
use crate::engine::attempt::Act;

pub(super) async fn call(_call: &DockerCall, _act: Act, _brief: &Brief, _desk: &Desk, _until: Instant) -> CallEnd {
    CallEnd::failed("not yet")
}
