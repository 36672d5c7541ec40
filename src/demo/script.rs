//! A script as data: from which second on a gateway does what.

use std::time::Duration;

/// What a gateway plays: its acts in order, once, or again and again.
#[derive(Debug)]
pub(super) struct Script<A: 'static> {
    /// What it does from the start on.
    pub(super) first: A,
    /// What it does later, by the second at which it begins.
    pub(super) then: &'static [Scene<A>],
    /// After how many seconds all of it comes again; without, the last act lasts.
    pub(super) period_secs: Option<u64>,
}

/// One act and the second at which it begins.
#[derive(Debug)]
pub(super) struct Scene<A> {
    pub(super) from_secs: u64,
    pub(super) act: A,
}

impl<A> Script<A> {
    /// Makes a script of one act that lasts.
    pub(super) const fn always(act: A) -> Self {
        Self { first: act, then: &[], period_secs: None }
    }

    /// Makes a script that ends with an act that lasts.
    pub(super) const fn once(first: A, then: &'static [Scene<A>]) -> Self {
        Self { first, then, period_secs: None }
    }

    /// Makes a script that comes again every `period_secs`.
    pub(super) const fn again(first: A, then: &'static [Scene<A>], period_secs: u64) -> Self {
        Self { first, then, period_secs: Some(period_secs) }
    }

    /// Returns what is played at this time after the start.
    pub(super) fn at(&self, elapsed: Duration) -> &A {
        let elapsed = elapsed.as_secs();
        let second = self.period_secs.and_then(|period| elapsed.checked_rem(period)).unwrap_or(elapsed);
        self.then.iter().take_while(|scene| scene.from_secs <= second).last().map_or(&self.first, |scene| &scene.act)
    }

    /// Tells whether every act has its time: scenes in order, none at the start, none after the repeat.
    #[cfg(test)]
    pub(super) fn is_in_order(&self) -> bool {
        let begins: Vec<u64> = std::iter::once(0).chain(self.then.iter().map(|scene| scene.from_secs)).collect();
        let last = begins.last().copied().unwrap_or(0);
        begins.windows(2).all(|pair| pair[0] < pair[1]) && self.period_secs.is_none_or(|period| last < period)
    }
}

/// Makes a scene.
pub(super) const fn from<A>(from_secs: u64, act: A) -> Scene<A> {
    Scene { from_secs, act }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: &[Scene<char>] = &[from(3, 'b'), from(5, 'c')];
    const AT_ONCE: &[Scene<char>] = &[from(0, 'b')];
    const SWAPPED: &[Scene<char>] = &[from(5, 'c'), from(3, 'b')];

    #[test]
    fn the_last_act_lasts() {
        let script = Script::once('a', LATER);
        assert_eq!(played(&script, 0..8), "aaabbccc");
        assert_eq!(*script.at(Duration::MAX), 'c');
    }

    #[test]
    fn a_period_begins_again_with_the_first_act() {
        assert_eq!(played(&Script::again('a', LATER, 6), 0..14), "aaabbcaaabbcaa");
    }

    #[test]
    fn one_act_needs_no_scene() {
        assert_eq!(played(&Script::always('a'), 0..3), "aaa");
    }

    #[test]
    fn a_scene_out_of_order_is_seen() {
        assert!(Script::once('a', LATER).is_in_order() && Script::again('a', LATER, 6).is_in_order());
        assert!(!Script::again('a', LATER, 5).is_in_order(), "the last act would never be played");
        assert!(!Script::once('a', AT_ONCE).is_in_order(), "the first act would never be played");
        assert!(!Script::once('a', SWAPPED).is_in_order());
    }

    fn played(script: &Script<char>, seconds: std::ops::Range<u64>) -> String {
        seconds.map(|second| *script.at(Duration::from_secs(second))).collect()
    }
}
