//! The newest block, and what changed with it: one type from the sync thread to every client.

use crate::ids::{HeaderBytes, Height};

use super::touched::Touched;

/// The newest block served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its header.
    pub header: HeaderBytes,
}

/// A change that was published, as it is passed on to every session.
#[derive(Clone, Debug)]
pub struct TipChange {
    /// The newest block; if only the mempool has changed, that is the tip of the change before.
    pub tip: Tip,
    /// What the connected and disconnected blocks and the mempool's changes touched.
    pub touched: Touched,
}
