//! Network paths that sessions need: to WhatsApp, to a vendor. While one is down, nothing that is done to a session helps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::moment::{Moment, Stamp};
use super::policy::FleetLimits;
use super::sample::Word;
use super::snapshot::PathView;
use super::target::TargetId;

/// A path is down after this many failures in a row. The first one holds remedies already: waiting costs nothing.
const DOWN_AFTER: u32 = 2;

/// The name of a path, as in the configuration.
pub type PathName = Arc<str>;

/// What was seen of each path.
#[derive(Debug, Default)]
pub struct Paths(BTreeMap<PathName, Path>);

#[derive(Debug, Default)]
struct Path {
    /// Failures in a row, the reason of the newest, and since when.
    failing: Option<(u32, Word, Stamp)>,
    is_down: bool,
    /// Since when it is up again.
    back: Option<Stamp>,
}

impl Paths {
    /// Takes in what a probe saw; `down` says why it failed. Returns whether the path is up from here on, where that changed.
    pub fn saw(&mut self, now: Moment, name: &PathName, down: Option<Word>) -> Option<bool> {
        let path = self.0.entry(Arc::clone(name)).or_default();
        let Some(why) = down else {
            path.failing = None;
            let was_down = std::mem::take(&mut path.is_down);
            if was_down {
                path.back = Some(now.stamp());
            }
            return was_down.then_some(true);
        };
        let (before, since) = path.failing.as_ref().map_or((0, now.stamp()), |(times, _, since)| (*times, *since));
        let times = before.saturating_add(1);
        path.failing = Some((times, why, since));
        let turned = !path.is_down && DOWN_AFTER <= times;
        path.is_down |= turned;
        turned.then_some(false)
    }

    /// Forgets paths that are not looked at any more.
    pub fn keep(&mut self, names: &[PathName]) {
        self.0.retain(|name, _| names.contains(name));
    }

    /// Says why a remedy for a target that needs these paths must wait; none where it must not.
    #[must_use]
    pub fn hold(&self, now: Moment, names: &[PathName], id: &TargetId, fleet: &FleetLimits) -> Option<String> {
        let jitter = fleet.storm_jitter.mul_f64(f64::from(id.hash()) / f64::from(u32::MAX));
        names.iter().find_map(|name| {
            let path = self.0.get(name)?;
            if let Some((_, why, since)) = &path.failing {
                let since = since.wall(now).clock();
                return Some(format!("the network path {name} is down since {since} ({why}): nothing done here helps"));
            }
            let release = path.back?.after(fleet.storm_exit).after(jitter);
            (!release.has_come(now)).then(|| {
                format!("the network path {name} just came back; it waits until {}", release.wall(now).clock())
            })
        })
    }

    /// Shows every path that was looked at.
    #[must_use]
    pub fn views(&self, now: Moment) -> Vec<PathView> {
        let view = |(name, path): (&PathName, &Path)| {
            let failing = path.failing.as_ref().filter(|_| path.is_down);
            let since = failing.map(|(_, _, since)| *since).or(path.back);
            PathView {
                path: Arc::clone(name),
                up: !path.is_down,
                since: since.map(|since| since.wall(now)),
                why: failing.map(|(_, why, _)| why.clone()),
            }
        };
        self.0.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::default().after(Duration::from_secs(secs))
    }

    #[test]
    fn the_first_failure_holds_the_second_is_told_and_the_return_is_waited_out() {
        let (mut paths, fleet) = (Paths::default(), FleetLimits::default());
        let (name, id) = (PathName::from("whatsapp"), TargetId::new("shop").unwrap());
        let names = [Arc::clone(&name)];
        assert_eq!(paths.saw(at(0), &name, None), None);
        assert_eq!(paths.hold(at(0), &names, &id, &fleet), None);
        assert_eq!(paths.saw(at(30), &name, Some(Word::new("time-out"))), None);
        assert!(paths.hold(at(30), &names, &id, &fleet).unwrap().contains("is down since 00:00:30 (time-out)"));
        assert_eq!(paths.saw(at(60), &name, Some(Word::new("time-out"))), Some(false));
        assert_eq!(paths.saw(at(90), &name, Some(Word::new("time-out"))), None);
        assert!(!paths.views(at(90))[0].up);
        assert_eq!(paths.saw(at(120), &name, None), Some(true));
        assert!(paths.hold(at(200), &names, &id, &fleet).unwrap().contains("just came back"));
        assert_eq!(paths.hold(at(301), &names, &id, &fleet), None);
        assert_eq!(paths.hold(at(90), &[], &id, &fleet), None);
        paths.keep(&[]);
        assert!(paths.views(at(400)).is_empty());
    }

    #[test]
    fn one_failure_alone_is_held_and_not_told() {
        let (mut paths, fleet) = (Paths::default(), FleetLimits::default());
        let (name, id) = (PathName::from("whatsapp"), TargetId::new("shop").unwrap());
        assert_eq!(paths.saw(at(0), &name, Some(Word::new("reset"))), None);
        assert_eq!(paths.saw(at(30), &name, None), None);
        assert_eq!(paths.hold(at(31), &[Arc::clone(&name)], &id, &fleet), None);
        assert!(paths.views(at(31))[0].up);
    }
}
