//! The insertion-ordered map that Python's `dict` is, and the strings that are its keys.

use super::Value;
use std::collections::BTreeMap;

/// A Python string: valid Unicode, or one that holds lone surrogates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// Valid Unicode.
    String(String),
    /// With lone surrogates, as UTF-16 code units.
    Surrogates(Vec<u16>),
}

impl Text {
    /// The text when it is valid Unicode.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Surrogates(_) => None,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

/// An insertion-ordered map: setting a key again keeps its first position and takes the last value.
#[derive(Debug, Clone, Default)]
pub struct Object {
    entries: Vec<(Text, Value)>,
    /// Positions by key, kept only by large objects: requests must not make us compare every key with every other.
    index: BTreeMap<Text, usize>,
}

/// Up to this many entries a scan is faster than an index.
const SCANNED: usize = 24;

impl Object {
    /// An empty object.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(known, _)| known.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Whether the key is there, be its value `null` or not.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a key: in place when it is there, at the end when not.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        if let Some((_, known)) = self.position(&key).and_then(|position| self.entries.get_mut(position)) {
            *known = value;
            return;
        }
        if !self.index.is_empty() {
            self.index.insert(key.clone(), self.entries.len());
        }
        self.entries.push((key, value));
        if self.index.is_empty() && self.entries.len() > SCANNED {
            self.index = self.entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
        }
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    fn position(&self, key: &Text) -> Option<usize> {
        if self.index.is_empty() {
            self.entries.iter().position(|(known, _)| known == key)
        } else {
            self.index.get(key).copied()
        }
    }
}

/// Equal entries in equal order.
impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl IntoIterator for Object {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut object = Self::new();
        for (key, value) in entries {
            object.insert(key, value);
        }
        object
    }
}
