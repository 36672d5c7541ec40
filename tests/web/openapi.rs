//! docs/openapi.json against the server. Beside this, every answer in the tests of this folder is compared with the document.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use regex::Regex;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use wa_watchdog::config::{self, Secret};
use wa_watchdog::engine::attempt::{AttemptId, Outcome};
use wa_watchdog::engine::command::CommandAnswer;
use wa_watchdog::engine::ladder::Remedy;
use wa_watchdog::engine::pattern::Pattern;
use wa_watchdog::engine::policy::Mode;
use wa_watchdog::engine::refusal::Refusal;
use wa_watchdog::engine::sample::SessionState;
use wa_watchdog::engine::snapshot::Grade;
use wa_watchdog::web::{BODY_BYTES_MAX, HOOK_BYTES_MAX, ReloadDone, SNAPSHOT_AGE_MAX};

use crate::inbound::hmac;
use crate::openapi_document::{Operation, is_for_people};
use crate::server::{DOCUMENT, Server, bounded, send};

const SECRET: &str = "s3cret";
/// What only a client that stops in the middle of its body sees; `limits` has it for one route.
const TOO_SLOW: u16 = 408;

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = |file: &str| std::fs::read_to_string(root.join(file)).expect(file);
    let words = |pattern: &str, text: &str| -> BTreeSet<String> {
        let regex = Regex::new(pattern).expect("a pattern");
        regex.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let route = source("src/web/route.rs");
    let mut routes = words(r#""(/[^"]*[a-z])" => Some"#, &route);
    routes.retain(|path| !is_for_people(path));
    let verbs = words(r#"\("([a-z]+)", Verb::"#, &source("src/web/order.rs"));
    routes.extend(verbs.iter().map(|verb| format!("/api/v1/targets/{{name}}/{verb}")));
    routes.extend(["pause", "resume"].map(|verb| format!("/api/v1/{verb}")));
    routes.extend(
        words(r#"Some\(\(name, "([a-z]+)"\)\)"#, &route).iter().map(|news| format!("/api/v1/targets/{{name}}/{news}")),
    );
    routes.extend(["wasender", "waha", "evolution", "plain"].map(|gateway| format!("/hooks/{gateway}/{{name}}")));
    routes.insert("/api/v1/targets/{name}".to_owned());
    let documented: BTreeSet<String> = DOCUMENT.operations().into_iter().map(|operation| operation.path).collect();
    assert_eq!(routes, documented);
    assert!(24 < routes.len());
    // The table that the code itself begins with names them too.
    let table = source("src/web.rs");
    for path in documented.iter().map(|path| path.replace("{name}", "NAME")) {
        let last = path.rsplit('/').next().expect("a last part");
        assert!(table.contains(&format!("`{path}`")) || table.contains(&format!("`{last}`")), "{path}");
    }
}

#[tokio::test]
async fn what_a_path_does_not_take_is_refused() {
    let server = Server::start().await;
    let paths: BTreeSet<String> = DOCUMENT.operations().into_iter().map(|operation| operation.path).collect();
    for path in paths {
        let path = path.replace("{name}", "shop");
        let documented: Vec<String> = DOCUMENT.at(&path).into_iter().map(|operation| operation.method).collect();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            if !documented.contains(&method.as_str().to_lowercase()) {
                let reply = send(server.request(method, &path)).await;
                assert_eq!(reply.status, 405, "{path}");
                let allowed = reply.header("allow").to_lowercase().replace("get, head", "get");
                assert_eq!(documented, [allowed], "{path}");
            }
        }
    }
}

#[test]
fn the_words_of_the_document_are_those_of_the_code() {
    let words = |name: &str| schema(name)["enum"].clone();
    assert_eq!(words("State"), json!(SessionState::ALL));
    assert_eq!(words("Pattern"), json!(Pattern::ALL));
    assert_eq!(words("Remedy"), json!(Remedy::ALL));
    assert_eq!(words("Mode"), json!(Mode::ALL));
    assert_eq!(words("Refusal"), json!(Refusal::ALL));
    assert_eq!(words("Outcome"), json!(Outcome::ALL));
    assert_eq!(words("Grade"), json!(Grade::ALL));
}

#[test]
fn every_example_is_what_its_schema_says() {
    let mut examples = 0;
    for operation in DOCUMENT.operations() {
        let body = &operation.value["requestBody"];
        for response in DOCUMENT.responses(&operation).values().chain([body]) {
            for (kind, content) in response["content"].as_object().into_iter().flatten() {
                let Some(example) = content.get("example") else { continue };
                let wrong = DOCUMENT.wrong(&content["schema"], example);
                assert!(wrong.is_empty(), "{} {kind}: {wrong:#?}", operation.path);
                examples += 1;
            }
        }
    }
    assert!(100 < examples, "{examples}");
}

#[test]
fn a_field_that_is_not_documented_is_found() {
    let taken = schema("Taken");
    assert_eq!(DOCUMENT.wrong(taken, &json!({ "taken": 1 })), [""; 0]);
    assert_eq!(DOCUMENT.wrong(taken, &json!({ "taken": 1, "zebra": 1 })).len(), 1);
    assert_eq!(DOCUMENT.wrong(taken, &json!({ "taken": "1" })).len(), 1);
}

/// Sends everything that the document says, and waits for each answer that it names. [`send`] compares.
#[tokio::test]
async fn every_documented_answer_is_given() {
    let mut answers = Answers::start().await;
    for operation in DOCUMENT.operations() {
        let tag = operation.value["tags"][0].as_str().expect("a tag").to_owned();
        let documented: BTreeSet<u16> = DOCUMENT.responses(&operation).into_keys().collect();
        for status in documented.into_iter().filter(|status| *status != TOO_SLOW) {
            let given = match (tag.as_str(), operation.path.as_str()) {
                (_, "/-/reload") => answers.reload(&operation, status).await,
                ("orders", _) => answers.order(&operation, status).await,
                ("pushes", _) => answers.push(&operation, status).await,
                ("read" | "watchdog", _) => answers.read(&operation, status).await,
                (tag, path) => panic!("{path}: nobody knows how to provoke answers of {tag}"),
            };
            assert_eq!(given, status, "{} {}", operation.method, operation.path);
        }
    }
}

/// A server that can be brought to any answer.
struct Answers {
    server: Server,
    folder: TempDir,
}

impl Answers {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("secret"), SECRET).expect("a file");
        let server = Server::start().await;
        let answers = Self { server, folder };
        answers.calm();
        answers
    }

    /// Puts everything as it was.
    fn calm(&self) {
        self.server.token.send_replace(None);
        let target = |(name, dialect, session): (&str, &str, &str)| {
            format!(
                "[target.{name}]\ndialect = \"{dialect}\"\nurl = \"http://127.0.0.1:9/{name}\"\n{session}\n\
                 [target.{name}.inbound]\nsecret_file = \"secret\"\nrate_max = 3\n"
            )
        };
        let targets = [
            ("shop", "whatsapp-service", ""),
            ("wasender", "wasender", "session = 16548"),
            ("waha", "waha", "session = \"default\""),
            ("evolution", "evolution", "session = \"shop\""),
        ];
        let mut text = targets.map(target).concat();
        text.push_str("[target.bare]\ndialect = \"whatsapp-service\"\nurl = \"http://127.0.0.1:9/bare\"\n");
        text.push_str("[alertmanager]\ntoken_file = \"secret\"\n");
        let settings = config::parse(&text, "f", self.folder.path(), &BTreeMap::new()).expect("a sound configuration");
        self.server.targets.send_replace(Arc::new(settings.targets));
        self.server.alertmanager.send_replace(settings.alertmanager);
    }

    fn secret(&self) -> Secret {
        Secret::File(self.folder.path().join("secret"))
    }

    async fn read(&self, operation: &Operation, status: u16) -> u16 {
        let path = operation.path.replace("{name}", if status == 404 { "nobody" } else { "shop" });
        let query = match status {
            400 => "?zebra=1",
            404 if !operation.path.contains("{name}") => "?target=nobody",
            _ => "",
        };
        if status == 200 {
            self.server.ready.open();
        }
        let late = i64::try_from(SNAPSHOT_AGE_MAX.as_millis()).expect("a short time") + 1000;
        match (operation.path.as_str(), status) {
            ("/-/healthy", 503) => {
                self.server.set_clock(late);
                let given = self.server.get(&path).await.status.as_u16();
                self.server.set_clock(0);
                given
            }
            ("/-/ready", 503) => Server::start().await.get(&path).await.status.as_u16(),
            ("/metrics", 500) => {
                let broken = Server::rendering(|_| panic!("this test breaks the rendering")).await;
                broken.get(&path).await.status.as_u16()
            }
            _ => self.server.get(&format!("{path}{query}")).await.status.as_u16(),
        }
    }

    async fn reload(&mut self, operation: &Operation, status: u16) -> u16 {
        let request = self.server.request(Method::POST, &operation.path);
        let done = match status {
            200 => Ok(ReloadDone { targets: 3, needs_restart: vec!["server.listen".to_owned()] }),
            400 => Err(vec!["watchdog.toml:4: target.shop.url: is missing".to_owned()]),
            _ => return self.denied(request, status).await,
        };
        let reloads = &mut self.server.reloads;
        let driver = async {
            let order = bounded(reloads.recv()).await.expect("an order");
            order.answer.send(done).expect("somebody waits");
        };
        tokio::join!(send(request), driver).0.status.as_u16()
    }

    async fn order(&mut self, operation: &Operation, status: u16) -> u16 {
        let path = operation.path.replace("{name}", if status == 404 { "nobody" } else { "shop" });
        let request = self.server.request(Method::POST, &path);
        let with_example = request.try_clone().expect("no body").body(example(operation).to_string());
        let attempt = (status == 202).then_some(AttemptId(0x19c));
        let answer = match status {
            200 | 202 => CommandAnswer::Accepted { what: "it is done".to_owned(), attempt },
            409 => CommandAnswer::Refused { why: "no_hook: no hook is configured".to_owned() },
            400 => return send(request.body("{}")).await.status.as_u16(),
            404 => return send(with_example).await.status.as_u16(),
            _ => return self.denied(request, status).await,
        };
        tokio::join!(send(with_example), self.server.drive(answer)).0.status.as_u16()
    }

    /// What an order gets that nobody may give.
    async fn denied(&mut self, request: RequestBuilder, status: u16) -> u16 {
        let again = |request: &RequestBuilder| request.try_clone().expect("no body");
        let given = match status {
            403 => send(request.header("host", "evil.example")).await.status,
            413 => send(request.body("x".repeat(BODY_BYTES_MAX + 1))).await.status,
            401 | 429 | 503 => {
                let secret = if status == 503 { Secret::File("/nowhere/token".into()) } else { self.secret() };
                self.server.token.send_replace(Some(secret));
                // The clock stands still: so many in one second are told, the others are too many.
                self.server.set_clock(i64::from(status) * 1000 + self.server.now_after_snapshot());
                let mut reply = send(again(&request).bearer_auth("wrong")).await;
                for _ in 0..10 {
                    if status == 429 {
                        reply = send(again(&request).bearer_auth("wrong")).await;
                    }
                }
                reply.status
            }
            _ => panic!("nobody knows how to provoke a {status}"),
        };
        self.calm();
        given.as_u16()
    }

    async fn push(&mut self, operation: &Operation, status: u16) -> u16 {
        let gateway = operation.path.split('/').nth(2).expect("a second part").to_owned();
        let own = if ["wasender", "waha", "evolution"].contains(&gateway.as_str()) { gateway.as_str() } else { "shop" };
        let name = match status {
            403 => "bare",
            404 => "nobody",
            _ => own,
        };
        let path = operation.path.replace("{name}", name);
        let body = match status {
            413 => "x".repeat(HOOK_BYTES_MAX + 1),
            400 => "{".to_owned(),
            _ => example(operation).to_string(),
        };
        if status == 403 {
            self.server.alertmanager.send_replace(None);
        }
        if status == 503 {
            std::fs::remove_file(self.folder.path().join("secret")).expect("it is there");
        }
        let secret = if status == 401 { "another" } else { SECRET };
        let request = || {
            let request = self.server.request(Method::POST, &path).header("content-type", "application/json");
            let request = request.header("x-webhook-signature", secret).header("x-webhook-hmac", hmac(secret, &body));
            request.bearer_auth(secret).body(body.clone())
        };
        let mut given = send(request()).await.status;
        for _ in 0..60 {
            if status == 429 && given != 429 {
                given = send(request()).await.status;
            }
        }
        std::fs::write(self.folder.path().join("secret"), SECRET).expect("a file");
        self.server.set_clock(self.server.now_after_snapshot() + 1000);
        while self.server.pushes.try_recv().is_ok() {}
        self.calm();
        given.as_u16()
    }
}

/// The schema of a name.
fn schema(name: &str) -> &'static Value {
    &DOCUMENT.root["components"]["schemas"][name]
}

/// The body that the document shows.
fn example(operation: &Operation) -> Value {
    operation.value["requestBody"]["content"]["application/json"]["example"].clone()
}
