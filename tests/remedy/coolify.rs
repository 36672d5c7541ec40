//! A Coolify that behaves as the real one does, with its traps.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use wa_watchdog::config::{Call, CoolifyAt, CoolifyCall, CoolifyDeed, CoolifyResource, Hook, HookStep, Secret};
use wa_watchdog::engine::Wall;
use wa_watchdog::engine::attempt::{Act, AttemptId, Cause, StepEnd, StepOrder, StepOutcome};
use wa_watchdog::engine::plan::StepName;
use wa_watchdog::http::Http;
use wa_watchdog::remedy::{QUEUE_MAX, Remedies};

use crate::fake::{Asked, Fake, Reply};
use crate::{Bench, assert_end, order, targets};

const TOKEN: &str = "7|s3cr3t-of-coolify";
const APP: &str = "/api/v1/applications/abc";
const SOON: Duration = Duration::from_millis(20);
/// How long something may take that comes about, also on a slow machine.
const LONG: Duration = Duration::from_secs(20);
/// How long it may take where it does not.
const SHORT: Duration = Duration::from_millis(300);

/// What it knows. Each list is told from its start; its last entry stays.
#[derive(Default)]
struct World {
    status: Vec<&'static str>,
    /// The statuses after an order.
    after_stop: Vec<&'static str>,
    after_start: Vec<&'static str>,
    /// The answer to a start.
    start: Option<Reply>,
    /// What the deployment says of itself; empty: nobody knows it.
    deployment: Vec<&'static str>,
    storages: Vec<Value>,
    build_pack: &'static str,
    /// Answers that come first, by what the line of the request contains.
    first: Vec<(&'static str, Reply)>,
}

impl World {
    fn new() -> Self {
        Self {
            status: vec!["running:healthy"],
            after_stop: vec!["exited"],
            after_start: vec!["starting:unknown", "running:unknown"],
            start: Some(Reply::Json(
                200,
                json!({ "message": "Deployment request queued.", "deployment_uuid": "dep1" }),
            )),
            deployment: vec!["queued", "in_progress", "finished"],
            storages: vec![
                json!({ "uuid": "s1", "name": "abc-logs", "mount_path": "/logs", "host_path": null }),
                json!({ "uuid": "s2", "name": "abc-session", "mount_path": "/app/data", "host_path": null }),
            ],
            build_pack: "dockerimage",
            first: Vec::new(),
        }
    }

    fn exited() -> Self {
        Self { status: vec!["exited:unhealthy"], ..Self::new() }
    }

    fn first(mut self, line: &'static str, reply: Reply) -> Self {
        self.first.push((line, reply));
        self
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some(place) = self.first.iter().position(|(line, _)| asked.line.contains(line)) {
            return self.first.remove(place).1;
        }
        let (method, path) = asked.line.split_once(' ').unwrap();
        let last = path.split('?').next().unwrap().rsplit('/').next().unwrap();
        match (method, last) {
            ("GET", "abc") => {
                let status = in_turn(&mut self.status).unwrap();
                Reply::Json(200, json!({ "uuid": "abc", "status": status, "build_pack": self.build_pack }))
            }
            ("GET", "dep1") => match in_turn(&mut self.deployment) {
                Some("") | None => Reply::Json(404, json!({ "message": "Deployment not found." })),
                Some(status) => Reply::Json(200, json!({ "status": status })),
            },
            ("GET", "storages") => {
                Reply::Json(200, json!({ "persistent_storages": self.storages, "file_storages": [] }))
            }
            ("POST", "stop") => {
                self.status.clone_from(&self.after_stop);
                Reply::Json(200, json!({ "message": "Application stopping request queued." }))
            }
            ("POST", "start") => {
                self.status.clone_from(&self.after_start);
                self.start.clone().unwrap()
            }
            ("PATCH", "storages") => {
                let storage = self.storages.iter_mut().find(|storage| storage["uuid"] == asked.body["uuid"]).unwrap();
                storage["name"] = asked.body["name"].clone();
                Reply::Json(200, storage.clone())
            }
            _ => Reply::Json(404, json!({ "message": "Not found.", "docs": "https://coolify.io/docs" })),
        }
    }
}

fn in_turn(list: &mut Vec<&'static str>) -> Option<&'static str> {
    if 1 < list.len() { Some(list.remove(0)) } else { list.first().copied() }
}

/// A Coolify, and a watchdog beside it.
struct Scene {
    fake: Fake,
    world: Arc<Mutex<World>>,
    folder: tempfile::TempDir,
    resource: CoolifyResource,
}

impl Scene {
    fn new(world: World) -> Self {
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        let fake = Fake::start(move |asked| shared.lock().unwrap().answer(asked));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        Self { fake, world, folder, resource: CoolifyResource::Application }
    }

    fn service(world: World) -> Self {
        Self { resource: CoolifyResource::Service, ..Self::new(world) }
    }

    fn token(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn call(&self, deed: CoolifyDeed) -> CoolifyCall {
        let at = CoolifyAt {
            api: format!("{}/api/v1", self.fake.url()),
            resource: self.resource,
            uuid: "abc".to_owned(),
            token: Secret::File(self.token()),
            ask_every: SOON,
        };
        CoolifyCall { at, deed, timeout: LONG }
    }

    fn step(&self, deed: CoolifyDeed, check: Option<CoolifyDeed>) -> HookStep {
        let call = |deed| Call::Coolify(Box::new(self.call(deed)));
        HookStep { run: call(deed), check: check.map(call), undo: None }
    }

    async fn act(&self, act: Act, deed: CoolifyDeed) -> StepEnd {
        let mut step = self.step(deed.clone(), None);
        if act == Act::Check {
            step = self.step(deed.clone(), Some(deed));
        }
        Bench::new(Hook { steps: vec![step], look: None }).act(act).await
    }

    async fn ended(&self, deed: CoolifyDeed) -> StepEnd {
        self.act(Act::Do, deed).await
    }

    /// Makes the watchdog of a whole reset, whose clock never says the same twice.
    fn reset(&self) -> Reset {
        let steps = vec![
            self.step(CoolifyDeed::Find { mount_path: "/app/data".to_owned() }, None),
            self.step(CoolifyDeed::Rotate, Some(CoolifyDeed::IsRotated)),
            self.step(CoolifyDeed::RotateBack, Some(CoolifyDeed::IsBack)),
        ];
        let (sender, answers) = mpsc::channel(QUEUE_MAX);
        let now = AtomicI64::new(1_770_195_600_000);
        let clock = Arc::new(move || Wall::from_millis(now.fetch_add(1_000, Ordering::SeqCst)));
        let state_dir = Some(self.folder.path().join("runs"));
        let hook = Hook { steps, look: None };
        let http = Http::new().unwrap();
        Reset { remedies: Remedies::new(targets(hook), http, state_dir, clock, sender, TaskTracker::new()), answers }
    }

    fn name(&self) -> String {
        self.world.lock().unwrap().storages[1]["name"].as_str().unwrap().to_owned()
    }
}

const FIND: usize = 0;
const ROTATE: usize = 1;
const BACK: usize = 2;

struct Reset {
    remedies: Remedies,
    answers: mpsc::Receiver<wa_watchdog::remedy::Answer>,
}

impl Reset {
    async fn act(&mut self, attempt: u64, index: usize, act: Act) -> StepEnd {
        let step = StepName(Arc::from(["find", "rotate", "back"][index]));
        let order = order(act);
        // What is wanted back is what the first attempt took away.
        let cause = Arc::new(Cause { restores: Some(AttemptId(1)), ..order.cause.as_ref().clone() });
        self.remedies.run(StepOrder { attempt: AttemptId(attempt), index, step, cause, ..order });
        tokio::time::timeout(crate::PATIENCE, self.answers.recv()).await.unwrap().unwrap().end
    }

    async fn done(&mut self, attempt: u64, index: usize) -> StepEnd {
        let end = self.act(attempt, index, Act::Do).await;
        assert_end(&end, StepOutcome::Done, "");
        end
    }
}

fn stop(within: Duration) -> CoolifyDeed {
    CoolifyDeed::Stop { within, settle: SOON }
}

fn start(within: Duration) -> CoolifyDeed {
    CoolifyDeed::Start { within, settle: SOON }
}

fn said(status: u16, message: &str) -> Reply {
    Reply::Json(status, json!({ "message": message }))
}

#[tokio::test]
async fn a_stop_is_a_post_without_a_cleanup() {
    let scene = Scene::new(World::new());
    assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders(), [format!("POST {APP}/stop?docker_cleanup=false")]);
    for asked in scene.fake.heard() {
        assert_eq!(asked.header("authorization"), format!("Bearer {TOKEN}"), "the id before the bar belongs to it");
        assert_eq!(asked.header("accept"), "application/json");
    }
}

#[tokio::test]
async fn a_status_that_says_exited_too_early_is_not_believed() {
    let after_stop = vec!["running:healthy", "exited", "running:healthy", "exited:unhealthy", "exited:unhealthy"];
    let scene = Scene::new(World { after_stop, ..World::new() });
    assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.world.lock().unwrap().status, ["exited:unhealthy"], "every lie was told before");
}

#[tokio::test]
async fn what_does_not_stop_is_a_failure() {
    let scene = Scene::new(World { after_stop: vec!["running:unhealthy"], ..World::new() });
    assert_end(&scene.ended(stop(SHORT)).await, StepOutcome::Failed, "told to stop and did not: it is running");
    assert_eq!(scene.fake.orders().len(), 1);
}

#[tokio::test]
async fn a_start_is_followed_until_it_runs() {
    let scene = Scene::new(World::exited());
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders(), [format!("POST {APP}/start")]);
    let deployments = scene.fake.heard().iter().filter(|asked| asked.line.ends_with("/deployments/dep1")).count();
    assert_eq!(deployments, 3);
    assert_eq!(scene.world.lock().unwrap().status, ["running:unknown"], "it was asked until it ran");
}

#[tokio::test]
async fn what_runs_is_never_deployed_over() {
    for status in ["running:healthy", "running:unhealthy", "running (healthy)"] {
        let scene = Scene::new(World { status: vec![status], ..World::new() });
        assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "runs already");
        assert_eq!(scene.fake.orders(), [""; 0]);
    }
    // Where the status was late, it is started after all.
    let scene = Scene::new(World { status: vec!["running:healthy", "exited"], ..World::new() });
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders().len(), 1);
    // And where it is not known, nothing is sent.
    let scene = Scene::new(World::exited().first("GET /api/v1/applications/abc", said(401, "Unauthenticated.")));
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Unmet, "does not know the token");
    assert_eq!(scene.fake.orders(), [""; 0]);
}

#[tokio::test]
async fn a_deployment_that_is_under_way_already_is_waited_for() {
    let start_said = Some(said(200, "Deployment already queued for this commit."));
    let scene = Scene::new(World { start: start_said, ..World::exited() });
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
    assert!(!scene.fake.heard().iter().any(|asked| asked.line.contains("/deployments/")));
    assert_eq!(scene.fake.orders().len(), 1);
}

#[tokio::test]
async fn a_deployment_that_nobody_knows_was_never_queued() {
    let scene = Scene::new(World { deployment: Vec::new(), ..World::exited() });
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Failed, "never queued");
    // A queue may be slow to write it down.
    let scene = Scene::new(World { deployment: vec!["", "", "finished"], ..World::exited() });
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
}

#[tokio::test]
async fn a_deployment_that_failed_is_a_failure() {
    for (status, note) in [("failed", "deployment failed"), ("cancelled-by-user", "deployment cancelled-by-user")] {
        let scene = Scene::new(World { deployment: vec!["queued", status], ..World::exited() });
        assert_end(&scene.ended(start(LONG)).await, StepOutcome::Failed, note);
    }
    let scene = Scene::new(World { deployment: vec!["in_progress"], ..World::exited() });
    assert_end(&scene.ended(start(SHORT)).await, StepOutcome::Failed, "did not finish in time: it is in_progress");
}

#[tokio::test]
async fn finished_is_not_running() {
    let scene = Scene::new(World { after_start: vec!["degraded:unhealthy"], ..World::exited() });
    assert_end(&scene.ended(start(SHORT)).await, StepOutcome::Failed, "does not run: it is degraded");
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_not_sent_again() {
    // Lost and not heard: nobody can see it running.
    let scene = Scene::new(World::exited().first("/start", Reply::Nothing));
    assert_end(&scene.ended(start(SHORT)).await, StepOutcome::Failed, "does not run: it is exited");
    assert_eq!(scene.fake.orders().len(), 1);
    // Lost and heard.
    let scene = Scene::new(World { status: vec!["exited", "running"], ..World::new() }.first("/start", Reply::Nothing));
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders().len(), 1);
}

#[tokio::test]
async fn a_stop_whose_answer_is_lost_is_sent_again() {
    let scene = Scene::new(World::new().first("/stop", Reply::Nothing));
    assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders().len(), 2);
}

#[tokio::test]
async fn a_refusal_says_what_is_missing_and_changes_nothing() {
    let docs = json!({ "message": "Not found.", "docs": "https://coolify.io/docs" });
    let beside = |message| Reply::Json(403, json!({ "success": true, "message": message }));
    for (reply, note) in [
        (said(400, "Invalid token."), "belongs to no team"),
        (said(401, "Unauthenticated."), "does not know the token"),
        (said(403, "Missing required permissions: deploy"), "the token lacks the ability deploy"),
        (said(403, "Missing required permissions: read"), "the token lacks the ability read"),
        // The body says that it went well; only the status counts.
        (beside("API is disabled."), "the API is disabled"),
        (beside("You are not allowed to access the API."), "does not allow this address"),
        (said(404, "Application not found."), "check uuid and resource"),
        (Reply::Json(404, docs), "does not know this path"),
        (said(405, "This endpoint has changed to a POST request."), "did not arrive as one"),
        (said(302, ""), "redirect"),
    ] {
        for (line, orders) in [("GET ", 0), ("/stop", 1)] {
            let scene = Scene::new(World::new().first(line, reply.clone()));
            assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Unmet, note);
            assert_eq!(scene.fake.orders().len(), orders, "{line} {reply:?}");
        }
    }
}

#[tokio::test]
async fn too_many_questions_wait_as_long_as_they_are_told() {
    let scene = Scene::new(World::new().first("/stop", Reply::Busy(429, 1)));
    let began = Instant::now();
    assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Done, "");
    assert!(Duration::from_secs(1) <= began.elapsed(), "{:?}", began.elapsed());
    assert_eq!(scene.fake.orders().len(), 2);
    // Nobody waits an hour: the step has its own time.
    let scene = Scene::new(World::new().first("/stop", Reply::Busy(429, 3600)));
    let call = CoolifyCall { timeout: Duration::from_secs(3), ..scene.call(stop(LONG)) };
    let end = Bench::new(crate::single(Call::Coolify(Box::new(call)))).act(Act::Do).await;
    assert_end(&end, StepOutcome::Unmet, "asked too often");
}

#[tokio::test]
async fn a_failure_that_passes_is_asked_again() {
    let scene = Scene::new(World::new().first("GET ", said(502, "")).first("/stop", said(503, "")));
    assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders().len(), 2);
}

#[tokio::test]
async fn a_service_that_is_as_it_should_be_is_no_failure() {
    let path = "/api/v1/services/abc";
    let already = |what: &str| said(400, &format!("Service is already {what}."));
    let scene = Scene::service(World::exited().first("/stop", already("stopped")));
    assert_end(&scene.ended(stop(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders(), [format!("POST {path}/stop?docker_cleanup=false")]);
    let running = World { status: vec!["exited", "running:healthy"], ..World::new() };
    let scene = Scene::service(running.first("/start", already("running")));
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
    // A start of a service has no deployment.
    let start_said = Some(said(200, "Service starting request queued."));
    let scene = Scene::service(World { start: start_said, ..World::exited() });
    assert_end(&scene.ended(start(LONG)).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders(), [format!("POST {path}/start")]);
}

#[tokio::test]
async fn a_token_that_cannot_be_read_sends_nothing_and_none_is_repeated() {
    let scene = Scene::new(World::new());
    fs::remove_file(scene.token()).unwrap();
    let call = CoolifyCall { timeout: SHORT, ..scene.call(stop(LONG)) };
    let end = Bench::new(crate::single(Call::Coolify(Box::new(call)))).act(Act::Do).await;
    assert_end(&end, StepOutcome::Unmet, "a secret cannot be read");
    assert!(scene.fake.heard().is_empty());
    let scene = Scene::new(World::new().first("GET ", said(418, &format!("I know {TOKEN}"))));
    let end = scene.ended(stop(LONG)).await;
    assert_end(&end, StepOutcome::Unmet, "answered 418");
    assert!(!format!("{end:?}").contains("s3cr3t"), "{end:?}");
}

#[tokio::test]
async fn a_volume_is_rotated_to_a_name_that_was_written_down() {
    let scene = Scene::new(World::exited());
    let mut reset = scene.reset();
    assert_end(&reset.act(1, ROTATE, Act::Check).await, StepOutcome::Unmet, "nothing is written down");
    reset.done(1, FIND).await;
    assert_eq!((scene.name().as_str(), scene.fake.orders().len()), ("abc-session", 0));
    assert_end(&reset.act(1, ROTATE, Act::Check).await, StepOutcome::Unmet, "is called abc-session");
    let end = reset.done(1, ROTATE).await;
    let name = scene.name();
    assert!(name.starts_with("abc-session-r202602040900") && name.len() == "abc-session-r".len() + 14, "{name}");
    assert_end(&end, StepOutcome::Done, &format!("its volume is now {name}; abc-session stays as the backup"));
    assert_end(&reset.act(1, ROTATE, Act::Check).await, StepOutcome::Done, "");
    let patches: Vec<Asked> = scene.fake.heard().into_iter().filter(|asked| asked.line.contains("PATCH")).collect();
    assert_eq!(patches.len(), 1);
    assert_eq!(patches[0].line, format!("PATCH {APP}/storages"));
    assert_eq!(patches[0].header("content-type"), "application/json");
    assert_eq!(patches[0].body, json!({ "type": "persistent", "uuid": "s2", "name": name }));
}

#[tokio::test]
async fn a_crash_leads_to_the_same_name_and_no_second_rotation() {
    let scene = Scene::new(World::exited());
    scene.reset().done(1, FIND).await;
    // The clock goes on, and the plan stays.
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    reset.done(1, FIND).await;
    reset.done(1, ROTATE).await;
    let name = scene.name();
    scene.reset().done(1, ROTATE).await;
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    reset.done(1, ROTATE).await;
    assert_eq!((scene.name(), scene.fake.orders().len()), (name.clone(), 1));
    // Another attempt rotates it again, and takes the last time off its name.
    reset.done(2, FIND).await;
    reset.done(2, ROTATE).await;
    assert_ne!(scene.name(), name);
    assert_eq!(scene.name().len(), name.len());
}

#[tokio::test]
async fn a_volume_goes_back_to_the_name_it_had() {
    let scene = Scene::new(World::exited());
    let mut reset = scene.reset();
    assert_end(&reset.act(2, BACK, Act::Do).await, StepOutcome::Unmet, "nothing is written down");
    reset.done(1, FIND).await;
    reset.done(1, ROTATE).await;
    assert_end(&reset.act(2, BACK, Act::Check).await, StepOutcome::Unmet, "is called abc-session-r");
    reset.done(2, BACK).await;
    assert_eq!(scene.name(), "abc-session");
    reset.done(2, BACK).await;
    assert_end(&reset.act(2, BACK, Act::Check).await, StepOutcome::Done, "");
    assert_eq!(scene.fake.orders().len(), 2);
}

#[tokio::test]
async fn what_is_not_stopped_is_not_rotated() {
    let scene = Scene::new(World::new());
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    assert_end(&reset.act(1, ROTATE, Act::Do).await, StepOutcome::Unmet, "it is running, not stopped");
    assert_eq!(scene.fake.orders(), [""; 0]);
}

#[tokio::test]
async fn a_volume_that_somebody_else_renamed_is_left_alone() {
    let scene = Scene::new(World::exited());
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    scene.world.lock().unwrap().storages[1]["name"] = json!("other");
    assert_end(&reset.act(1, ROTATE, Act::Do).await, StepOutcome::Unmet, "now called other");
    assert_eq!(scene.fake.orders(), [""; 0]);
}

#[tokio::test]
async fn a_read_only_volume_cannot_be_rotated() {
    let message = "This storage is read-only (managed by docker-compose or service definition).";
    for (reply, note) in [
        (said(422, message), "its name stands in a compose file"),
        (said(403, "Missing required permissions: write"), "lacks the ability write"),
    ] {
        let scene = Scene::new(World::exited().first("PATCH", reply));
        let mut reset = scene.reset();
        reset.done(1, FIND).await;
        assert_end(&reset.act(1, ROTATE, Act::Do).await, StepOutcome::Unmet, note);
    }
}

#[tokio::test]
async fn a_rotation_whose_answer_is_lost_shows_in_the_name() {
    let lost = || Reply::Nothing;
    let scene = Scene::new(World::exited().first("PATCH", lost()));
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    reset.done(1, ROTATE).await;
    assert_eq!(scene.fake.orders().len(), 2, "the same name does it once");
    // Where it never arrives, nothing was renamed.
    let world = (0..4).fold(World::exited(), |world, _| world.first("PATCH", Reply::Busy(503, 0)));
    let scene = Scene::new(world);
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    assert_end(&reset.act(1, ROTATE, Act::Do).await, StepOutcome::Unmet, "the volume was not renamed");
}

#[tokio::test]
async fn only_a_plain_volume_is_found() {
    let find = || CoolifyDeed::Find { mount_path: "/app/data".to_owned() };
    let storage = |host: Value| json!({ "uuid": "s2", "name": "n", "mount_path": "/app/data/", "host_path": host });
    for (storages, build_pack, note) in [
        (vec![], "nixpacks", "0 volumes are mounted at /app/data"),
        (vec![storage(Value::Null), storage(Value::Null)], "nixpacks", "2 volumes are mounted"),
        (vec![storage(json!("/srv/data"))], "nixpacks", "a folder of the host"),
        (vec![storage(Value::Null)], "dockercompose", "compose file"),
    ] {
        let scene = Scene::new(World { storages, build_pack, ..World::new() });
        assert_end(&scene.ended(find()).await, StepOutcome::Unmet, note);
        assert_eq!(scene.fake.orders(), [""; 0]);
    }
    let scene = Scene::new(World { storages: vec![storage(Value::Null)], ..World::new() });
    assert_end(&scene.ended(find()).await, StepOutcome::Done, "");
    // Before the API had storages.
    let docs = json!({ "message": "Not found.", "docs": "https://coolify.io/docs" });
    let scene = Scene::new(World::new().first("/storages", Reply::Json(404, docs)));
    assert_end(&scene.ended(find()).await, StepOutcome::Unmet, "its version is too old");
    assert_end(&Scene::service(World::new()).ended(find()).await, StepOutcome::Unmet, "compose file");
}

#[tokio::test]
async fn a_check_that_gets_no_answer_does_not_know() {
    let scene = Scene::new(World::exited());
    let mut reset = scene.reset();
    reset.done(1, FIND).await;
    scene.world.lock().unwrap().first.push(("/storages", said(401, "Unauthenticated.")));
    assert_end(&reset.act(1, ROTATE, Act::Check).await, StepOutcome::Unknown, "does not know the token");
}
