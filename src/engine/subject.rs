//! One watched target: its timeline, its verdicts, its incidents.
