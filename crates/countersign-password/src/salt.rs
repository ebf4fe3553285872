//! The salt of a new hash, made from the caller's random bytes.

const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// 22 characters of `[a-zA-Z0-9]`: 131 bits, the least that Django does not consider outdated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salt(String);

impl Salt {
    /// Number of characters, all ASCII.
    pub const LENGTH: usize = 22;

    /// Makes a salt from 32 bytes of a cryptographic random generator.
    ///
    /// Each half of the bytes gives 11 characters as the low digits in base 62 of a 128-bit number;
    /// no character is likelier than another by more than one part in 2⁶².
    #[must_use]
    pub fn from_random(random: [u8; 32]) -> Self {
        let (halves, _) = random.as_chunks::<16>();
        Self(halves.iter().flat_map(|half| base62_digits(u128::from_le_bytes(*half))).collect())
    }

    /// The salt with exactly this text, or `None` when it is not 22 ASCII letters and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == Self::LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        valid.then(|| Self(text.to_owned()))
    }

    /// The characters as they appear in a hash string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn base62_digits(mut number: u128) -> impl Iterator<Item = char> {
    (0..Salt::LENGTH / 2).map(move |_| {
        let digit = usize::try_from(number % 62).expect("a remainder of 62 fits");
        number /= 62;
        char::from(*ALPHABET.get(digit).expect("the alphabet has 62 characters"))
    })
}
