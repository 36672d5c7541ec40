//! A recording through the same dialect, engine and policy as the daemon, in virtual time.
