//! The one way to speak HTTP: no redirects, bodies read to a limit.
