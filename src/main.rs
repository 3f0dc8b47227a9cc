//! hekte.
fn main() {}
