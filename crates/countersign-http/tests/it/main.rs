//! The wire of Countersign, checked against recorded behaviour of the reference.

// A request's future, within an actor's, within a test's.
#![recursion_limit = "256"]

#[cfg(test)]
mod actors;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod described;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod log;
#[cfg(test)]
mod proxied;
#[cfg(test)]
mod request;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod service;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod tls;
