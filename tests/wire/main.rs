//! The wire over real TCP, byte for byte, against an index and a node that are made up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fake;
mod fake_node;
mod golden;
mod kit;
mod limits;
mod malformed;
mod notices;
mod padding;
mod probes;
mod random;
