//! The page on which a person orders something: what will happen, what stands in the way, and a form for who and why.

use std::fmt;
use std::sync::Arc;

use askama::Template;
use askama::filters::HtmlSafe;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderMap;

use crate::engine::attempt::AttemptId;
use crate::engine::command::CommandAnswer;
use crate::engine::ladder::Remedy;
use crate::engine::moment::Wall;
use crate::engine::snapshot::{PathView, Proposal, Snapshot, TargetView};

use super::super::order::{Bad, Certainty, Fields, Lost, Verb, carry};
use super::super::reply::{Answer, see_other};
use super::super::warden::{self, Denial};
use super::super::{Desk, body};
use super::frame::{Frame, Guest};
use super::visitor::Visitor;
use super::{no_such_session, noted, render_as, tell};

/// The page of an order.
#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage<'a> {
    frame: Frame,
    path: String,
    back: String,
    verb: Verb,
    heading: String,
    tells: Vec<String>,
    /// What stands in the way, or should be known.
    warns: Vec<String>,
    /// The name that must be typed, because the session would be lost.
    confirm: Option<&'a str>,
    /// Whether force would change anything.
    asks_force: bool,
    typed: Typed,
    /// The mark of the form; none where nobody may order.
    mark: Option<String>,
    problem: Option<Problem>,
}

/// What a person typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    mark: String,
    who: String,
    reason: String,
    lasts: String,
    attempt: String,
    confirm: String,
    force: bool,
}

/// Why an order was not placed.
struct Problem {
    status: StatusCode,
    /// The field that it is about; empty where it is about all of it.
    field: &'static str,
    what: String,
    hint: String,
    certainty: Certainty,
    /// Whether signing in would help.
    sign_in: bool,
}

/// What is ordered of whom.
pub(super) struct Subject<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) view: Option<&'a TargetView>,
    pub(super) verb: Verb,
    pub(super) now: Wall,
}

/// Attributes of a field that holds what was not understood.
struct Wrong(bool);

/// Shows the form. Changes nothing.
pub(in crate::web) fn show(
    desk: &Arc<Desk>,
    verb: Verb,
    name: Option<&str>,
    query: &str,
    headers: &HeaderMap,
) -> Answer {
    let visitor = Visitor::of(desk, headers);
    if visitor.guest(desk) == Guest::Out {
        return see_other(&sign_in_to(&path(verb, name), query));
    }
    // Whoever made the link does not speak for the person: of what it says only the attempt is taken.
    let typed = Typed { who: visitor.name(), attempt: Typed::of(query).attempt, ..Typed::default() };
    page(desk, (verb, name), &visitor, typed, None)
}

/// Takes the form.
pub(in crate::web) async fn take(
    desk: &Arc<Desk>,
    verb: Verb,
    name: Option<&str>,
    headers: &HeaderMap,
    body: Incoming,
) -> Answer {
    let mut visitor = Visitor::of(desk, headers);
    let refused = |visitor: &Visitor, typed, denial| {
        page(desk, (verb, name), visitor, typed, Some(Problem::of(desk.denied(denial))))
    };
    // Where it comes from is looked at before anything of it is read.
    if let Err(denial) = warden::admit_from(desk, headers) {
        return refused(&visitor, Typed::default(), denial);
    }
    let typed = match body::form(body).await {
        Ok(text) => Typed::of(&text),
        Err(answer) => return answer,
    };
    if let Err(denial) = admit(desk, headers, &mut visitor, &path(verb, name), &typed.mark).await {
        return refused(&visitor, typed, denial);
    }
    match place(desk, verb, name, &typed).await {
        Ok(done) => see_other(&noted(desk, &back(name), done)),
        Err(problem) => page(desk, (verb, name), &visitor, typed, Some(problem)),
    }
}

/// Lets a form pass that comes from one of our pages, sent by who is signed in where that is needed.
pub(super) async fn admit(
    desk: &Desk,
    headers: &HeaderMap,
    visitor: &mut Visitor,
    path: &str,
    mark: &str,
) -> Result<(), Denial> {
    if let Some(secret) = warden::admit_from(desk, headers)? {
        let sign_in = visitor.sign_in.as_ref().ok_or(Denial::NoToken)?;
        let token = warden::read(secret).await.ok_or(Denial::Unreadable)?;
        if !sign_in.is_of(&token) {
            // The token was changed since: what was opened with the old one ends.
            drop(desk.sign_ins.end(sign_in, headers));
            visitor.sign_in = None;
            return Err(Denial::NoToken);
        }
    }
    if desk.marks.fits(mark, path, visitor.sign_in.as_ref()) { Ok(()) } else { Err(Denial::NoFormToken) }
}

async fn place(desk: &Desk, verb: Verb, name: Option<&str>, typed: &Typed) -> Result<String, Problem> {
    let (snapshot, now) = (desk.snapshot(), desk.now());
    let view = match name.map(|name| snapshot.target(name).ok_or(name)) {
        Some(Err(name)) => {
            return Err(Problem::new(StatusCode::NOT_FOUND, "", format!("no session is named {name}")));
        }
        Some(Ok(view)) => Some(view.as_ref()),
        None => None,
    };
    let command = typed
        .fields(verb)
        .and_then(|fields| fields.command(verb, view.map(|view| view.target.clone()), now))
        .map_err(|bad| Problem { hint: bad.hint, ..Problem::new(StatusCode::BAD_REQUEST, bad.key, bad.what) })?;
    let subject = Subject { snapshot: &snapshot, view, verb, now };
    if let Some(needed) = subject.confirm(&typed.attempt).filter(|needed| *needed != typed.confirm.trim()) {
        let what = format!("the session would be lost: type its name, {needed}, to go on");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "confirm", what));
    }
    match carry(desk, command).await {
        Ok(CommandAnswer::Accepted { what, .. }) => Ok(what),
        Ok(CommandAnswer::Refused { why }) => {
            Err(Problem::new(StatusCode::CONFLICT, "", format!("it was refused, {why}")))
        }
        Err(lost) => Err(Problem::lost(lost, name)),
    }
}

fn page(
    desk: &Arc<Desk>,
    (verb, name): (Verb, Option<&str>),
    visitor: &Visitor,
    typed: Typed,
    problem: Option<Problem>,
) -> Answer {
    let (snapshot, now) = (desk.snapshot(), desk.now());
    let view = match name.map(|name| snapshot.target(name)) {
        Some(None) => return no_such_session(),
        Some(Some(view)) => Some(view.as_ref()),
        None => None,
    };
    let (guest, path) = (visitor.guest(desk), path(verb, name));
    let mark = match &guest {
        Guest::Free | Guest::Out | Guest::In { .. } => desk.marks.of(&path, visitor.sign_in.as_ref()),
        Guest::Barred => None,
    };
    let subject = Subject { snapshot: &snapshot, view, verb, now };
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let page = OrderPage {
        frame: Frame::new(format!("{} (wa-watchdog)", subject.heading(&typed.attempt)), None, guest),
        path,
        back: back(name),
        verb,
        heading: subject.heading(&typed.attempt),
        tells: tell::tells(&subject, &typed.attempt),
        warns: tell::warns(&subject),
        confirm: subject.confirm(&typed.attempt),
        asks_force: subject.may_force() && (status == StatusCode::CONFLICT || subject.is_held()),
        typed,
        mark,
        problem,
    };
    render_as(status, page.render())
}

/// Where the form of an order is, and where it is sent to.
fn path(verb: Verb, name: Option<&str>) -> String {
    let verb = verb.as_str();
    name.map_or_else(|| format!("/order/{verb}"), |name| format!("/targets/{name}/order/{verb}"))
}

fn back(name: Option<&str>) -> String {
    name.map_or_else(|| String::from("/"), |name| format!("/targets/{name}"))
}

fn sign_in_to(path: &str, query: &str) -> String {
    let next = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let encoded: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/sign-in?next={encoded}")
}

impl OrderPage<'_> {
    /// Marks the field that the problem is about.
    fn wrong(&self, field: &str) -> Wrong {
        Wrong(self.problem.as_ref().is_some_and(|problem| problem.field == field))
    }

    /// What can be said at once of the order.
    fn outcome(problem: &Problem) -> &'static str {
        match problem.certainty {
            Certainty::NotOrdered => "Nothing was ordered:",
            Certainty::MayCount => "It may count all the same:",
        }
    }

    fn asks_span(&self) -> bool {
        self.verb == Verb::Pause
    }

    fn sign_in(&self) -> String {
        let attempt = &self.typed.attempt;
        sign_in_to(&self.path, &if attempt.is_empty() { String::new() } else { format!("attempt={attempt}") })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { " aria-invalid=\"true\" aria-errormessage=\"problem\"" } else { "" })
    }
}

impl HtmlSafe for Wrong {}

impl Typed {
    fn of(text: &str) -> Self {
        let mut typed = Self::default();
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            let value = value.into_owned();
            match key.as_ref() {
                "token" => typed.mark = value,
                "who" => typed.who = value,
                "reason" => typed.reason = value,
                "for" => typed.lasts = value,
                "attempt" => typed.attempt = value,
                "confirm" => typed.confirm = value,
                "force" => typed.force = value == "true",
                _ => {}
            }
        }
        typed
    }

    /// What the order is made of; a field that means nothing for it is left out.
    fn fields(&self, verb: Verb) -> Result<Fields, Bad> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let wrong = || Bad {
            key: "attempt",
            what: String::from("this is no number of an attempt"),
            hint: String::from("come here from the session's own page"),
        };
        let attempt = given(&self.attempt).filter(|_| matches!(verb, Verb::Approve | Verb::Restore));
        Ok(Fields {
            reason: given(&self.reason),
            who: given(&self.who),
            lasts: given(&self.lasts).filter(|_| verb == Verb::Pause),
            attempt: attempt.map(|text| text.parse().map_err(|_| wrong())).transpose()?,
            force: matches!(verb, Verb::Remedy(_) | Verb::Restore).then_some(self.force),
            ..Fields::default()
        })
    }
}

impl Problem {
    fn new(status: StatusCode, field: &'static str, what: String) -> Self {
        Self { status, field, what, hint: String::new(), certainty: Certainty::NotOrdered, sign_in: false }
    }

    /// Of an order to which nobody said anything; the name is that of its session.
    fn lost(lost: Lost, name: Option<&str>) -> Self {
        let hint = match (lost.certainty(), name) {
            (Certainty::NotOrdered, _) => lost.hint(),
            (Certainty::MayCount, Some(_)) => "look at the session's attempts before you order it again",
            (Certainty::MayCount, None) => "look at the page of all sessions before you order it again",
        };
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "", lost.what().to_owned());
        Self { hint: hint.to_owned(), certainty: lost.certainty(), ..problem }
    }

    fn of(denial: Denial) -> Self {
        let sign_in = denial == Denial::NoToken;
        let (what, hint) = if sign_in {
            ("you are not signed in, or not any more", "sign in, then order it again")
        } else {
            (denial.what(), denial.hint())
        };
        Self { hint: hint.to_owned(), sign_in, ..Self::new(denial.status(), "", what.to_owned()) }
    }
}

impl<'a> Subject<'a> {
    /// What is ordered: heading and button.
    fn heading(&self, attempt: &str) -> String {
        let whom = self.view.map_or("all sessions", |view| view.target.as_str());
        let proposed = self.proposal(attempt).map(|proposal| proposal.remedy);
        match (self.verb, proposed) {
            (Verb::Pause, _) => format!("Pause {whom}"),
            (Verb::Resume, _) => format!("Resume {whom}"),
            (Verb::Approve, Some(remedy)) => format!("Approve {remedy} of {whom}"),
            (Verb::Approve, None) => format!("Approve for {whom}"),
            (Verb::Ack, _) => format!("Acknowledge the problem of {whom}"),
            (Verb::Restore, _) => format!("Restore {whom}"),
            (Verb::Remedy(Remedy::Reconnect), _) => format!("Reconnect {whom}"),
            (Verb::Remedy(Remedy::Restart), _) => format!("Restart {whom}"),
            (Verb::Remedy(Remedy::Reset | Remedy::Notify | Remedy::Restore), _) => format!("Reset {whom}"),
        }
    }

    /// What waits for approval under a number, however that is written.
    pub(super) fn proposal(&self, attempt: &str) -> Option<&'a Proposal> {
        let named: AttemptId = attempt.trim().parse().ok()?;
        let waits = self.view?.care.proposal.as_deref()?;
        Some(waits).filter(|proposal| proposal.attempt == named)
    }

    /// The session's name, where this would destroy it.
    fn confirm(&self, attempt: &str) -> Option<&'a str> {
        let view = self.view?;
        let destroys = match self.verb {
            Verb::Remedy(remedy) => remedy == Remedy::Reset || view.care.destroys.contains(&remedy),
            // One that does not wait any more is refused anyway.
            Verb::Approve => self.proposal(attempt).is_some_and(|proposal| proposal.destroys),
            Verb::Pause | Verb::Resume | Verb::Ack | Verb::Restore => false,
        };
        destroys.then_some(view.target.as_str())
    }

    fn may_force(&self) -> bool {
        matches!(self.verb, Verb::Remedy(_) | Verb::Restore)
    }

    /// Tells whether something holds it that force goes past.
    fn is_held(&self) -> bool {
        self.snapshot.fleet.storm
            || self.paths_down().next().is_some()
            || self.view.is_some_and(|view| view.care.disturbs.is_some())
    }

    /// Returns the network paths that it needs and that are down.
    pub(super) fn paths_down(&self) -> impl Iterator<Item = &'a PathView> {
        let needed = self.view.map(|view| &view.care.paths);
        let is_needed = move |path: &&PathView| !path.up && needed.is_some_and(|needed| needed.contains(&path.path));
        self.snapshot.paths.iter().filter(is_needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_means_nothing_for_an_order_is_left_out() {
        let typed = Typed::of("who=ana&reason=a+b%26c&for=2h&attempt=19c27e14280&force=true&other=1");
        assert_eq!((typed.who.as_str(), typed.reason.as_str()), ("ana", "a b&c"));
        let pause = typed.fields(Verb::Pause).unwrap();
        assert_eq!((pause.lasts.as_deref(), pause.attempt, pause.force), (Some("2h"), None, None));
        let restart = typed.fields(Verb::Remedy(Remedy::Restart)).unwrap();
        assert_eq!((restart.lasts, restart.attempt, restart.force), (None, None, Some(true)));
        let restore = typed.fields(Verb::Restore).unwrap();
        assert_eq!((restore.attempt, restore.force), (Some(AttemptId(0x019c_27e1_4280)), Some(true)));
        assert_eq!(Typed::of("attempt=nonsense").fields(Verb::Approve).unwrap_err().key, "attempt");
        assert!(Typed::of("attempt=nonsense").fields(Verb::Ack).is_ok());
    }
}
