//! Acts over the API of Kubernetes: a new rollout, or the pod deleted by its uid, and a mark for the pod's init container.
//!
//! Beside the service the watchdog dies with the pod that it deletes. What it must know then is written down before, and
//! every act is one that can be asked about afterwards.

mod facts;
mod mark;

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::facts::{is_ending, pod_name, pod_uid};
use super::brief::Brief;
use super::end::CallEnd;
use super::preflight::Seen;
use super::rest::{Ask, Rest, Said, Silence};
use super::run::Desk;
use crate::config::{KubernetesAt, KubernetesCall, KubernetesDeed, Namespace, Workload};
use crate::engine::attempt::{Act, StepOutcome};
use crate::engine::moment::Wall;
use crate::http::message::until as deadline_in;

/// What is written down of a pod.
const RECORD: &str = "pod";
/// Most pods that are looked at; more than one are too many in any case.
const PODS_MAX: u32 = 10;
/// kubectl and everybody else knows a restart by it.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Names the run: the same run asks for the same rollout once.
const RUN: &str = "wa-watchdog/run";

/// Carries out one act.
pub(super) async fn call(call: &KubernetesCall, act: Act, brief: &Brief, desk: &Desk, until: Instant) -> CallEnd {
    let until = until.min(deadline_in(call.timeout));
    match Errand::new(&call.at, act, brief, desk, until).await {
        Ok(errand) => errand.run(&call.deed).await.unwrap_or_else(|end| end),
        Err(why) => nothing_done(act, why),
    }
}

/// Looks whether the service account may see workload and pod, and whether the workload keeps one pod at a time.
pub(super) async fn preflight(call: &KubernetesCall, brief: &Brief, desk: &Desk, until: Instant) -> Seen {
    let look = async {
        let errand = Errand::new(&call.at, Act::Look, brief, desk, until).await?;
        let said = |end: CallEnd| end.note.unwrap_or_default();
        let workload = errand.workload().await.map_err(said)?;
        errand.check(facts::hindrance(call.at.workload, &workload)).map_err(said)?;
        let pod = errand.pod(&workload).await.map_err(said)?;
        Ok::<_, String>(pod.map_or_else(|| "no pod at the moment".to_owned(), |pod| format!("pod {}", pod.name)))
    };
    match look.await {
        Ok(pod) => (Some(true), format!("{} {} has {pod}", call.at.workload.as_str(), call.at.name)),
        Err(why) => (Some(false), why),
    }
}

/// One act with everything that it needs. What ends it early is an error, whatever it means for the step.
struct Errand<'a> {
    at: &'a KubernetesAt,
    namespace: String,
    rest: Rest<'a>,
    act: Act,
    brief: &'a Brief,
    desk: &'a Desk,
}

/// A pod that is, or was, the service's.
struct Pod {
    name: String,
    uid: String,
}

/// What was asked for, as a role names it.
struct Right {
    verb: &'static str,
    resource: &'static str,
}

impl<'a> Errand<'a> {
    async fn new(
        at: &'a KubernetesAt,
        act: Act,
        brief: &'a Brief,
        desk: &'a Desk,
        until: Instant,
    ) -> Result<Self, String> {
        let http = desk.clients.trusting(at.ca_file.as_ref())?;
        let namespace = match &at.namespace {
            Namespace::Named(name) => name.clone(),
            Namespace::InFile(path) => mark::namespace(path).await?,
        };
        let rest = Rest { http, token: &at.token, clock: &desk.clock, key: brief.message_id(act), until };
        Ok(Self { at, namespace, rest, act, brief, desk })
    }

    async fn run(&self, deed: &KubernetesDeed) -> Result<CallEnd, CallEnd> {
        match deed {
            KubernetesDeed::Rollout => self.roll_out().await,
            KubernetesDeed::DeletePod { grace } => self.delete_pod(*grace).await,
            KubernetesDeed::IsDeleted => self.is_deleted().await,
            KubernetesDeed::Ready { within, session_dir } => self.ready(*within, session_dir.as_deref()).await,
            KubernetesDeed::Mark { session_dir } => self.mark(session_dir).await,
            KubernetesDeed::Unmark { session_dir } => self.unmark(session_dir).await,
        }
    }

    /// Asks for a new rollout, once.
    async fn roll_out(&self) -> Result<CallEnd, CallEnd> {
        let workload = self.workload().await?;
        self.check(facts::hindrance(self.at.workload, &workload))?;
        let run = self.run_name();
        if !facts::is_of_run(&workload, RUN, &run) {
            if self.at.workload == Workload::StatefulSet {
                let pod = self.pod(&workload).await?;
                self.write_down(pod.as_ref()).await?;
            }
            // The time is that of the attempt: the same however often it is asked for.
            let at = Wall::from_millis(i64::try_from(self.brief.order().attempt.0).unwrap_or_default());
            let annotations = json!({ RESTARTED_AT: at, RUN: run });
            let patch = json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } });
            let url = self.workload_url();
            let body = Some(("application/merge-patch+json", patch));
            let ask = Ask { method: Method::PATCH, url: &url, body, is_repeatable: true };
            let right = Right { verb: "patch", resource: self.at.workload.resource() };
            match self.rest.ask(&ask).await {
                Ok(said) if said.is_good() => {}
                Ok(said) => return Err(self.refused(&said, &right)),
                Err(Silence::Unsent(why)) => return Err(self.nothing_done(format!("no rollout was asked for: {why}"))),
                Err(Silence::Lost(why)) => {
                    let note = format!("nobody can tell whether a rollout was asked for: {why}");
                    return Err(CallEnd::new(StepOutcome::Unknown, Some(note)));
                }
            }
        }
        // A StatefulSet waits for ever for a broken pod before it makes a better one (kubernetes#67250).
        match self.known_pod().await? {
            Some(pod) if self.at.workload == Workload::StatefulSet && !pod.uid.is_empty() => {
                self.until_noticed().await;
                self.delete(&pod, None).await
            }
            Some(_) | None => Ok(CallEnd::new(StepOutcome::Done, None)),
        }
    }

    /// Deletes the pod, and waits until it is gone.
    async fn delete_pod(&self, grace: Duration) -> Result<CallEnd, CallEnd> {
        let workload = self.workload().await?;
        self.check(facts::hindrance(self.at.workload, &workload))?;
        let pod = if let Some(pod) = self.known_pod().await? {
            // It is the pod of this run: never its successor.
            Some(pod)
        } else {
            let pod = self.pod(&workload).await?;
            self.write_down(pod.as_ref()).await?;
            pod
        };
        let Some(pod) = pod.filter(|pod| !pod.uid.is_empty()) else {
            return Ok(CallEnd::new(StepOutcome::Done, Some("there was no pod to delete".to_owned())));
        };
        self.delete(&pod, Some(grace)).await?;
        self.until_gone(&pod).await
    }

    /// Tells whether the pod of this run is gone.
    async fn is_deleted(&self) -> Result<CallEnd, CallEnd> {
        let Some(pod) = self.known_pod().await? else {
            // Nothing is deleted before it is written down.
            return Ok(CallEnd::new(StepOutcome::Unmet, Some("no pod was deleted".to_owned())));
        };
        if pod.uid.is_empty() {
            return Ok(CallEnd::new(StepOutcome::Done, None));
        }
        match self.still_there(&pod).await? {
            None => Ok(CallEnd::new(StepOutcome::Done, None)),
            Some(found) if is_ending(&found) => self.until_gone(&pod).await,
            Some(_) => Ok(CallEnd::new(StepOutcome::Unmet, Some(format!("the pod {} is still there", pod.name)))),
        }
    }

    /// Waits until what is new is ready.
    async fn ready(&self, within: Duration, session_dir: Option<&Path>) -> Result<CallEnd, CallEnd> {
        let until = deadline_in(within);
        loop {
            let last = match self.unready().await {
                Ok(None) => break,
                Ok(Some(why)) => why,
                Err(end) => end.note.unwrap_or_default(),
            };
            if !self.rest.wait(self.at.ask_every, until).await {
                return Err(CallEnd::failed(format!("it did not become ready: {last}")));
            }
        }
        match session_dir {
            Some(session_dir) => self.obeyed(session_dir).await,
            None => Ok(CallEnd::new(StepOutcome::Done, None)),
        }
    }

    /// Says why it is not ready; none where it is.
    async fn unready(&self) -> Result<Option<String>, CallEnd> {
        let workload = self.workload().await?;
        let must_be_rolled_out = match self.at.workload {
            Workload::Deployment => true,
            Workload::StatefulSet => facts::is_of_run(&workload, RUN, &self.run_name()),
        };
        if must_be_rolled_out && let Some(why) = facts::unfinished(&workload) {
            return Ok(Some(why));
        }
        match self.at.workload {
            Workload::Deployment => Ok(None),
            Workload::StatefulSet => Ok(facts::unready(&self.pods(&workload).await?)),
        }
    }

    async fn delete(&self, pod: &Pod, grace: Option<Duration>) -> Result<CallEnd, CallEnd> {
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": { "uid": pod.uid },
        });
        if let (Some(grace), Some(options)) = (grace, options.as_object_mut()) {
            options.insert("gracePeriodSeconds".to_owned(), json!(grace.as_secs()));
        }
        let url = self.pod_url(&pod.name);
        let body = Some(("application/json", options));
        // It names the pod by its uid: its successor is safe however often this is sent.
        let ask = Ask { method: Method::DELETE, url: &url, body, is_repeatable: true };
        let done = || Ok(CallEnd::new(StepOutcome::Done, None));
        match self.rest.ask(&ask).await {
            Ok(said) if said.is_good() => done(),
            // Nobody is there any more, or the successor is.
            Ok(said) if matches!(said.status, 404 | 409) => done(),
            Ok(said) => Err(self.refused(&said, &Right { verb: "delete", resource: "pods" })),
            Err(Silence::Unsent(why)) => Err(self.nothing_done(format!("the pod was not deleted: {why}"))),
            // It may have been heard: whether the pod is there says.
            Err(Silence::Lost(_)) => done(),
        }
    }

    async fn until_gone(&self, pod: &Pod) -> Result<CallEnd, CallEnd> {
        // What the pod was last seen to be says more than why the last look, which the deadline may cut off, saw nothing.
        let (mut seen, mut unseen) = (None, String::new());
        loop {
            match self.still_there(pod).await {
                Ok(None) => return Ok(CallEnd::new(StepOutcome::Done, None)),
                Ok(Some(found)) if is_ending(&found) => seen = Some("it is still ending"),
                Ok(Some(_)) => seen = Some("it is still there"),
                Err(end) => unseen = end.note.unwrap_or_default(),
            }
            if !self.rest.wait(self.at.ask_every, self.rest.until).await {
                let last = seen.unwrap_or(&unseen);
                let note = format!("the pod {} was told to end and is not gone: {last}", pod.name);
                return Err(CallEnd::new(StepOutcome::Unknown, Some(note)));
            }
        }
    }

    /// Waits until the controller has seen what it was told; what it does not see in time it sees later.
    async fn until_noticed(&self) {
        let until = deadline_in(self.at.ask_every.saturating_mul(5));
        while let Ok(workload) = self.workload().await
            && !facts::is_noticed(&workload)
            && self.rest.wait(self.at.ask_every, until).await
        {}
    }

    /// Returns a pod as it is; none where it is gone, or another one has its name.
    async fn still_there(&self, pod: &Pod) -> Result<Option<Value>, CallEnd> {
        let right = Right { verb: "get", resource: "pods" };
        match self.rest.get(&self.pod_url(&pod.name)).await {
            Ok(said) if said.is_good() => Ok(Some(said.body).filter(|found| pod_uid(found) == pod.uid)),
            Ok(said) if said.status == 404 => Ok(None),
            Ok(said) => Err(self.refused(&said, &right)),
            Err(silence) => Err(self.unasked(silence)),
        }
    }

    async fn workload(&self) -> Result<Value, CallEnd> {
        let right = Right { verb: "get", resource: self.at.workload.resource() };
        match self.rest.get(&self.workload_url()).await {
            Ok(said) if said.is_good() => Ok(said.body),
            Ok(said) => Err(self.refused(&said, &right)),
            Err(silence) => Err(self.unasked(silence)),
        }
    }

    /// Returns the one pod of the workload, if there is one.
    async fn pod(&self, workload: &Value) -> Result<Option<Pod>, CallEnd> {
        let pods = self.pods(workload).await?;
        let staying: Vec<&Value> = pods.iter().filter(|pod| !is_ending(pod)).collect();
        if 1 < staying.len() {
            let note = format!("{} pods match: a session has one; narrow the selector", staying.len());
            return Err(self.nothing_done(note));
        }
        let found = staying.first().copied().or_else(|| pods.first());
        Ok(found.map(|pod| Pod { name: pod_name(pod).to_owned(), uid: pod_uid(pod).to_owned() }))
    }

    async fn pods(&self, workload: &Value) -> Result<Vec<Value>, CallEnd> {
        let selector = self.at.selector.clone().or_else(|| facts::selector(workload));
        let Some(selector) = selector else {
            return Err(self.nothing_done("its pods cannot be told from others: write a selector".to_owned()));
        };
        let base = format!("{}/api/v1/namespaces/{}/pods", self.at.api, self.namespace);
        let query = [("labelSelector", selector), ("limit", PODS_MAX.to_string())];
        let url = reqwest::Url::parse_with_params(&base, &query);
        let url = url.map_err(|_| self.nothing_done("the API's URL is none".to_owned()))?;
        match self.rest.get(url.as_str()).await {
            Ok(said) if said.is_good() => {
                let items = said.body.get("items").and_then(Value::as_array).cloned();
                let items =
                    items.ok_or_else(|| self.nothing_done("the API does not say which pods there are".into()))?;
                let is_own = |pod: &Value| self.at.selector.is_some() || facts::is_owned_by(pod, &self.at.name);
                Ok(items.into_iter().filter(is_own).collect())
            }
            Ok(said) => Err(self.refused(&said, &Right { verb: "list", resource: "pods" })),
            Err(silence) => Err(self.unasked(silence)),
        }
    }

    async fn known_pod(&self) -> Result<Option<Pod>, CallEnd> {
        let order = self.brief.order();
        let recalled = self.desk.runs.recall(order.attempt, &order.target, RECORD).await;
        let record = recalled.map_err(|why| self.nothing_done(why))?;
        let text = |record: &Value, key| record.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(record.map(|record| Pod { name: text(&record, "name"), uid: text(&record, "uid") }))
    }

    async fn write_down(&self, pod: Option<&Pod>) -> Result<(), CallEnd> {
        let order = self.brief.order();
        let (name, uid) = pod.map_or(("", ""), |pod| (&pod.name, &pod.uid));
        let record = json!({ "name": name, "uid": uid });
        let written = self.desk.runs.remember(order.attempt, &order.target, RECORD, &record).await;
        written.map_err(|why| self.nothing_done(why))
    }

    fn workload_url(&self) -> String {
        let KubernetesAt { api, workload, name, .. } = self.at;
        format!("{api}/apis/apps/v1/namespaces/{}/{}/{name}", self.namespace, workload.resource())
    }

    fn pod_url(&self, name: &str) -> String {
        format!("{}/api/v1/namespaces/{}/pods/{name}", self.at.api, self.namespace)
    }

    /// Returns the name of this run, which stands in annotations, in the mark and in the quarantine.
    fn run_name(&self) -> String {
        self.brief.order().attempt.to_string()
    }

    /// Ends it where something stands against it.
    fn check(&self, hindrance: Option<String>) -> Result<(), CallEnd> {
        hindrance.map_or(Ok(()), |why| Err(self.nothing_done(why)))
    }

    /// Ends because of an answer that is no success.
    fn refused(&self, said: &Said, right: &Right) -> CallEnd {
        let Right { verb, resource } = right;
        let note = match said.status {
            401 => "the API does not know the token of the service account".to_owned(),
            403 => format!("the role lacks the verb {verb} on {resource}: add it to the watchdog's Role"),
            404 => {
                let KubernetesAt { workload, name, .. } = self.at;
                format!("there is no {} {name} in the namespace {}", workload.as_str(), self.namespace)
            }
            429 => "the API is asked too often, and was still too busy after some pauses".to_owned(),
            status => format!("to {verb} {resource} was answered {status}: {}", said.message),
        };
        if 500 <= said.status && self.act != Act::Check && !matches!(*verb, "get" | "list") {
            return CallEnd::new(StepOutcome::Unknown, Some(note));
        }
        self.nothing_done(note)
    }

    fn unasked(&self, silence: Silence) -> CallEnd {
        self.nothing_done(format!("the API could not be asked: {}", silence.why()))
    }

    fn nothing_done(&self, note: String) -> CallEnd {
        nothing_done(self.act, note)
    }
}

/// Ends where nothing was changed. Who asked and got no answer does not know whether it is done.
fn nothing_done(act: Act, note: String) -> CallEnd {
    let outcome = if act == Act::Check { StepOutcome::Unknown } else { StepOutcome::Unmet };
    CallEnd::new(outcome, Some(note))
}
