//! The index, built from real and generated files, compared with answers computed naively.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod common;
#[path = "../settings/tight.rs"]
mod tight;

mod blocks;
mod by_hand;
mod damage;
mod damaged_index;
mod encoders;
mod flips;
mod full_disk_index;
mod growth;
mod healed;
mod killed_building;
mod killed_serving;
mod live;
mod random_chains;
mod realdata;
mod short_prefixes;
