//! Looks at a stored index from outside: its digest, how far it is, whether it is sound.

pub mod digest;
pub mod status;
pub mod verify;
