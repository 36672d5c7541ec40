//! How each remedy of a target is carried out: a hook for the shell, and a plan of the same steps for the engine.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::built_in::{self, Asked, BuiltIn, BuiltStep, Noted};
use super::call::{one_try, takes};
use super::node::Value;
use super::problem::Report;
use super::scope::Scope;
use super::section::{Item, Section, quoted};
use super::{Call, Hook, HookStep, Secret, call, mark, unit};
use crate::engine::ladder::Remedy;
use crate::engine::plan::{Plan, Resume, Step, StepName};
use crate::engine::policy::Watch;

/// Remedies that can have a hook.
const REMEDIES: [(&str, Remedy); 3] =
    [("reconnect", Remedy::Reconnect), ("restart", Remedy::Restart), ("reset", Remedy::Reset)];
/// Most steps of a line.
const STEPS_MAX: usize = 16;
/// The name of the step of a hook that does everything by itself.
const STEP_NAME: &str = "run";
/// How long a whole run may take.
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(2);
/// The longest where nobody says it.
const WITHIN_DEFAULT_MAX: Duration = Duration::from_mins(30);

/// The hooks of one target, and the plans of the same remedies.
#[derive(Debug, Default)]
pub(super) struct Remedies {
    pub(super) hooks: BTreeMap<Remedy, Arc<Hook>>,
    pub(super) plans: BTreeMap<Remedy, Arc<Plan>>,
}

/// One remedy that is being read.
struct Reader<'a, 'b> {
    scope: &'a mut Scope<'b>,
    remedy: Remedy,
    /// It destroys the session of this target.
    destroys: bool,
    whom: Whom<'a>,
}

/// Whom the target asks; a built-in hook may ask the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whom<'a> {
    pub(super) url: Option<&'a str>,
    pub(super) session: Option<&'a str>,
    pub(super) token: Option<&'a Secret>,
    /// It is asked at `WasenderAPI` by the session's number, with the token of the account.
    pub(super) asks_vendor: bool,
}

/// A line of steps, as the engine and as the shell see it.
type Line = (Vec<Step>, Vec<HookStep>);

/// Takes the hooks of a target.
pub(super) fn take(target: &mut Section, scope: &mut Scope<'_>, watch: &Watch, whom: Whom<'_>) -> Remedies {
    let mut remedies = Remedies::default();
    let Some(mut section) = target.take_section(scope.report, "remedy") else { return remedies };
    for (name, remedy) in REMEDIES {
        let Some(item) = section.take(name) else { continue };
        let mut reader = Reader { scope: &mut *scope, remedy, destroys: watch.destroys(remedy), whom };
        for (remedy, hook, plan) in reader.read(item) {
            remedies.hooks.insert(remedy, Arc::new(hook));
            remedies.plans.insert(remedy, Arc::new(plan));
        }
    }
    section.finish_with(scope.report, |name| {
        (name == Remedy::Notify.as_str())
            .then(|| "whom to tell stands in a section of its own, [notify.NAME]".to_owned())
    });
    remedies
}

impl Reader<'_, '_> {
    /// Reads a remedy, and with it the one that undoes it, where its hook knows how.
    fn read(&mut self, item: Item) -> Vec<(Remedy, Hook, Plan)> {
        self.read_all(item).unwrap_or_default()
    }

    fn read_all(&mut self, item: Item) -> Option<Vec<(Remedy, Hook, Plan)>> {
        let mut section = item.section(self.scope.report)?;
        self.check_allowed(&mut section);
        let within_item = section.take("within");
        let within = within_item.as_ref().map_or(Some(None), |item| item.span(self.scope.report, WITHIN).map(Some));
        let mut undoing = None;
        let Whom { url, session, token, asks_vendor } = self.whom;
        let asked = Asked { remedy: self.remedy, destroys: self.destroys, url, session, token, asks_vendor };
        let (line, look) = if let Some(read) = built_in::take(&mut section, self.scope, &asked) {
            read.map_or_else(
                |Noted| (None, None),
                |BuiltIn { steps, look, restore }| {
                    undoing = (!restore.is_empty()).then(|| (of_built(restore), look.clone()));
                    (Some(of_built(steps)), Some(look))
                },
            )
        } else {
            let look = section.take("look").map_or(Some(None), |item| call::read(item, self.scope).map(Some));
            let line = match section.take("step") {
                Some(steps) => self.line(&steps, &mut section),
                None => call::take(&mut section, self.scope).map(|run| self.single(run)),
            };
            (line, look)
        };
        call::finish(section, self.scope.report);
        let (line, look, within) = (line?, look?, within?);
        let longest = line.1.iter().flat_map(HookStep::calls).chain(&look).map(one_try).max().unwrap_or_default();
        if let Some(item) = within_item.filter(|_| within.is_some_and(|within| within < longest)) {
            let what = format!("is shorter than one try of a step, which may take {}", unit::in_words(longest));
            item.refuse(self.scope.report, what, "make it longer, or the timeout of the step shorter");
            return None;
        }
        let (hook, plan) = finished(line, look, within);
        let undoing = undoing.map(|(line, look)| finished(line, look, within));
        let undoing = undoing.map(|(hook, plan)| (Remedy::Restore, hook, plan));
        Some([(self.remedy, hook, plan)].into_iter().chain(undoing).collect())
    }

    /// What destroys a session wants a second word, written beside the hook that does it.
    fn check_allowed(&mut self, section: &mut Section) {
        let (report, remedy) = (&mut *self.scope.report, self.remedy);
        let why = if remedy == Remedy::Restart { ", as restart_keeps_session = false says" } else { "" };
        let hint = format!("{remedy} destroys the session{why}: write allow_destructive = true if that is meant");
        match section.take("allow_destructive") {
            None if self.destroys => section.missing(report, "allow_destructive", &hint),
            Some(item) if item.flag(report) == Some(false) && self.destroys => {
                item.refuse(report, "is false, and the hook is there", hint);
            }
            None | Some(_) => {}
        }
    }

    /// Makes a line of one step.
    fn single(&self, run: Call) -> Line {
        let calls = HookStep { run, check: None, undo: None };
        (vec![step(StepName(Arc::from(STEP_NAME)), &calls, self.destroys, false)], vec![calls])
    }

    /// Reads a line of steps.
    fn line(&mut self, item: &Item, section: &mut Section) -> Option<Line> {
        let others = [section.take("exec"), section.take("http")];
        if let Some(other) = others.into_iter().flatten().next() {
            let hint = "a hook is one call or a line of steps: take one of them out";
            other.refuse(self.scope.report, "stands beside steps", hint);
            return None;
        }
        let hint = format!("begin each step with [[{}]]", item.key);
        let Value::List(nodes) = &item.node.value else {
            item.wrong(self.scope.report, "a list of steps", &hint);
            return None;
        };
        if nodes.is_empty() || STEPS_MAX < nodes.len() {
            item.refuse(self.scope.report, format!("has {} steps", nodes.len()), format!("write 1 to {STEPS_MAX}"));
            return None;
        }
        let mut line = Some((Vec::new(), Vec::new()));
        for (number, node) in nodes.iter().enumerate() {
            let own = Item { key: format!("{}[{number}]", item.key), node: node.clone() };
            if !matches!(node.value, Value::Table(_)) {
                own.wrong(self.scope.report, "a step", &hint);
                return None;
            }
            // Every step is read, so that every problem is told.
            line = match (line, self.step(own)) {
                (Some((mut steps, mut calls)), Some((step, own))) => {
                    self.check_name(item, &step, &steps);
                    steps.push(step);
                    calls.push(own);
                    Some((steps, calls))
                }
                (None, _) | (_, None) => None,
            };
        }
        self.check_line(item, &line.as_ref()?.0);
        line
    }

    fn step(&mut self, item: Item) -> Option<(Step, HookStep)> {
        let mut section = item.section(self.scope.report)?;
        let report = &mut *self.scope.report;
        let hint = "write a short name, as in name = \"stop\"";
        let name = section.need(report, "name", hint).and_then(|item| name(&item, report));
        let destroys = section.peek("destroys");
        let is_destroying = self.destroying(&mut section);
        let leaves_running = section.take("leaves_running").map_or(Some(false), |item| item.flag(self.scope.report));
        if let (Some(item), Some(true), Some(true)) = (destroys, is_destroying, leaves_running) {
            let hint = "what is tried whatever else failed must not destroy: make two steps of it";
            item.refuse(self.scope.report, "stands beside leaves_running", hint);
        }
        let check = section.take("check").map_or(Some(None), |item| call::read(item, self.scope).map(Some));
        let undo = section.take("undo").map_or(Some(None), |item| call::read(item, self.scope).map(Some));
        let run = call::take(&mut section, self.scope);
        call::finish(section, self.scope.report);
        let calls = HookStep { run: run?, check: check?, undo: undo? };
        Some((step(name?, &calls, is_destroying?, leaves_running?), calls))
    }

    fn destroying(&mut self, section: &mut Section) -> Option<bool> {
        let Some(item) = section.take("destroys") else { return Some(false) };
        let flag = item.flag(self.scope.report)?;
        if flag && !self.destroys {
            let remedy = self.remedy;
            let hint = match remedy {
                Remedy::Restart => "take it out; or, if it does not, write restart_keeps_session = false at the target",
                Remedy::Notify | Remedy::Reconnect | Remedy::Reset | Remedy::Restore => {
                    "take it out; only a reset destroys"
                }
            };
            item.refuse(self.scope.report, format!("is true, and {remedy} keeps the session"), hint);
            return None;
        }
        Some(flag)
    }

    fn check_name(&mut self, item: &Item, step: &Step, before: &[Step]) {
        if before.iter().any(|other| other.name == step.name) {
            let what = format!("has two steps of the name {}", quoted(&step.name.0));
            item.refuse(self.scope.report, what, "give each a name of its own");
        }
    }

    fn check_line(&mut self, item: &Item, steps: &[Step]) {
        let remedy = self.remedy;
        if self.destroys && !steps.iter().any(|step| step.destroys) {
            let what = format!("has no step that destroys the session, and {remedy} does");
            let hint =
                "write destroys = true at the step that does: up to it a run that fails goes back, after it only on";
            item.refuse(self.scope.report, what, hint);
        }
        if 1 < steps.len() && !steps.iter().any(|step| step.leaves_running) {
            let hint =
                "write leaves_running = true at the step that starts the service: it is tried whatever else failed";
            item.warn(self.scope.report, "has no step that leaves the service running", hint);
        }
    }
}

/// Makes hook and plan of a line that is read; `within` is how long all of it may take, where the operator says so.
fn finished((mut steps, calls): Line, look: Option<Call>, within: Option<Duration>) -> (Hook, Plan) {
    let look_takes = look.as_ref().map_or(Duration::ZERO, takes);
    let sum = || steps.iter().fold(look_takes, |sum, step| sum.saturating_add(step.takes));
    let within = within.unwrap_or_else(|| sum().min(WITHIN_DEFAULT_MAX));
    for step in &mut steps {
        // A look is ordered in the place of the step that it comes before.
        step.takes = step.takes.max(look_takes).min(within);
    }
    let hook = Hook { steps: calls, look };
    let mut plan = Plan { steps, within, mark: 0, has_look: hook.look.is_some() };
    plan.mark = mark::of(&plan, &hook);
    (hook, plan)
}

fn of_built(steps: Vec<BuiltStep>) -> Line {
    let step = |built: BuiltStep| {
        let BuiltStep { name, destroys, leaves_running, resume, calls } = built;
        (Step { resume, ..step(StepName(Arc::from(name)), &calls, destroys, leaves_running) }, calls)
    };
    steps.into_iter().map(step).unzip()
}

fn step(name: StepName, calls: &HookStep, destroys: bool, leaves_running: bool) -> Step {
    let takes = calls.calls().map(takes).max().unwrap_or_default();
    Step { name, destroys, resume: resume(calls), has_undo: calls.undo.is_some(), leaves_running, takes }
}

/// Says what may be done where nobody knows whether a step was done. A URL gets the same key each time, and knows it unless
/// `only_unsent` says otherwise.
fn resume(calls: &HookStep) -> Resume {
    let can_repeat = match &calls.run {
        Call::Exec(exec) => exec.idempotent,
        Call::Http(call) => !call.retry.only_unsent,
        // Says so itself.
        Call::Docker(_)
        | Call::Coolify(_)
        | Call::Kubernetes(_)
        | Call::Wasender(_)
        | Call::WasenderBackend(_)
        | Call::Sqlite(_) => false,
    };
    match (can_repeat, &calls.check) {
        (true, _) => Resume::Again,
        (false, Some(_)) => Resume::Check,
        (false, None) => Resume::Never,
    }
}

fn name(item: &Item, report: &mut Report) -> Option<StepName> {
    let hint = "use 1 to 32 letters, digits, '_' or '-'";
    item.word(report, |text| unit::is_name(text).then(|| StepName(Arc::from(text))), "a name", hint)
}
