//! Looking at a stored index from outside: its digest, its soundness.

pub mod digest;
pub mod status;
pub mod verify;
