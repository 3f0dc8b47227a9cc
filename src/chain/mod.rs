//! Blocks by hash: what the files hold, how it hangs together, and which chain is the active one.

pub mod fork;
pub mod params;
pub mod scan;
pub mod tree;
