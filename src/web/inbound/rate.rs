//! How much may be pushed within a second.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::config::TARGETS_MAX;
use crate::engine::moment::Wall;
use crate::engine::target::TargetId;

/// Counts what was granted to each target in the current second. Only who showed its secret gets here, so that nobody else can use
/// its share up.
#[derive(Debug, Default)]
pub(in crate::web) struct Rates(Mutex<BTreeMap<TargetId, (i64, u32)>>);

impl Rates {
    /// Returns how much of what is wanted is granted.
    pub(super) fn take(&self, id: &TargetId, now: Wall, most: u32, wanted: usize) -> usize {
        let second = now.millis().div_euclid(1000);
        let mut seconds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if TARGETS_MAX <= seconds.len() && !seconds.contains_key(id) {
            // Names of targets that are watched no more; what is still needed is back within a second.
            seconds.clear();
        }
        let used = seconds.entry(id.clone()).or_default();
        if used.0 != second {
            *used = (second, 0);
        }
        let granted = u32::try_from(wanted).unwrap_or(u32::MAX).min(most.saturating_sub(used.1));
        used.1 = used.1.saturating_add(granted);
        usize::try_from(granted).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_its_share_of_each_second() {
        let (rates, at) = (Rates::default(), Wall::from_millis);
        let [shop, other] = ["shop", "other"].map(|name| TargetId::new(name).unwrap());
        let taken = [(&shop, 0, 3), (&shop, 999, 3), (&shop, 999, 1), (&other, 999, 9), (&shop, 1000, 1)];
        let granted = taken.map(|(id, millis, wanted)| rates.take(id, at(millis), 5, wanted));
        assert_eq!(granted, [3, 2, 0, 5, 1]);
    }
}
