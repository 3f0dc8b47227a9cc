//! Answers to what wallets ask: histories, coins, transactions, proofs, headers.

pub mod answers;
