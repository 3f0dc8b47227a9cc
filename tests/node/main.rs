//! The real `hekte` beside a real bitcoind on regtest, and real wallets at the other end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
#[path = "../settings/tight.rs"]
mod tight;
mod world;

mod assumeutxo;
mod bdk;
mod build;
mod compare;
mod connects;
mod copied;
mod corners;
mod download;
mod evicted;
mod follow;
mod full_disk_program;
mod killed_any_moment;
mod killed_following;
mod library;
mod lost;
mod mempool;
mod metrics_of_node;
mod npm;
mod refused;
mod reindex;
mod restricted;
mod rpc_client;
mod rpc_faults;
mod signet;
mod slider;
mod wallet;
mod watch;
mod wiped;
