//! bitcoind's blk, rev and xor files: bytes, frames, undo records; trusted as far as checked.

pub mod dir;
pub mod frames;
pub mod record;
pub mod rev;
pub mod xor;
