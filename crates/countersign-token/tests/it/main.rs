//! Everything the crate promises, replayed against the reference's recorded answers.

#[cfg(feature = "tower")]
#[cfg(test)]
mod bearer;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod json;
#[cfg(test)]
mod jwks;
#[cfg(test)]
mod key_choice;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod mac;
#[cfg(test)]
mod mint;
#[cfg(test)]
mod refresh_id;
#[cfg(test)]
mod seal;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod verify;
