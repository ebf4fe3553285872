//! The `jti` of a session's refresh tokens: derived from the session and the number of its exchanges, so that callers who
//! race with one token, or ask again for an answer that was lost, are given the same successor, and nothing is stored.

use aws_lc_rs::digest::{SHA256, digest};

/// The `jti` of the refresh token of this generation, in the form of a random UUID (RFC 9562 §5.4), as Simple JWT's are.
///
/// It is an identifier, not a secret: a token is good by its signature. The generation can be read from it again by
/// whoever knows the session, [`generation_of`].
#[must_use]
pub fn refresh_jti(session: &str, generation: u32) -> String {
    let mut bytes = [0_u8; 16];
    let hidden = generation ^ mask(session);
    let proof = digest(&SHA256, format!("refresh token {generation} of {session}").as_bytes());
    let source = hidden.to_be_bytes().into_iter().chain(proof.as_ref().iter().copied());
    bytes.iter_mut().zip(source).for_each(|(byte, source)| *byte = source);
    uuid_of(bytes)
}

/// The generation of a session's refresh token with this `jti`; `None` if [`refresh_jti`] did not make it.
#[must_use]
pub fn generation_of(session: &str, jti: &str) -> Option<u32> {
    let hidden = u32::from_str_radix(jti.get(..8)?, 16).ok()?;
    let generation = hidden ^ mask(session);
    (refresh_jti(session, generation) == jti).then_some(generation)
}

/// The id of the session that continues a refresh token made without one, always the same for one token.
#[must_use]
pub fn session_of(jti: &str) -> String {
    let mut bytes = [0_u8; 16];
    let source = digest(&SHA256, format!("session of {jti}").as_bytes());
    bytes.iter_mut().zip(source.as_ref()).for_each(|(byte, source)| *byte = *source);
    uuid_of(bytes)
}

fn mask(session: &str) -> u32 {
    let source = digest(&SHA256, format!("generations of {session}").as_bytes());
    source.as_ref().iter().take(4).fold(0, |mask, byte| (mask << 8) | u32::from(*byte))
}

/// Sets the version and the variant, and writes the hexadecimal digits.
fn uuid_of(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let version = (number & !(0xf << 76)) | (0x4 << 76);
    let variant = (version & !(0x3 << 62)) | (0x2 << 62);
    format!("{variant:032x}")
}
