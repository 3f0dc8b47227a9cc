//! Answers to what wallets ask: histories, coins, transactions, proofs, headers.

mod answering;
pub mod answers;
mod asm;
mod blame;
mod crew;
pub mod engine;
pub mod headers;
pub mod history;
pub mod merkle;
pub mod outpoint;
mod span_rows;
mod stretch;
pub mod summary;
pub mod tx;
pub mod unconfirmed;
pub mod verbose;
pub mod view;
