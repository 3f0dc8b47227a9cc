//! The Electrum protocol over real TCP, byte for byte, with a fake index and a fake node.
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
