//! A vendor and a backend on loopback, which answer as the real ones do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The personal access token of the vendor's account.
pub(crate) const PAT: &str = "1084|personal";
/// What must never be repeated: the vendor sends it along.
pub(crate) const SECRETS: [&str; 4] = ["2@qr-text-of-the-vendor", "passkey-token", "api-key-of-a-session", "+15550100"];

/// How the vendor is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Health {
    Well,
    /// Something before it answers in its place.
    Page(u16),
    /// It asks for a pause with every answer, this many times.
    Throttles(u32, &'static str, &'static str),
    Hangs,
    /// It refuses this many calls.
    Refuses(u32),
    /// It serves nobody without a subscription.
    Unpaid,
}

/// What vendor and backend remember.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) health: Health,
    /// The vendor's sessions.
    pub(crate) sessions: BTreeMap<u64, &'static str>,
    pub(crate) next: u64,
    /// What a connect answers.
    pub(crate) connects: Value,
    /// What the backend stores.
    pub(crate) stored: Option<u64>,
    /// What the backend believes of its session, whatever the vendor says.
    pub(crate) believes: Option<&'static str>,
    /// Every act that reached one of the two.
    pub(crate) acts: Vec<String>,
    /// The bodies of the acts.
    pub(crate) bodies: Vec<Value>,
    /// The authorization of each call of the backend.
    pub(crate) tokens: Vec<String>,
    /// The token that the backend wants.
    pub(crate) jwt: Option<String>,
    /// The backend carries acts out, and its answers are lost.
    pub(crate) loses: bool,
    /// The backend stores this session by somebody else's doing, just before it deletes.
    pub(crate) meanwhile: Option<u64>,
}

/// The two, for one test.
pub(crate) struct Doubles {
    pub(crate) vendor: MockServer,
    pub(crate) backend: MockServer,
    world: Arc<Mutex<World>>,
}

impl Doubles {
    /// Starts them: the backend stores session 16548, which the vendor does not know any more.
    pub(crate) async fn start() -> Self {
        let world = World {
            health: Health::Well,
            sessions: BTreeMap::from([(7, "connected")]),
            next: 16549,
            connects: json!({ "status": "NEED_SCAN", "qrCode": SECRETS[0] }),
            stored: Some(16548),
            believes: None,
            acts: Vec::new(),
            bodies: Vec::new(),
            tokens: Vec::new(),
            jwt: None,
            loses: false,
            meanwhile: None,
        };
        let world = Arc::new(Mutex::new(world));
        let [vendor, backend] = [MockServer::builder().start().await, MockServer::builder().start().await];
        Mock::given(any()).respond_with(VendorSays(Arc::clone(&world))).mount(&vendor).await;
        Mock::given(any()).respond_with(BackendSays(Arc::clone(&world))).mount(&backend).await;
        Self { vendor, backend, world }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn acts(&self) -> Vec<String> {
        self.world().acts.clone()
    }
}

struct VendorSays(Arc<Mutex<World>>);
struct BackendSays(Arc<Mutex<World>>);

fn json_of(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn authorization(request: &Request) -> String {
    request.headers.get("authorization").map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

impl Respond for VendorSays {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut world = self.0.lock().unwrap();
        assert_eq!(request.headers["accept"], "application/json");
        match world.health.clone() {
            Health::Well | Health::Unpaid => {}
            Health::Page(status @ 300..400) => {
                return ResponseTemplate::new(status).insert_header("location", "/login");
            }
            Health::Page(status) => return ResponseTemplate::new(status).set_body_raw("<html>no</html>", "text/html"),
            Health::Throttles(0, ..) | Health::Refuses(0) => world.health = Health::Well,
            Health::Throttles(left, header, value) => {
                world.health = Health::Throttles(left - 1, header, value);
                return json_of(429, &json!({ "message": "slower" })).insert_header(header, value);
            }
            Health::Hangs => {
                return json_of(200, &json!({ "success": true })).set_delay(Duration::from_mins(1));
            }
            Health::Refuses(left) => {
                world.health = Health::Refuses(left - 1);
                return json_of(401, &json!({ "message": "Unauthenticated." }));
            }
        }
        if authorization(request) != format!("Bearer {PAT}") {
            return json_of(401, &json!({ "message": "Unauthenticated." }));
        }
        world.vendor(request)
    }
}

impl World {
    fn vendor(&mut self, request: &Request) -> ResponseTemplate {
        let path = request.url.path().strip_prefix("/api/whatsapp-sessions").expect("a route of the vendor").to_owned();
        let mut parts = path.split('/').skip(1);
        let Some(number) = parts.next() else {
            let list: Vec<Value> = self.sessions.iter().map(|(id, state)| session(*id, state)).collect();
            return json_of(200, &json!({ "success": true, "data": list }));
        };
        let id: u64 = number.parse().unwrap_or(0);
        let Some(state) = self.sessions.get(&id).copied() else {
            let message = format!("No query results for model [App\\Models\\WhatsappSession] {number}");
            return json_of(404, &json!({ "message": message }));
        };
        let act = parts.next().unwrap_or_default();
        if request.method.as_str() == "POST" {
            self.acts.push(format!("{act} {id}"));
        }
        if self.health == Health::Unpaid {
            let error = "You need to have an active subscription to connect a WhatsApp session.";
            return json_of(403, &json!({ "success": false, "error": error }));
        }
        match (request.method.as_str(), act) {
            ("GET", "") => json_of(200, &json!({ "success": true, "data": session(id, state) })),
            ("GET", "session-logs") => {
                json_of(200, &json!({ "success": true, "data": { "current_page": 1, "data": [] } }))
            }
            ("GET", "qrcode") => json_of(200, &json!({ "success": true, "data": { "qrCode": SECRETS[0] } })),
            ("POST", "connect") => json_of(200, &json!({ "success": true, "data": self.connects })),
            ("POST", "restart") if state == "connected" => {
                json_of(200, &json!({ "success": true, "message": "WhatsApp session restarted successfully." }))
            }
            ("POST", "restart") => json_of(
                400,
                &json!({ "success": false, "error": "WhatsApp session is not connected. Cannot restart." }),
            ),
            (method, _) => panic!("{method} {path} is never asked for"),
        }
    }

    /// Tells what the backend learns from the vendor: nothing where that is unwell.
    fn upstream(&self, id: u64) -> Option<&'static str> {
        (self.health == Health::Well).then(|| self.sessions.get(&id).copied()).flatten()
    }

    fn status(&self, id: u64) -> Value {
        let state = self.believes.unwrap_or(match self.upstream(id) {
            Some("connected") => "ready",
            Some("need_scan" | "connecting" | "logged_out") => "qr",
            Some("disconnected") => "disconnected",
            Some(_) | None => "unknown",
        });
        let number = self.upstream(id).map(|_| "+15550100");
        json!({ "status": state, "meNumber": number, "qrAvailable": state == "qr", "qrGeneratedAt": null,
            "sessionId": id.to_string() })
    }

    fn backend(&mut self, request: &Request) -> ResponseTemplate {
        let route = request.url.path().strip_prefix("/api/whatsapp").expect("a route of the backend").to_owned();
        let wants = self.jwt.clone();
        self.tokens.push(authorization(request));
        if !route.starts_with("/test/") && wants.is_some_and(|jwt| authorization(request) != format!("Bearer {jwt}")) {
            return json_of(401, &json!({ "error": "Unauthorized" }));
        }
        match (request.method.as_str(), route.as_str()) {
            ("GET", "/user/status") => {
                let none = json!({ "status": "unknown", "meNumber": null, "sessionId": null, "qrAvailable": false });
                let data = self.stored.map_or(none, |id| self.status(id));
                json_of(200, &json!({ "success": true, "data": data }))
            }
            ("DELETE", "/user/session") => {
                self.acts.push("delete".to_owned());
                if let Some(other) = self.meanwhile.take() {
                    self.stored = Some(other);
                }
                let previous = self.stored.take();
                let deleted = previous.is_some() && self.health == Health::Well;
                if deleted {
                    self.sessions.remove(&previous.unwrap());
                }
                json_of(
                    200,
                    &json!({ "success": true, "message": "Wasender session deleted successfully.",
                    "previousSessionId": previous.map(|id| id.to_string()), "deletedFromWasenderAPI": deleted }),
                )
            }
            ("POST", "/user/session/ensure") => self.ensure(request),
            ("GET", "/test/list-sessions") if self.health != Health::Well => json_of(
                500,
                &json!({ "error": { "message": "Wasender list sessions failed (502)", "statusCode": 500 } }),
            ),
            ("GET", "/test/list-sessions") => {
                let list: Vec<Value> = self
                    .sessions
                    .iter()
                    .map(|(id, state)| json!({ "sessionId": id, "status": state, "fullData": session(*id, state) }))
                    .collect();
                json_of(200, &json!({ "success": true, "data": { "sessionCount": list.len(), "sessions": list } }))
            }
            _ => ResponseTemplate::new(504).set_body_string("Error occured while trying to proxy"),
        }
    }

    fn ensure(&mut self, request: &Request) -> ResponseTemplate {
        self.acts.push("ensure".to_owned());
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        self.bodies.push(body.clone());
        if let Some(id) = self.stored {
            return json_of(200, &json!({ "success": true, "data": self.status(id) }));
        }
        if body.get("phoneNumber").is_none() {
            let error = "phoneNumber is required to create a session";
            return json_of(400, &json!({ "success": false, "error": error }));
        }
        if self.health != Health::Well {
            let message = "Wasender create session failed (403): +15550100 api-key-of-a-session";
            return json_of(500, &json!({ "error": { "message": message, "statusCode": 500, "stack": "…" } }));
        }
        let id = self.next;
        self.next += 1;
        self.sessions.insert(id, "need_scan");
        self.stored = Some(id);
        let mut data = self.status(id);
        // A number when it was just made, a text ever after.
        data["sessionId"] = json!(id);
        json_of(200, &json!({ "success": true, "data": data }))
    }
}

impl Respond for BackendSays {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut world = self.0.lock().unwrap();
        let (acts, loses) = (world.acts.len(), world.loses);
        let answer = world.backend(request);
        // Only acts are lost: the next question is heard.
        if loses && acts < world.acts.len() {
            ResponseTemplate::new(502).set_body_string("bad gateway")
        } else {
            answer
        }
    }
}

fn session(id: u64, state: &str) -> Value {
    json!({ "id": id, "name": "shop", "phone_number": "+15550100", "status": state, "api_key": SECRETS[2] })
}
