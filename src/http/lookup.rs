//! Names looked up within a limit.

use std::net::ToSocketAddrs;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Most names that are looked up at once.
///
/// The system's lookup blocks a thread, for 10 s and more where no name server answers, and cannot be called off when its poll
/// is given up. Without a limit a broken name server would take every thread of the runtime, and with them the reading of
/// tokens for targets that need no name.
const LOOKUPS_MAX: usize = 128;

/// The system's lookup (`getaddrinfo`), at most [`LOOKUPS_MAX`] at a time. Keeps no answer: that is the system's business.
#[derive(Debug)]
pub(super) struct Lookups {
    free: Arc<Semaphore>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolve for Lookups {
    fn resolve(&self, name: Name) -> Resolving {
        let free = Arc::clone(&self.free);
        Box::pin(async move {
            let permit = free.acquire_owned().await?;
            let lookup = spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                drop(permit);
                found
            });
            let found: Addrs = Box::new(lookup.await??);
            Ok(found)
        })
    }
}
