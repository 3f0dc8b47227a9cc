//! hekte: the tour, in the order in which the data moves.

pub mod ids;
pub mod error;

pub mod query;
