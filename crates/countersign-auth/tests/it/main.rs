//! The use-cases, acted out on a real database with a clock that is moved by hand.

#[cfg(test)]
mod access;
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod clock;
#[cfg(test)]
#[expect(dead_code, reason = "the store's tests use more of it")]
#[path = "../../../countersign-store/tests/it/cluster.rs"]
mod cluster;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod full_lane;
#[cfg(test)]
mod key_files;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod overload;
#[cfg(test)]
#[path = "../../../countersign-store/tests/it/patience.rs"]
mod patience;
#[cfg(test)]
mod recorded_tokens;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod service;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod throttle;
#[cfg(test)]
mod uniformity;
