//! An SQL text as its words: enough to know an identifier from a string, and what belongs to which pair of brackets.

/// A piece of a text.
pub(super) struct Token<'a> {
    pub text: &'a str,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key word, or an identifier without quotes.
    Word,
    /// `$1`, `$2`, …
    Parameter,
    /// A string, a quoted identifier, a number, a sign, blanks.
    Other,
}

/// The pieces of a text; joined they are the text again.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = |belongs: fn(char) -> bool, from: usize| {
            let tail = rest.get(from..).unwrap_or_default();
            from + tail.find(|next: char| !belongs(next)).unwrap_or(tail.len())
        };
        let quoted = |end: &str| {
            let tail = rest.get(first.len_utf8()..).unwrap_or_default();
            tail.find(end).map_or(rest.len(), |at| first.len_utf8() + at + end.len())
        };
        let (length, kind) = match first {
            'a'..='z' | 'A'..='Z' | '_' => (length(is_of_word, 1), Kind::Word),
            '$' => (length(|next| next.is_ascii_digit(), 1), Kind::Parameter),
            '0'..='9' => (length(is_of_word, 1), Kind::Other),
            '\'' => (quoted("'"), Kind::Other),
            '"' => (quoted("\""), Kind::Other),
            '[' => (quoted("]"), Kind::Other),
            blank if blank.is_whitespace() => (length(char::is_whitespace, blank.len_utf8()), Kind::Other),
            sign => (sign.len_utf8(), Kind::Other),
        };
        let (text, after) = rest.split_at(length);
        tokens.push(Token { text, kind });
        rest = after;
    }
    tokens
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_sum_of_its_pieces_and_what_is_quoted_is_no_word() {
        for (sql, words) in [
            ("SELECT a.b, $12 FROM t", vec!["SELECT", "a", "b", "FROM", "t"]),
            ("x = 'it''s a auth_user' AND y", vec!["x", "AND", "y"]),
            ("\"auth_user\" auth_user_2 [from] é", vec!["auth_user_2"]),
            ("'never closed auth_user", vec![]),
            ("a\n  b", vec!["a", "b"]),
        ] {
            let tokens = tokens(sql);
            assert_eq!(tokens.iter().map(|token| token.text).collect::<String>(), sql);
            let found: Vec<_> =
                tokens.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect();
            assert_eq!(found, words, "{sql}");
        }
    }
}
