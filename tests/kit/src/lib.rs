//! Chains, block files, naive answers, a real bitcoind and a byte-level client for tests.
