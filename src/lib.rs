//! wa-watchdog: a health watchdog for WhatsApp sessions.
//!
//! A pure core ([`engine`], [`dialect`]) and a thin shell around it. ARCHITECTURE.md holds the map and the rules.

pub mod cli;
pub mod config;
pub mod demo;
pub mod dialect;
pub mod discover;
pub mod docker;
pub mod driver;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod notify;
pub mod recorder;
pub mod recording;
pub mod remedy;
pub mod replay;
pub mod source;
pub mod store;
pub mod web;
