//! Python's numbers: integers of any size, `int()` of text, and how floats are printed.

use std::fmt::{self, Write};

/// Python refuses to convert longer integers from text (`sys.set_int_max_str_digits`).
pub(super) const MAX_DIGITS: usize = 4300;

/// A Python integer: machine-sized, or its decimal text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Int(Repr);

/// `Big` never holds what fits in `Small`, so derived equality is numeric equality.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Repr {
    Small(i64),
    Big(Box<str>),
}

impl Int {
    /// The value when it fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::Big(_) => None,
        }
    }

    /// The nearest value that fits: `i64::MAX` or `i64::MIN` for what lies beyond.
    #[must_use]
    pub fn saturated(&self) -> i64 {
        match &self.0 {
            Repr::Small(value) => *value,
            Repr::Big(text) if text.starts_with('-') => i64::MIN,
            Repr::Big(_) => i64::MAX,
        }
    }

    /// From an optional minus sign and ASCII digits.
    pub(super) fn from_digits(text: &str) -> Self {
        if let Ok(small) = text.parse() {
            return Self(Repr::Small(small));
        }
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        Self(Repr::Big(format!("{sign}{}", digits.trim_start_matches('0')).into()))
    }

    /// `int(float)`: towards zero; `None` for infinities and NaN.
    pub(super) fn truncated(value: f64) -> Option<Self> {
        // Rust prints every float in full, without exponent: the exact integer Python has.
        value.is_finite().then(|| Self::from_digits(&format!("{:.0}", value.trunc())))
    }

    /// `int(str)`; `None` where Python raises `ValueError`.
    pub(super) fn from_python_text(text: &str) -> Option<Self> {
        // Python's `int` strips what Rust calls white space (not U+001C to U+001F, which `str.strip` takes too).
        let text = text.trim();
        let (mut plain, unsigned) = match text.strip_prefix(['+', '-']) {
            Some(rest) if text.starts_with('-') => ("-".to_owned(), rest),
            Some(rest) => (String::new(), rest),
            None => (String::new(), text),
        };
        let mut after_digit = false;
        let mut digits = 0;
        for character in unsigned.chars() {
            if let Some(digit) = decimal_digit(character) {
                plain.push(char::from_digit(digit, 10)?);
                digits += 1;
                after_digit = true;
            } else if character == '_' && after_digit {
                after_digit = false;
            } else {
                return None;
            }
        }
        (after_digit && digits <= MAX_DIGITS).then(|| Self::from_digits(&plain))
    }
}

impl From<i64> for Int {
    fn from(value: i64) -> Self {
        Self(Repr::Small(value))
    }
}

impl fmt::Display for Int {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => write!(out, "{value}"),
            Repr::Big(text) => out.write_str(text),
        }
    }
}

/// Python's `str(float)`: the shortest text that reads back, fixed for exponents from -4 to 15.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let mut text = String::with_capacity(24);
    // Writing to a String cannot fail.
    let _ = write!(text, "{value}");
    if !text.contains('.') {
        text.push_str(".0");
    }
    text
}

/// The value of a decimal digit (category Nd of Unicode 14, Python 3.11's).
fn decimal_digit(character: char) -> Option<u32> {
    let code = u32::from(character);
    let zero = DIGIT_ZEROS.partition_point(|&zero| zero <= code).checked_sub(1)?;
    let value = code - DIGIT_ZEROS.get(zero)?;
    (value < 10).then_some(value)
}

/// The zero of each run of ten decimal digits, ascending.
const DIGIT_ZEROS: [u32; 66] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30,
    0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
    0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
    0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];
