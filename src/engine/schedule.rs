//! When each target is asked next.
