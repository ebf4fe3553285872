//! The vocabulary from outside: Python's text rules, the fields of the wire, and hostile input.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, its helpers too")]

mod fields;
mod hostile_input;
mod text;
mod vectors;
