//! The pages for people: what they show, and what they never hold.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use wa_watchdog::engine::ledger::Seq;
use wa_watchdog::engine::moment::Moment;
use wa_watchdog::engine::policy::Policy;
use wa_watchdog::engine::sample::Word;
use wa_watchdog::engine::snapshot::{CareView, HandOffView, PauseView, Snapshot, TargetView};
use wa_watchdog::engine::target::TargetId;
use wa_watchdog::engine::{Input, Watchdog};
use wa_watchdog::web::SNAPSHOT_AGE_MAX;

use crate::made_up;
use crate::server::{Server, send};

/// What a page of a thousand sessions may weigh.
const THOUSAND_BYTES_MAX: usize = 560_000;
/// The same, packed.
const THOUSAND_PACKED_BYTES_MAX: usize = 60_000;

#[tokio::test]
async fn the_first_page_links_to_every_route() {
    let server = Server::start().await;
    let page = server.get("/").await.body;
    for path in ["/metrics", "/-/healthy", "/-/ready", "/api/v1/status", "/api/v1/targets", "/api/v1/incidents"] {
        assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
    }
    assert!(page.contains("/-/reload") && page.contains("1 of 3 sessions failing"), "{page}");
}

#[tokio::test]
async fn a_page_loads_its_own_stylesheet_and_script_and_nothing_else() {
    let server = Server::start().await;
    for path in ["/", "/targets/shop", "/targets/shop/order/reset", "/sign-in"] {
        let page = server.get(path).await;
        let policy = page.header("content-security-policy");
        for part in
            ["default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        // Nothing that this policy would forbid, and nothing from elsewhere.
        for part in ["<style", " style=", "<script>", "javascript:", " onclick=", " onload=", "src=\"http", "<iframe"] {
            assert!(!page.body.contains(part), "{part} in {path}");
        }
        let assets: Vec<&str> = page
            .body
            .split(['"', ' '])
            .filter(|part| part.starts_with("/style.css") || part.starts_with("/live.js"))
            .collect();
        let is_live = page.body.contains("data-feed");
        assert_eq!(assets.len(), if is_live { 2 } else { 1 }, "{path}: {assets:?}");
        for asset in assets {
            let got = server.get(asset).await;
            assert_eq!(
                (got.status.as_u16(), got.header("cache-control")),
                (200, "public, max-age=31536000, immutable"),
                "{asset}"
            );
        }
    }
}

#[tokio::test]
async fn a_stylesheet_that_did_not_change_is_not_sent_again() {
    let server = Server::start().await;
    for (path, kind) in [("/style.css", "text/css; charset=utf-8"), ("/live.js", "text/javascript; charset=utf-8")] {
        let first = server.get(path).await;
        assert_eq!((first.header("content-type"), first.header("cache-control")), (kind, "no-cache"));
        let tag = first.header("etag").to_owned();
        let again = send(server.request(reqwest::Method::GET, path).header("if-none-match", tag)).await;
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    }
}

#[tokio::test]
async fn the_first_page_shows_what_holds_for_all_and_what_waits_for_a_person() {
    let server = Server::start().await;
    let page = server.get("/").await.body;
    let said = [
        "All sessions are paused</strong> by ana",
        "deploy of &#60;gateway&#62;",
        "A storm is on",
        "A network path is down.</strong> The network path whatsapp is down (time-out); what needs it is left alone until it is back.",
        "data-handoff=\"shop\"",
        "Scan the QR code",
        "data-left>09:02:30</time>",
        "/targets/shop/order/approve?attempt=19c2a6f0fff",
        "every remedy that fits was tried, and &#60;none&#62; helped",
        "stop → quarantine → start",
        "<b>state_loop</b> seen twice within 60 s; the limit is 2",
        "<b>memory_pressure</b> 93 % of the limit for 2 min of 5 min",
        "mode is approve: a person must release it",
        "resets weekly",
        "did not help",
        "The ledger fails.</strong> 1 entry could not be written since the start",
    ];
    assert_says(&page, &said);
    server.snapshot.send_replace(Arc::new(Snapshot::default()));
    let empty = server.get("/").await.body;
    assert!(empty.contains("0 of 0 sessions failing") && empty.contains("No session fits."), "{empty}");
    assert!(!empty.contains("A storm is on") && !empty.contains("A person with the phone"));
}

#[tokio::test]
async fn the_worst_stand_first() {
    let server = Server::start().await;
    let order = |page: &str| -> Vec<String> {
        page.split("data-target=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    assert_eq!(order(&server.get("/").await.body), ["shop", "new", "atelier"]);
    assert_eq!(order(&server.get("/?show=failing").await.body), ["shop"]);
    assert_eq!(order(&server.get("/?show=unwell").await.body), ["shop"]);
    assert_eq!(order(&server.get("/?show=suspect").await.body), [""; 0]);
    assert_eq!(order(&server.get("/?show=healthy").await.body), ["atelier"]);
    assert_eq!(order(&server.get("/?show=waiting").await.body), ["shop"]);
    assert_eq!(order(&server.get("/?q=E&show=all").await.body), ["new", "atelier"]);
    let odd = server.get("/?q=%22%3E%3Cb%3E&show=nonsense").await.body;
    assert!(order(&odd).is_empty() && odd.contains("value=\"&#34;&#62;&#60;b&#62;\""), "{odd}");
}

#[tokio::test]
async fn what_a_gateway_wrote_is_text_and_nothing_else() {
    let server = Server::start().await;
    for path in ["/", "/targets/shop"] {
        let page = server.get(path).await.body;
        assert!(page.contains("OPENING &#34;&#60;b&#62;&#34;") && !page.contains("<b>\""), "{path}");
    }
    let evil = "</script><img src=x onerror=alert(1)>";
    let mut snapshot = made_up::snapshot();
    for view in &mut snapshot.targets {
        let runs = view.timeline.iter().cloned().map(|mut run| {
            run.word = Some(Word::new(evil));
            run
        });
        let runs: Vec<_> = runs.collect();
        *view = Arc::new(TargetView {
            word: Some(Word::new(evil)),
            version: Some(Word::new(evil)),
            image: Some(Word::new(evil)),
            health: Some(Word::new(evil)),
            timeline: runs.clone(),
            log: runs,
            ..TargetView::clone(view)
        });
    }
    server.snapshot.send_replace(Arc::new(snapshot));
    let escaped = "&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;";
    for (path, times) in [("/", 3), ("/targets/shop", 4), ("/targets/shop/order/reset", 0)] {
        let page = server.get(path).await.body;
        assert!(!page.contains("<img"), "{path}");
        assert!(times <= page.matches(escaped).count(), "it is shown as text in {path}");
    }
}

#[tokio::test]
async fn the_page_of_a_session_tells_everything() {
    let server = Server::start().await;
    let page = server.get("/targets/shop").await.body;
    let said = [
        "<meter min=\"0\" max=\"536870912\" value=\"503316480\"",
        "480 MiB of 512 MiB, 93 %",
        "State changed to: TIMEOUT",
        "2.4.1",
        "weekly: something else is wrong",
        "mode is approve: it asks, and a person releases each attempt",
        "restart, attempts left",
        "/targets/shop/order/resume",
        "/targets/shop/order/restart",
        "/targets/shop/order/reset",
        "/targets/shop/order/ack",
        "quarantine",
        "exit code 0",
        "Last 24 h: failing",
        "Killed for memory</dt><dd>1 time</dd>",
    ];
    assert_says(&page, &said);
    assert!(!page.contains("/targets/shop/order/reconnect"), "there is no hook for it");
    let new = server.get("/targets/new").await.body;
    assert!(new.contains("not heard of yet") && new.contains("/targets/new/order/pause"), "{new}");
    server.get("/targets/nobody").await.error(404);
    server.get("/targets/shop/order/nonsense").await.error(404);
    server.get("/targets/nobody/order/reset").await.error(404);
    server.get("/order/reset").await.error(404);
}

#[tokio::test]
async fn the_page_of_a_session_says_what_holds_for_all_of_them_and_for_itself() {
    let server = Server::start().await;
    let mut snapshot = made_up::snapshot();
    for view in &mut snapshot.targets {
        let own = PauseView { reason: Word::new("its own reason"), all: false, ..snapshot.pause.clone().expect("one") };
        let care = CareView { pause: Some(own), ..CareView::clone(&view.care) };
        *view = Arc::new(TargetView { care: Arc::new(care), ..TargetView::clone(view) });
    }
    server.snapshot.send_replace(Arc::new(snapshot.clone()));
    server.set_clock(i64::try_from(SNAPSHOT_AGE_MAX.as_millis()).expect("a short time") + 1000);
    let page = server.get("/targets/atelier").await.body;
    let said = [
        "The watchdog itself is stuck.</strong> What is shown here is 1 min 1 s old.",
        "A storm is on",
        "A network path is down",
        "All sessions are paused</strong> by ana until",
        "Paused</strong> by ana until",
        "its own reason",
        "The ledger fails",
    ];
    assert_says(&page, &said);
    let all = server.get("/").await.body;
    assert!(!all.contains("its own reason"), "{all}");
    server.set_clock(0);
    server.snapshot.send_replace(Arc::new(Snapshot { ledger_fails: false, ..snapshot }));
    let page = server.get("/targets/atelier").await.body;
    assert!(!page.contains("is stuck") && !page.contains("The ledger fails"), "{page}");
}

#[test]
fn a_ledger_fails_until_it_writes_again() {
    let now = Moment { uptime: Duration::ZERO, wall: made_up::ago(0) };
    let mut watchdog = Watchdog::restore(Policy::default(), &[], now);
    assert!(!watchdog.snapshot(now).ledger_fails);
    watchdog.handle(now, Input::RecordFailed(Seq(98)));
    assert!(watchdog.snapshot(now).ledger_fails);
    watchdog.handle(now, Input::Recorded(Seq(99)));
    let snapshot = watchdog.snapshot(now);
    assert_eq!((snapshot.ledger_fails, snapshot.ledger_errors), (false, 1));
}

#[tokio::test]
async fn a_refusal_is_told_once() {
    let server = Server::start().await;
    let shown = async |change: fn(&mut CareView)| {
        let mut snapshot = made_up::snapshot();
        for view in snapshot.targets.iter_mut().filter(|view| view.target.as_str() == "shop") {
            let mut care =
                CareView { proposal: None, hand_off: None, needs_person: None, ..CareView::clone(&view.care) };
            change(&mut care);
            *view = Arc::new(TargetView { care: Arc::new(care), ..TargetView::clone(view) });
        }
        server.snapshot.send_replace(Arc::new(snapshot));
        server.get("/?show=failing").await.body
    };
    let page = shown(|_| {}).await;
    assert_eq!((page.matches("held back").count(), page.matches("class=pending").count()), (1, 0), "{page}");
    let page = shown(|care| care.needs_person = Some("it does not help".to_owned())).await;
    assert_eq!((page.matches("held back").count(), page.matches("class=pending").count()), (1, 1), "{page}");
    let page = shown(|care| care.refused.clear()).await;
    assert_eq!((page.matches("held back").count(), page.matches("class=pending").count()), (0, 0), "{page}");
}

#[tokio::test]
async fn much_that_happened_and_waits_is_counted_and_not_shown() {
    let server = Server::start().await;
    let mut snapshot = made_up::fleet(50);
    let incidents: Vec<_> = snapshot.incidents.iter().cycle().take(50).cloned().collect();
    snapshot.incidents = incidents;
    server.snapshot.send_replace(Arc::new(snapshot));
    let page = server.get("/").await.body;
    for (what, shown) in [("data-handoff=", 12), ("data-proposal=", 12), ("data-attempt=", 10), ("data-incident=", 20)]
    {
        assert_eq!(page.matches(what).count(), shown, "{what}");
    }
    assert_eq!(page.matches("<tr role=row data-target=").count(), 50, "the rows have all of them");
    assert_eq!(page.matches("and 38 more: see the sessions below").count(), 2, "{page}");
    assert_says(&page, &["and 40 more: <a href=\"/api/v1/attempts\">", "and 30 more: <a href=\"/api/v1/incidents\">"]);
}

#[tokio::test]
async fn codes_that_have_ended_are_said_to_have_ended() {
    let server = Server::start().await;
    let mut snapshot = made_up::snapshot();
    for view in &mut snapshot.targets {
        let Some(hand_off) = view.care.hand_off.as_deref() else { continue };
        let hand_off = HandOffView { deadline: None, ..hand_off.clone() };
        let care = CareView { hand_off: Some(Arc::new(hand_off)), ..CareView::clone(&view.care) };
        *view = Arc::new(TargetView { care: Arc::new(care), ..TargetView::clone(view) });
    }
    server.snapshot.send_replace(Arc::new(snapshot));
    let page = server.get("/").await.body;
    assert_says(&page, &["The codes that were shown have ended; a new one is waited for, until then."]);
}

#[tokio::test]
async fn a_page_of_a_thousand_sessions_stays_small() {
    let server = Server::start().await;
    server.snapshot.send_replace(Arc::new(made_up::fleet(1000)));
    let plain = server.get("/").await.body;
    assert_eq!(plain.matches("<tr role=row data-target=").count(), 1000);
    let request = server.request(reqwest::Method::GET, "/").header("accept-encoding", "gzip, deflate, br");
    let answer = request.send().await.expect("it answers");
    assert_eq!(
        (&answer.headers()["content-encoding"], &answer.headers()["vary"]),
        (&"gzip".parse().expect("a value"), &"accept-encoding".parse().expect("a value"))
    );
    let packed = answer.bytes().await.expect("it is whole");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_ref()).read_to_string(&mut text).expect("it unpacks");
    assert_eq!(text.matches("<tr role=row data-target=").count(), 1000);
    assert!(plain.len() < 2 * THOUSAND_BYTES_MAX, "all of them failing: {} bytes", plain.len());
    assert!(packed.len() < THOUSAND_PACKED_BYTES_MAX, "{} bytes", packed.len());
    server.snapshot.send_replace(Arc::new(well_fleet(1000)));
    let well = server.get("/").await.body;
    assert!(well.len() < THOUSAND_BYTES_MAX, "{} bytes", well.len());
}

/// Asserts that a page says all of this. A template may break a line between words.
fn assert_says(page: &str, said: &[&str]) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<&str>>().join(" ");
    let page = words(page);
    for said in said {
        assert!(page.contains(&words(said)), "{said} in {page}");
    }
}

/// Returns a fleet of so many targets, of which one in a hundred fails and the rest is well.
fn well_fleet(size: u32) -> Snapshot {
    let made_up = made_up::snapshot();
    let [fails, well] = ["shop", "atelier"].map(|name| TargetView::clone(made_up.target(name).expect("it is there")));
    let named = |number: u32| {
        let view = if number.is_multiple_of(100) { &fails } else { &well };
        let target = TargetId::new(&format!("session-{number:04}")).expect("a good name");
        Arc::new(TargetView { target, ..TargetView::clone(view) })
    };
    Snapshot { targets: (0..size).map(named).collect(), ..made_up::fleet(0) }
}
