//! The node beside us.

pub mod calls;
