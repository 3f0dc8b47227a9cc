//! bitcoind's blk, rev and xor files: bytes, frames and undo records, trusted no further than checked.

pub mod dir;
pub mod frames;
pub mod rev;
pub mod xor;
