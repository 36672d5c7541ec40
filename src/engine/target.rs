//! What is watched: a session's checked name.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name of a target, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Stands for all targets.
const ALL: &str = "*";

/// The name of one watched WhatsApp session.
///
/// Letters, digits, `_`, `-` and `.`, at most [`NAME_BYTES_MAX`], so that it is safe as a metric label, in a path and in a
/// file name. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetId(Arc<str>);

/// Says that a text cannot name a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot name a target: use 1 to {NAME_BYTES_MAX} letters, digits, '_', '-' or '.'")]
pub struct BadName {
    name: String,
}

impl TargetId {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if fits && name.bytes().all(plain) && !name.starts_with('.') {
            return Ok(Self(name.into()));
        }
        Err(BadName { name: name.chars().take(NAME_BYTES_MAX).collect() })
    }

    /// Returns the name that stands for all targets in the ledger: `*`, which none can have.
    #[must_use]
    pub fn all() -> Self {
        Self(ALL.into())
    }

    /// Returns a number that depends on the name alone, the same in every run (FNV-1a, folded to its low half).
    #[must_use]
    pub fn hash(&self) -> u32 {
        let hash = self
            .0
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for TargetId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<TargetId> for String {
    fn from(id: TargetId) -> Self {
        id.as_str().to_owned()
    }
}

impl TryFrom<String> for TargetId {
    type Error = BadName;

    fn try_from(name: String) -> Result<Self, BadName> {
        if name == ALL { Ok(Self::all()) } else { Self::new(&name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_label_and_in_a_path() {
        for good in ["shop", "Shop-1", "a.b_c", "16548", &"x".repeat(64)] {
            assert_eq!(TargetId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "..", ".hidden", "a\"b", "a\nb", &"x".repeat(65)] {
            assert!(TargetId::new(bad).is_err(), "{bad:?}");
        }
    }
}
