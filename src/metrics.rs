//! Every metric, declared once, read from the snapshot.
