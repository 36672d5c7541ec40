//! Who tells which sessions there are: each is asked again and again, and what it told is handed on whole.
//!
//! `round` asks one section over and over; a refresh that fails changes nothing. `names` gives each session a name that it keeps. The
//! rest are the kinds: `wasender`, `waha`, `evolution`, `docker` and `file`.

mod account;
mod count;
mod docker;
mod evolution;
mod failed;
mod file;
mod names;
mod round;
mod waha;
mod wasender;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

pub use self::count::{Counted, Counts};
pub use self::failed::{Failed, OUTCOMES};
pub use self::names::name;
pub use self::round::{Desk, Report, follow, read_all};

use crate::config::{DiscoverFrom, Discovery, Found, Ready};
use crate::engine::moment::Moment;
use crate::engine::target::TargetId;
use crate::http::Http;

/// Room for reports that the engine's driver has not taken yet; a full one makes discoveries wait. Whoever makes the channel uses it.
pub const QUEUE_MAX: usize = 16;

/// Longest time of one refresh, all its pages together.
const REFRESH_WITHIN: Duration = Duration::from_mins(1);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// What a section has found, by the names that its targets have.
pub type Held = BTreeMap<TargetId, Entry>;

/// One session that was found.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was told of it.
    pub found: Found,
    /// Its target; none where it cannot be one.
    pub ready: Option<Ready>,
}

/// What one refresh brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The sessions.
    pub found: Vec<Found>,
    /// What cannot be watched, and why: its key and a sentence.
    pub odd: Vec<(String, String)>,
}

/// Asks once. `known` is what was found before, by key: a container that is down has no address, and is still the same one.
pub async fn ask(
    discovery: &Discovery,
    http: &Http,
    clock: &Clock,
    known: &BTreeMap<String, Found>,
) -> Result<Heard, Failed> {
    let asking = async {
        match &discovery.from {
            DiscoverFrom::Wasender(account) => wasender::ask(account, http, clock).await,
            DiscoverFrom::Waha(account) => waha::ask(account, http, clock).await,
            DiscoverFrom::Evolution(account) => evolution::ask(account, http, clock).await,
            DiscoverFrom::Docker { endpoint, address } => docker::ask(endpoint, *address, http, known).await,
            DiscoverFrom::File(pattern) => file::ask(pattern.clone()).await,
        }
    };
    let too_slow = |_elapsed| Failed::NoAnswer("it takes too long".to_owned());
    timeout(REFRESH_WITHIN, asking).await.map_err(too_slow)?
}
