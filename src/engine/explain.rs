//! Says in plain words what is believed of a target, why, and what would change it.
