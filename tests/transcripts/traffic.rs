//! Silence, where it is learned how much usually passes at each hour of the week.

use std::time::Duration;

use wa_watchdog::engine::ledger::Fact;
use wa_watchdog::engine::policy::{Limits, Night};
use wa_watchdog::engine::sample::{Alert, Deep, Word};
use wa_watchdog::engine::{Input, Sample, Wall, Watchdog};

use super::{Play, policy, sample, target};

/// Who tells of messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Teller {
    /// The gateway counts them.
    Gateway,
    /// Somebody posts them.
    Bot,
}

/// A shop that is asked every two minutes, and busy on weekdays from 9 to 18 in its zone.
struct Shop {
    play: Play,
    zone: jiff::tz::TimeZone,
    teller: Teller,
}

impl Shop {
    /// Opens at a time, without a night: what is usual must be learned.
    fn open(at: &str, zone: &str, teller: Teller) -> Self {
        let mut limits = Limits { poll_every: Duration::from_mins(2), ..Limits::default() };
        let zone = jiff::tz::TimeZone::get(zone).expect("a time zone");
        limits.silent_session.night = Night { from: 0, to: 0, zone: zone.clone() };
        let mut play = Play::new(limits);
        play.now.wall = at.parse().expect("a time");
        play.start = play.now.wall;
        play.every = Duration::from_mins(2);
        play.watchdog = Watchdog::restore(policy(&play.limits, &play.watch), &[], play.now);
        Self { play, zone, teller }
    }

    fn is_busy(&self) -> bool {
        let local = self.play.now.wall.timestamp().to_zoned(self.zone.clone());
        local.weekday().to_monday_zero_offset() < 5 && (9..18).contains(&local.hour())
    }

    /// Lives until a time as it always did.
    fn lives_until(&mut self, until: &str) {
        let until: Wall = until.parse().expect("a time");
        while self.play.now.wall < until {
            let busy = self.is_busy();
            self.asked(busy);
        }
    }

    /// Falls silent until a time.
    fn silent_until(&mut self, until: &str) {
        let until: Wall = until.parse().expect("a time");
        while self.play.now.wall < until {
            self.asked(false);
        }
    }

    fn asked(&mut self, passes: bool) {
        let now = self.play.now.wall;
        let word = match self.teller {
            Teller::Gateway if passes => "active",
            Teller::Gateway => "still",
            Teller::Bot => "connected",
        };
        if passes && self.teller == Teller::Bot {
            self.play.observe(Sample::Activity(1));
        }
        self.play.observe(sample(word, 0, now));
        self.play.pass(self.play.every);
    }

    /// Takes what was said so far.
    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.play.said)
    }

    fn findings(&self) -> Vec<String> {
        self.play.view().findings.iter().map(|finding| finding.why.clone()).collect()
    }
}

/// Three weeks from a Monday on, and the incidents that they bring before it is known what is usual.
fn settled(zone: &str, teller: Teller) -> Shop {
    let mut shop = Shop::open("2026-01-05T00:00:00Z", zone, teller);
    shop.lives_until("2026-01-26T00:00:00Z");
    shop.said();
    shop
}

#[test]
fn a_new_target_is_judged_by_its_usual_gap_until_its_week_is_known() {
    let mut shop = Shop::open("2026-01-05T00:00:00Z", "UTC", Teller::Gateway);
    shop.lives_until("2026-01-06T00:00:00Z");
    assert_eq!(
        shop.said(),
        [
            "18 h 38 min silent_session: says connected, but nothing passed for 40 min (last at 17:58:00), where something usually passes every 2 min; limit is 20 such gaps and 30 min -> restart"
        ],
        "without a night that is configured, the first evening looks like silence"
    );
}

#[test]
fn a_quiet_night_and_a_quiet_weekend_are_no_silence_once_they_are_known() {
    let mut shop = settled("UTC", Teller::Gateway);
    shop.lives_until("2026-02-09T00:00:00Z");
    assert_eq!(shop.said(), Vec::<String>::new());
}

#[test]
fn a_busy_monday_that_falls_silent_is_silence() {
    let mut shop = settled("UTC", Teller::Gateway);
    shop.lives_until("2026-01-26T12:00:00Z");
    shop.silent_until("2026-01-26T13:30:00Z");
    let said = shop.said();
    assert_eq!(
        said,
        [
            "21 d 12 h silent_session: says connected, but nothing passed for 40 min (last at 11:58:00), where something usually passes every 2 min and 20 messages were to be expected at this hour of the week; limit is 20 such gaps, 30 min and 20 messages -> restart"
        ]
    );
}

#[test]
fn the_silence_of_whoever_tells_of_messages_needs_a_second_proof() {
    let mut shop = settled("UTC", Teller::Bot);
    shop.lives_until("2026-01-26T12:00:00Z");
    shop.silent_until("2026-01-26T13:30:00Z");
    assert_eq!(shop.said(), Vec::<String>::new(), "the bot may be down instead");
    let lack = "no messages are told of any more, and the gateway counts none itself; it takes a failed deep probe too";
    assert_eq!(shop.findings(), [lack]);
    shop.play.observe(Sample::Deep(Deep::Failed(Word::new("Target closed"))));
    let said = shop.said();
    assert!(
        said.len() == 1 && said[0].contains("and the deep probe failed, where something usually passes"),
        "{said:?}"
    );
    // A deep probe that fails at night proves nothing more than it did before.
    let mut shop = settled("UTC", Teller::Bot);
    shop.lives_until("2026-01-27T03:00:00Z");
    shop.play.observe(Sample::Deep(Deep::Failed(Word::new("Target closed"))));
    assert_eq!(shop.said(), Vec::<String>::new());
}

#[test]
fn an_hour_stays_the_same_hour_when_the_clocks_are_put_forward() {
    let mut shop = Shop::open("2026-03-01T23:00:00Z", "Europe/Berlin", Teller::Gateway);
    shop.lives_until("2026-03-22T23:00:00Z");
    shop.said();
    // Clocks change on Sunday, 2026-03-29; on Monday the shop opens an hour earlier by UTC, and closes so.
    shop.lives_until("2026-04-05T22:00:00Z");
    assert_eq!(shop.said(), Vec::<String>::new());
    shop.lives_until("2026-04-06T08:30:00Z");
    shop.silent_until("2026-04-06T09:40:00Z");
    let said = shop.said();
    assert!(said.len() == 1 && said[0].contains("20 messages were to be expected"), "{said:?}");
}

#[test]
fn what_was_learned_outlives_the_watchdog() {
    let mut shop = settled("UTC", Teller::Gateway);
    let learned =
        |shop: &Shop| shop.play.ledger.iter().filter(|entry| matches!(entry.fact, Fact::TrafficLearned { .. })).count();
    assert_eq!(learned(&shop), 21 - 1, "once a day, at its end");
    shop.lives_until("2026-01-30T12:00:00Z");
    shop.play.step("restart");
    shop.said();
    shop.lives_until("2026-02-02T12:00:00Z");
    assert_eq!(shop.said(), Vec::<String>::new(), "the first weekend after it is known to be quiet");
    // In hours of another zone it is not the same week.
    shop.play.limits.silent_session.night.zone = jiff::tz::TimeZone::get("Asia/Tokyo").expect("a time zone");
    let changed = policy(&shop.play.limits, &shop.play.watch);
    shop.play.watchdog.handle(shop.play.now, Input::PolicyChanged(changed));
    shop.lives_until("2026-02-03T00:00:00Z");
    let said = shop.said();
    assert!(said.len() == 1 && said[0].ends_with("limit is 20 such gaps and 30 min -> restart"), "{said:?}");
}

#[test]
fn alerts_of_others_are_shown_beside_the_evidence_and_prove_nothing() {
    let mut play = Play::new(Limits::default());
    let alert = |name: &str, fires| Sample::Alert(Alert { name: Word::new(name), fires });
    play.script("every 15s\n connected x4");
    play.observe(alert("WhatsAppDown", true));
    play.observe(alert("Slow", true));
    play.observe(alert("Slow", false));
    play.script("connected x4");
    assert_eq!(play.said, Vec::<String>::new());
    let view = play.view();
    assert_eq!(view.alerts.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(), ["WhatsAppDown"]);
    let explained = wa_watchdog::engine::explain::explain(&view, None, play.now.wall);
    let line = "Alertmanager fires: WhatsAppDown since 09:01:00, which proves nothing by itself";
    assert!(explained.iter().any(|said| said == line), "{explained:#?}");
    play.script("gone x12");
    let view = play.view();
    let seen: Vec<&str> = view.open[0].evidence.samples.iter().map(|exhibit| exhibit.seen.as_str()).collect();
    assert!(seen.contains(&"Alertmanager fires: WhatsAppDown"), "{seen:?}");
    // Alerts alone fill no silence of samples, and end none.
    let mut play = Play::new(Limits::default());
    play.script("connected x4");
    for _ in 0..20 {
        play.observe(alert("WhatsAppDown", true));
        play.pass(Duration::from_mins(1));
    }
    play.script("connected x1");
    assert!(Duration::from_mins(19) < play.view().evidence_since.since(play.start), "evidence began anew");
}

#[test]
fn what_was_pushed_late_is_no_news() {
    let mut play = Play::new(Limits::default());
    play.script("every 15s\n connected x4");
    let is_outdated = |play: &Play, ago: u64| {
        let at = Wall::from_millis(play.now.wall.millis() - i64::try_from(ago).expect("small"));
        play.watchdog.is_outdated(play.now, &target(), at)
    };
    // The last answer is 15 s old.
    assert_eq!(
        [0, 5_000, 15_900, 16_100, 60_000].map(|ago| is_outdated(&play, ago)),
        [false, false, false, true, true]
    );
    play.pass(Duration::from_mins(10));
    assert!(is_outdated(&play, 301_000) && !is_outdated(&play, 299_000), "however little was heard since");
}
