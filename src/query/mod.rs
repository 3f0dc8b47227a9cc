//! Answers to what wallets ask: histories, coins, transactions, proofs, headers.

pub mod answers;
pub mod asm;
mod blame;
pub mod decoded;
pub mod engine;
mod engine_answers;
mod fee_cache;
pub mod header_tree;
pub mod headers;
mod helper_threads;
pub mod history;
pub mod merkle;
pub mod node_tx;
pub mod outpoint;
pub mod relay;
pub mod script_type;
mod search_limit;
mod span_rows;
mod stretch;
pub mod summary;
pub mod tx;
pub mod view;
