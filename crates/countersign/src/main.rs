//! The Countersign program.

fn main() {}
