//! Business rules.
