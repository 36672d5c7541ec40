//! When the tokens end that say it themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::config::{Call, Secret, Target};
use crate::engine::{TargetId, Wall};
use crate::http::jwt;

/// How often they are read.
const EVERY: Duration = Duration::from_mins(1);

/// When each token ends, by target and by what it is for: `target`, or the remedy whose hook sends it.
pub(super) type Expiries = BTreeMap<(TargetId, &'static str), Wall>;

/// The tokens of a fleet, each with everybody who sends it.
type Tokens = BTreeMap<Secret, Vec<(TargetId, &'static str)>>;

/// Reads them again and again, until nobody wants to know any more. Other targets may come over `targets`.
pub(super) async fn keep_reading(
    mut targets: watch::Receiver<Arc<BTreeMap<TargetId, Arc<Target>>>>,
    told: watch::Sender<Expiries>,
) {
    loop {
        let tokens = tokens(&targets.borrow_and_update());
        // A file may block for as long as its disk does.
        if let Ok(read) = spawn_blocking(move || read(&tokens)).await {
            told.send_replace(read);
        }
        tokio::select! {
            changed = targets.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

fn tokens(targets: &BTreeMap<TargetId, Arc<Target>>) -> Tokens {
    let mut tokens = Tokens::new();
    for (id, target) in targets {
        let mut add = |token: &Secret, what| {
            let users = tokens.entry(token.clone()).or_default();
            if !users.contains(&(id.clone(), what)) {
                users.push((id.clone(), what));
            }
        };
        if let Some(token) = &target.token {
            add(token, "target");
        }
        for (remedy, hook) in &target.hooks {
            for step in &hook.steps {
                if let Call::WasenderBackend(call) = &step.run {
                    add(&call.at.token, remedy.as_str());
                }
            }
        }
    }
    tokens
}

fn read(tokens: &Tokens) -> Expiries {
    let ends = |(token, users): (&Secret, &Vec<(TargetId, &'static str)>)| {
        let ends = jwt::expiry(token.read().ok()?.expose_secret())?;
        Some(users.iter().map(move |user| (user.clone(), ends)).collect::<Vec<_>>())
    };
    tokens.iter().filter_map(ends).flatten().collect()
}
