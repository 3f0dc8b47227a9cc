//! The index while it is served: new blocks in memory, upkeep of what is on the disk.

pub mod compact;
pub mod index;
pub mod settings;
mod stored_table;
pub mod upkeep;
