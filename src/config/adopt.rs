//! A target whose session was replaced by our own doing.

use std::sync::Arc;

use super::target::asks_vendor;
use super::{BackendCall, Call, Hook, HookStep, Target, WasenderCall};

impl Target {
    /// Returns the target with `new` in every place where it means session `old` of this vendor; none where it means it nowhere.
    #[must_use]
    pub fn with_session(&self, vendor: &str, old: &str, new: &str) -> Option<Self> {
        let swap = Swap { vendor, old, new };
        let is_asked = self.url == vendor && asks_vendor(&self.dialect, self.status_path.as_deref());
        let session = if is_asked { swap.session(self.session.as_deref()) } else { None };
        let mut hooks = self.hooks.clone();
        let mut is_changed = session.is_some();
        for hook in hooks.values_mut() {
            if let Some(changed) = swap.hook(hook) {
                *hook = Arc::new(changed);
                is_changed = true;
            }
        }
        let session = session.or_else(|| self.session.clone());
        is_changed.then(|| Self { session, hooks, ..self.clone() })
    }
}

/// One session in the place of another one.
struct Swap<'a> {
    vendor: &'a str,
    old: &'a str,
    new: &'a str,
}

impl Swap<'_> {
    fn session(&self, session: Option<&str>) -> Option<String> {
        (session == Some(self.old)).then(|| self.new.to_owned())
    }

    fn hook(&self, hook: &Hook) -> Option<Hook> {
        let swapped = |call: &Option<Call>| call.as_ref().map(|call| self.call(call));
        let step = |HookStep { run, check, undo }: &HookStep| HookStep {
            run: self.call(run),
            check: swapped(check),
            undo: swapped(undo),
        };
        let changed = Hook { steps: hook.steps.iter().map(step).collect(), look: swapped(&hook.look) };
        (changed != *hook).then_some(changed)
    }

    fn call(&self, call: &Call) -> Call {
        match call {
            Call::Wasender(call) if call.at.url == self.vendor => {
                let session = self.session(Some(&call.at.session)).unwrap_or_else(|| call.at.session.clone());
                let at = super::WasenderAt { session, ..call.at.clone() };
                Call::Wasender(Box::new(WasenderCall { at, ..call.as_ref().clone() }))
            }
            Call::WasenderBackend(call) if call.at.vendor == self.vendor => {
                let session = self.session(call.at.session.as_deref()).or_else(|| call.at.session.clone());
                let at = super::BackendAt { session, ..call.at.clone() };
                Call::WasenderBackend(Box::new(BackendCall { at, ..call.as_ref().clone() }))
            }
            Call::Exec(_)
            | Call::Http(_)
            | Call::Docker(_)
            | Call::Sqlite(_)
            | Call::Coolify(_)
            | Call::Kubernetes(_)
            | Call::Wasender(_)
            | Call::WasenderBackend(_) => call.clone(),
        }
    }
}
