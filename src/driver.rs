//! The loop: joins clock, engine, sources, store and web.
