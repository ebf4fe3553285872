//! `.env` files as python-dotenv reads them, so that a file that served the Django project gives the same values here:
//! a `$`, `#` or quote in a `SECRET_KEY` must not change its meaning.

use zeroize::Zeroizing;

/// A line that is no `NAME=value`. What stands there is not said: it may be a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not of the form NAME=value; correct it, or put a # before it")]
pub struct DotenvError {
    /// Its number, from 1.
    pub line: usize,
}

/// Reads the names and values of a file; the last of several with one name counts. A name without `=` sets nothing, as in
/// python-dotenv. One that is not `expected` with or without a value is refused: it may be anything that was pasted there.
///
/// Values may be bare (up to a ` #` comment), in single quotes (`\\` and `\'` escaped) or in double quotes (with C's
/// escapes), quoted ones over several lines. `${NAME}` and `${NAME:-default}` are replaced by `variable(NAME)` or an
/// earlier value of the file.
pub fn parse(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
    expected: impl Fn(&str, Option<&str>) -> bool,
) -> Result<Vec<(String, Zeroizing<String>)>, DotenvError> {
    let text = with_plain_line_ends(text);
    let mut scanner = Scanner { text: &text, rest: &text };
    let mut values: Vec<(String, Option<String>)> = Vec::new();
    while scanner.skip_to_statement() {
        let line = scanner.line();
        let (name, value) = scanner
            .statement()
            .filter(|(name, value)| expected(name, value.as_deref()))
            .ok_or(DotenvError { line })?;
        let earlier = |name: &str| {
            let (_, value) = values.iter().find(|(known, _)| known == name)?;
            Some(value.clone().unwrap_or_default())
        };
        let value = value.map(|value| interpolate(&value, |name| variable(name).or_else(|| earlier(name))));
        values.retain(|(known, _)| *known != name);
        values.push((name, value));
    }
    Ok(values.into_iter().filter_map(|(name, value)| Some((name, Zeroizing::new(value?)))).collect())
}

/// `NAME=value` as [`parse`] reads it back. Fails where no quotes keep the value from being read as another: in all of them
/// `${NAME}` is replaced.
pub fn line(name: &str, value: &str) -> Option<Zeroizing<String>> {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_-.,:/@*+?&%[]".contains(character);
    let line = Zeroizing::new(if value.chars().all(is_plain) {
        format!("{name}={value}\n")
    } else {
        format!("{name}='{}'\n", value.replace('\\', "\\\\").replace('\'', "\\'"))
    });
    let read = parse(&line, |_| None, |_, value| value.is_some()).ok()?;
    matches!(read.as_slice(), [(known, read)] if known == name && **read == value).then_some(line)
}

/// Python opens text with universal line ends, and python-dotenv drops a byte order mark.
fn with_plain_line_ends(text: &str) -> Zeroizing<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Zeroizing::new(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// White space as Python's `\s` has it: Unicode's and four control characters.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// White space within a line.
fn is_blank(character: char) -> bool {
    is_space(character) && character != '\n'
}

struct Scanner<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The number of the line that the rest begins on.
    fn line(&self) -> usize {
        let read = self.text.len() - self.rest.len();
        self.text.bytes().take(read).filter(|&byte| byte == b'\n').count() + 1
    }

    /// Skips blank lines, comments and the word `export`; false at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            self.rest = self.rest.trim_start_matches(is_space);
            if let Some(rest) = self.rest.strip_prefix("export").filter(|rest| rest.starts_with(is_blank)) {
                self.rest = rest.trim_start_matches(is_blank);
                if !self.rest.starts_with('#') {
                    return true;
                }
            }
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            self.take_line();
        }
    }

    /// `NAME[=value]` to the end of its line. `None` when it is something else.
    fn statement(&mut self) -> Option<(String, Option<String>)> {
        let name = self.name()?;
        self.skip_blanks();
        let value = match self.rest.strip_prefix('=') {
            Some(rest) => {
                self.rest = rest;
                self.skip_blanks();
                let is_comment = rest.starts_with(is_blank) && self.rest.starts_with('#');
                Some(if is_comment { String::new() } else { self.value()? })
            }
            None => None,
        };
        self.skip_blanks();
        let tail = self.take_line();
        (tail.is_empty() || tail.starts_with('#')).then_some((name, value))
    }

    fn name(&mut self) -> Option<String> {
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (name, rest) = rest.split_once('\'')?;
            self.rest = rest;
            return (!name.is_empty()).then(|| name.to_owned());
        }
        let ends_name = |c: char| c == '=' || c == '#' || is_space(c);
        let end = self.rest.find(ends_name).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn value(&mut self) -> Option<String> {
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => Some(without_comment(self.take_line()).trim_end_matches(is_space).to_owned()),
        }
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            if character == quote {
                self.rest = self.rest.get(at + 1..)?;
                return Some(value);
            }
            if character != '\\' {
                value.push(character);
                continue;
            }
            let (_, escaped) = characters.next()?;
            match unescape(escaped, quote) {
                Some(meant) => value.push(meant),
                None => value.extend(['\\', escaped]),
            }
        }
        None
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_blank);
    }

    fn take_line(&mut self) -> &'a str {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        line
    }
}

/// A `#` begins a comment only after white space.
fn without_comment(line: &str) -> &str {
    let mut previous_is_blank = false;
    for (at, character) in line.char_indices() {
        if character == '#' && previous_is_blank {
            return line.get(..at).unwrap_or(line);
        }
        previous_is_blank = is_space(character);
    }
    line
}

fn unescape(escaped: char, quote: char) -> Option<char> {
    match (quote, escaped) {
        (_, '\\' | '\'') => Some(escaped),
        ('\'', _) => None,
        (_, '"') => Some('"'),
        (_, 'a') => Some('\u{07}'),
        (_, 'b') => Some('\u{08}'),
        (_, 'f') => Some('\u{0c}'),
        (_, 'n') => Some('\n'),
        (_, 'r') => Some('\r'),
        (_, 't') => Some('\t'),
        (_, 'v') => Some('\u{0b}'),
        _ => None,
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`; a name that is not set gives its default, or nothing. Any other `${` is
/// plain text.
fn interpolate(value: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let found = after.split_once('}').and_then(|(inside, tail)| Some((reference(inside)?, tail)));
        if let Some(((name, default), tail)) = found {
            result.push_str(&variable(name).unwrap_or_else(|| default.to_owned()));
            rest = tail;
        } else {
            result.push_str("${");
            rest = after;
        }
    }
    result.push_str(rest);
    result
}

/// The name and the default of `NAME` or `NAME:-default`.
fn reference(inside: &str) -> Option<(&str, &str)> {
    match inside.split_once(':') {
        None => Some((inside, "")),
        Some((name, default)) => Some((name, default.strip_prefix('-')?)),
    }
}

#[cfg(test)]
mod tests;
