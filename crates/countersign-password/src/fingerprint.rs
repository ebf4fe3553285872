//! Simple JWT's fingerprint of a stored hash, the claim `hash_password` of `CHECK_REVOKE_TOKEN`.

use md5::{Digest, Md5};

use crate::method::hex;

/// The upper-case hexadecimal MD5 of the *encoded* hash. It changes with every new password and with every re-hash; it
/// tells a token from before a change from one after, and hides nothing (the hash it is made of does).
#[must_use]
pub fn fingerprint(encoded: &str) -> String {
    hex(&Md5::digest(encoded.as_bytes())).to_uppercase()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_fingerprint_is_the_upper_case_md5_of_the_encoded_hash() {
        assert_eq!(super::fingerprint(""), "D41D8CD98F00B204E9800998ECF8427E"); // RFC 1321, appendix A.5
    }
}
