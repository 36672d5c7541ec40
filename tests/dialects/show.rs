//! Transcripts: a line reads `status body => reply`.

use std::time::Duration;

use wa_watchdog::dialect::{Dialect, Heard, Pace, Route, redact_text};
use wa_watchdog::engine::Ask;
use wa_watchdog::engine::sample::{Answer, Effort, Phase, Reply, Sample};

const NOW: &str = "2026-02-04T09:00:00Z";
pub(super) const BARE: Route<'static> = Route { session: None, status_path: None };

/// Checks a transcript. `@` expects whatever proves nothing: an unknown state, or a session missing from a list.
pub(super) fn check(name: &str, route: Route<'_>, transcript: &str) {
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (asked, expected) = line.rsplit_once("=>").expect("an arrow");
        let (status, body) = asked.split_once(' ').expect("a status");
        let shown = show(&read(name, route, status.parse().expect("a number"), body.trim()));
        if expected.trim().starts_with('@') {
            assert!(shown.starts_with("unknown") || shown.contains("not among the 0"), "{name} {asked}: {shown}");
        } else {
            assert_eq!(shown, expected.trim(), "{name} {asked}");
        }
    }
}

pub(super) fn check_log(name: &str, transcript: &str) {
    let dialect = Dialect::builtin(name).expect("built in");
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (text, expected) = line.rsplit_once("=>").expect("an arrow");
        let shown = dialect.read_log(text).map_or("-".to_owned(), |signal| {
            let phase = signal.phase.map_or("", phase);
            format!("{} {phase}", signal.state).trim().to_owned()
        });
        assert_eq!(shown, expected.trim(), "{text}");
    }
}

pub(super) fn read(name: &str, route: Route<'_>, status: u16, body: &str) -> Reply {
    poll(name, route, Heard::Reply { status, pace: Pace::default(), body: body.as_bytes() })
}

/// Reads an answer, and checks that it reads the same once its secrets made room for stand-ins.
pub(super) fn poll(name: &str, route: Route<'_>, heard: Heard<'_>) -> Reply {
    let reply = read_as_it_is(name, route, heard);
    if let Heard::Reply { status, pace, body } = heard {
        let hash = |text: &str| text.bytes().fold(7, |hash: u64, byte| hash.rotate_left(9) ^ u64::from(byte));
        let body = Dialect::builtin(name).expect("built in").redact(body, route.session, &hash);
        let session = route.session.map(|session| redact_text(session, &hash));
        let route = Route { session: session.as_deref(), ..route };
        let redacted = read_as_it_is(name, route, Heard::Reply { status, pace, body: &body });
        assert_eq!(show(&redacted), show(&reply), "{}", String::from_utf8_lossy(&body));
    }
    reply
}

fn read_as_it_is(name: &str, route: Route<'_>, heard: Heard<'_>) -> Reply {
    let dialect = Dialect::builtin(name).expect("built in");
    let now = NOW.parse().expect("a time");
    let Sample::Poll { reply, .. } = dialect.read(Ask::Status, route, now, Duration::ZERO, heard) else {
        panic!("a status answer is a poll");
    };
    reply
}

pub(super) fn show(reply: &Reply) -> String {
    match reply {
        Reply::Unasked(why) => format!("unasked: {why}"),
        Reply::Answer(answer) => show_answer(answer),
        Reply::NoAnswer(failure) => format!("no answer: {failure}"),
        Reply::Missing(word) => format!("missing: {word}"),
        Reply::Refused { status, of_session: true } => format!("refused {status} of the session"),
        Reply::Refused { status, of_session: false } => format!("refused {status}"),
        Reply::Throttled { retry_after: Some(pause) } => format!("throttled {} s", pause.as_secs()),
        Reply::Throttled { retry_after: None } => "throttled".to_owned(),
    }
}

fn show_answer(Answer { state, phase: step, effort: trial, word, facts }: &Answer) -> String {
    let steps = [step.map_or("", phase), effort(*trial)].into_iter().filter(|part| !part.is_empty());
    let text = steps.fold(state.to_string(), |text, part| format!("{text} {part}"));
    let text = word.as_ref().map_or(text.clone(), |word| format!("{text}: {word}"));
    let facts: Vec<String> = [
        facts.last_message.map(|at| format!("last message {at}")),
        facts.messages.map(|count| format!("messages {count}")),
        facts.progress.map(|percent| format!("progress {percent}")),
        facts.local_hour.map(|hour| format!("hour {hour}")),
        facts.version.as_ref().map(|version| format!("version {version}")),
        facts.owner.map(|known| if known { "owner".to_owned() } else { "no owner".to_owned() }),
    ]
    .into_iter()
    .flatten()
    .collect();
    if facts.is_empty() { text } else { format!("{text} [{}]", facts.join(", ")) }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Opening => "opening",
        Phase::Pairing => "pairing",
        Phase::Linked => "linked",
    }
}

fn effort(effort: Effort) -> &'static str {
    match effort {
        Effort::Trying => "",
        Effort::GaveUp => "gave_up",
        Effort::Idle => "idle",
        Effort::Stopped => "stopped",
    }
}
