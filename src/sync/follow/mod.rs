//! Follows bitcoind's tip: what its chain is, where that stands to ours, and which blocks are new.

#[expect(clippy::module_inception, reason = "the folder is named after its main part")]
pub mod follow;
pub mod locate;
mod new_blocks;
pub mod node_chain;
mod node_watch;
