//! The build: reads the whole chain, or the rest that an index lacks, before anything is served.

#[expect(clippy::module_inception, reason = "the folder is named after its main part")]
pub mod build;
mod collect;
pub mod headers;
pub mod memory;
pub mod merge;
pub mod pace;
pub mod patience;
pub mod plan;
pub mod read;
pub mod writer;
