//! hekte: the tour, in the order in which the data moves; each module imports only those above it.

// ground: names, numbers, errors, the machine
pub mod error;
pub mod hash;
pub mod hex;
pub mod ids;
pub mod limits;
pub mod shares;

pub mod metrics;

pub mod host;

// bitcoind's files
pub mod parse;

pub mod blockfile;

// what the operator says
pub mod config;

// bitcoind's word
pub mod node;

// what the index holds, and where
pub mod index;

pub mod chain;

pub mod store;

// unconfirmed transactions
pub mod mempool;

// the moment that is served
pub mod live;

// from outside
pub mod inspect;

pub mod check;

// the write half
pub mod sync;

// the read half
pub mod query;

// the wire
pub mod protocol;

pub mod session;

pub mod server;

// the command line
pub mod cli;

// everything together
pub mod daemon;
