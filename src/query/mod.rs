//! Answers to what wallets ask: histories, coins, transactions, proofs, headers.

pub mod answers;
mod asm;
pub mod engine;
mod engine_answers;
pub mod headers;
mod helper_threads;
pub mod history;
pub mod merkle;
pub mod node_tx;
pub mod outpoint;
mod stretch;
pub mod summary;
pub mod tx;
pub mod verbose;
pub mod view;
