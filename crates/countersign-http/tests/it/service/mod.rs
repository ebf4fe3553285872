//! One request, one answer: rules that no single recorded exchange shows.

mod bodies;
mod heads;
mod health;
mod jwks;
mod large_bodies;
mod order;
mod sessions;
mod stories;
mod unavailable;
