//! What the objects of the API say.

use serde_json::Value;

use crate::config::Workload;

/// What an init container is called with that obeys the mark.
const WIPE: &str = "wipe";

pub(super) fn pod_name(pod: &Value) -> &str {
    text(pod, "/metadata/name")
}

pub(super) fn pod_uid(pod: &Value) -> &str {
    text(pod, "/metadata/uid")
}

/// Tells whether a pod was told to end.
pub(super) fn is_ending(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
}

/// Tells whether a pod is the own one of a `StatefulSet`.
pub(super) fn is_owned_by(pod: &Value, name: &str) -> bool {
    let is_it = |owner: &Value| text(owner, "/kind") == "StatefulSet" && text(owner, "/name") == name;
    list(pod, "/metadata/ownerReferences").iter().any(is_it)
}

/// Says why a workload cannot be given a new pod without harm.
pub(super) fn hindrance(kind: Workload, workload: &Value) -> Option<String> {
    let strategy = match kind {
        Workload::Deployment => text(workload, "/spec/strategy/type"),
        Workload::StatefulSet => "Recreate",
    };
    if strategy != "Recreate" {
        let strategy = if strategy.is_empty() { "RollingUpdate" } else { strategy };
        return Some(format!(
            "its strategy is {strategy}: two pods would share one session; write strategy.type: Recreate, or use a StatefulSet"
        ));
    }
    if workload.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return Some("its rollouts are paused: somebody is at work".to_owned());
    }
    match count(workload, "/spec/replicas").unwrap_or(1) {
        0 => Some("it is scaled to 0: somebody stopped it".to_owned()),
        1 => None,
        replicas => Some(format!("it has {replicas} replicas, and a session has one")),
    }
}

/// Tells whether an init container obeys the mark.
pub(super) fn can_wipe(workload: &Value) -> bool {
    let words = |container: &Value| {
        [list(container, "/command"), list(container, "/args")]
            .concat()
            .iter()
            .any(|word| word.as_str().is_some_and(|word| word.split_whitespace().any(|word| word == WIPE)))
    };
    list(workload, "/spec/template/spec/initContainers").iter().any(words)
}

/// Tells whether its pods are those that a run asked for.
pub(super) fn is_of_run(workload: &Value, annotation: &str, run: &str) -> bool {
    let annotations = workload.pointer("/spec/template/metadata/annotations");
    annotations.and_then(|all| all.get(annotation)?.as_str()) == Some(run)
}

/// Tells whether the controller has seen what the workload says.
pub(super) fn is_noticed(workload: &Value) -> bool {
    count(workload, "/metadata/generation") <= count(workload, "/status/observedGeneration")
}

/// Says what is missing until a rollout is finished.
pub(super) fn unfinished(workload: &Value) -> Option<String> {
    let wanted = count(workload, "/spec/replicas").unwrap_or(1);
    let of = |place| count(workload, place).unwrap_or(0);
    if !is_noticed(workload) {
        return Some("the rollout is not noticed yet".to_owned());
    }
    let (all, updated) = (of("/status/replicas"), of("/status/updatedReplicas"));
    let available = of("/status/availableReplicas");
    if all == wanted && updated == wanted && available == wanted {
        return None;
    }
    Some(format!("of {wanted} pods {updated} are new and {available} available"))
}

/// Says why none of the pods is ready; none where one is.
pub(super) fn unready(pods: &[Value]) -> Option<String> {
    let is_ready = |pod: &Value| {
        let is_it = |condition: &Value| text(condition, "/type") == "Ready" && text(condition, "/status") == "True";
        list(pod, "/status/conditions").iter().any(is_it)
    };
    let mut staying = pods.iter().filter(|pod| !is_ending(pod)).peekable();
    if staying.peek().is_none() {
        return Some("there is no new pod".to_owned());
    }
    let mut why = None;
    for pod in staying {
        if is_ready(pod) {
            return None;
        }
        why = Some(format!("the pod {} is {}", pod_name(pod), state(pod)));
    }
    why
}

/// Says in a word or two what a pod waits for.
fn state(pod: &Value) -> String {
    let statuses = [list(pod, "/status/initContainerStatuses"), list(pod, "/status/containerStatuses")].concat();
    let reason = |status: &Value| {
        let reason = text(status, "/state/waiting/reason");
        // The first one waits for something; those after it wait for that one.
        let says_something = !matches!(reason, "" | "PodInitializing" | "ContainerCreating");
        says_something.then(|| format!("waiting, {} says {reason}", text(status, "/name")))
    };
    let phase = text(pod, "/status/phase");
    statuses.iter().find_map(reason).unwrap_or_else(|| if phase.is_empty() { "new".into() } else { phase.to_owned() })
}

/// Returns the selector of a workload, where it has plain labels alone.
pub(super) fn selector(workload: &Value) -> Option<String> {
    if !list(workload, "/spec/selector/matchExpressions").is_empty() {
        return None;
    }
    let labels = workload.pointer("/spec/selector/matchLabels")?.as_object()?;
    let pairs: Option<Vec<String>> =
        labels.iter().map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join(","))
}

fn text<'v>(value: &'v Value, place: &str) -> &'v str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, place: &str) -> &'v [Value] {
    value.pointer(place).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn count(value: &Value, place: &str) -> Option<u64> {
    value.pointer(place).and_then(Value::as_u64)
}
