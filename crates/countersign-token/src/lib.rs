//! JSON Web Tokens as Simple JWT makes and reads them: keys, algorithms, mint, verify.

pub mod json;
