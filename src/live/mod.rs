//! What is served: one consistent moment of the chain in memory, over the runs on disk.

pub mod pool_changes;
pub mod progress;
pub mod recent;
pub mod served;
pub mod table;
pub mod tip;
pub mod touched;
pub mod wakeup;
pub mod watched;
