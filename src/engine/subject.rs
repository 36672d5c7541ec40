//! One watched target: its timeline, its verdicts, its incidents.

mod count;
mod memory;
mod view;

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use super::care::Care;
use super::day::{Day, Shade};
use super::fleet::Health;
use super::incident::{Closed, Closing, Incident, IncidentId};
use super::ladder::Ladder;
use super::moment::{Moment, Stamp};
use super::pattern::{Case, Finding, Lane, Pattern};
use super::policy::Watch;
use super::sample::{Reply, Sample, SessionState, Word};
use super::schedule::Slot;
use super::snapshot::{Counts, INCIDENT_BUCKETS, TargetView};
use super::target::TargetId;
use super::timeline::Timeline;
use super::timeline::week::Week;
use super::verdict::Verdict;

pub use memory::Memory;

/// One watched target.
#[derive(Debug)]
pub struct Subject {
    id: TargetId,
    /// How strictly it is watched.
    pub watch: Watch,
    /// When it is asked.
    pub slot: Slot,
    timeline: Timeline,
    counts: Counts,
    session: Book,
    memory: Book,
    /// The state that was last told to the world, also before a restart of the watchdog.
    told_state: Option<SessionState>,
    state_since: Option<Moment>,
    connected_at: Option<Moment>,
    epoch: u64,
    /// What was done for it, and what may be done next.
    pub care: Box<Care>,
    /// Something was done, is due or is awaited; kept here so that the many that are well cost nothing.
    is_attended: bool,
    /// How it is, as far as the others are concerned.
    pub health: Health,
    /// An attempt is under way: what is seen meanwhile proves nothing.
    in_run: bool,
    /// The limit of its memory that was last said to be too small.
    small_limit: Option<u64>,
    /// When it was last looked at.
    looked: Moment,
    /// How it was during the last day.
    day: Arc<Day>,
    view: OnceCell<Arc<TargetView>>,
}

/// What is believed of one lane.
#[derive(Debug, Default)]
struct Book {
    open: Option<Open>,
    brief: Brief,
    /// The patterns that were proven at the last sample.
    proven: u16,
    /// Since when nothing is proven any more.
    calm: Option<Moment>,
}

/// An incident that is open.
#[derive(Debug)]
struct Open {
    incident: Arc<Incident>,
    since: Moment,
    is_restored: bool,
}

/// A verdict without its words, to see a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Brief {
    #[default]
    Healthy,
    Suspect(Pattern),
    Failing(Pattern),
}

/// What changed with a sample.
#[derive(Clone, Debug)]
pub enum News {
    /// The state.
    State {
        /// The state before.
        from: Option<SessionState>,
        /// The state from here on.
        to: SessionState,
        /// The gateway's own word.
        word: Option<Word>,
    },
    /// The verdict, without an incident opening or closing.
    Verdict(Verdict),
    /// An incident opened.
    Opened(Arc<Incident>, Moment),
    /// An open incident changed its pattern.
    Changed(Arc<Incident>, Pattern),
    /// An incident closed; it had opened at that moment.
    Closed(Arc<Incident>, Moment),
    /// The service started anew.
    Started,
    /// It runs another version.
    Version {
        /// The version before.
        from: Option<Word>,
        /// The version from here on.
        to: Word,
        /// Its runtime says so, and not the service.
        of_image: bool,
    },
    /// Its memory is limited to so many bytes, less than the so many that it needs at least.
    SmallLimit(u64, u64),
    /// What usually passes was learned.
    Traffic {
        /// The time zone of its hours.
        zone: Word,
        /// What passes.
        week: Week,
    },
}

impl Subject {
    /// Starts to watch a target, with what is remembered of it.
    #[must_use]
    pub fn new(id: TargetId, watch: Watch, memory: Memory, epoch: u64, now: Moment) -> Self {
        let mut timeline = Timeline::new(now);
        timeline.ever_good = memory.was_good;
        timeline.version = memory.version;
        timeline.image = memory.image;
        if let Some((_, week)) = memory.traffic.filter(|(zone, _)| *zone == zone_of(&watch)) {
            timeline.activity.recall(week);
        }
        let is_failing = memory.open.iter().any(|incident| incident.pattern.lane() == Lane::Session);
        let mut day = memory.day.unwrap_or_else(|| Day::new(now.wall));
        day.stay(now.wall, Shade::of(memory.state, None, is_failing, memory.is_suspect));
        let mut subject = Self {
            id,
            watch,
            slot: Slot::default(),
            timeline,
            counts: Counts::default(),
            session: Book::default(),
            memory: Book::default(),
            told_state: memory.state,
            state_since: None,
            connected_at: None,
            epoch,
            care: Box::new(memory.care),
            is_attended: true,
            health: Health::Unknown,
            in_run: false,
            small_limit: memory.small_limit,
            looked: now,
            day: Arc::new(day),
            view: OnceCell::new(),
        };
        let session = memory.open.iter().find(|incident| incident.pattern.lane() == Lane::Session);
        if let Some(incident) = session {
            subject.health = Health::Bad(Stamp::of_wall(now, incident.opened));
        }
        for incident in memory.open {
            let book = subject.book(incident.pattern.lane());
            book.brief = Brief::Failing(incident.pattern);
            book.open = Some(Open { incident, since: now, is_restored: true });
        }
        subject
    }

    /// Returns its name.
    #[must_use]
    pub fn id(&self) -> &TargetId {
        &self.id
    }

    /// Takes in one sample; `epoch` counts how often the watchdog found itself suspended.
    pub fn observe(&mut self, now: Moment, epoch: u64, sample: &Sample, ids: &mut IncidentId) -> Vec<News> {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.timeline.restart(now);
        }
        self.view.take();
        self.looked = now;
        self.count(sample);
        let limits = Arc::clone(&self.watch.limits);
        let (starts, versions, images) = (self.timeline.starts, self.timeline.versions, self.timeline.images);
        self.timeline.observe(now, sample, &limits);
        if let Sample::Alert(_) = sample {
            // Nothing is judged because somebody else believes something.
            return Vec::new();
        }
        if let Sample::Poll { reply: Reply::Throttled { retry_after }, .. } = sample {
            self.slot.hold(now, *retry_after, limits.poll_every);
        }
        let mut news = Vec::new();
        if self.timeline.starts != starts {
            news.push(News::Started);
        }
        if let Some(to) = self.timeline.version.clone().filter(|_| versions != self.timeline.versions) {
            news.push(News::Version { from: self.timeline.version_before.clone(), to, of_image: false });
        }
        if let Some(to) = self.timeline.image.clone().filter(|_| images != self.timeline.images) {
            news.push(News::Version { from: self.timeline.image_before.clone(), to, of_image: true });
        }
        if let Sample::Memory(reading) = sample {
            news.extend(self.weigh_limit(reading.limit_bytes));
        }
        if let Some(week) = self.timeline.activity.news().cloned() {
            news.push(News::Traffic { zone: zone_of(&self.watch), week });
        }
        self.follow_state(now, &mut news);
        if !self.in_run {
            for lane in [Lane::Session, Lane::Memory] {
                self.judge(now, lane, ids, &mut news);
            }
        }
        self.note_shade(now);
        news
    }

    /// Returns how it is now, as far as the others are concerned; since when it is bad is kept.
    #[must_use]
    pub fn health_now(&self, now: Moment) -> Health {
        match (self.session.brief, self.health) {
            (Brief::Healthy, _) if self.timeline.is_connected() => Health::Well,
            (Brief::Healthy, _) => Health::Unknown,
            (Brief::Suspect(_) | Brief::Failing(_), Health::Bad(since)) => Health::Bad(since),
            (Brief::Suspect(_) | Brief::Failing(_), Health::Unknown | Health::Well) => Health::Bad(now.stamp()),
        }
    }

    /// Returns what it showed.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Returns the incident of a lane that is open.
    #[must_use]
    pub fn open(&self, lane: Lane) -> Option<&Arc<Incident>> {
        let book = match lane {
            Lane::Session => &self.session,
            Lane::Memory => &self.memory,
        };
        book.open.as_ref().map(|open| &open.incident)
    }

    /// Tells whether a pattern was proven at the newest sample.
    #[must_use]
    pub fn is_proven(&self, pattern: Pattern) -> bool {
        let book = match pattern.lane() {
            Lane::Session => &self.session,
            Lane::Memory => &self.memory,
        };
        index_of(pattern).is_some_and(|index| book.proven & bit(index) != 0)
    }

    /// Returns the remedies that fit a pattern now.
    #[must_use]
    pub fn ladder(&self, now: Moment, pattern: Pattern) -> Ladder {
        pattern.ladder(&self.case(now))
    }

    /// Tells whether anything is to be done about it, or might be.
    #[must_use]
    pub fn needs_care(&self) -> bool {
        self.session.open.is_some() || self.memory.open.is_some() || self.timeline.scan.is_shown || self.is_attended
    }

    /// Notes when to look at it again although nothing is heard; returns when that was to be so far.
    pub fn set_wake(&mut self, wake: Option<Moment>) -> Option<Moment> {
        self.is_attended = !self.care.is_idle();
        std::mem::replace(&mut self.care.wake, wake)
    }

    /// Tells whether it is night for those who would have to scan.
    #[must_use]
    pub fn is_quiet(&self, now: Moment) -> bool {
        let quiet = &self.watch.limits.quiet_hours;
        let hour = now.wall.timestamp().to_zoned(quiet.zone.clone()).hour();
        u8::try_from(hour).is_ok_and(|hour| quiet.holds(hour))
    }

    /// Begins an attempt: until it ends nothing is judged.
    pub fn begin_run(&mut self, now: Moment) {
        self.in_run = true;
        self.evidence_anew(now, false);
    }

    /// Ends an attempt: evidence starts anew. `is_restarted`: the service was down meanwhile.
    pub fn end_run(&mut self, now: Moment, is_restarted: bool) {
        self.in_run = false;
        self.evidence_anew(now, is_restarted);
    }

    /// Notes that a person linked it anew: evidence starts anew, and it is steady since now.
    pub fn linked_anew(&mut self, now: Moment) {
        self.evidence_anew(now, false);
        self.timeline.steady = Some(now);
    }

    fn evidence_anew(&mut self, now: Moment, is_restarted: bool) {
        if is_restarted {
            self.timeline.disturbed(now);
        } else {
            self.timeline.restart(now);
        }
        // What was proven must be proven again.
        (self.session.proven, self.memory.proven) = (0, 0);
        self.changed();
    }

    /// Notes that it must be shown anew.
    pub fn changed(&mut self) {
        self.view.take();
    }

    /// Stops watching: every open incident closes.
    pub fn unwatch(&mut self, now: Moment) -> Vec<News> {
        let closed = [Lane::Session, Lane::Memory].map(|lane| self.close(now, lane, Closing::Unwatched));
        closed.into_iter().flatten().collect()
    }

    /// Takes on new thresholds; what was seen and what is open stay.
    pub fn rewatch(&mut self, watch: Watch) {
        if zone_of(&watch) != zone_of(&self.watch) {
            self.timeline.activity.forget();
        }
        self.watch = watch;
        self.view.take();
    }

    /// Returns the session incident that is open, and when it opened.
    #[must_use]
    pub fn open_session(&self) -> Option<(IncidentId, Moment)> {
        self.session.open.as_ref().map(|open| (open.incident.id, open.since))
    }

    /// Tells whether the deep probe may be asked: only of a session that says it is good, and not soon after a start.
    #[must_use]
    pub fn wants_deep(&self, now: Moment) -> bool {
        let limits = &self.watch.limits;
        let settled = self.timeline.steady.is_some_and(|since| limits.settle <= now.since(since));
        self.watch.has_deep && settled && is_due(now, self.slot.deep_asked, limits.deep_every)
    }

    /// Tells whether the QR endpoint may be asked: only while a scan is wanted, and not soon after a start.
    #[must_use]
    pub fn wants_qr(&self, now: Moment) -> bool {
        let limits = &self.watch.limits;
        let settled =
            self.timeline.scan.since().is_some_and(|since| limits.settle.min(limits.qr_every) <= now.since(since));
        self.watch.has_qr && settled && is_due(now, self.slot.qr_asked, limits.qr_every)
    }

    /// Shows it; costs nothing when nothing changed since the last time.
    #[must_use]
    pub fn view(&self) -> Arc<TargetView> {
        Arc::clone(self.view.get_or_init(|| Arc::new(view::show(self))))
    }

    fn book(&mut self, lane: Lane) -> &mut Book {
        match lane {
            Lane::Session => &mut self.session,
            Lane::Memory => &mut self.memory,
        }
    }

    fn case(&self, now: Moment) -> Case<'_> {
        Case { timeline: &self.timeline, limits: &self.watch.limits, now }
    }

    fn follow_state(&mut self, now: Moment, news: &mut Vec<News>) {
        let Some(run) = self.timeline.polls.current() else { return };
        let (to, word) = (run.seen.state, &run.seen.word);
        if to == SessionState::Connected {
            if let Some(before) = self.connected_at.filter(|at| self.timeline.floor.uptime <= at.uptime) {
                self.counts.connected = self.counts.connected.saturating_add(run.last.since(before));
            }
            self.connected_at = Some(run.last);
        } else {
            self.connected_at = None;
        }
        if self.state_since.is_some() && self.told_state == Some(to) {
            return;
        }
        let from = self.told_state.replace(to);
        self.state_since = Some(now);
        if from != Some(to) {
            bump(&mut self.counts.state_changes, SessionState::ALL.iter().position(|state| *state == to));
            news.push(News::State { from, to, word: word.clone() });
        }
    }

    fn note_shade(&mut self, now: Moment) {
        let (is_failing, is_suspect) = match self.session.brief {
            Brief::Failing(_) => (true, false),
            Brief::Suspect(_) => (false, true),
            Brief::Healthy => (false, false),
        };
        let shade = Shade::of(self.timeline.state(), self.timeline.up, is_failing, is_suspect);
        if self.day.would_change(now.wall, shade) {
            Arc::make_mut(&mut self.day).see(now.wall, shade);
        }
    }

    fn judge(&mut self, now: Moment, lane: Lane, ids: &mut IncidentId, news: &mut Vec<News>) {
        let (mut top, mut suspect, mut proven) = (None, None, 0_u16);
        let case = self.case(now);
        for (index, pattern) in Pattern::ALL.into_iter().enumerate() {
            if pattern.lane() != lane {
                continue;
            }
            match pattern.judge(&case) {
                Finding::Proven => {
                    proven |= bit(index);
                    top = top.or(Some(pattern));
                }
                Finding::Partly(lack) => suspect = suspect.or(Some((pattern, lack))),
                Finding::Clear => {}
            }
        }
        self.detect(lane, proven);
        match top {
            Some(pattern) => self.prove(now, pattern, ids, news),
            None => self.calm(now, lane, news),
        }
        let brief = match (&self.book(lane).open, suspect) {
            (Some(open), _) => Brief::Failing(open.incident.pattern),
            (None, Some((pattern, _))) => Brief::Suspect(pattern),
            (None, None) => Brief::Healthy,
        };
        let before = std::mem::replace(&mut self.book(lane).brief, brief);
        if before == brief {
            return;
        }
        // An incident that opened, changed or closed says so itself.
        match (before, brief, suspect) {
            (Brief::Healthy | Brief::Suspect(_), Brief::Suspect(pattern), Some((_, lack))) => {
                news.push(News::Verdict(Verdict::Suspect { pattern, missing: lack.to_string() }));
            }
            (Brief::Suspect(_), Brief::Healthy, _) => news.push(News::Verdict(Verdict::Healthy)),
            (_, _, _) => {}
        }
    }

    /// Tells of a limit that is too small, once.
    fn weigh_limit(&mut self, limit: Option<u64>) -> Option<News> {
        let minimum = self.watch.memory.minimum?;
        let small = limit.filter(|limit| *limit < minimum);
        let before = std::mem::replace(&mut self.small_limit, small);
        small.filter(|_| small != before).map(|limit| News::SmallLimit(limit, minimum))
    }

    fn detect(&mut self, lane: Lane, proven: u16) {
        let before = std::mem::replace(&mut self.book(lane).proven, proven);
        for index in 0..Pattern::ALL.len() {
            if proven & bit(index) != 0 && before & bit(index) == 0 {
                bump(&mut self.counts.detections, Some(index));
            }
        }
    }

    fn prove(&mut self, now: Moment, pattern: Pattern, ids: &mut IncidentId, news: &mut Vec<News>) {
        let lane = pattern.lane();
        self.book(lane).calm = None;
        if self.book(lane).open.as_ref().is_some_and(|open| open.incident.pattern == pattern) {
            self.refit(now, pattern);
            return;
        }
        let case = self.case(now);
        let (evidence, remedy) = (Arc::new(pattern.tell(&case)), pattern.ladder(&case).first());
        if let Some(open) = &mut self.book(lane).open {
            let from = open.incident.pattern;
            open.incident = Arc::new(Incident { pattern, evidence, remedy, ..Incident::clone(&open.incident) });
            news.push(News::Changed(Arc::clone(&open.incident), from));
            return;
        }
        ids.0 = ids.0.saturating_add(1);
        let incident = Arc::new(Incident {
            id: *ids,
            target: self.id.clone(),
            pattern,
            evidence,
            remedy,
            opened: now.wall,
            closed: None,
        });
        bump(&mut self.counts.incidents, index_of(pattern));
        self.book(lane).open = Some(Open { incident: Arc::clone(&incident), since: now, is_restored: false });
        news.push(News::Opened(incident, now));
    }

    /// Keeps the remedy of an open incident fitting: once a QR code is on the screen only a person helps.
    fn refit(&mut self, now: Moment, pattern: Pattern) {
        let remedy = pattern.ladder(&self.case(now)).first();
        if let Some(open) = &mut self.book(pattern.lane()).open
            && open.incident.remedy != remedy
        {
            open.incident = Arc::new(Incident { remedy, ..Incident::clone(&open.incident) });
        }
    }

    fn calm(&mut self, now: Moment, lane: Lane, news: &mut Vec<News>) {
        let since = *self.book(lane).calm.get_or_insert(now);
        let Some(open) = &self.book(lane).open else { return };
        let (pattern, is_restored) = (open.incident.pattern, open.is_restored);
        let limits = &self.watch.limits;
        // Evidence from a log is lost with a restart of the watchdog, and `connected` does not refute it: give it time to return.
        let steady = match (pattern, is_restored) {
            (Pattern::Conflict, true) => limits.steady.max(limits.conflict.within),
            (_, _) => limits.steady,
        };
        let is_over = match lane {
            Lane::Session => self.timeline.steady.is_some_and(|at| steady <= now.since(at)),
            Lane::Memory => steady <= now.since(since),
        };
        // Nobody asked an idle session to connect, so `connected` never comes; what was wrong with its gateway is over.
        let is_over =
            is_over || (lane == Lane::Session && self.timeline.is_idle() && limits.steady <= now.since(since));
        let how = if is_over && pattern.is_cleared(&self.case(now)) {
            Closing::Recovered
        } else if lane == Lane::Session && self.timeline.is_stopped && limits.steady <= now.since(since) {
            Closing::Stopped
        } else {
            return;
        };
        news.extend(self.close(now, lane, how));
        // What was judged and closed is not judged again.
        if lane == Lane::Session {
            let steady = self.timeline.steady;
            self.timeline.restart(now);
            self.timeline.steady = steady;
        }
    }

    fn close(&mut self, now: Moment, lane: Lane, how: Closing) -> Option<News> {
        let open = self.book(lane).open.take()?;
        let incident = Incident { closed: Some(Closed { at: now.wall, how }), ..Incident::clone(&open.incident) };
        let lasted = incident.duration(now.wall);
        self.counts.incident_durations.entry(incident.pattern).or_default().observe(&INCIDENT_BUCKETS, lasted);
        Some(News::Closed(Arc::new(incident), open.since))
    }
}

/// Names the time zone in which the hours of a target are counted.
fn zone_of(watch: &Watch) -> Word {
    Word::new(watch.limits.silent_session.night.zone.iana_name().unwrap_or_default())
}

fn is_due(now: Moment, asked: Option<Moment>, every: Duration) -> bool {
    asked.is_none_or(|at| every <= now.since(at))
}

/// The place of a pattern in a set of them.
fn bit(index: usize) -> u16 {
    1_u16.checked_shl(u32::try_from(index).unwrap_or(0)).unwrap_or(0)
}

fn index_of(pattern: Pattern) -> Option<usize> {
    Pattern::ALL.iter().position(|other| *other == pattern)
}

fn bump<const N: usize>(counts: &mut [u64; N], index: Option<usize>) {
    if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
        *count = count.saturating_add(1);
    }
}
