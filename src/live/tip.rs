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

/// What was published, as every session is told.
#[derive(Clone, Debug)]
pub struct TipChange {
    /// The tip, which is the one before if only the mempool has changed.
    pub tip: Tip,
    /// What the connected and disconnected blocks and the mempool's changes touched.
    pub touched: Touched,
}
