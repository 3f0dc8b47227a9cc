//! hekte.
