//! JSON exactly as Python 3.11's `json` reads and writes it, for tokens, request bodies and responses alike.
//!
//! The differences to other JSON libraries are all observable on the wire: integers of any size, floats that
//! overflow to infinity, strings with lone surrogates, `NaN`, duplicate keys, the words and positions of the
//! error messages, and the way floats are printed.

mod encoding;
mod number;
mod object;
mod parse;
mod write;

pub use encoding::parse_bytes;
pub use number::Int;
pub use object::{Object, Text};
pub use parse::{ParseError, parse, parse_constants};
pub(crate) use write::object_to_compact;
pub use write::{to_compact, to_response};

/// A JSON value with the distinctions Python makes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, Python's `None`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction or exponent, of any size.
    Int(Int),
    /// A number with fraction or exponent, or one of the constants `NaN`, `Infinity` and `-Infinity`.
    Float(f64),
    /// A string that is valid Unicode.
    String(String),
    /// A string that holds lone surrogates (written as `\ud800`), as UTF-16 code units.
    Surrogates(Vec<u16>),
    /// An array, Python's `list`.
    Array(Vec<Value>),
    /// An object, Python's `dict`.
    Object(Object),
}

impl Value {
    /// Whether Python's `bool()` is true: not `null`, `false`, zero or empty.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != Int::from(0),
            Self::Float(value) => *value != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Surrogates(units) => !units.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Object(object) => !object.is_empty(),
        }
    }

    /// The name of the Python type that `json.loads` would have made: `NoneType`, `bool`, `int`, `float`, `str`,
    /// `list` or `dict`.
    #[must_use]
    pub fn python_type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) | Self::Surrogates(_) => "str",
            Self::Array(_) => "list",
            Self::Object(_) => "dict",
        }
    }

    /// Python's `str()` of a number (`1.50` is `1.5`, `1e16` is `1e+16`, `1e400` is `inf`), boolean, `null` or
    /// string; arrays and objects, whose `str()` never reaches the wire, come as compact JSON. Lone surrogates
    /// become U+FFFD.
    #[must_use]
    pub fn to_python_str(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => number::float_text(*value),
            Self::String(text) => text.clone(),
            Self::Surrogates(units) => String::from_utf16_lossy(units),
            Self::Array(_) | Self::Object(_) => to_compact(self),
        }
    }

    /// Python's `int()`: floats are truncated, `true` is 1, a string may hold white space around it, a sign,
    /// leading zeros, single underscores between digits, and the decimal digits of any script. `None` where
    /// Python raises `TypeError`, `ValueError` or `OverflowError`.
    #[must_use]
    pub fn to_python_int(&self) -> Option<Int> {
        match self {
            Self::Bool(value) => Some(Int::from(i64::from(*value))),
            Self::Int(value) => Some(value.clone()),
            Self::Float(value) => Int::truncated(*value),
            Self::String(text) => Int::from_python_text(text),
            Self::Null | Self::Surrogates(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The text of a string that is valid Unicode; `None` for everything else.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a string, with or without lone surrogates (Python's `isinstance(value, str)`).
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_) | Self::Surrogates(_))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        match text {
            Text::String(text) => Self::String(text),
            Text::Surrogates(units) => Self::Surrogates(units),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Int::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}
