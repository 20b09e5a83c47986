//! Events to lives and stays.
