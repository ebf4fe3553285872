//! Text as Python's `str` treats it, where the wire shows it: trimming, case, word characters, NFKC.
//!
//! The tables are newer than Python 3.11's (Unicode 14); they differ only for code points unassigned there.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use zeroize::Zeroizing;

/// What a body field held before any check.
///
/// JSON may carry lone surrogates (`"\ud800"`), which Python keeps and Rust cannot: each becomes one U+FFFD
/// and the first is remembered for [`FieldError::Surrogate`](crate::FieldError::Surrogate). The text is wiped
/// on drop and never printed, since the field may be a password or a token.
#[derive(Clone, PartialEq, Eq)]
pub struct RawText {
    text: Zeroizing<String>,
    first_surrogate: Option<u16>,
}

impl RawText {
    /// Text whose lone surrogates the caller has replaced, one U+FFFD each, and the first of them.
    #[must_use]
    pub fn from_parts(text: String, first_surrogate: Option<u16>) -> RawText {
        RawText { text: Zeroizing::new(text), first_surrogate }
    }

    /// Decodes UTF-16, pairing surrogates where they pair.
    #[must_use]
    pub fn from_utf16_lossy(units: &[u16]) -> RawText {
        let mut first_surrogate = None;
        let text = char::decode_utf16(units.iter().copied())
            .map(|unit| {
                unit.unwrap_or_else(|lone| {
                    first_surrogate.get_or_insert(lone.unpaired_surrogate());
                    char::REPLACEMENT_CHARACTER
                })
            })
            .collect();
        RawText::from_parts(text, first_surrogate)
    }

    /// The text, untrimmed, with U+FFFD for each lone surrogate.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first lone surrogate (U+D800 to U+DFFF), if there was any.
    #[must_use]
    pub fn first_surrogate(&self) -> Option<u16> {
        self.first_surrogate
    }
}

impl From<String> for RawText {
    fn from(text: String) -> RawText {
        RawText::from_parts(text, None)
    }
}

impl From<&str> for RawText {
    fn from(text: &str) -> RawText {
        RawText::from(text.to_owned())
    }
}

impl fmt::Debug for RawText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RawText(..)")
    }
}

/// `str.strip()`: without leading and trailing white space, which includes U+001C to U+001F.
#[must_use]
pub fn strip(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || matches!(character, '\x1c'..='\x1f'))
}

/// `str.lower()`: full lower-casing, with the final form of sigma at the end of a word.
#[must_use]
pub fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// Whether Python's `\w` matches: letters, numbers of every kind and `_`, but no combining marks.
#[must_use]
pub fn is_word(character: char) -> bool {
    character == '_'
        || matches!(
            character.general_category_group(),
            GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number
        )
}

/// Whether `str.isdigit()` holds for the character: decimal digits of every script, and the digits among the
/// superscripts, circled numbers and the like, but no fractions, tens or Roman numerals.
#[must_use]
pub fn is_digit(character: char) -> bool {
    match character.general_category() {
        GeneralCategory::DecimalNumber => true,
        GeneralCategory::OtherNumber => is_digit_without_place(character),
        _ => false,
    }
}

/// Unicode normalisation form KC.
#[must_use]
pub fn nfkc(text: &str) -> String {
    text.nfkc().collect()
}

/// `Numeric_Type=Digit` of the Unicode Character Database, which no dependency carries: digits that do not
/// form decimal numbers.
fn is_digit_without_place(character: char) -> bool {
    let raised_or_lowered = matches!(character,
        '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}');
    let enclosed_or_dotted = matches!(character,
        '\u{2460}'..='\u{2468}' | '\u{2474}'..='\u{247c}' | '\u{2488}'..='\u{2490}' | '\u{24ea}'
        | '\u{24f5}'..='\u{24fd}' | '\u{24ff}' | '\u{2776}'..='\u{277e}' | '\u{2780}'..='\u{2788}'
        | '\u{278a}'..='\u{2792}' | '\u{1f100}'..='\u{1f10a}');
    // Ethiopic, New Tai Lue, Kharoshthi, Rumi, Brahmi
    let of_a_script = matches!(character,
        '\u{1369}'..='\u{1371}' | '\u{19da}' | '\u{10a40}'..='\u{10a43}' | '\u{10e60}'..='\u{10e68}'
        | '\u{11052}'..='\u{1105a}');
    raised_or_lowered || enclosed_or_dotted || of_a_script
}
