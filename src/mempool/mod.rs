//! Unconfirmed transactions by what they spend and pay; no previous output is ever looked up.

pub mod compare;
pub mod effect;
pub mod histogram;
mod places;
pub mod pool;
pub mod script_tag;
