//! One order, carried out: which calls it means, and what their ends mean for the step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::brief::Brief;
use super::call::Clients;
use super::end::CallEnd;
use super::runs::{RunFile, Runs};
use super::{
    Adopted, Clock, HardStops, Off, call, coolify, docker, exec, kubernetes, sqlite, wasender, wasender_backend,
};
use crate::config::{Call, Hook, Target};
use crate::engine::attempt::{Act, StepEnd, StepOrder, StepOutcome};
use crate::http::Http;
use crate::http::message::until as deadline_in;

/// Everything that an order needs, as it was when it came.
pub(super) struct Desk {
    pub(super) target: Option<Arc<Target>>,
    pub(super) clients: Arc<Clients>,
    pub(super) runs: Arc<Runs>,
    pub(super) clock: Clock,
    pub(super) off: Off,
    pub(super) hard_stops: HardStops,
}

impl Desk {
    /// Makes one for those who only look.
    pub(super) fn for_looks(target: &Arc<Target>, http: &Http, clock: &Clock) -> Self {
        let targets = BTreeMap::from([(target.id.clone(), Arc::clone(target))]);
        Self {
            clients: Arc::new(Clients::of(&targets, http)),
            target: Some(Arc::clone(target)),
            runs: Arc::new(Runs::new(None)),
            clock: Arc::clone(clock),
            off: Off::default(),
            hard_stops: HardStops::default(),
        }
    }

    /// Carries out an order.
    pub(super) async fn carry_out(&self, order: StepOrder) -> (StepEnd, Option<Adopted>) {
        let hook = self.target.as_ref().and_then(|target| target.hooks.get(&order.remedy));
        let calls = match hook {
            None => Err(lacking(&order, "this target has no hook for it")),
            Some(_) if self.off.contains(&order.target, order.remedy) => Err(lacking(
                &order,
                "its URL said that it is gone; the hook is off until the configuration is read anew",
            )),
            Some(hook) => calls(hook, &order),
        };
        match calls {
            Ok(calls) => self.run(order, calls).await.into_step(),
            Err(end) => end.into_step(),
        }
    }

    async fn run(&self, order: StepOrder, calls: Calls<'_>) -> CallEnd {
        let until = deadline_in(order.takes);
        if order.act != Act::Look
            && let Err(hindrance) = self.runs.wait_for_others(&order, until).await
        {
            return exec::hindered(&hindrance);
        }
        let file = if calls.has_program() {
            match self.runs.begin(&order).await {
                Ok(file) => Some(file),
                Err(hindrance) => return exec::hindered(&hindrance),
            }
        } else {
            None
        };
        let qr_page = self.target.as_ref().and_then(|target| target.qr_page.clone());
        let act = order.act;
        let brief = Brief::new(order, qr_page, (self.clock)());
        let mut end = self.call(calls.first, act, &brief, file.as_ref(), until).await;
        if let (StepOutcome::Done, Some(check)) = (end.outcome, calls.then_check) {
            let checked = self.call(check, Act::Check, &brief, file.as_ref(), until).await;
            end = confirmed(end, checked);
        }
        if end.is_gone {
            self.off.add(&brief.order().target, brief.order().remedy);
        }
        if let Some(file) = file {
            file.end().await;
        }
        end
    }

    async fn call(&self, what: &Call, act: Act, brief: &Brief, file: Option<&RunFile>, until: Instant) -> CallEnd {
        if until <= deadline_in(Duration::ZERO) {
            let outcome = if act == Act::Check { StepOutcome::Unknown } else { StepOutcome::Failed };
            return CallEnd::new(outcome, Some("no time was left to begin".to_owned()));
        }
        match (what, file) {
            (Call::Exec(exec), Some(file)) => exec::call(exec, act, brief, file, until).await,
            // Whoever has a program has a file.
            (Call::Exec(_), None) => CallEnd::failed("it has no run file, so nothing was begun"),
            (Call::Http(http), _) => call::call(http, act, brief, &self.clients, &self.clock, until).await,
            (Call::Docker(docker), _) => docker::call(docker, act, brief, self, until).await,
            (Call::Wasender(call), _) => wasender::call(call, self, until).await,
            (Call::WasenderBackend(call), _) => wasender_backend::call(call, brief, self, until).await,
            (Call::Sqlite(sqlite), _) => sqlite::call(sqlite, act, brief, self, until).await,
            (Call::Coolify(coolify), _) => coolify::call(coolify, act, brief, self, until).await,
            (Call::Kubernetes(kubernetes), _) => kubernetes::call(kubernetes, act, brief, self, until).await,
        }
    }
}

/// What an order means.
struct Calls<'h> {
    first: &'h Call,
    /// Must agree that it is done.
    then_check: Option<&'h Call>,
}

impl Calls<'_> {
    fn has_program(&self) -> bool {
        [Some(self.first), self.then_check].into_iter().flatten().any(|call| matches!(call, Call::Exec(_)))
    }
}

fn calls<'h>(hook: &'h Hook, order: &StepOrder) -> Result<Calls<'h>, CallEnd> {
    if order.act == Act::Look {
        let nothing_to_see = || CallEnd::new(StepOutcome::Done, None);
        return hook.look.as_ref().map(|first| Calls { first, then_check: None }).ok_or_else(nothing_to_see);
    }
    let step = hook.steps.get(order.index).ok_or_else(|| lacking(order, "its hook has no such step"))?;
    let (first, then_check) = match order.act {
        Act::Do => (Some(&step.run), step.check.as_ref()),
        Act::Undo => (step.undo.as_ref(), None),
        Act::Check | Act::Look => (step.check.as_ref(), None),
    };
    let first = first.ok_or_else(|| lacking(order, "the configuration does not say how"))?;
    Ok(Calls { first, then_check })
}

/// Says that there is nothing to call. Nobody knows whether a step is done that nobody can check.
fn lacking(order: &StepOrder, note: &str) -> CallEnd {
    let outcome = if order.act == Act::Check { StepOutcome::Unknown } else { StepOutcome::Unmet };
    CallEnd::new(outcome, Some(note.to_owned()))
}

/// Joins a deed that says that it is done with the check that it is.
fn confirmed(done: CallEnd, checked: CallEnd) -> CallEnd {
    match checked.outcome {
        StepOutcome::Done => {
            CallEnd { is_gone: checked.is_gone, adopted: checked.adopted.or(done.adopted.clone()), ..done }
        }
        StepOutcome::Unmet | StepOutcome::Failed | StepOutcome::Unknown => {
            let said = checked.note.map_or_else(String::new, |note| format!(": {note}"));
            let outcome = checked.outcome.as_str();
            let note = format!("it says that it is done, and its check says {outcome}{said}");
            CallEnd { is_gone: checked.is_gone, ..CallEnd::failed(note) }
        }
    }
}
