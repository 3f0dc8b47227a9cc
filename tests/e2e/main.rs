//! End to end: random wallets at a real bitcoind, and subscribers whose pictures must all be right.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod asker;
mod blocks;
mod corners;
mod killed_under_traffic;
mod payments;
mod random_world;
mod subscriber;
mod truth;
mod wander;
