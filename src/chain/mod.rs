//! Blocks by hash: those in the files, their parents, and which chain is the active one.

pub mod fork;
pub mod key;
pub mod list;
pub mod params;
pub mod scan;
pub mod tree;
pub mod work;
