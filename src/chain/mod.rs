//! Blocks by hash: what the files hold, how it hangs together, and which chain is the active one.

pub mod fork;
pub mod key;
pub mod list;
pub mod params;
pub mod scan;
pub mod tree;
pub mod work;
