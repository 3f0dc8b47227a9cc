//! End to end: random wallets at a real bitcoind, and subscribers whose pictures must all be right.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod asker;
mod blocks;
mod corners;
mod killed;
mod payments;
mod subscriber;
mod truth;
mod wander;
mod world;
