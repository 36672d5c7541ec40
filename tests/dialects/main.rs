//! Every built-in dialect on the bodies, log lines and probes of its gateway, odd ones included. Names, numbers and keys are
//! invented.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends with the first thing that is wrong")]

mod answers;
mod others;
mod show;
