//! The parser: one pass over the bytes, and Python's message and position for each error.

use super::number::MAX_DIGITS;
use super::{Int, Object, Text, Value};

/// Arrays and objects may nest this deep; the reference overflows its stack (HTTP 500) at about the same depth.
const MAX_DEPTH: usize = 945;

/// Why a text is not JSON. `Display` is the message Python gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A mistake in the grammar. Positions count code points; lines end at `\n` only.
    #[error("{problem}: line {line} column {column} (char {offset})")]
    Syntax {
        /// What was expected or found.
        problem: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Code points before the place.
        offset: usize,
    },
    /// `NaN`, `Infinity` or `-Infinity` where they are refused.
    #[error("Out of range float values are not JSON compliant: '{0}'")]
    NotCompliant(&'static str),
    /// An integer beyond Python's limit; the number of its digits.
    #[error(
        "Exceeds the limit (4300 digits) for integer string conversion: value has {0} digits; \
         use sys.set_int_max_str_digits() to increase the limit"
    )]
    TooManyDigits(usize),
    /// Nested more than 945 deep.
    #[error("Arrays and objects are nested too deeply")]
    TooDeep,
}

/// Reads a request body as Django REST Framework's `JSONParser` does: `NaN`, `Infinity` and `-Infinity` are refused.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    Parser { text, at: 0, depth: 0, constants: false }.document()
}

/// Reads JSON as plain `json.loads` does, tokens for example: `NaN`, `Infinity` and `-Infinity` are floats.
pub fn parse_constants(text: &str) -> Result<Value, ParseError> {
    Parser { text, at: 0, depth: 0, constants: true }.document()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    constants: bool,
}

impl Parser<'_> {
    fn document(mut self) -> Result<Value, ParseError> {
        if self.text.starts_with('\u{feff}') {
            return Err(self.error("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
        }
        self.skip_space();
        let value = self.value()?;
        self.skip_space();
        if self.at < self.text.len() { Err(self.error("Extra data", self.at)) } else { Ok(value) }
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::from),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'n') if self.take("null") => Ok(Value::Null),
            Some(b't') if self.take("true") => Ok(Value::Bool(true)),
            Some(b'f') if self.take("false") => Ok(Value::Bool(false)),
            Some(b'N') if self.take("NaN") => self.constant("NaN", f64::NAN),
            Some(b'I') if self.take("Infinity") => self.constant("Infinity", f64::INFINITY),
            Some(b'-') if self.take("-Infinity") => self.constant("-Infinity", f64::NEG_INFINITY),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("Expecting value", self.at)),
        }
    }

    fn constant(&self, name: &'static str, value: f64) -> Result<Value, ParseError> {
        if self.constants { Ok(Value::Float(value)) } else { Err(ParseError::NotCompliant(name)) }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, ParseError>) -> Result<Value, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        let mut items = Vec::new();
        if self.take_byte(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            if self.take_byte(b']') {
                return Ok(Value::Array(items));
            }
            self.expect(b',', "Expecting ',' delimiter")?;
        }
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        let mut object = Object::new();
        if self.take_byte(b'}') {
            return Ok(Value::Object(object));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("Expecting property name enclosed in double quotes", self.at));
            }
            let key = self.string()?;
            self.skip_space();
            self.expect(b':', "Expecting ':' delimiter")?;
            object.insert(key, self.value()?);
            self.skip_space();
            if self.take_byte(b'}') {
                return Ok(Value::Object(object));
            }
            self.expect(b',', "Expecting ',' delimiter")?;
        }
    }

    /// Takes a delimiter and the white space after it.
    fn expect(&mut self, delimiter: u8, problem: &'static str) -> Result<(), ParseError> {
        if !self.take_byte(delimiter) {
            return Err(self.error(problem, self.at));
        }
        self.skip_space();
        Ok(())
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        self.take_byte(b'-');
        let first_digit = self.at;
        if !self.take_byte(b'0') && self.skip_digits() == 0 {
            return Err(self.error("Expecting value", start));
        }
        let digits = self.at - first_digit;
        let fraction = self.optional_digits(b".", false);
        let exponent = self.optional_digits(b"eE", true);
        let text = self.slice(start, self.at);
        if fraction || exponent {
            // Overflow reads as infinity, underflow as zero, as in Python.
            Ok(Value::Float(text.parse().unwrap_or(f64::NAN)))
        } else if digits > MAX_DIGITS {
            Err(ParseError::TooManyDigits(digits))
        } else {
            Ok(Value::Int(Int::from_digits(text)))
        }
    }

    /// Takes one of these marks, a sign where one may stand, and digits; nothing when there are no digits.
    fn optional_digits(&mut self, marks: &[u8], may_have_sign: bool) -> bool {
        let start = self.at;
        if self.peek().is_some_and(|byte| marks.contains(&byte)) {
            self.at += 1;
            let _ = may_have_sign && (self.take_byte(b'+') || self.take_byte(b'-'));
            if self.skip_digits() > 0 {
                return true;
            }
        }
        self.at = start;
        false
    }

    fn skip_digits(&mut self) -> usize {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    /// A string; `at` is at its opening quote.
    fn string(&mut self) -> Result<Text, ParseError> {
        let quote = self.at;
        self.at += 1;
        let start = self.at;
        self.skip_plain(quote)?;
        if self.take_byte(b'"') {
            return Ok(Text::String(self.slice(start, self.at - 1).to_owned()));
        }
        let mut units: Vec<u16> = self.slice(start, self.at).encode_utf16().collect();
        while !self.take_byte(b'"') {
            units.push(self.escape(quote)?);
            let plain = self.at;
            self.skip_plain(quote)?;
            units.extend(self.slice(plain, self.at).encode_utf16());
        }
        // Two escapes that make a pair have become one character by now, as in Python.
        Ok(String::from_utf16(&units).map_or(Text::Surrogates(units), Text::String))
    }

    /// Moves on to the next quote or backslash.
    fn skip_plain(&mut self, quote: usize) -> Result<(), ParseError> {
        let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        self.at += self.rest().iter().position(stop).unwrap_or(self.rest().len());
        match self.peek() {
            Some(b'"' | b'\\') => Ok(()),
            Some(_) => Err(self.error("Invalid control character at", self.at)),
            None => Err(self.error("Unterminated string starting at", quote)),
        }
    }

    /// An escape; `at` is at its backslash.
    fn escape(&mut self, quote: usize) -> Result<u16, ParseError> {
        let backslash = self.at;
        self.at += 1;
        let Some(kind) = self.peek() else {
            return Err(self.error("Unterminated string starting at", quote));
        };
        self.at += 1;
        let character = match kind {
            b'"' | b'\\' | b'/' => kind,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unit(),
            _ => return Err(self.error("Invalid \\escape", backslash)),
        };
        Ok(character.into())
    }

    /// The four digits of a `\u` escape. Python wants one more character after them before it looks at them.
    fn unit(&mut self) -> Result<u16, ParseError> {
        let digits = self.at;
        let unit = match self.rest() {
            [a, b, c, d, _, ..] => [a, b, c, d]
                .into_iter()
                .try_fold(0, |unit: u32, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?)),
            _ => None,
        };
        self.at += 4;
        unit.and_then(|unit| u16::try_from(unit).ok())
            .ok_or_else(|| self.error("Invalid \\uXXXX escape", digits - 1))
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    fn take_byte(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn slice(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn error(&self, problem: &'static str, at: usize) -> ParseError {
        let before = self.slice(0, at);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ParseError::Syntax {
            problem,
            line: before.matches('\n').count() + 1,
            column: self.slice(line_start, at).chars().count() + 1,
            offset: before.chars().count(),
        }
    }
}
