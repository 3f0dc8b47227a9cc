//! hekte: the tour, in the order in which the data moves; each module imports only those above it.

// basics: names, numbers, errors, the machine
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

// the operator's settings
pub mod config;

// bitcoind's RPC
pub mod node;

// what the index holds, and how it is stored
pub mod index;

pub mod chain;

pub mod store;

// unconfirmed transactions
pub mod mempool;

// the chain and mempool as clients see them at one moment
pub mod live;

// reading an index from outside a running server
pub mod inspect;

pub mod check;

// the write half: keeps the index up to date
pub mod sync;

// the read half: answers questions
pub mod query;

// the Electrum protocol and its connections
pub mod protocol;

pub mod session;

pub mod server;

// the command line
pub mod cli;

// the service as a whole
pub mod daemon;
