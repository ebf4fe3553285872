//! One request, one answer: rules that no single recorded exchange shows.

mod bodies;
mod cookies;
mod cors;
mod documents;
mod explaining;
mod forward_auth;
mod heads;
mod health;
mod jwks;
mod large_bodies;
mod order;
mod panics;
mod registration;
mod sessions;
mod stories;
mod throttle;
mod unavailable;
