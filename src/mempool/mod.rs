//! Unconfirmed transactions by what they spend and pay; previous outputs are never looked up.

pub mod compare;
pub mod effect;
pub mod histogram;
mod places;
pub mod pool;
pub mod script_tag;
