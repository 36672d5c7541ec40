//! All targets taken together: how many turned bad at the same time.
