//! What is pushed: who may, what becomes of it, and that nothing of a secret stays.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, RequestBuilder};
use sha2::Sha512;
use tempfile::TempDir;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use wa_watchdog::config::{self, Alertmanager, Secret, Settings};
use wa_watchdog::engine::Sample;
use wa_watchdog::engine::sample::{Alert, SessionState, Word};
use wa_watchdog::recording::{Came, Raw};
use wa_watchdog::web::{HOOK_BYTES_MAX, LOG_LINES_MAX, Push};

use crate::made_up;
use crate::server::{PUSHES_MAX, Reply, Server, send};

const SECRET: &str = "s3cret-of-the-shop";
const WASENDER: &str = r#"{"event":"session.status","sessionId":"k3y-of-the-session","data":{"status":"connected"}}"#;
const QR: &str = r#"{"event":"qrcode.updated","sessionId":"k3y-of-the-session","data":{"qr":"2@c0de-to-scan"}}"#;
const WAHA: &str = r#"{"event":"session.status","session":"default","payload":{"status":"WORKING"}}"#;
const EVOLUTION: &str = r#"{"event":"connection.update","instance":"shop","apikey":"k3y-of-the-session","data":{"instance":"shop","state":"open","statusReason":200}}"#;
const ALERTS: &str = r#"{"version":"4","status":"firing","alerts":[
    {"status":"firing","labels":{"alertname":"Down","target":"shop"}},
    {"status":"resolved","labels":{"alertname":"Slow","target":"waha"}},
    {"status":"firing","labels":{"alertname":"Other","target":"nobody"}}]}"#;

/// A server with a target for each gateway.
struct Pushed {
    server: Server,
    file: PathBuf,
    _folder: TempDir,
}

impl Pushed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, format!("{SECRET}\n")).expect("a file");
        let server = Server::start().await;
        let settings = settings(&folder);
        server.targets.send_replace(Arc::new(settings.targets));
        server.alertmanager.send_replace(settings.alertmanager);
        Self { server, file, _folder: folder }
    }

    fn to(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.server.request(Method::POST, path).body(body.into())
    }

    /// The one push that waits.
    fn one(&mut self) -> Push {
        let push = self.server.pushes.try_recv().expect("a push");
        assert!(self.server.pushes.try_recv().is_err(), "and no other");
        push
    }

    fn none(&mut self) {
        assert!(self.server.pushes.try_recv().is_err(), "nothing was taken");
    }

    fn count(&self, kind: &'static str, outcome: &'static str) -> u64 {
        self.server.inflow.counts()[&(kind, outcome)]
    }
}

fn settings(folder: &TempDir) -> Settings {
    let target = |name: &str, dialect: &str, more: &str| {
        format!(
            "[target.{name}]\ndialect = \"{dialect}\"\nurl = \"http://127.0.0.1:9/{name}\"\n{more}\n[target.{name}.inbound]\nsecret_file = \"secret\"\n"
        )
    };
    let text = [
        "[alertmanager]\ntoken_file = \"secret\"\n".to_owned(),
        target("shop", "wasender", "session = 16548"),
        target("waha", "waha", "session = \"default\""),
        target("evo", "evolution", "session = \"shop\""),
        target("own", "whatsapp-service", ""),
        "rate_max = 3\n[target.bare]\ndialect = \"whatsapp-service\"\nurl = \"http://127.0.0.1:9/bare\"\n".to_owned(),
    ];
    config::parse(&text.concat(), "f", folder.path(), &BTreeMap::new()).expect("a sound configuration")
}

/// Signs a body as WAHA does.
pub(crate) fn hmac(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes it");
        text
    })
}

/// A right push of each kind.
fn right(pushed: &Pushed) -> Vec<(&'static str, RequestBuilder)> {
    let bearer = format!("Bearer {SECRET}");
    vec![
        ("wasender", pushed.to("/hooks/wasender/shop", WASENDER).header("x-webhook-signature", SECRET)),
        ("wasender", pushed.to("/hooks/wasender/shop", QR).header("x-webhook-signature", SECRET)),
        ("waha", pushed.to("/hooks/waha/waha", WAHA).header("x-webhook-hmac", hmac(SECRET, WAHA))),
        ("evolution", pushed.to("/hooks/evolution/evo", EVOLUTION).header("apikey", SECRET)),
        ("evolution", pushed.to("/hooks/evolution/evo", EVOLUTION).header("authorization", &bearer)),
        ("plain", pushed.to("/hooks/plain/own", r#"{"connected":true}"#).header("authorization", &bearer)),
        ("activity", pushed.to("/api/v1/targets/shop/activity", "").header("authorization", &bearer)),
        ("log", pushed.to("/api/v1/targets/shop/log", "status_change logged_out").header("authorization", &bearer)),
        ("alertmanager", pushed.to("/hooks/alertmanager", ALERTS).header("authorization", &bearer)),
    ]
}

/// The same without the secret, with another one, with one that is nearly right, and with it in the wrong place.
fn wrong(pushed: &Pushed) -> Vec<(&'static str, RequestBuilder)> {
    let paths = [
        ("wasender", "/hooks/wasender/shop", WASENDER),
        ("waha", "/hooks/waha/waha", WAHA),
        ("evolution", "/hooks/evolution/evo", EVOLUTION),
        ("plain", "/hooks/plain/own", r#"{"connected":true}"#),
        ("activity", "/api/v1/targets/shop/activity", ""),
        ("log", "/api/v1/targets/shop/log", "status_change logged_out"),
        ("alertmanager", "/hooks/alertmanager", ALERTS),
    ];
    let mut requests = Vec::new();
    for (kind, path, body) in paths {
        requests.push((kind, pushed.to(path, body)));
        for given in ["guessed-s3cret", SECRET.trim_start_matches('s'), &format!("{SECRET}x")] {
            let request = pushed.to(path, body).header("x-webhook-signature", given).header("apikey", given);
            requests.push((kind, request.bearer_auth(given).header("x-webhook-hmac", hmac(given, body))));
        }
        // Signed, but another body; and the secret itself where a signature is wanted.
        requests.push((kind, pushed.to(path, body).header("x-webhook-hmac", hmac(SECRET, "another body"))));
        requests.push((kind, pushed.to(path, body).header("x-webhook-hmac", SECRET)));
        requests.push((kind, pushed.to(path, body).header("x-api-key", SECRET)));
    }
    requests
}

async fn taken(pushed: &mut Pushed, request: RequestBuilder) -> Push {
    let reply = send(request).await;
    assert_eq!((reply.status.as_u16(), reply.json()["taken"].as_u64()), (202, Some(1)), "{reply:?}");
    pushed.one()
}

#[tokio::test]
async fn whoever_knows_the_secret_pushes() {
    let mut pushed = Pushed::start().await;
    let mut states = Vec::new();
    for (kind, request) in right(&pushed) {
        if kind == "alertmanager" {
            let reply = send(request).await;
            assert_eq!((reply.status.as_u16(), reply.json()["taken"].as_u64()), (202, Some(2)));
            continue;
        }
        let push = taken(&mut pushed, request).await;
        assert_eq!(push.kind.as_str(), kind);
        states.push(match (&push.news.sample, &push.news.raw) {
            (Sample::Pushed(answer), Raw::Pushed(_)) => answer.state.as_str().to_owned(),
            (Sample::Activity(count), Raw::Activity(same)) if count == same => format!("{count} message"),
            (Sample::Signal(signal), Raw::Log(line)) => format!("{line}: {}", signal.state),
            (sample, raw) => format!("{sample:?} is not {raw:?}"),
        });
    }
    let log = "status_change logged_out: logged_out";
    let connected = "connected";
    assert_eq!(states, [connected, "needs_scan", connected, connected, connected, connected, "1 message", log]);
    let alerts: Vec<_> = std::iter::from_fn(|| pushed.server.pushes.try_recv().ok()).map(|push| push.news).collect();
    let alert = |name: &str, fires| Alert { name: Word::new(name), fires };
    assert_eq!(alerts[0].sample, Sample::Alert(alert("Down", true)));
    assert_eq!((alerts[1].target.as_str(), &alerts[1].raw), ("waha", &Raw::Alert(alert("Slow", false))));
    assert_eq!(pushed.count("alertmanager", "not_understood"), 1, "nobody is watched under the third name");
}

#[tokio::test]
async fn nobody_else_does() {
    let mut pushed = Pushed::start().await;
    let requests = wrong(&pushed);
    let count = requests.len();
    let mut hints = Vec::new();
    for (kind, request) in requests {
        let reply = send(request).await;
        assert_eq!(reply.error(401), "this does not show the secret", "{kind}");
        assert!(!reply.body.contains("s3cret"), "{}", reply.body);
        hints.push((kind, reply.body));
    }
    pushed.none();
    let refused: u64 =
        pushed.server.inflow.counts().iter().filter(|((_, why), _)| *why == "refused").map(|(_, n)| n).sum();
    assert_eq!(usize::try_from(refused), Ok(count));
    hints.dedup();
    assert_eq!(hints.len(), 7, "what was wrong is not told: {hints:#?}");
}

#[tokio::test]
async fn a_page_that_somebody_has_open_cannot_push() {
    let mut pushed = Pushed::start().await;
    for (_, request) in wrong(&pushed).into_iter().take(2) {
        send(request.header("origin", "https://evil.example")).await.error(401);
    }
    // What a browser asks before it sends a header of that kind.
    let asked = pushed.server.request(Method::OPTIONS, "/hooks/wasender/shop").header("origin", "https://evil.example");
    let reply = send(asked).await;
    assert_eq!((reply.error(405).is_empty(), reply.header("access-control-allow-origin")), (false, ""));
    pushed.none();
}

#[tokio::test]
async fn a_secret_is_changed_without_a_restart_and_without_a_gap() {
    let mut pushed = Pushed::start().await;
    let mut targets = pushed.server.targets.borrow().as_ref().clone();
    let mut shop = targets["shop"].as_ref().clone();
    let previous = pushed.file.with_file_name("previous");
    shop.senses.inbound.as_mut().expect("its section").previous = Some(Secret::File(previous.clone()));
    targets.insert(shop.id.clone(), Arc::new(shop));
    pushed.server.targets.send_replace(Arc::new(targets));
    let with = |pushed: &Pushed, secret: &str| {
        pushed.to("/hooks/wasender/shop", WASENDER).header("x-webhook-signature", secret)
    };
    let old = with(&pushed, SECRET);
    taken(&mut pushed, old).await;
    std::fs::write(&previous, SECRET).expect("a file");
    std::fs::write(&pushed.file, "another").expect("a file");
    for secret in [SECRET, "another"] {
        let request = with(&pushed, secret);
        taken(&mut pushed, request).await;
    }
    std::fs::remove_file(&previous).expect("it is there");
    send(with(&pushed, SECRET)).await.error(401);
    std::fs::remove_file(&pushed.file).expect("it is there");
    let reply = send(with(&pushed, "another")).await;
    assert_eq!(reply.error(503), "the secret cannot be read, so nothing is taken");
    assert_eq!(pushed.count("wasender", "refused"), 2);
}

#[tokio::test]
async fn without_a_section_nothing_may_be_pushed_and_unknown_names_are_a_404() {
    let mut pushed = Pushed::start().await;
    for path in
        ["/hooks/plain/bare", "/hooks/wasender/bare", "/api/v1/targets/bare/activity", "/api/v1/targets/bare/log"]
    {
        let reply = send(pushed.to(path, "{}").bearer_auth(SECRET)).await;
        assert_eq!(reply.error(403), "nothing may be pushed about this target", "{path}");
    }
    for path in ["/hooks/waha/nobody", "/api/v1/targets/nobody/activity", "/api/v1/targets/nobody/log"] {
        let reply = send(pushed.to(path, "{}").bearer_auth(SECRET)).await;
        assert_eq!(reply.error(404), "no target has this name", "{path}");
    }
    for path in
        ["/hooks", "/hooks/", "/hooks/other/shop", "/hooks/waha", "/hooks/alertmanager/shop", "/hooks/activity/shop"]
    {
        assert_eq!(send(pushed.to(path, "{}").bearer_auth(SECRET)).await.status, 404, "{path}");
    }
    pushed.server.alertmanager.send_replace(None);
    let reply = send(pushed.to("/hooks/alertmanager", ALERTS).bearer_auth(SECRET)).await;
    assert_eq!(reply.error(403), "alerts are not taken here");
    pushed.none();
}

#[tokio::test]
async fn only_post_pushes() {
    let mut pushed = Pushed::start().await;
    for path in [
        "/hooks/wasender/shop",
        "/hooks/plain/own",
        "/hooks/alertmanager",
        "/api/v1/targets/shop/activity",
        "/api/v1/targets/shop/log",
    ] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let reply = send(pushed.server.request(method, path).bearer_auth(SECRET)).await;
            assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "POST"), "{path}");
        }
    }
    pushed.none();
}

#[tokio::test]
async fn what_is_too_large_or_not_understood_is_said_and_counted() {
    let mut pushed = Pushed::start().await;
    let large = "x".repeat(HOOK_BYTES_MAX + 1);
    let to = |pushed: &Pushed, path: &str, body: &str| {
        let request = pushed.to(path, body.to_owned()).bearer_auth(SECRET).header("x-webhook-signature", SECRET);
        request.header("x-webhook-hmac", hmac(SECRET, body))
    };
    let paths = [
        "/hooks/wasender/shop",
        "/hooks/waha/waha",
        "/hooks/evolution/evo",
        "/hooks/alertmanager",
        "/api/v1/targets/shop/activity",
    ];
    for path in paths {
        assert_eq!(send(to(&pushed, path, &large)).await.status, 413, "{path}");
        for body in ["connected", "{\"event\":", "[]x"] {
            let reply = send(to(&pushed, path, body)).await;
            assert_eq!(reply.error(400), "the body is not understood", "{path} {body}");
        }
    }
    let lines = |pushed: &Pushed, body: &str| {
        to(pushed, "/api/v1/targets/shop/log", body).header("content-type", "application/json")
    };
    send(lines(&pushed, "not JSON")).await.error(400);
    // Well formed, and about something else: whoever sent it need not send it again.
    for (path, body) in [
        ("/hooks/wasender/shop", r#"{"event":"messages.upsert","data":{"status":"connected"}}"#),
        ("/hooks/wasender/shop", r#"{"event":"session.status","data":{"status":"gobbledygook"}}"#),
        ("/hooks/wasender/shop", r#"{"event":"session.status","data":{"status":"connected","session_id":99}}"#),
        ("/hooks/waha/waha", r#"{"event":"session.status","session":"other","payload":{"status":"WORKING"}}"#),
        ("/hooks/waha/waha", r#"{"event":"message","session":"default","payload":{}}"#),
        ("/hooks/evolution/evo", r#"{"event":"qrcode.updated","instance":"shop","data":{"qrcode":{"code":"2@x"}}}"#),
        ("/hooks/plain/own", "<html>Welcome</html>"),
        ("/hooks/plain/own", ""),
        // A webhook of one gateway about a session of another: its dialect does not know these words.
        ("/hooks/wasender/own", WASENDER),
    ] {
        let reply = send(to(&pushed, path, body)).await;
        assert_eq!((reply.status.as_u16(), reply.json()["taken"].as_u64()), (202, Some(0)), "{path} {body}");
        assert!(reply.json()["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
    }
    pushed.none();
    let counted: u64 =
        pushed.server.inflow.counts().iter().filter(|((_, why), _)| *why == "not_understood").map(|(_, n)| n).sum();
    assert_eq!(counted, 5 * 4 + 1 + 9);
}

#[tokio::test]
async fn an_empty_letter_of_alerts_is_taken_for_what_it_is() {
    let mut pushed = Pushed::start().await;
    let request = pushed.to("/hooks/alertmanager", r#"{"alerts":[],"more":1}"#).bearer_auth(SECRET);
    assert_eq!(send(request).await.status, 202);
    pushed.server.alertmanager.send_modify(|settings| {
        let token = settings.as_ref().expect("a section").token.clone();
        *settings = Some(Alertmanager { token, label: "instance".to_owned() });
    });
    let letter = ALERTS.replace("\"target\":", "\"instance\":");
    assert_eq!(send(pushed.to("/hooks/alertmanager", letter).bearer_auth(SECRET)).await.json()["taken"], 2);
    assert_eq!(pushed.server.pushes.try_recv().expect("a push").news.target.as_str(), "shop");
}

#[tokio::test]
async fn times_of_what_happened_go_along_and_late_messages_are_left_out() {
    let mut pushed = Pushed::start().await;
    let at = made_up::ago(20);
    let older =
        format!(r#"{{"event":"session.status","timestamp":{},"data":{{"status":"connecting"}}}}"#, at.millis() / 1000);
    let request = pushed.to("/hooks/wasender/shop", older).header("x-webhook-signature", SECRET);
    let push = taken(&mut pushed, request).await;
    assert_eq!(push.at, Some(at));
    let Sample::Pushed(answer) = push.news.sample else { panic!("not a status") };
    assert_eq!(answer.state, SessionState::Connecting);
    let tell = |pushed: &Pushed, ago| {
        let body = format!(r#"{{"count":4,"at":"{}"}}"#, made_up::ago(ago));
        pushed.to("/api/v1/targets/shop/activity", body).bearer_auth(SECRET)
    };
    let request = tell(&pushed, 299);
    assert_eq!(taken(&mut pushed, request).await.news.sample, Sample::Activity(4));
    let request = tell(&pushed, 301);
    assert_eq!(send(request).await.json()["taken"], 0);
    assert_eq!(pushed.count("activity", "outdated"), 1);
}

#[tokio::test]
async fn lines_of_a_log_are_read_up_to_a_limit_and_at_a_rate() {
    let mut pushed = Pushed::start().await;
    let log = |pushed: &Pushed, name: &str, body: String| {
        pushed.to(&format!("/api/v1/targets/{name}/log"), body).bearer_auth(SECRET)
    };
    let body = "status_change connected\nGET /health 200\nstatus_change expired\n".to_owned();
    assert_eq!(send(log(&pushed, "shop", body)).await.json()["taken"], 2);
    let states: Vec<_> = std::iter::from_fn(|| pushed.server.pushes.try_recv().ok())
        .filter_map(|push| if let Sample::Signal(signal) = push.news.sample { Some(signal.state) } else { None })
        .collect();
    assert_eq!(states, [SessionState::Connected, SessionState::Expired]);
    let json = r#"{"lines":["status_change connected","nothing"]}"#.to_owned();
    let request = log(&pushed, "shop", json).header("content-type", "application/json; charset=utf-8");
    taken(&mut pushed, request).await;
    // Beyond the limit of lines nothing is read, beyond the rate nothing is taken.
    let endless = "x\n".repeat(LOG_LINES_MAX) + "status_change connected\n";
    assert_eq!(send(log(&pushed, "shop", endless)).await.json()["taken"], 0);
    assert_eq!(pushed.count("log", "too_many"), 1);
    let loud = "State changed to: OPENING\nGET /status\nState changed to: CONFLICT\n".repeat(10);
    let reply = send(log(&pushed, "own", loud)).await;
    assert_eq!((reply.json()["taken"].as_u64(), pushed.count("log", "too_many")), (Some(3), 1 + 17));
    assert_eq!(send(log(&pushed, "own", "x".to_owned())).await.status, 429);
}

#[tokio::test]
async fn a_target_has_a_rate_and_the_queue_has_an_end() {
    let mut pushed = Pushed::start().await;
    let own = |pushed: &Pushed| pushed.to("/hooks/plain/own", r#"{"connected":true}"#).bearer_auth(SECRET);
    for _ in 0..3 {
        assert_eq!(send(own(&pushed)).await.status, 202);
    }
    let reply = send(own(&pushed)).await;
    assert_eq!((reply.error(429).is_empty(), reply.header("retry-after")), (false, "1"));
    // Whoever has not the secret uses none of it up, and the others have their own.
    for _ in 0..20 {
        send(pushed.to("/hooks/plain/own", "{}").bearer_auth("wrong")).await.error(401);
    }
    pushed.server.set_clock(1000);
    assert_eq!(send(own(&pushed)).await.status, 202);
    while pushed.server.pushes.len() < PUSHES_MAX {
        let message = pushed.to("/api/v1/targets/shop/activity", "").bearer_auth(SECRET);
        assert_eq!(send(message).await.status, 202);
    }
    let message = pushed.to("/api/v1/targets/shop/activity", "").bearer_auth(SECRET);
    let reply = send(message).await;
    assert_eq!(reply.error(503), "too much news waits already");
    assert_eq!((pushed.count("activity", "queue_full"), pushed.server.pushes.len()), (1, PUSHES_MAX));
    pushed.server.pushes.close();
    let message = pushed.to("/api/v1/targets/shop/activity", "").bearer_auth(SECRET);
    assert_eq!(send(message).await.error(503), "the watchdog is stopping");
}

#[tokio::test]
async fn neither_secret_nor_key_nor_code_is_ever_shown_or_kept() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_max_level(LevelFilter::TRACE).with_writer(log.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let mut pushed = Pushed::start().await;
    // Another test may have met this line of the log at the same moment, before anybody listened.
    send(pushed.to("/hooks/wasender/shop", WASENDER)).await.error(401);
    tracing::callsite::rebuild_interest_cache();
    let (mut shown, mut kept) = (String::new(), String::new());
    let requests: Vec<_> = right(&pushed).into_iter().chain(wrong(&pushed)).collect();
    for (_, request) in requests {
        let Reply { body, headers, .. } = send(request).await;
        write!(shown, "{body} {headers:?}").expect("a text takes it");
        while let Ok(push) = pushed.server.pushes.try_recv() {
            write!(shown, "{push:?}").expect("a text takes it");
            if let Raw::Pushed(call) = push.news.raw
                && let Came::Reply { body, .. } = call.came
            {
                kept.push_str(&String::from_utf8_lossy(&body));
            }
        }
    }
    for path in ["/", "/metrics", "/api/v1/targets", "/api/v1/targets/shop"] {
        shown.push_str(&pushed.server.get(path).await.body);
    }
    drop(guard);
    let log = log.text();
    assert!(log.contains("a push was not taken") && kept.contains("need_scan"), "{log} {kept}");
    for hidden in ["s3cret", "k3y-of", "c0de-to", &hmac(SECRET, WAHA)] {
        for text in [&log, &shown, &kept] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
    assert!(log.matches("a push was not taken").count() <= 10, "a flood of wrong ones fills no log");
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("nobody panics with it")).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
