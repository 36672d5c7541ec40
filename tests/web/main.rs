//! The HTTP side, over real connections to loopback.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "helpers of tests; the answers read here are short and our own"
)]

#[path = "../support/exposition.rs"]
mod exposition;
mod forms;
mod inbound;
mod limits;
mod live;
#[path = "../support/made_up.rs"]
mod made_up;
mod openapi;
#[path = "../support/openapi.rs"]
mod openapi_document;
mod orders;
mod pages;
mod routes;
mod server;
mod token;
