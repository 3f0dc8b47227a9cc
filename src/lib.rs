//! hekte: the tour, in the order in which the data moves.

pub mod error;
pub mod ids;
pub mod limits;

pub mod node;

pub mod query;

pub mod protocol;

pub mod session;

pub mod server;
