//! hekte: the tour, in the order in which the data moves.

pub mod error;
pub mod hash;
pub mod ids;
pub mod limits;

pub mod blockfile;
pub mod parse;
pub mod index;
pub mod chain;
pub mod store;
pub mod sync;
pub mod inspect;
pub mod live;

pub mod query;
