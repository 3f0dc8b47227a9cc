//! Following bitcoind's tip: what it says, how that stands to ours, and the blocks that are new.

#[expect(clippy::module_inception, reason = "the folder is named after its main part")]
pub mod follow;
pub mod locate;
mod new_blocks;
pub mod node_chain;
mod node_watch;
