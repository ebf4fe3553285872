//! The wire of Countersign, checked against recorded behaviour of the reference.

#[cfg(test)]
mod request;
