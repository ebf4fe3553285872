//! What is measured one by one, without a server.

pub mod operations;
