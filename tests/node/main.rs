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
mod full_disk;
mod kill_live;
mod killed;
mod library;
mod lost;
mod metrics;
mod npm;
mod refused;
mod reindex;
mod restricted;
mod rpc_client;
mod signet;
mod slider;
mod wallet;
mod watch;
mod wiped;
