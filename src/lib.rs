//! hekte: the tour, in the order in which the data moves.

pub mod error;
pub mod ids;

pub mod query;

pub mod check;
pub mod cli;
pub mod config;
pub mod host;
pub mod node;
