//! JSON as Python's `json.dumps` writes it for tokens, and as Django REST Framework writes it for responses.

use super::number::float_text;
use super::{Object, Text, Value};
use std::fmt::Write;

/// `json.dumps(value, separators=(",", ":"))`: no white space, ASCII only (other characters as `\u` escapes,
/// surrogate pairs beyond the basic plane), floats as Python prints them, `NaN` and `Infinity` bare.
#[must_use]
pub fn to_compact(value: &Value) -> String {
    let mut writer = Writer { out: String::with_capacity(512), ascii: true, indent: None };
    writer.value(value, 0);
    writer.out
}

/// [`to_compact`] of an object.
pub(crate) fn object_to_compact(object: &Object) -> String {
    let mut writer = Writer { out: String::with_capacity(512), ascii: true, indent: None };
    writer.object(object, 0);
    writer.out
}

/// The body of a Django REST Framework response: characters beyond ASCII as they are except U+2028 and U+2029,
/// compact without `indent`, else one entry per line, indented by that many spaces per level, and `": "`.
///
/// Where the framework raises, we still answer: lone surrogates are written as escapes, non-finite floats as `null`.
#[must_use]
pub fn to_response(value: &Value, indent: Option<u8>) -> String {
    let mut writer = Writer { out: String::with_capacity(512), ascii: false, indent };
    writer.value(value, 0);
    writer.out
}

struct Writer {
    out: String,
    ascii: bool,
    indent: Option<u8>,
}

impl Writer {
    fn value(&mut self, value: &Value, level: usize) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Int(value) => self.format(format_args!("{value}")),
            Value::Float(value) => self.float(*value),
            Value::String(text) => self.string(text),
            Value::Surrogates(units) => self.surrogates(units),
            Value::Array(items) => {
                self.sequence('[', ']', level, items, |writer, item| writer.value(item, level + 1));
            }
            Value::Object(object) => self.object(object, level),
        }
    }

    fn object(&mut self, object: &Object, level: usize) {
        self.sequence('{', '}', level, object.iter(), |writer, (key, value)| {
            match key {
                Text::String(text) => writer.string(text),
                Text::Surrogates(units) => writer.surrogates(units),
            }
            writer.out.push_str(if writer.indent.is_some() { ": " } else { ":" });
            writer.value(value, level + 1);
        });
    }

    fn sequence<T>(
        &mut self,
        open: char,
        close: char,
        level: usize,
        items: impl IntoIterator<Item = T>,
        write_item: impl Fn(&mut Self, T),
    ) {
        self.out.push(open);
        let mut empty = true;
        for item in items {
            if !empty {
                self.out.push(',');
            }
            empty = false;
            self.new_line(level + 1);
            write_item(self, item);
        }
        if !empty {
            self.new_line(level);
        }
        self.out.push(close);
    }

    fn new_line(&mut self, level: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', level * usize::from(indent)));
        }
    }

    fn float(&mut self, value: f64) {
        let text = match float_text(value) {
            text if value.is_finite() => text,
            _ if !self.ascii => "null".to_owned(),
            _ if value.is_nan() => "NaN".to_owned(),
            text => text.replace("inf", "Infinity"),
        };
        self.out.push_str(&text);
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        if is_plain(text) {
            self.out.push_str(text);
            self.out.push('"');
            return;
        }
        let mut rest = text;
        while let Some(at) = rest.find(|character| self.must_escape(character)) {
            let (plain, special) = rest.split_at(at);
            self.out.push_str(plain);
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                self.escape(character);
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn surrogates(&mut self, units: &[u16]) {
        self.out.push('"');
        for decoded in char::decode_utf16(units.iter().copied()) {
            match decoded {
                Ok(character) if self.must_escape(character) => self.escape(character),
                Ok(character) => self.out.push(character),
                Err(lone) => self.format(format_args!("\\u{:04x}", lone.unpaired_surrogate())),
            }
        }
        self.out.push('"');
    }

    fn must_escape(&self, character: char) -> bool {
        match character {
            '"' | '\\' | '\0'..='\x1f' => true,
            ' '..='~' => false,
            _ => self.ascii || matches!(character, '\u{2028}' | '\u{2029}'),
        }
    }

    fn escape(&mut self, character: char) {
        match character {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    self.format(format_args!("\\u{unit:04x}"));
                }
            }
        }
    }

    fn format(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(text);
    }
}

/// Whether nothing in it has to be escaped anywhere. Looks at every byte, many at once: tokens are long, and plain.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    text.bytes().fold(true, |plain, byte| plain & is_plain(byte))
}
