//! How a build writes: how much at once, with how many threads, and what it leaves free.

/// How a build writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskPace {
    /// Bytes that are left free on the disk; `None`: free space is not looked at.
    pub spare_bytes: Option<u64>,
    /// Bytes that a merge writes in one transaction.
    pub slice_bytes: u64,
    /// Threads that read, hash, sort and encode.
    pub threads: usize,
}
