//! HTTP in: metrics, health, API.
