//! `.env` files as python-dotenv reads them, so that a file that served the Django project gives the same values here:
//! a `$`, `#` or quote in a `SECRET_KEY` must not change its meaning.

/// A line that is no `NAME=value`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not of the form NAME=value")]
pub struct DotenvError {
    /// Its number, from 1.
    pub line: usize,
}

/// Reads the names and values of a file, in order; a name without `=` is left out, as it sets nothing.
///
/// Values may be bare (up to a ` #` comment), in single quotes (`\\` and `\'` escaped) or in double quotes (with C's
/// escapes), quoted ones over several lines. `${NAME}` and `${NAME:-default}` are replaced by `variable(NAME)` or an
/// earlier value of the file.
pub fn parse(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, DotenvError> {
    let mut scanner = Scanner { text, rest: text };
    let mut values: Vec<(String, String)> = Vec::new();
    while scanner.skip_to_statement() {
        let line = scanner.line();
        let (name, value) = scanner.statement().ok_or(DotenvError { line })?;
        if let Some(value) = value {
            let earlier = |name: &str| {
                values.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            };
            let value = interpolate(&value, |name| variable(name).or_else(|| earlier(name)));
            values.push((name, value));
        }
    }
    Ok(values)
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

    /// Skips blank lines and comments; false at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            self.take_line();
        }
    }

    /// `[export] NAME[=value]` to the end of its line. `None` when it is something else.
    fn statement(&mut self) -> Option<(String, Option<String>)> {
        if let Some(rest) = self.rest.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
            self.rest = rest.trim_start_matches([' ', '\t']);
        }
        let name = self.name()?;
        self.skip_blanks();
        let value = match self.rest.strip_prefix('=') {
            Some(rest) => {
                self.rest = rest;
                self.skip_blanks();
                Some(self.value()?)
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
        let end =
            self.rest.find(|c: char| c == '=' || c == '#' || c.is_whitespace()).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn value(&mut self) -> Option<String> {
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            Some('\n' | '\r') | None => Some(String::new()),
            Some(_) => {
                let end = self.rest.find(['\r', '\n']).unwrap_or(self.rest.len());
                let (line, rest) = self.rest.split_at(end);
                self.rest = rest;
                Some(without_comment(line).trim_end().to_owned())
            }
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
        self.rest = self.rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\r' && c != '\n');
    }

    fn take_line(&mut self) -> &'a str {
        let end = self.rest.find(['\r', '\n']).unwrap_or(self.rest.len());
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
        previous_is_blank = character.is_whitespace();
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

/// Replaces `${NAME}` and `${NAME:-default}`; a name that is not set gives its default, or nothing.
fn interpolate(value: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, tail)) = after.split_once('}') else { break };
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        result.push_str(before);
        match name.contains(':') {
            true => result.extend(["${", inside, "}"]),
            false => result.push_str(&variable(name).unwrap_or_else(|| default.to_owned())),
        }
        rest = tail;
    }
    result.push_str(rest);
    result
}
