//! What a person reads: what is played, what happens, and whether it came as it should.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::{HELPED_WITHIN, NAMED_WITHIN, Target};
use crate::engine::attempt::{self, AttemptView};
use crate::engine::incident::{Closing, Incident};
use crate::engine::ladder::Remedy;
use crate::engine::moment::words;
use crate::engine::pattern::Pattern;
use crate::engine::sample::{SessionState, Word};
use crate::engine::tell::tell;
use crate::engine::verdict::Verdict;
use crate::engine::{Event, Wall};

/// Says what is played and where to look.
#[must_use]
pub fn intro(targets: &[Target], listen: SocketAddr) -> String {
    let failing = targets.iter().filter(|target| target.expects.is_some()).count();
    let name = width(targets.iter().map(|target| target.name));
    let plays = width(targets.iter().map(|target| target.plays));
    let line = |target: &Target| format!("  {:name$}  {:plays$}  {}", target.name, target.plays, target.url);
    let lines: Vec<String> = targets.iter().map(line).collect();
    format!(
        "{count} scripted gateways on loopback, {failing} of them fail; the watchdog asks each every second.\n\n\
         {lines}\n\n\
         Look while it runs:\n\
         \x20 page     http://{listen}/\n\
         \x20 metrics  http://{listen}/metrics\n\
         \x20 API      curl -s http://{listen}/api/v1/targets\n\n\
         The thresholds are seconds here and minutes in earnest; every failure has its name within {within}, and the two that\n\
         may be mended are well within {helped}.\n",
        count = targets.len(),
        lines = lines.join("\n"),
        within = words(NAMED_WITHIN),
        helped = words(HELPED_WITHIN)
    )
}

/// Tells a demo from the events of its watchdog, and remembers what was named.
///
/// A target whose failure has been told is not told of again with every change of state: it would drown the others.
#[derive(Debug)]
pub struct Narrator {
    started: Wall,
    parts: Vec<Part>,
}

/// What is known of one target.
#[derive(Debug)]
struct Part {
    target: &'static str,
    expects: Option<Pattern>,
    /// The remedy that mends it.
    mends: Option<Remedy>,
    helped: Vec<(Remedy, Duration)>,
    suspected: Option<Pattern>,
    named: Vec<(Pattern, Duration)>,
    open: usize,
}

impl Narrator {
    /// Starts a story at `started`.
    #[must_use]
    pub fn new(targets: &[Target], started: Wall) -> Self {
        let part = |target: &Target| Part {
            target: target.name,
            expects: target.expects,
            mends: target.hooks.last().copied(),
            helped: Vec::new(),
            suspected: None,
            named: Vec::new(),
            open: 0,
        };
        Self { started, parts: targets.iter().map(part).collect() }
    }

    /// Takes in an event; returns a line where there is something to tell.
    pub fn hear(&mut self, now: Wall, event: &Event) -> Option<String> {
        let elapsed = now.since(self.started);
        let told = match event {
            Event::StateChanged { target, from, to, word } => {
                if self.part(target.as_str()).is_some_and(|part| 0 < part.open) {
                    return None;
                }
                let word = said(*to, word.as_ref());
                match from {
                    Some(from) => format!("{target}: {from}, then {to}{word}"),
                    None => format!("{target}: first seen {to}{word}"),
                }
            }
            Event::VerdictChanged { target, verdict } => self.suspect(target.as_str(), verdict)?,
            Event::Opened(incident) => {
                self.open(incident, elapsed);
                format!("{}: {}: {}", incident.target, incident.pattern, self.reason(incident))
            }
            Event::PatternChanged(incident) => {
                self.rename(incident, elapsed);
                format!("{}: it is {} rather: {}", incident.target, incident.pattern, self.reason(incident))
            }
            Event::Closed(incident) => {
                self.close(incident);
                let lasted = words(incident.duration(now));
                format!("{}: {} is over after {lasted}{}", incident.target, incident.pattern, how(incident))
            }
            Event::Suspended => "the watchdog was suspended or a clock jumped: it judges anew from here on".to_owned(),
            Event::RecordFailed(entry) => {
                format!("{}: the ledger could not be written ({})", entry.target, entry.fact.kind())
            }
            Event::Verified(attempt) => {
                self.verify(attempt, elapsed);
                format!("{}: {}", attempt.target, tell(event)?)
            }
            Event::Planned(attempt) | Event::RunEnded(attempt) => format!("{}: {}", attempt.target, tell(event)?),
            Event::Scan(hand_off, _) => format!("{}: {}", hand_off.target, tell(event)?),
            Event::NeedsPerson { target, .. } | Event::ForeignRestart { target } | Event::SmallLimit { target, .. } => {
                format!("{target}: {}", tell(event)?)
            }
            Event::ApprovalWanted(proposal) => format!("{}: {}", proposal.target, tell(event)?),
            Event::Storm { .. } | Event::Path { .. } | Event::Commanded(_) => tell(event)?,
            // The incident has told that its target is only observed; the steps are too many for a story.
            Event::Refused(_) | Event::Started(_) | Event::Stepped(_) => return None,
        };
        Some(format!("{}  {told}", clock(elapsed)))
    }

    /// Compares what was named with what should have been.
    #[must_use]
    pub fn summary(&self, now: Wall) -> Summary {
        let lasted = now.since(self.started);
        let row = |part: &Part| Row {
            target: part.target,
            expected: part.expects,
            named: part.named.clone(),
            early: lasted < NAMED_WITHIN,
            mends: part.mends,
            helped: part.helped.clone(),
            early_to_help: lasted < HELPED_WITHIN,
        };
        Summary { rows: self.parts.iter().map(row).collect() }
    }

    /// Tells of a suspicion once, not of every second by which it grows.
    fn suspect(&mut self, target: &str, verdict: &Verdict) -> Option<String> {
        let part = self.part(target)?;
        match verdict {
            Verdict::Healthy => {
                let before = part.suspected.take().filter(|_| part.open == 0)?;
                Some(format!("{target}: not {before} after all"))
            }
            Verdict::Suspect { pattern, missing } => {
                let before = part.suspected.replace(*pattern);
                let news = before != Some(*pattern) && part.open == 0;
                news.then(|| format!("{target}: perhaps {pattern}; not proven: {missing}"))
            }
            Verdict::Failing { .. } => None,
        }
    }

    fn reason(&mut self, incident: &Incident) -> String {
        let acts = self.part(incident.target.as_str()).is_some_and(|part| part.mends.is_some());
        let done = match incident.remedy {
            Remedy::Notify => " (a person must look)",
            Remedy::Reconnect | Remedy::Restart | Remedy::Reset | Remedy::Restore if acts => "",
            Remedy::Reconnect | Remedy::Restart | Remedy::Reset | Remedy::Restore => {
                " (not done: this target is only observed)"
            }
        };
        format!("{}. Fits: {}{done}", incident.evidence.sentence.trim_end_matches('.'), incident.remedy)
    }

    fn verify(&mut self, attempt: &AttemptView, elapsed: Duration) {
        if let Some(part) = self.part(attempt.target.as_str())
            && attempt.outcome == Some(attempt::Outcome::Helped)
        {
            part.helped.push((attempt.remedy, elapsed));
        }
    }

    fn open(&mut self, incident: &Incident, elapsed: Duration) {
        if let Some(part) = self.part(incident.target.as_str()) {
            part.name(incident.pattern, elapsed);
            part.open = part.open.saturating_add(1);
        }
    }

    fn rename(&mut self, incident: &Incident, elapsed: Duration) {
        if let Some(part) = self.part(incident.target.as_str()) {
            part.name(incident.pattern, elapsed);
        }
    }

    fn close(&mut self, incident: &Incident) {
        if let Some(part) = self.part(incident.target.as_str()) {
            part.open = part.open.saturating_sub(1);
            part.suspected = None;
        }
    }

    fn part(&mut self, target: &str) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.target == target)
    }
}

impl Part {
    fn name(&mut self, pattern: Pattern, elapsed: Duration) {
        if self.named.iter().all(|(named, _)| *named != pattern) {
            self.named.push((pattern, elapsed));
        }
    }
}

/// How a demo went, target by target. Displayed as a small table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// One row a target.
    pub rows: Vec<Row>,
}

/// How a demo went for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub target: &'static str,
    /// What should have been named; none where nothing should.
    pub expected: Option<Pattern>,
    /// What was named, in order, each with the time since the start.
    pub named: Vec<(Pattern, Duration)>,
    /// Whether the demo ended before every failure had to be named.
    pub early: bool,
    /// The remedy that should have helped; none where nothing is done.
    pub mends: Option<Remedy>,
    /// The remedies that helped, in order, each with the time since the start.
    pub helped: Vec<(Remedy, Duration)>,
    /// Whether the demo ended before every remedy had to have helped.
    pub early_to_help: bool,
}

/// What a row amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    AsExpected,
    TooEarly,
    Missed,
    Wrong,
}

impl Summary {
    /// Tells whether every target got the verdict that it should get, as far as there was time for it.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        self.rows.iter().all(|row| match row.outcome() {
            Outcome::AsExpected | Outcome::TooEarly => true,
            Outcome::Missed | Outcome::Wrong => false,
        })
    }
}

impl Row {
    fn outcome(&self) -> Outcome {
        let helped: Vec<Remedy> = self.helped.iter().map(|(remedy, _)| *remedy).collect();
        match (self.named(), self.mends) {
            (Outcome::AsExpected, Some(mends)) if helped == [mends] => Outcome::AsExpected,
            (Outcome::AsExpected, Some(_)) if helped.is_empty() && self.early_to_help => Outcome::TooEarly,
            (Outcome::AsExpected, Some(_)) if helped.is_empty() => Outcome::Missed,
            (Outcome::AsExpected, Some(_)) => Outcome::Wrong,
            (named, _) => named,
        }
    }

    fn named(&self) -> Outcome {
        match (self.expected, self.named.as_slice()) {
            (None, []) => Outcome::AsExpected,
            (Some(expected), [(named, _)]) if *named == expected => Outcome::AsExpected,
            (Some(_), []) if self.early => Outcome::TooEarly,
            (Some(_), []) => Outcome::Missed,
            (None | Some(_), [_, ..]) => Outcome::Wrong,
        }
    }

    fn seen(&self) -> String {
        if self.named.is_empty() {
            return "nothing".to_owned();
        }
        let named = self.named.iter().map(|(named, at)| format!("{named} at {}", clock(*at)));
        let helped = self.helped.iter().map(|(remedy, at)| format!("{remedy} helped at {}", clock(*at)));
        named.chain(helped).collect::<Vec<_>>().join(", then ")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsExpected => "as expected",
            Self::TooEarly => "ended too early to tell",
            Self::Missed => "MISSED",
            Self::Wrong => "WRONG",
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["target", "should be", "was", ""].map(str::to_owned);
        let body = self.rows.iter().map(|row| {
            let expected = row.expected.map_or("nothing", Pattern::as_str);
            let mends = row.mends.map_or_else(String::new, |remedy| format!(", {remedy} helps"));
            [row.target.to_owned(), format!("{expected}{mends}"), row.seen(), row.outcome().to_string()]
        });
        let table: Vec<[String; 4]> = std::iter::once(head).chain(body).collect();
        let [first, second, third] = [
            width(table.iter().map(|[cell, _, _, _]| cell.as_str())),
            width(table.iter().map(|[_, cell, _, _]| cell.as_str())),
            width(table.iter().map(|[_, _, cell, _]| cell.as_str())),
        ];
        for [target, expected, seen, outcome] in &table {
            let line = format!("{target:first$}  {expected:second$}  {seen:third$}  {outcome}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Quotes the gateway's own word, where it is not ours.
fn said(state: SessionState, word: Option<&Word>) -> String {
    match word {
        Some(word) if !word.as_str().eq_ignore_ascii_case(state.as_str()) => format!(" ({word})"),
        None | Some(_) => String::new(),
    }
}

fn how(incident: &Incident) -> &'static str {
    match incident.closed.map(|closed| closed.how) {
        Some(Closing::Recovered) => ": the session is well again",
        Some(Closing::Stopped) => ": somebody stopped the session",
        Some(Closing::Unwatched) => ": it is watched no more",
        None => "",
    }
}

fn clock(elapsed: Duration) -> String {
    let secs = elapsed.as_secs();
    format!("{:02}:{:02}", secs.div_euclid(60), secs.rem_euclid(60))
}

fn width<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::TargetId;
    use crate::engine::evidence::Evidence;
    use crate::engine::incident::{Closed, IncidentId};

    #[test]
    fn a_failure_is_told_with_its_evidence_its_remedy_and_that_nothing_was_done() {
        let mut narrator = narrator();
        assert_eq!(
            tell(&mut narrator, 12, &Event::Opened(incident("loop", Pattern::StateLoop, Remedy::Restart))),
            "00:12  loop: state_loop: this is the proof. Fits: restart (not done: this target is only observed)"
        );
        assert_eq!(
            tell(&mut narrator, 75, &Event::PatternChanged(incident("loop", Pattern::Conflict, Remedy::Notify))),
            "01:15  loop: it is conflict rather: this is the proof. Fits: notify (a person must look)"
        );
        assert_eq!(
            tell(&mut narrator, 80, &Event::Closed(closed("loop", Pattern::Conflict, 80))),
            "01:20  loop: conflict is over after 1 min 20 s: the session is well again"
        );
    }

    #[test]
    fn changes_of_state_are_told_until_the_failure_has_a_name_and_after_it_ended() {
        let mut narrator = narrator();
        assert_eq!(tell(&mut narrator, 1, &change(None)), "00:01  loop: first seen connecting (OPENING)");
        let later = change(Some(SessionState::Connected));
        assert_eq!(tell(&mut narrator, 2, &later), "00:02  loop: connected, then connecting (OPENING)");
        tell(&mut narrator, 3, &Event::Opened(incident("loop", Pattern::StateLoop, Remedy::Restart)));
        assert_eq!(narrator.hear(Wall::from_secs(4), &later), None);
        tell(&mut narrator, 5, &Event::Closed(closed("loop", Pattern::StateLoop, 5)));
        assert!(narrator.hear(Wall::from_secs(6), &later).is_some());
    }

    #[test]
    fn the_word_of_the_gateway_is_quoted_where_it_is_not_ours() {
        let said = |word| said(SessionState::Connecting, Some(&Word::new(word)));
        assert_eq!((said("OPENING").as_str(), said("CONNECTING").as_str()), (" (OPENING)", ""));
    }

    #[test]
    fn a_suspicion_is_told_once_until_it_is_gone() {
        let mut narrator = narrator();
        let suspect = |missing: &str| Verdict::Suspect { pattern: Pattern::StuckQr, missing: missing.to_owned() };
        let event = |verdict| Event::VerdictChanged { target: id("loop"), verdict };
        assert_eq!(
            tell(&mut narrator, 3, &event(suspect("12 s more"))),
            "00:03  loop: perhaps stuck_qr; not proven: 12 s more"
        );
        assert_eq!(narrator.hear(Wall::from_secs(4), &event(suspect("11 s more"))), None);
        assert_eq!(tell(&mut narrator, 5, &event(Verdict::Healthy)), "00:05  loop: not stuck_qr after all");
        assert_eq!(narrator.hear(Wall::from_secs(5), &event(Verdict::Healthy)), None, "nothing was suspected");
        assert!(narrator.hear(Wall::from_secs(6), &event(suspect("12 s more"))).is_some());
    }

    #[test]
    fn the_summary_tells_right_from_missed_and_from_wrong() {
        let mut narrator = narrator();
        assert!(!narrator.summary(Wall::from_secs(60)).is_as_expected(), "the loop was missed");
        assert!(narrator.summary(Wall::from_secs(10)).is_as_expected(), "the loop may still come");
        tell(&mut narrator, 21, &Event::Opened(incident("loop", Pattern::StateLoop, Remedy::Restart)));
        let good = narrator.summary(Wall::from_secs(60));
        assert!(good.is_as_expected());
        assert_eq!(
            good.to_string(),
            "target   should be   was\n\
             healthy  nothing     nothing              as expected\n\
             loop     state_loop  state_loop at 00:21  as expected\n"
        );
        tell(&mut narrator, 30, &Event::Opened(incident("healthy", Pattern::Conflict, Remedy::Notify)));
        let wrong = narrator.summary(Wall::from_secs(10));
        assert!(!wrong.is_as_expected(), "a false alarm is wrong however early it ends");
        assert!(wrong.to_string().contains("healthy  nothing     conflict at 00:30    WRONG"), "{wrong}");
    }

    #[test]
    fn another_name_before_the_right_one_is_wrong() {
        let mut narrator = narrator();
        tell(&mut narrator, 9, &Event::Opened(incident("loop", Pattern::NeverReady, Remedy::Restart)));
        tell(&mut narrator, 21, &Event::PatternChanged(incident("loop", Pattern::StateLoop, Remedy::Restart)));
        let summary = narrator.summary(Wall::from_secs(60));
        assert!(!summary.is_as_expected());
        assert!(summary.to_string().contains("never_ready at 00:09, then state_loop at 00:21"), "{summary}");
    }

    #[test]
    fn the_intro_names_every_gateway_and_where_to_look() {
        let text = intro(&targets(), "127.0.0.1:9877".parse().unwrap());
        for part in ["2 scripted gateways", "1 of them fail", "http://127.0.0.1:1", "is well", "/metrics", "curl -s"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    fn narrator() -> Narrator {
        Narrator::new(&targets(), Wall::from_secs(0))
    }

    fn targets() -> [Target; 2] {
        let target = |name, plays, expects| Target {
            name,
            dialect: "whatsapp-service",
            url: "http://127.0.0.1:1".to_owned(),
            session: None,
            token: None,
            qr_page: None,
            plays,
            expects,
            tells_memory: false,
            is_found: false,
            hooks: Vec::new(),
        };
        [target("healthy", "is well", None), target("loop", "loops", Some(Pattern::StateLoop))]
    }

    fn tell(narrator: &mut Narrator, at_secs: i64, event: &Event) -> String {
        narrator.hear(Wall::from_secs(at_secs), event).unwrap()
    }

    fn id(name: &str) -> TargetId {
        TargetId::new(name).unwrap()
    }

    fn change(from: Option<SessionState>) -> Event {
        let word = Some(Word::new("OPENING"));
        Event::StateChanged { target: id("loop"), from, to: SessionState::Connecting, word }
    }

    fn incident(target: &str, pattern: Pattern, remedy: Remedy) -> Arc<Incident> {
        Arc::new(Incident {
            id: IncidentId(1),
            target: id(target),
            pattern,
            evidence: Arc::new(Evidence::new("this is the proof".to_owned(), Vec::new())),
            remedy,
            opened: Wall::from_secs(0),
            closed: None,
        })
    }

    fn closed(target: &str, pattern: Pattern, at_secs: i64) -> Arc<Incident> {
        let at = Wall::from_secs(at_secs);
        let open = incident(target, pattern, Remedy::Restart);
        Arc::new(Incident { closed: Some(Closed { at, how: Closing::Recovered }), ..Incident::clone(&open) })
    }
}
