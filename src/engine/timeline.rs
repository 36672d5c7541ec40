//! The bounded memory of what a target showed.
