//! The index database: the only folder that knows SQL. Tables are drawn in docs/store-format.md.

pub mod error;
pub mod find;
pub mod folder;
pub mod items;
pub mod moment;
pub mod open;
pub mod records;
pub mod resume;
pub mod run;
pub mod runs;
pub mod space;
pub mod stream;
pub mod tables;
pub mod wal;
pub mod write;
