//! The ledger: SQLite behind one thread.
