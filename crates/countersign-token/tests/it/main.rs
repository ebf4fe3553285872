//! Everything the crate promises, replayed against the reference's recorded answers.

#[cfg(test)]
mod json;
#[cfg(test)]
mod vectors;
