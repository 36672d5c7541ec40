//! Reconnect and reset by a backend that hides the vendor.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use wa_watchdog::config::{BackendAt, BackendCall, BackendDeed, Call, Hook, HookStep, Proof, Secret};
use wa_watchdog::engine::attempt::{Act, AttemptId, StepEnd, StepOrder, StepOutcome};
use wa_watchdog::remedy::{Adopted, Answer};

use crate::doubles::{Doubles, Health, PAT, SECRETS};
use crate::{Bench, PATIENCE, assert_end, order};

/// The steps of a reset, by their places.
const PROVE: usize = 0;
const DELETE: usize = 1;
const ENSURE: usize = 2;

const PHONE: &str = "+15550100";

/// The doubles, and the watchdog that acts on them.
struct Scene {
    doubles: Doubles,
    bench: Bench,
    at: BackendAt,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|at| at).await
    }

    async fn with(change: impl FnOnce(BackendAt) -> BackendAt) -> Self {
        let doubles = Doubles::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            Secret::File(folder.path().join(name))
        };
        let at = change(BackendAt {
            url: doubles.backend.uri(),
            token: file("jwt", "jwt"),
            vendor: format!("{}/api", doubles.vendor.uri()),
            session: None,
            proof: Some(Proof::Vendor(file("pat", PAT))),
        });
        let phone = file("phone", PHONE);
        let hook = reset(&at, &phone);
        let bench = Bench::within(folder, hook);
        Self { doubles, bench, at }
    }

    /// Another watchdog, after this one crashed.
    fn crash(&mut self) {
        let runs = self.bench.path("runs");
        let phone = Secret::File(self.bench.path("phone"));
        let hook = reset(&self.at, &phone);
        (self.bench.remedies, self.bench.answers) = crate::remedies(hook, Some(runs));
    }

    async fn answer(&mut self, index: usize, act: Act) -> Answer {
        self.bench.remedies.run(StepOrder { index, ..order(act) });
        let answer = tokio::time::timeout(PATIENCE, self.bench.answers.recv()).await.unwrap().unwrap();
        let note = answer.end.note.as_ref().map_or("", |note| note.as_str());
        assert!(SECRETS.iter().chain([&PAT, &PHONE, &"jwt.", &"eyJ"]).all(|secret| !note.contains(secret)), "{note}");
        assert!(note.chars().count() < 160, "it is cut: {note}");
        answer
    }

    async fn run(&mut self, index: usize) -> StepEnd {
        self.answer(index, Act::Do).await.end
    }

    async fn reconnect(&mut self) -> StepEnd {
        let call = call(&self.at, BackendDeed::Reconnect);
        let hook = Hook { steps: vec![HookStep { run: call, check: None, undo: None }], look: None };
        self.bench.remedies.replace(crate::targets(hook));
        self.bench.run(StepOrder { attempt: AttemptId(0x0019_4d90), ..order(Act::Do) }).await
    }

    fn adopted(&self, old: &str, new: &str) -> Adopted {
        Adopted { vendor: self.at.vendor.clone(), old: old.to_owned(), new: new.to_owned() }
    }
}

fn call(at: &BackendAt, deed: BackendDeed) -> Call {
    let (patience, timeout) = (Duration::from_secs(2), Duration::from_secs(8));
    Call::WasenderBackend(Box::new(BackendCall { at: at.clone(), deed, patience, timeout }))
}

fn reset(at: &BackendAt, phone: &Secret) -> Hook {
    let step = |run, check: Option<BackendDeed>| HookStep {
        run: call(at, run),
        check: check.map(|check| call(at, check)),
        undo: None,
    };
    let ensure = BackendDeed::Ensure { phone: phone.clone() };
    let steps = vec![
        step(BackendDeed::Prove, None),
        step(BackendDeed::Delete, Some(BackendDeed::IsDeleted)),
        step(ensure, Some(BackendDeed::IsEnsured)),
    ];
    Hook { steps, look: None }
}

fn jwt(payload: &str) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

#[tokio::test]
async fn a_reset_makes_a_new_session_where_the_old_one_is_gone() {
    for is_listed in [false, true] {
        let mut scene = Scene::with(|at| {
            let proof = if is_listed { Some(Proof::ListSessions) } else { at.proof.clone() };
            BackendAt { proof, session: Some("16548".to_owned()), ..at }
        })
        .await;
        assert_end(&scene.run(PROVE).await, StepOutcome::Done, "does not know session 16548");
        assert_end(&scene.run(DELETE).await, StepOutcome::Done, "forgot session 16548");
        let ensured = scene.answer(ENSURE, Act::Do).await;
        assert_end(&ensured.end, StepOutcome::Done, "session 16549 takes the place of 16548");
        assert_eq!(ensured.adopted, Some(scene.adopted("16548", "16549")));
        assert_eq!(scene.doubles.acts(), ["delete", "ensure"]);
        assert_eq!(scene.doubles.world().bodies, [json!({ "phoneNumber": PHONE })]);
    }
}

/// Trap 1: the backend answers a deletion with 200 whatever the vendor says.
#[tokio::test]
async fn nothing_is_deleted_while_the_vendor_is_unwell() {
    for is_listed in [false, true] {
        for (health, note) in [
            (Health::Page(502), "502"),
            (Health::Page(404), "404"),
            (Health::Throttles(9, "retry-after", "0"), "429"),
            (Health::Hangs, "does not answer"),
            (Health::Refuses(9), "401"),
            (Health::Page(302), "302"),
        ] {
            let mut scene = Scene::with(|at| {
                let proof = if is_listed { Some(Proof::ListSessions) } else { at.proof.clone() };
                BackendAt { proof, ..at }
            })
            .await;
            scene.doubles.world().health = health;
            let note = if is_listed { "500" } else { note };
            let end = scene.run(PROVE).await;
            assert_end(&end, StepOutcome::Unmet, note);
            assert_end(&end, StepOutcome::Unmet, "a reset while the vendor is unwell orphans the session");
        }
    }
    let mut scene = Scene::start().await;
    assert_end(&scene.run(PROVE).await, StepOutcome::Done, "");
    // It was well when it was asked, and is not any more.
    scene.doubles.world().health = Health::Page(502);
    assert_end(&scene.run(DELETE).await, StepOutcome::Unmet, "orphans");
    assert!(scene.doubles.acts().is_empty());
    assert_eq!(scene.doubles.world().stored, Some(16548));
}

/// Trap 2: `unknown` with a session stands for a session that is alive, too.
#[tokio::test]
async fn what_reads_unknown_may_be_alive() {
    for state in ["expired", "need_passkey"] {
        let mut scene = Scene::start().await;
        scene.doubles.world().sessions.insert(16548, state);
        assert_end(&scene.run(PROVE).await, StepOutcome::Unmet, "the vendor knows session 16548");
    }
    // The token for the vendor is that of another account, which knows nothing of this session.
    let mut scene = Scene::start().await;
    scene.doubles.world().believes = Some("ready");
    assert_end(&scene.run(PROVE).await, StepOutcome::Unmet, "says that session 16548 is ready");
    assert!(scene.doubles.acts().is_empty());
}

#[tokio::test]
async fn a_target_that_watches_another_session_is_put_right_first() {
    let mut scene = Scene::with(|at| BackendAt { session: Some("16547".to_owned()), ..at }).await;
    let end = scene.run(PROVE).await;
    assert_end(&end, StepOutcome::Unmet, "stores session 16548, the target watches 16547");
    // The backend forgot a session that lives: it is an orphan already, and a new one would not change that.
    let mut scene = Scene::with(|at| BackendAt { session: Some("7".to_owned()), ..at }).await;
    scene.doubles.world().stored = None;
    assert_end(&scene.run(PROVE).await, StepOutcome::Unmet, "the vendor knows session 7");
}

/// Trap 3: on a session that lives, ensure reconnects.
#[tokio::test]
async fn ensure_reconnects_a_session_that_lives() {
    let mut scene = Scene::start().await;
    scene.doubles.world().sessions.insert(16548, "expired");
    assert_end(&scene.reconnect().await, StepOutcome::Done, "asked the vendor to connect session 16548");
    // No number goes along: no other session is to be made.
    assert_eq!(scene.doubles.world().bodies, [json!({})]);
    assert_eq!(scene.doubles.acts(), ["ensure"]);
}

#[tokio::test]
async fn ensure_heals_no_session_that_is_gone() {
    let mut scene = Scene::start().await;
    assert_end(&scene.reconnect().await, StepOutcome::Unmet, "the vendor does not know session 16548");
    scene.doubles.world().stored = None;
    assert_end(&scene.reconnect().await, StepOutcome::Unmet, "stores no session");
    assert!(scene.doubles.acts().is_empty());
    // Nobody asks the vendor, so its silence shows in the answer alone.
    let mut scene = Scene::with(|at| BackendAt { proof: None, ..at }).await;
    assert_end(&scene.reconnect().await, StepOutcome::Failed, "the vendor did not answer it");
    assert_eq!(scene.doubles.acts(), ["ensure"]);
}

#[tokio::test]
async fn a_reconnect_whose_answer_is_lost_is_not_sent_again() {
    let mut scene = Scene::start().await;
    scene.doubles.world().sessions.insert(16548, "expired");
    scene.doubles.world().loses = true;
    assert_end(&scene.reconnect().await, StepOutcome::Unknown, "502");
    assert_eq!(scene.doubles.acts(), ["ensure"]);
}

/// Trap 4: somebody else was quicker.
#[tokio::test]
async fn a_session_that_somebody_replaced_is_left_alone() {
    let mut scene = Scene::start().await;
    assert_end(&scene.run(PROVE).await, StepOutcome::Done, "");
    scene.doubles.world().stored = Some(16600);
    assert_end(&scene.run(DELETE).await, StepOutcome::Failed, "was session 16548, and is 16600");
    assert!(scene.doubles.acts().is_empty());
    assert_end(&scene.answer(DELETE, Act::Check).await.end, StepOutcome::Failed, "somebody replaced");
    // What is there is taken, and no other one is made beside it.
    let ensured = scene.answer(ENSURE, Act::Do).await;
    assert_end(&ensured.end, StepOutcome::Done, "16600 takes the place of 16548");
    assert_eq!(ensured.adopted, Some(scene.adopted("16548", "16600")));
    assert!(scene.doubles.acts().is_empty());
}

#[tokio::test]
async fn a_deletion_says_what_it_deleted() {
    let mut scene = Scene::start().await;
    assert_end(&scene.run(PROVE).await, StepOutcome::Done, "");
    scene.doubles.world().meanwhile = Some(16600);
    assert_end(&scene.run(DELETE).await, StepOutcome::Failed, "was session 16548, and is 16600");
}

#[tokio::test]
async fn what_is_deleted_already_is_done() {
    let mut scene = Scene::start().await;
    assert_end(&scene.run(PROVE).await, StepOutcome::Done, "");
    scene.doubles.world().stored = None;
    assert_end(&scene.run(DELETE).await, StepOutcome::Done, "forgotten the session already");
    assert_end(&scene.answer(DELETE, Act::Check).await.end, StepOutcome::Done, "");
    assert!(scene.doubles.acts().is_empty());
    scene.doubles.world().stored = Some(16548);
    assert_end(&scene.answer(DELETE, Act::Check).await.end, StepOutcome::Unmet, "still stores session 16548");
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_looked_after() {
    let mut scene = Scene::start().await;
    assert_end(&scene.run(PROVE).await, StepOutcome::Done, "");
    scene.doubles.world().loses = true;
    assert_end(&scene.run(DELETE).await, StepOutcome::Done, "though its answer was lost");
    assert_eq!(scene.doubles.acts(), ["delete"]);
}

#[tokio::test]
async fn nothing_is_deleted_without_a_proof_of_this_attempt() {
    let mut scene = Scene::start().await;
    assert_end(&scene.run(DELETE).await, StepOutcome::Unmet, "begin anew");
    assert!(scene.doubles.acts().is_empty());
}

/// Trap 5: asked twice, the backend makes two.
#[tokio::test]
async fn a_new_session_is_asked_for_once() {
    let mut scene = Scene::start().await;
    scene.run(PROVE).await;
    scene.run(DELETE).await;
    scene.doubles.world().loses = true;
    let ensured = scene.answer(ENSURE, Act::Do).await;
    assert_end(&ensured.end, StepOutcome::Done, "16549 takes the place of 16548");
    assert_eq!(ensured.adopted, Some(scene.adopted("16548", "16549")));
    assert_eq!(scene.doubles.acts(), ["delete", "ensure"]);
}

#[tokio::test]
async fn after_a_crash_what_is_there_is_adopted() {
    let mut scene = Scene::start().await;
    scene.run(PROVE).await;
    scene.run(DELETE).await;
    scene.run(ENSURE).await;
    scene.crash();
    let checked = scene.answer(ENSURE, Act::Check).await;
    assert_end(&checked.end, StepOutcome::Done, "was there already");
    assert_eq!(checked.adopted, Some(scene.adopted("16548", "16549")));
    let again = scene.answer(ENSURE, Act::Do).await;
    assert_eq!(again.adopted, Some(scene.adopted("16548", "16549")));
    assert_eq!(scene.doubles.acts(), ["delete", "ensure"]);
}

#[tokio::test]
async fn after_a_crash_what_was_asked_for_is_waited_for() {
    let mut scene = Scene::start().await;
    scene.run(PROVE).await;
    scene.run(DELETE).await;
    scene.run(ENSURE).await;
    scene.crash();
    // The backend is still at it, and ends it a moment later.
    scene.doubles.world().stored = None;
    let late = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.doubles.world().stored = Some(16549);
    };
    scene.bench.remedies.run(StepOrder { index: ENSURE, ..order(Act::Do) });
    late.await;
    let answer = tokio::time::timeout(PATIENCE, scene.bench.answers.recv()).await.unwrap().unwrap();
    assert_eq!(answer.adopted, Some(scene.adopted("16548", "16549")));
    assert_eq!(scene.doubles.acts(), ["delete", "ensure"]);
}

#[tokio::test]
async fn a_session_that_cannot_be_made_says_why() {
    let mut scene = Scene::start().await;
    scene.run(PROVE).await;
    scene.run(DELETE).await;
    scene.doubles.world().health = Health::Page(502);
    assert_end(&scene.run(ENSURE).await, StepOutcome::Failed, "the vendor answered it 403");
    // Nothing can come of that any more: it is asked for anew at once.
    scene.doubles.world().health = Health::Well;
    assert_end(&scene.run(ENSURE).await, StepOutcome::Done, "16549");
    fs::write(scene.bench.path("phone"), "0049 151").unwrap();
    scene.doubles.world().stored = None;
    assert_end(&scene.run(ENSURE).await, StepOutcome::Failed, "phone holds no number");
}

/// Trap 6: the vendor's silence takes the backend its time.
#[tokio::test]
async fn a_backend_that_hangs_is_not_taken_for_one_that_forgot() {
    let mut scene = Scene::with(|at| BackendAt { url: format!("{}/api/whatsapp-sessions?", at.vendor), ..at }).await;
    scene.doubles.world().health = Health::Hangs;
    assert_end(&scene.run(PROVE).await, StepOutcome::Unmet, "the backend does not answer");
    scene.doubles.world().health = Health::Page(504);
    assert_end(&scene.run(PROVE).await, StepOutcome::Unmet, "the backend answered 504");
    assert_end(&scene.answer(ENSURE, Act::Check).await.end, StepOutcome::Unknown, "begin anew");
}

#[tokio::test]
async fn a_token_that_ended_is_not_sent() {
    let now: wa_watchdog::engine::Wall = "2026-02-04T09:00:00Z".parse().unwrap();
    let seconds = now.millis() / 1000;
    for (payload, is_sent) in [
        (format!("{{\"exp\":{}}}", seconds - 3600), false),
        (format!("{{\"exp\":{}.5}}", seconds + 59), false),
        (format!("{{\"exp\":{}.0}}", seconds + 61), true),
        ("{\"userId\":1}".to_owned(), true),
    ] {
        let mut scene = Scene::start().await;
        fs::write(scene.bench.path("jwt"), format!("Bearer {}\n", jwt(&payload))).unwrap();
        let end = scene.run(PROVE).await;
        let outcome = if is_sent { StepOutcome::Done } else { StepOutcome::Unmet };
        assert_end(&end, outcome, if is_sent { "" } else { "put the new token there" });
        assert_eq!(scene.doubles.world().tokens.is_empty(), !is_sent, "{payload}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_read_once_more() {
    let mut scene = Scene::start().await;
    scene.doubles.world().jwt = Some("the-new-one".to_owned());
    assert_end(&scene.run(PROVE).await, StepOutcome::Unmet, "jwt (401)");
    assert_eq!(scene.doubles.world().tokens.len(), 2);
    fs::write(scene.bench.path("jwt"), "the-new-one").unwrap();
    assert_end(&scene.run(PROVE).await, StepOutcome::Done, "");
}
