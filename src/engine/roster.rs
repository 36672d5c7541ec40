//! The watched targets: found by name in one step, shown in the order of names.

use std::collections::BTreeMap;

use super::subject::Subject;
use super::target::TargetId;

/// The watched targets.
///
/// Changes with the policy only. Finding one costs the same with one target and with ten thousand: a table of places by the
/// hash of the name, at most half full.
#[derive(Debug, Default)]
pub struct Roster {
    subjects: Vec<Subject>,
    /// Place in `subjects` plus one; zero where nobody lives. A power of two long.
    places: Vec<u32>,
}

impl Roster {
    /// Settles the targets of a policy.
    #[must_use]
    pub fn new(subjects: BTreeMap<TargetId, Subject>) -> Self {
        let subjects: Vec<Subject> = subjects.into_values().collect();
        let rooms = subjects.len().saturating_mul(2).next_power_of_two().max(2);
        let mut roster = Self { subjects: Vec::new(), places: vec![0; rooms] };
        for (subject, number) in subjects.iter().zip(1_u32..) {
            let free = roster.walk(subject.id()).find(|room| roster.places.get(*room) == Some(&0));
            if let Some(place) = free.and_then(|room| roster.places.get_mut(room)) {
                *place = number;
            }
        }
        roster.subjects = subjects;
        roster
    }

    /// Gives the targets back, by name.
    #[must_use]
    pub fn into_map(self) -> BTreeMap<TargetId, Subject> {
        self.subjects.into_iter().map(|subject| (subject.id().clone(), subject)).collect()
    }

    /// Finds a target.
    pub fn get_mut(&mut self, id: &TargetId) -> Option<&mut Subject> {
        self.place(id).and_then(|place| self.subjects.get_mut(place))
    }

    /// Finds a target, to look at it.
    #[must_use]
    pub fn get(&self, id: &TargetId) -> Option<&Subject> {
        self.place(id).and_then(|place| self.subjects.get(place))
    }

    /// Returns the targets in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.iter()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    fn place(&self, id: &TargetId) -> Option<usize> {
        let number =
            self.walk(id).map_while(|room| self.places.get(room).filter(|number| **number != 0)).find(|number| {
                place(**number).and_then(|place| self.subjects.get(place)).is_some_and(|subject| subject.id() == id)
            })?;
        place(*number)
    }

    /// The rooms in which a name may live, nearest first.
    fn walk(&self, id: &TargetId) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len().saturating_sub(1);
        let start = usize::try_from(id.hash()).unwrap_or(0);
        (0..=mask).map(move |step| start.wrapping_add(step) & mask)
    }
}

fn place(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Moment;
    use crate::engine::policy::Watch;
    use crate::engine::subject::Memory;

    #[test]
    fn every_target_is_found_by_name_and_shown_in_order() {
        let names: Vec<TargetId> = (0..500).map(|n| TargetId::new(&format!("s{n}")).unwrap()).collect();
        let watch = |id: &TargetId| Subject::new(id.clone(), Watch::default(), Memory::default(), 0, Moment::default());
        let mut roster = Roster::new(names.iter().map(|id| (id.clone(), watch(id))).collect());
        for id in &names {
            assert_eq!(roster.get_mut(id).unwrap().id(), id);
        }
        assert!(roster.get_mut(&TargetId::new("nobody").unwrap()).is_none());
        assert!(roster.values().is_sorted_by_key(|subject| subject.id().clone()));
        assert!(Roster::default().get_mut(&names[0]).is_none());
        assert_eq!(roster.into_map().len(), 500);
    }
}
