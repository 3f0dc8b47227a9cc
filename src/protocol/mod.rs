//! The words of the Electrum protocol, 1.4 to 1.7: bytes to typed requests, typed results to JSON.

pub mod json;
pub mod line;
pub mod message;
pub mod method;
pub mod name;
pub mod params;
pub mod read;
pub mod reply;
pub mod verbose;
pub mod version;
