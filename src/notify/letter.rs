//! An event as others read it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::attempt::{AttemptId, AttemptView, Outcome};
use crate::engine::incident::{Incident, IncidentId};
use crate::engine::ladder::Remedy;
use crate::engine::moment::{Wall, words};
use crate::engine::pattern::Pattern;
use crate::engine::target::TargetId;
use crate::engine::tell::tell;
use crate::engine::watchdog::Event;
use crate::http::retry::hash;

/// Longest sentence, in characters.
const SENTENCE_CHARS_MAX: usize = 2000;

/// An event on its way: the same for every notifier and every try.
#[derive(Debug)]
pub(super) struct Letter {
    id: String,
    kind: String,
    body: Vec<u8>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    r#type: &'a str,
    timestamp: Wall,
    data: Data<'a>,
}

/// What an event is about; absent where it is about something else.
#[derive(Default, Serialize)]
struct Data<'a> {
    target: Option<&'a TargetId>,
    sentence: String,
    incident: Option<IncidentId>,
    pattern: Option<Pattern>,
    remedy: Option<Remedy>,
    attempt: Option<AttemptId>,
    qr_page: Option<&'a str>,
    deadline: Option<Wall>,
}

impl Letter {
    /// Writes down an event; none for one that nobody outside is told. `number` keeps those of one moment apart.
    pub(super) fn about(now: Wall, event: &Event, number: u64, links: &BTreeMap<TargetId, String>) -> Option<Self> {
        let kind = event_type(event)?;
        let mut data = about(now, event, links);
        data.sentence = data.sentence.chars().take(SENTENCE_CHARS_MAX).collect();
        let body = serde_json::to_vec(&Envelope { r#type: &kind, timestamp: now, data }).ok()?;
        let id = hash(&[&now.millis().to_le_bytes(), &number.to_le_bytes(), kind.as_bytes()]);
        Some(Self { id: format!("wd_{id:016x}"), kind, body })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Returns the type of an event, which filters match; none for one that nobody outside is told.
#[must_use]
pub fn event_type(event: &Event) -> Option<String> {
    let kind = match event {
        Event::StateChanged { .. } | Event::VerdictChanged { .. } | Event::Suspended => return None,
        Event::Opened(_) => "incident.opened",
        Event::PatternChanged(_) => "incident.changed",
        Event::Closed(_) => "incident.closed",
        Event::RecordFailed(_) => "ledger.failed",
        Event::Planned(_) => "remedy.planned",
        Event::ApprovalWanted(_) => "remedy.approval_wanted",
        Event::Started(_) => "remedy.started",
        Event::Stepped(_) => "remedy.step",
        Event::RunEnded(_) => "remedy.ended",
        Event::Verified(attempt) => return Some(format!("remedy.{}", attempt.outcome.map(Outcome::as_str)?)),
        Event::Refused(_) => "remedy.refused",
        Event::Scan(_, news) => return Some(format!("scan.{}", news.as_str())),
        Event::NeedsPerson { .. } => "person.wanted",
        Event::ForeignRestart { .. } => "service.restarted_by_others",
        Event::SmallLimit { .. } => "memory.small_limit",
        Event::Storm { on: true, .. } => "storm.began",
        Event::Storm { on: false, .. } => "storm.ended",
        Event::Path { down: Some(_), .. } => "network.down",
        Event::Path { down: None, .. } => "network.up",
        Event::Commanded(command) => return Some(format!("command.{}", command.what.as_str())),
    };
    Some(kind.to_owned())
}

fn about<'a>(now: Wall, event: &'a Event, links: &'a BTreeMap<TargetId, String>) -> Data<'a> {
    let sentence = tell(event).unwrap_or_default();
    match event {
        Event::StateChanged { target, .. } | Event::VerdictChanged { target, .. } => {
            Data { target: Some(target), sentence, ..Data::default() }
        }
        Event::Opened(incident) | Event::PatternChanged(incident) => {
            Data { sentence: incident.evidence.sentence.clone(), ..of_incident(incident) }
        }
        Event::Closed(incident) => Data { sentence: closed(now, incident), ..of_incident(incident) },
        Event::RecordFailed(entry) => {
            let sentence = format!("a ledger entry could not be written: {}", entry.fact.kind());
            Data { target: Some(&entry.target), sentence, ..Data::default() }
        }
        Event::Planned(attempt)
        | Event::Started(attempt)
        | Event::Stepped(attempt)
        | Event::RunEnded(attempt)
        | Event::Verified(attempt) => Data { sentence, ..of_attempt(attempt) },
        Event::ApprovalWanted(proposal) => Data {
            target: Some(&proposal.target),
            sentence,
            incident: proposal.cause.incident,
            pattern: proposal.cause.pattern,
            remedy: Some(proposal.remedy),
            attempt: Some(proposal.attempt),
            deadline: Some(proposal.until),
            ..Data::default()
        },
        Event::Refused(refusal) => Data {
            target: Some(&refusal.target),
            sentence,
            incident: refusal.incident,
            pattern: refusal.pattern,
            remedy: Some(refusal.remedy),
            ..Data::default()
        },
        Event::Scan(hand_off, _) => Data {
            target: Some(&hand_off.target),
            sentence,
            incident: hand_off.incident,
            qr_page: links.get(&hand_off.target).map(String::as_str),
            deadline: hand_off.deadline,
            ..Data::default()
        },
        Event::NeedsPerson { incident, .. } => Data { sentence, ..of_incident(incident) },
        Event::ForeignRestart { target } | Event::SmallLimit { target, .. } => {
            Data { target: Some(target), sentence, ..Data::default() }
        }
        Event::Commanded(command) => Data { target: command.target.as_ref(), sentence, ..Data::default() },
        Event::Suspended | Event::Storm { .. } | Event::Path { .. } => Data { sentence, ..Data::default() },
    }
}

fn of_incident(incident: &Incident) -> Data<'_> {
    Data {
        target: Some(&incident.target),
        incident: Some(incident.id),
        pattern: Some(incident.pattern),
        remedy: Some(incident.remedy),
        ..Data::default()
    }
}

fn of_attempt(attempt: &AttemptView) -> Data<'_> {
    Data {
        target: Some(&attempt.target),
        incident: attempt.cause.incident,
        pattern: attempt.cause.pattern,
        remedy: Some(attempt.remedy),
        attempt: Some(attempt.id),
        ..Data::default()
    }
}

fn closed(now: Wall, incident: &Incident) -> String {
    let how = incident.closed.map_or("closed", |closed| closed.how.as_str());
    format!("{how} after {}; it was: {}", words(incident.duration(now)), incident.evidence.sentence)
}
