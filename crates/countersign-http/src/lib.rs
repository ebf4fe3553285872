//! The wire of Countersign: routes, negotiation, bodies, answers.

pub mod request;
