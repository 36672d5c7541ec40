//! Scripted gateways on loopback, for a first look and for game days.
