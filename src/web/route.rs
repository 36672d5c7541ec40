//! Which route a request means, and who answers it.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::live::{self, Topic};
use super::order::Verb;
use super::query::{BadQuery, Query};
use super::reply::{self, Answer, metrics, problem, wrong_method};
use super::{Desk, PushKind, api, attempts, health, inbound, order, page, reload};

/// A route that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    /// The page of the fleet.
    Page,
    /// The page of one session.
    Session(&'a str),
    /// The form of an order about one session, or about all of them.
    OrderForm(Option<&'a str>, Verb),
    SignIn,
    SignOut,
    Events,
    Style,
    Script,
    Metrics,
    Healthy,
    Ready,
    Reload,
    Status,
    Targets,
    Target(&'a str),
    Incidents,
    Attempts,
    /// An order about one target.
    Order(&'a str, Verb),
    /// An order about all of them.
    OrderAll(Verb),
    /// News about one target.
    Push(PushKind, &'a str),
    Alerts,
}

/// Answers one request.
pub(super) async fn answer(desk: &Arc<Desk>, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let Some(route) = Route::of(path) else {
        return problem(StatusCode::NOT_FOUND, "there is nothing at this path", "GET / lists every route");
    };
    if !route.takes(&head.method) {
        return wrong_method(head.method.as_str(), route.allow());
    }
    let asked = head.uri.query().unwrap_or_default();
    let query = Query::new(asked);
    let answered = match route {
        // A page shows what it can, whatever is appended to its address.
        Route::Page => Ok(page::fleet(desk, asked, &head.headers).await),
        Route::Session(name) => Ok(page::session(desk, name, asked, &head.headers).await),
        Route::OrderForm(name, verb) if head.method == Method::POST => {
            Ok(page::take_order(desk, verb, name, &head.headers, body).await)
        }
        Route::OrderForm(name, verb) => Ok(page::show_order(desk, verb, name, asked, &head.headers)),
        Route::SignIn if head.method == Method::POST => Ok(page::enter(desk, &head.headers, body).await),
        Route::SignIn => Ok(page::show_sign_in(desk, asked, &head.headers)),
        Route::SignOut => Ok(page::leave(desk, &head.headers, body).await),
        Route::Events if head.method == Method::HEAD => Ok(reply::no_events()),
        Route::Events => match topic(query) {
            Ok((topic, after)) => Ok(live::open(desk, topic, after, &head.headers).await),
            Err(error) => Err(error),
        },
        Route::Style => Ok(page::STYLE.answer(asked, &head.headers)),
        Route::Script => Ok(page::SCRIPT.answer(asked, &head.headers)),
        Route::Metrics => Ok(scrape(desk).await),
        Route::Healthy => Ok(health::healthy(desk.snapshot().at, desk.now())),
        Route::Ready => Ok(health::ready(&desk.state.ready)),
        Route::Reload => match query.only(&[]) {
            Ok(_) => Ok(either(reload::reload(desk, &head.headers, body).await)),
            Err(error) => Err(error),
        },
        Route::Order(name, verb) => match query.only(&[]) {
            Ok(_) => Ok(either(order::place(desk, verb, Some(name), &head.headers, body).await)),
            Err(error) => Err(error),
        },
        Route::OrderAll(verb) => match query.only(&[]) {
            Ok(_) => Ok(either(order::place(desk, verb, None, &head.headers, body).await)),
            Err(error) => Err(error),
        },
        // Gateways append to the URL what they like.
        Route::Push(kind, name) => Ok(either(inbound::take(desk, kind, name, &head.headers, body).await)),
        Route::Alerts => Ok(either(inbound::alerts(desk, &head.headers, body).await)),
        Route::Status => query.only(&[]).map(|_| api::status(desk)),
        Route::Targets => query.only(&[]).map(|_| api::targets(&desk.snapshot())),
        Route::Target(name) => query.only(&[]).map(|_| api::target(desk, name)),
        Route::Incidents => api::incidents(desk, &query),
        Route::Attempts => attempts::list(&desk.snapshot(), &query),
    };
    answered.unwrap_or_else(|error| problem(StatusCode::BAD_REQUEST, &error.what, &error.hint))
}

impl<'a> Route<'a> {
    /// Finds the route of a path. Names of targets consist of characters that no client encodes (RFC 3986, 2.3), so nothing
    /// is decoded.
    fn of(path: &'a str) -> Option<Self> {
        match path {
            "/" => Some(Self::Page),
            "/sign-in" => Some(Self::SignIn),
            "/sign-out" => Some(Self::SignOut),
            "/events" => Some(Self::Events),
            "/style.css" => Some(Self::Style),
            "/live.js" => Some(Self::Script),
            "/metrics" => Some(Self::Metrics),
            "/-/healthy" => Some(Self::Healthy),
            "/-/ready" => Some(Self::Ready),
            "/-/reload" => Some(Self::Reload),
            "/api/v1/status" => Some(Self::Status),
            "/api/v1/targets" => Some(Self::Targets),
            "/api/v1/incidents" => Some(Self::Incidents),
            "/api/v1/attempts" => Some(Self::Attempts),
            "/hooks/alertmanager" => Some(Self::Alerts),
            other => {
                let within = |root: &str| other.strip_prefix(root);
                if let Some(page) = within("/targets/") {
                    return Self::of_page(page);
                }
                if let Some(verb) = within("/order/") {
                    return Verb::for_all(verb).map(|verb| Self::OrderForm(None, verb));
                }
                if let Some((gateway, name)) = within("/hooks/").and_then(|hook| hook.split_once('/')) {
                    return PushKind::of_gateway(gateway).map(|kind| Self::Push(kind, name));
                }
                Self::of_target(within("/api/v1/")?)
            }
        }
    }

    fn of_page(path: &'a str) -> Option<Self> {
        match path.split_once('/') {
            None => Some(Self::Session(path)),
            Some((name, more)) => {
                more.strip_prefix("order/").and_then(Verb::of).map(|verb| Self::OrderForm(Some(name), verb))
            }
        }
    }

    fn of_target(path: &'a str) -> Option<Self> {
        let Some(path) = path.strip_prefix("targets/") else { return Verb::for_all(path).map(Self::OrderAll) };
        match path.split_once('/') {
            None => Some(Self::Target(path)),
            Some((name, "activity")) => Some(Self::Push(PushKind::Activity, name)),
            Some((name, "log")) => Some(Self::Push(PushKind::Log, name)),
            Some((name, word)) => Verb::of(word).map(|verb| Self::Order(name, verb)),
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Reload | Self::Order(..) | Self::OrderAll(_) | Self::Push(..) | Self::Alerts => "POST",
            Self::SignOut => "POST",
            Self::OrderForm(..) | Self::SignIn => "GET, HEAD, POST",
            Self::Page
            | Self::Session(_)
            | Self::Events
            | Self::Style
            | Self::Script
            | Self::Metrics
            | Self::Healthy
            | Self::Ready
            | Self::Status
            | Self::Targets
            | Self::Target(_)
            | Self::Incidents
            | Self::Attempts => "GET, HEAD",
        }
    }

    fn takes(self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// Returns what a stream of events is about, and what its page saw last.
fn topic(query: Query<'_>) -> Result<(Topic, Option<&str>), BadQuery> {
    let [view, target, after] = query.only(&["view", "target", "after"])?;
    match (view, target) {
        (Some("fleet"), None) => Ok((Topic::Fleet, after)),
        (None, Some(name)) => Ok((Topic::Session(name.to_owned()), after)),
        (other, _) => Err(BadQuery::value("view", other.unwrap_or_default(), "use view=fleet, or target=NAME")),
    }
}

/// An order that is not taken is answered all the same.
fn either(answered: Result<Answer, Answer>) -> Answer {
    answered.unwrap_or_else(|refused| refused)
}

async fn scrape(desk: &Desk) -> Answer {
    let (snapshot, render) = (desk.snapshot(), Arc::clone(&desk.state.render_metrics));
    match desk.scrapes.print(move || render(&snapshot)).await {
        Ok(text) => metrics(text),
        Err(why) => {
            tracing::error!(why, "metrics cannot be rendered");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be rendered", "see the watchdog's log")
        }
    }
}
