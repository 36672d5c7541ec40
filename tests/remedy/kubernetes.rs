//! A Kubernetes API that behaves as the real one does, with its traps.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use wa_watchdog::config::{
    Call, Hook, HookStep, KubernetesAt, KubernetesCall, KubernetesDeed, Namespace, Secret, Workload,
};
use wa_watchdog::engine::attempt::{Act, AttemptId, StepEnd, StepOrder, StepOutcome};
use wa_watchdog::engine::plan::StepName;
use wa_watchdog::remedy::marker::MARKER;

use crate::fake::{Asked, Fake, Reply};
use crate::{Bench, assert_end, order};

const TOKEN: &str = "the-first-token";
const SOON: Duration = Duration::from_millis(20);
/// How long something may take that comes about, also on a slow machine.
const LONG: Duration = Duration::from_secs(20);
/// How long it may take where it does not.
const SHORT: Duration = Duration::from_millis(300);
/// The run, as annotations and marks name it.
const RUN: &str = "00000194d8e";

/// What it knows.
struct World {
    workload: Value,
    /// The pods, the oldest first.
    pods: Vec<Value>,
    /// How many more times a pod that was told to end is seen.
    ends_in: u32,
    /// How many more times a pod may be looked at.
    shows: u32,
    /// How many more times a new pod is seen before it is ready.
    ready_in: u32,
    /// Answers that come first, by what the line of the request contains.
    first: Vec<(&'static str, Reply)>,
    made: u32,
}

fn pod(uid: &str, is_ready: bool) -> Value {
    let condition = json!({ "type": "Ready", "status": if is_ready { "True" } else { "False" } });
    json!({
        "metadata": {
            "name": "wa-0",
            "uid": uid,
            "ownerReferences": [{ "kind": "StatefulSet", "name": "wa" }],
        },
        "status": {
            "phase": "Running",
            "conditions": [condition],
            "containerStatuses": [{ "name": "wa", "state": { "waiting": { "reason": "CrashLoopBackOff" } } }],
        },
    })
}

impl World {
    fn stateful_set() -> Self {
        let spec = json!({
            "replicas": 1,
            "selector": { "matchLabels": { "app": "wa", "tier": "session" } },
            "template": {
                "metadata": {},
                "spec": { "initContainers": [{ "name": "wipe", "command": ["/wa-watchdog", "wipe", "--if-marker"] }] },
            },
        });
        let status = json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
        let workload = json!({ "metadata": { "name": "wa", "generation": 1 }, "spec": spec, "status": status });
        let pods = vec![pod("uid-1", false)];
        Self { workload, pods, ends_in: 2, shows: u32::MAX, ready_in: 2, first: Vec::new(), made: 1 }
    }

    fn deployment() -> Self {
        let mut world = Self::stateful_set();
        world.workload["spec"]["strategy"] = json!({ "type": "Recreate" });
        world
    }

    fn first(mut self, line: &'static str, reply: Reply) -> Self {
        self.first.push((line, reply));
        self
    }

    /// The controllers take one step each time somebody looks.
    fn turn(&mut self) {
        if self.pods.first().is_some_and(is_ending) {
            self.ends_in = self.ends_in.saturating_sub(1);
            if self.ends_in == 0 {
                self.pods.remove(0);
                self.made += 1;
                self.pods.push(pod(&format!("uid-{}", self.made), false));
            }
        } else if 1 < self.made {
            self.ready_in = self.ready_in.saturating_sub(1);
            if self.ready_in == 0 {
                self.pods = vec![pod(&format!("uid-{}", self.made), true)];
                self.workload["status"]["updatedReplicas"] = json!(1);
                self.workload["status"]["availableReplicas"] = json!(1);
            }
        }
        self.workload["status"]["observedGeneration"] = self.workload["metadata"]["generation"].clone();
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some(place) = self.first.iter().position(|(line, _)| asked.line.contains(line)) {
            return self.first.remove(place).1;
        }
        let (method, path) = asked.line.split_once(' ').unwrap();
        let is_workload = path.starts_with("/apis/apps/v1/namespaces/shop/") && path.ends_with("s/wa");
        match method {
            "GET" if is_workload => {
                let seen = self.workload.clone();
                self.turn();
                Reply::Json(200, seen)
            }
            "PATCH" if is_workload => {
                let annotations = &asked.body["spec"]["template"]["metadata"]["annotations"];
                if self.workload["spec"]["template"]["metadata"]["annotations"] != *annotations {
                    self.workload["spec"]["template"]["metadata"]["annotations"] = annotations.clone();
                    self.workload["metadata"]["generation"] = json!(2);
                    self.workload["status"]["updatedReplicas"] = json!(0);
                    // A Deployment ends the old pod at once; a StatefulSet waits for one that is broken.
                    if path.contains("/deployments/") {
                        self.end();
                    }
                }
                Reply::Json(200, self.workload.clone())
            }
            "GET" if path.starts_with("/api/v1/namespaces/shop/pods?") => {
                let seen = json!({ "kind": "PodList", "items": self.pods });
                self.turn();
                Reply::Json(200, seen)
            }
            "GET" if path == "/api/v1/namespaces/shop/pods/wa-0" && self.shows == 0 => forbidden(),
            "GET" if path == "/api/v1/namespaces/shop/pods/wa-0" => {
                self.shows = self.shows.saturating_sub(1);
                let seen = self.pods.first().cloned();
                self.turn();
                seen.map_or_else(missing, |pod| Reply::Json(200, pod))
            }
            "DELETE" if path == "/api/v1/namespaces/shop/pods/wa-0" => match self.pods.first() {
                None => missing(),
                Some(pod) if pod["metadata"]["uid"] != asked.body["preconditions"]["uid"] => {
                    status(409, "Conflict", "Precondition failed: UID in precondition")
                }
                Some(_) => {
                    self.end();
                    Reply::Json(200, self.pods[0].clone())
                }
            },
            _ => missing(),
        }
    }

    fn end(&mut self) {
        self.pods[0]["metadata"]["deletionTimestamp"] = json!("2026-02-04T09:00:30Z");
    }
}

fn is_ending(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string()
}

fn status(code: u16, reason: &str, message: &str) -> Reply {
    let status = json!({ "kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": message });
    Reply::Json(code, status)
}

fn missing() -> Reply {
    status(404, "NotFound", "not found")
}

fn forbidden() -> Reply {
    status(403, "Forbidden", "User \"system:serviceaccount:shop:wa\" cannot do that in the namespace \"shop\"")
}

/// An API, and a watchdog that may call it.
struct Scene {
    fake: Fake,
    world: Arc<Mutex<World>>,
    folder: tempfile::TempDir,
    workload: Workload,
    selector: Option<String>,
}

impl Scene {
    fn new(workload: Workload, world: World) -> Self {
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        let fake = Fake::start(move |asked| shared.lock().unwrap().answer(asked));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        fs::write(folder.path().join("namespace"), "shop\n").unwrap();
        fs::create_dir(folder.path().join("session")).unwrap();
        Self { fake, world, folder, workload, selector: None }
    }

    fn stateful_set(world: World) -> Self {
        Self::new(Workload::StatefulSet, world)
    }

    fn deployment(world: World) -> Self {
        Self::new(Workload::Deployment, world)
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("session")
    }

    fn step(&self, deed: KubernetesDeed, check: Option<KubernetesDeed>) -> HookStep {
        let at = KubernetesAt {
            api: self.fake.url(),
            token: Secret::File(self.folder.path().join("token")),
            ca_file: None,
            namespace: Namespace::InFile(self.folder.path().join("namespace")),
            workload: self.workload,
            name: "wa".to_owned(),
            selector: self.selector.clone(),
            ask_every: SOON,
        };
        let call = |deed| Call::Kubernetes(Box::new(KubernetesCall { at: at.clone(), deed, timeout: LONG }));
        HookStep { run: call(deed), check: check.map(call), undo: None }
    }

    fn bench(&self, session_dir: Option<PathBuf>) -> Bench {
        let dir = self.dir();
        let steps = vec![
            self.step(KubernetesDeed::Mark { session_dir: dir.clone() }, None),
            self.step(DELETE, Some(KubernetesDeed::IsDeleted)),
            self.step(KubernetesDeed::Rollout, None),
            self.step(KubernetesDeed::Ready { within: LONG, session_dir }, None),
            self.step(KubernetesDeed::Unmark { session_dir: dir }, None),
        ];
        Bench::new(Hook { steps, look: None })
    }

    /// Does one thing alone.
    async fn ended(&self, deed: KubernetesDeed) -> StepEnd {
        Bench::new(Hook { steps: vec![self.step(deed, None)], look: None }).act(Act::Do).await
    }

    fn orders(&self, method: &str) -> Vec<Asked> {
        self.fake.heard().into_iter().filter(|asked| asked.line.starts_with(method)).collect()
    }

    fn uids(&self) -> Vec<String> {
        let world = self.world.lock().unwrap();
        world.pods.iter().map(|pod| pod["metadata"]["uid"].as_str().unwrap().to_owned()).collect()
    }
}

const MARK: usize = 0;
const DELETED: usize = 1;
const ROLLED_OUT: usize = 2;
const READY: usize = 3;
const UNMARKED: usize = 4;
const DELETE: KubernetesDeed = KubernetesDeed::DeletePod { grace: Duration::from_secs(30) };

async fn act(bench: &mut Bench, index: usize, act: Act) -> StepEnd {
    let step = StepName(Arc::from("step"));
    bench.run(StepOrder { attempt: AttemptId(0x0019_4d8e), index, step, ..order(act) }).await
}

async fn done(bench: &mut Bench, index: usize) {
    assert_end(&act(bench, index, Act::Do).await, StepOutcome::Done, "");
}

#[tokio::test]
async fn a_pod_is_deleted_by_its_uid_and_its_successor_waited_for() {
    let scene = Scene::stateful_set(World::stateful_set());
    let mut bench = scene.bench(None);
    assert_end(&act(&mut bench, DELETED, Act::Check).await, StepOutcome::Unmet, "no pod was deleted");
    done(&mut bench, DELETED).await;
    assert_eq!(scene.uids(), ["uid-2"]);
    done(&mut bench, READY).await;
    let deletes = scene.orders("DELETE");
    assert_eq!(deletes.len(), 1);
    assert_eq!(deletes[0].body["preconditions"], json!({ "uid": "uid-1" }));
    assert_eq!(deletes[0].body["gracePeriodSeconds"], 30);
    assert_eq!(deletes[0].header("content-type"), "application/json");
    let list = scene.fake.heard().into_iter().find(|asked| asked.line.contains("/pods?")).unwrap();
    assert_eq!(list.line, "GET /api/v1/namespaces/shop/pods?labelSelector=app%3Dwa%2Ctier%3Dsession&limit=10");
}

#[tokio::test]
async fn the_same_run_never_deletes_the_successor() {
    let scene = Scene::stateful_set(World::stateful_set());
    let mut bench = scene.bench(None);
    done(&mut bench, DELETED).await;
    // As after a crash that forgot how it ended: the watchdog may have died with the pod.
    assert_end(&act(&mut bench, DELETED, Act::Check).await, StepOutcome::Done, "");
    done(&mut bench, DELETED).await;
    assert_eq!(scene.uids(), ["uid-2"]);
    let uids: Vec<Value> =
        scene.orders("DELETE").into_iter().map(|asked| asked.body["preconditions"].clone()).collect();
    assert_eq!(uids, [json!({ "uid": "uid-1" }), json!({ "uid": "uid-1" })], "the second one is answered 409");
}

#[tokio::test]
async fn a_pod_that_is_still_ending_is_not_gone() {
    let scene = Scene::stateful_set(World { ends_in: 8, ..World::stateful_set() });
    let mut bench = scene.bench(None);
    done(&mut bench, DELETED).await;
    assert_eq!(scene.uids(), ["uid-2"]);
    // And one that never ends leaves it open, also where nothing is seen at last.
    for shows in [u32::MAX, 5] {
        let scene = Scene::stateful_set(World { ends_in: u32::MAX, shows, ..World::stateful_set() });
        let mut step = scene.step(DELETE, None);
        if let Call::Kubernetes(call) = &mut step.run {
            call.timeout = Duration::from_secs(3);
        }
        let end = Bench::new(Hook { steps: vec![step], look: None }).act(Act::Do).await;
        assert_end(&end, StepOutcome::Unknown, "is not gone: it is still ending");
    }
}

#[tokio::test]
async fn a_pod_that_is_still_there_was_not_deleted() {
    let scene = Scene::stateful_set(World::stateful_set().first("DELETE", forbidden()));
    let mut bench = scene.bench(None);
    assert_end(&act(&mut bench, DELETED, Act::Do).await, StepOutcome::Unmet, "lacks the verb delete on pods");
    assert_end(&act(&mut bench, DELETED, Act::Check).await, StepOutcome::Unmet, "wa-0 is still there");
}

#[tokio::test]
async fn where_there_is_no_pod_none_is_deleted() {
    let scene = Scene::stateful_set(World { pods: Vec::new(), ..World::stateful_set() });
    let mut bench = scene.bench(None);
    assert_end(&act(&mut bench, DELETED, Act::Do).await, StepOutcome::Done, "there was no pod");
    assert!(scene.orders("DELETE").is_empty());
}

#[tokio::test]
async fn a_lost_answer_to_a_delete_shows_in_the_pod() {
    let scene = Scene::stateful_set(World::stateful_set().first("DELETE", Reply::Nothing));
    let mut bench = scene.bench(None);
    done(&mut bench, DELETED).await;
    assert_eq!(scene.orders("DELETE").len(), 2);
}

#[tokio::test]
async fn one_run_asks_for_one_rollout() {
    let scene = Scene::deployment(World::deployment());
    let mut bench = scene.bench(None);
    done(&mut bench, ROLLED_OUT).await;
    done(&mut bench, ROLLED_OUT).await;
    let patches = scene.orders("PATCH");
    assert_eq!(patches.len(), 1);
    assert_eq!(patches[0].line, "PATCH /apis/apps/v1/namespaces/shop/deployments/wa");
    assert_eq!(patches[0].header("content-type"), "application/merge-patch+json");
    let annotations = json!({
        "kubectl.kubernetes.io/restartedAt": "1970-01-01T00:27:38.254Z",
        "wa-watchdog/run": RUN,
    });
    assert_eq!(patches[0].body, json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
    done(&mut bench, READY).await;
    assert_eq!(scene.uids(), ["uid-2"]);
    assert!(scene.orders("DELETE").is_empty(), "a Deployment ends its pod itself, before it makes the next");
}

#[tokio::test]
async fn a_rollout_is_ready_when_every_number_agrees() {
    for (place, value, note) in [
        ("/metadata/generation", 3, "not noticed yet"),
        ("/status/updatedReplicas", 0, "of 1 pods 0 are new"),
        ("/status/availableReplicas", 0, "0 available"),
        ("/status/replicas", 2, "of 1 pods"),
    ] {
        let mut world = World::deployment();
        *world.workload.pointer_mut(place).unwrap() = json!(value);
        let workload = world.workload.clone();
        let fake = Fake::start(move |_| Reply::Json(200, workload.clone()));
        let scene = Scene { fake, ..Scene::deployment(World::deployment()) };
        let end = scene.ended(KubernetesDeed::Ready { within: SHORT, session_dir: None }).await;
        assert_end(&end, StepOutcome::Failed, note);
    }
}

#[tokio::test]
async fn a_rollout_of_a_stateful_set_takes_its_broken_pod_away() {
    let scene = Scene::stateful_set(World::stateful_set());
    let mut bench = scene.bench(None);
    done(&mut bench, ROLLED_OUT).await;
    let deletes = scene.orders("DELETE");
    assert_eq!(deletes.len(), 1);
    assert_eq!(deletes[0].body["preconditions"]["uid"], "uid-1");
    done(&mut bench, READY).await;
    assert_eq!(scene.uids(), ["uid-2"]);
    done(&mut bench, ROLLED_OUT).await;
    assert_eq!((scene.orders("PATCH").len(), scene.uids()), (1, vec!["uid-2".to_owned()]));
}

#[tokio::test]
async fn two_pods_on_one_session_are_never_asked_for() {
    for (strategy, note) in [
        (json!({ "type": "RollingUpdate" }), "its strategy is RollingUpdate: two pods would share one session"),
        (json!({}), "its strategy is RollingUpdate"),
    ] {
        let mut world = World::deployment();
        world.workload["spec"]["strategy"] = strategy;
        let scene = Scene::deployment(world);
        let mut bench = scene.bench(None);
        for step in [MARK, ROLLED_OUT, DELETED] {
            assert_end(&act(&mut bench, step, Act::Do).await, StepOutcome::Unmet, note);
        }
        assert_eq!(scene.fake.orders(), [""; 0]);
        assert!(!scene.dir().join(MARKER).exists());
    }
}

#[tokio::test]
async fn what_somebody_else_is_at_is_left_alone() {
    for (key, value, note) in [
        ("replicas", json!(0), "scaled to 0: somebody stopped it"),
        ("replicas", json!(2), "2 replicas, and a session has one"),
        ("paused", json!(true), "rollouts are paused"),
    ] {
        let mut world = World::stateful_set();
        world.workload["spec"][key] = value;
        let scene = Scene::stateful_set(world);
        let mut bench = scene.bench(None);
        for step in [MARK, ROLLED_OUT, DELETED] {
            assert_end(&act(&mut bench, step, Act::Do).await, StepOutcome::Unmet, note);
        }
        assert_eq!(scene.fake.orders(), [""; 0]);
    }
}

#[tokio::test]
async fn only_the_sessions_own_pod_is_meant() {
    let stranger = json!({ "metadata": { "name": "other-0", "uid": "uid-9" } });
    let world = World { pods: vec![pod("uid-1", true), stranger], ..World::stateful_set() };
    let scene = Scene::stateful_set(world);
    let mut bench = scene.bench(None);
    done(&mut bench, DELETED).await;
    // With a selector of one's own all that match count.
    let world = World { pods: vec![pod("uid-1", true), pod("uid-2", true)], ..World::stateful_set() };
    let scene = Scene { selector: Some("app=wa".to_owned()), ..Scene::stateful_set(world) };
    assert_end(&scene.ended(DELETE).await, StepOutcome::Unmet, "2 pods match");
    let list = scene.fake.heard().into_iter().find(|asked| asked.line.contains("/pods?")).unwrap();
    assert!(list.line.contains("labelSelector=app%3Dwa&"), "{}", list.line);
    let mut world = World::stateful_set();
    world.workload["spec"]["selector"]["matchExpressions"] = json!([{ "key": "app", "operator": "Exists" }]);
    assert_end(&Scene::stateful_set(world).ended(DELETE).await, StepOutcome::Unmet, "write a selector");
}

#[tokio::test]
async fn a_refusal_names_what_the_role_lacks() {
    for (line, reply, deed, note) in [
        ("GET /apis", forbidden(), DELETE, "lacks the verb get on statefulsets"),
        ("GET /api/v1", forbidden(), DELETE, "lacks the verb list on pods"),
        ("DELETE", forbidden(), DELETE, "lacks the verb delete on pods"),
        ("PATCH", forbidden(), KubernetesDeed::Rollout, "lacks the verb patch on statefulsets"),
        ("GET /apis", status(401, "Unauthorized", "Unauthorized"), DELETE, "does not know the token"),
        ("GET /apis", missing(), DELETE, "there is no statefulset wa in the namespace shop"),
        (
            "PATCH",
            status(422, "Invalid", "bad"),
            KubernetesDeed::Rollout,
            "to patch statefulsets was answered 422: bad",
        ),
    ] {
        let scene = Scene::stateful_set(World::stateful_set().first(line, reply));
        assert_end(&scene.ended(deed).await, StepOutcome::Unmet, note);
    }
}

#[tokio::test]
async fn what_passes_is_asked_again_and_the_token_read_anew() {
    let world = World::stateful_set().first("GET /apis", Reply::Busy(429, 0)).first("PATCH", Reply::Busy(503, 0));
    let scene = Scene::stateful_set(world);
    let mut bench = scene.bench(None);
    done(&mut bench, ROLLED_OUT).await;
    fs::write(scene.folder.path().join("token"), "the-second-token").unwrap();
    done(&mut bench, READY).await;
    let tokens: Vec<String> = scene.fake.heard().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(tokens.first().unwrap(), "Bearer the-first-token");
    assert_eq!(tokens.last().unwrap(), "Bearer the-second-token");
}

#[tokio::test]
async fn what_does_not_become_ready_says_why() {
    let scene = Scene::stateful_set(World::stateful_set());
    let end = scene.ended(KubernetesDeed::Ready { within: SHORT, session_dir: None }).await;
    assert_end(&end, StepOutcome::Failed, "the pod wa-0 is waiting, wa says CrashLoopBackOff");
    let scene = Scene::stateful_set(World { pods: Vec::new(), ..World::stateful_set() });
    let end = scene.ended(KubernetesDeed::Ready { within: SHORT, session_dir: None }).await;
    assert_end(&end, StepOutcome::Failed, "there is no new pod");
}

#[tokio::test]
async fn a_mark_is_obeyed_by_the_next_pod() {
    let scene = Scene::stateful_set(World::stateful_set());
    let marker = scene.dir().join(MARKER);
    let mut bench = scene.bench(Some(scene.dir()));
    done(&mut bench, MARK).await;
    done(&mut bench, MARK).await;
    assert_eq!(fs::read_to_string(&marker).unwrap(), format!("{RUN}\n"));
    done(&mut bench, DELETED).await;
    // The init container takes it away.
    fs::remove_file(&marker).unwrap();
    done(&mut bench, READY).await;
}

#[tokio::test]
async fn a_mark_that_nobody_obeyed_is_a_failure_and_goes() {
    let scene = Scene::stateful_set(World::stateful_set());
    let mut bench = scene.bench(Some(scene.dir()));
    done(&mut bench, MARK).await;
    done(&mut bench, DELETED).await;
    assert_end(&act(&mut bench, READY, Act::Do).await, StepOutcome::Failed, "no init container obeyed the mark");
    assert!(!scene.dir().join(MARKER).exists(), "it would end a session that somebody makes later");
}

#[tokio::test]
async fn a_mark_is_taken_back_where_it_is_this_runs_own() {
    let scene = Scene::stateful_set(World::stateful_set());
    let mut bench = scene.bench(None);
    done(&mut bench, UNMARKED).await;
    done(&mut bench, MARK).await;
    done(&mut bench, UNMARKED).await;
    assert!(!scene.dir().join(MARKER).exists());
    fs::write(scene.dir().join(MARKER), "another-run").unwrap();
    done(&mut bench, UNMARKED).await;
    assert!(scene.dir().join(MARKER).exists());
}

#[tokio::test]
async fn no_mark_is_written_that_nobody_would_obey() {
    let mut world = World::stateful_set();
    world.workload["spec"]["template"]["spec"]["initContainers"] = json!([{ "name": "wipe", "args": ["sleep", "1"] }]);
    let scene = Scene::stateful_set(world);
    let end = scene.ended(KubernetesDeed::Mark { session_dir: scene.dir() }).await;
    assert_end(&end, StepOutcome::Unmet, "nobody would obey the mark");
    assert!(!scene.dir().join(MARKER).exists());
    let scene = Scene::stateful_set(World::stateful_set());
    let end = scene.ended(KubernetesDeed::Mark { session_dir: scene.dir().join("missing") }).await;
    assert_end(&end, StepOutcome::Unmet, "the mark cannot be written");
}

#[tokio::test]
async fn a_namespace_that_cannot_be_read_sends_nothing() {
    for text in [None, Some(""), Some("a/b")] {
        let scene = Scene::stateful_set(World::stateful_set());
        let file = scene.folder.path().join("namespace");
        match text {
            Some(text) => fs::write(file, text).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        assert_end(&scene.ended(DELETE).await, StepOutcome::Unmet, "write namespace");
        assert!(scene.fake.heard().is_empty());
    }
}
