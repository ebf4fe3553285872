//! Header values with parameters (`type/subtype; name=value`), read as leniently as Python's email package does,
//! RFC 2231 continuations and charsets included.

use countersign_domain::strip;

use super::Charset;

/// A header value and its parameters.
#[derive(Debug, Default)]
pub(super) struct Parameterized {
    /// What stands before the first `;`, trimmed and in lower case.
    pub value: String,
    /// Names in lower case with their last values, in the order in which the names came.
    pub parameters: Vec<(String, String)>,
    /// Whether a parameter was left out because Python does not know the charset it names.
    pub malformed: bool,
}

impl Parameterized {
    /// Reads a header value. Never fails: what makes no sense is left out.
    pub fn parse(line: &str) -> Self {
        if !line.contains(';') {
            return Self { value: strip(line).to_lowercase(), ..Self::default() };
        }
        let mut segments = segments(line).map(name_and_value);
        let value = segments.next().unwrap_or_default().0.to_lowercase();
        let mut header = Self { value, ..Self::default() };
        let mut continued: Vec<(String, Vec<Piece>)> = Vec::new();
        for (name, raw) in segments {
            let text = unquote(raw);
            if let Some((base, piece)) = Piece::parse(&name, &text) {
                match continued.iter_mut().find(|(known, _)| known == base) {
                    Some((_, pieces)) => pieces.push(piece),
                    None => continued.push((base.to_owned(), vec![piece])),
                }
            } else if !name.is_empty() {
                header.set(name, text);
            }
        }
        for (name, pieces) in continued {
            match join(pieces) {
                Some(text) => header.set(name, text),
                None => header.malformed = true,
            }
        }
        header
    }

    /// The value of a parameter; names are in lower case.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: String, value: String) {
        match self.parameters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.parameters.push((name, value)),
        }
    }
}

/// One numbered piece of an RFC 2231 parameter (`name*0*=…`). Pieces sort by number, the unnumbered first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    number: Option<u64>,
    text: String,
    encoded: bool,
}

impl Piece {
    /// The base name and the piece, when the name has the form `base*`, `base*7` or `base*7*`.
    fn parse<'a>(name: &'a str, text: &str) -> Option<(&'a str, Self)> {
        let (base, section) = name.split_once('*')?;
        let digits = section.strip_suffix('*').unwrap_or(section);
        let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if base.is_empty() || !is_word(base) || !digits.bytes().all(|b| b.is_ascii_digit()) || section == "*"
        {
            return None;
        }
        let number = (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX));
        Some((base, Self { number, text: text.to_owned(), encoded: name.ends_with('*') }))
    }
}

/// Puts the pieces of a parameter together. `None` when it names a charset that Python does not know.
fn join(mut pieces: Vec<Piece>) -> Option<String> {
    pieces.sort();
    let extended = pieces.iter().any(|piece| piece.encoded);
    let text: String = pieces
        .iter()
        .map(|piece| if piece.encoded { unescape(&piece.text) } else { piece.text.clone() })
        .collect();
    if !extended {
        return Some(text);
    }
    let mut parts = text.splitn(3, '\'');
    let (charset, text) = match (parts.next(), parts.next(), parts.next()) {
        (Some(label), Some(_language), Some(text)) => (label, text),
        _ => ("us-ascii", text.as_str()),
    };
    if charset.is_empty() {
        return Some(unquote(text));
    }
    Some(match Charset::for_label(charset)? {
        Ok(charset) => charset.decode_replacing(&raw_bytes(text)),
        Err(_not_text) => unquote(text),
    })
}

/// Splits at each `;` that stands outside quotes. A quote after a backslash neither opens nor closes.
fn segments(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut previous = ';';
    line.split(move |c: char| {
        quoted ^= c == '"' && previous != '\\';
        previous = c;
        c == ';' && !quoted
    })
}

fn name_and_value(segment: &str) -> (String, &str) {
    match segment.split_once('=') {
        Some((name, value)) => (strip(name).to_lowercase(), strip(value)),
        None => (strip(segment).to_owned(), ""),
    }
}

/// Takes off one pair of quotes or angle brackets.
fn unquote(text: &str) -> String {
    let inside = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    match (inside('"', '"'), inside('<', '>')) {
        (Some(quoted), _) => quoted.replace("\\\\", "\\").replace("\\\"", "\""),
        (None, Some(bracketed)) => bracketed.to_owned(),
        (None, None) => text.to_owned(),
    }
}

/// Decodes percent escapes to the characters U+0000 to U+00FF; broken escapes stay.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let escape = after.split_at_checked(2).filter(|(hex, _)| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = escape.and_then(|(hex, tail)| Some((u8::from_str_radix(hex, 16).ok()?, tail)));
        if let Some((byte, tail)) = byte {
            out.push(char::from(byte));
            rest = tail;
        } else {
            out.push('%');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// One byte per character; characters that have none are spelt out as Python's `raw-unicode-escape` does.
fn raw_bytes(text: &str) -> Vec<u8> {
    text.chars()
        .flat_map(|c| match (u8::try_from(c), u32::from(c)) {
            (Ok(byte), _) => vec![byte],
            (Err(_), code @ 0..=0xffff) => format!("\\u{code:04x}").into_bytes(),
            (Err(_), code) => format!("\\U{code:08x}").into_bytes(),
        })
        .collect()
}
