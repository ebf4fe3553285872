//! The fields of a form or query string: each name once, with its last value.

use std::fmt;

use zeroize::Zeroizing;

/// Fields in the order in which their names first came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields {
    fields: Vec<(String, FieldValue)>,
    has_repeats: bool,
}

/// The value of a field.
#[derive(PartialEq, Eq)]
pub enum FieldValue {
    /// Text, possibly a password.
    Text(Zeroizing<String>),
    /// An uploaded file, which no field of ours takes: "Not a valid string.".
    File,
}

impl Fields {
    /// The last value of a field.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&FieldValue> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The last value of a field, when it is text.
    #[must_use]
    pub fn find_text(&self, name: &str) -> Option<&str> {
        match self.find(name)? {
            FieldValue::Text(text) => Some(text),
            FieldValue::File => None,
        }
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldValue)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether a name came more than once.
    #[must_use]
    pub fn has_repeats(&self) -> bool {
        self.has_repeats
    }

    pub(super) fn set(&mut self, name: String, value: FieldValue) {
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                self.has_repeats = true;
            }
            None => self.fields.push((name, value)),
        }
    }

    pub(super) fn set_text(&mut self, name: String, text: String) {
        self.set(name, FieldValue::Text(Zeroizing::new(text)));
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(..)",
            Self::File => "File",
        })
    }
}
