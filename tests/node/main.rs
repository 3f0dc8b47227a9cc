//! The real `hekte` beside a real bitcoind on regtest, and real wallets at the other end.

mod world;

mod build;
mod follow;
mod rpc_client;
