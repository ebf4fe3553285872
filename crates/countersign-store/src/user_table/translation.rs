//! A statement that was written for `auth_user`, as it is for the table of a user model of the project's own.
//!
//! Only whole identifiers are changed, and what takes their place is quoted. What cannot be translated for certain is
//! refused; tests run every statement of this crate on such a table.

use std::ops::Range;

use super::tokens::{Kind, Token, tokens};
use super::{Described, Statement};
use crate::foreign_keys::quoted;

/// Tables of statements that have a column `user_id`.
const HAVE_USER_ID: [&str; 4] =
    [GROUPS, PERMISSIONS, "countersign_session", "token_blacklist_outstandingtoken"];
const USERS: &str = "auth_user";
const GROUPS: &str = "auth_user_groups";
const PERMISSIONS: &str = "auth_user_user_permissions";

/// The statement, or why it cannot be translated.
pub(super) fn translate(sql: &str, users: &Described) -> Result<Statement, String> {
    let tokens = tokens(sql);
    let mut edited: Vec<Option<String>> = tokens.iter().map(|_| None).collect();
    rename(&tokens, users, &mut edited)?;
    write_no_missing_columns(&tokens, users, &mut edited)?;
    let (text, values) = renumbered(&tokens, edited);
    Ok(Statement::translated(&text, values))
}

/// Puts the names that the database has in the place of Django's.
fn rename(tokens: &[Token<'_>], users: &Described, edited: &mut [Option<String>]) -> Result<(), String> {
    let scopes = Scopes::of(tokens);
    for (at, (token, edited)) in tokens.iter().zip(edited.iter_mut()).enumerate() {
        if token.kind != Kind::Word {
            continue;
        }
        *edited = match token.text {
            USERS => Some(quoted(&users.table)),
            GROUPS => Some(quoted(&users.groups.table)),
            PERMISSIONS => Some(quoted(&users.permissions.table)),
            "user_id" => match scopes.owner_of_user_id(tokens, at)? {
                GROUPS => Some(quoted(&users.groups.user)),
                PERMISSIONS => Some(quoted(&users.permissions.user)),
                _ => None,
            },
            "username" => Some(users.login.name().to_owned()),
            column if users.missing.contains(&column) => Some("''".to_owned()),
            _ => None,
        };
    }
    Ok(())
}

/// In what an `INSERT` or `UPDATE` of users writes, leaves out what the table has no column for. A UUID is made here.
fn write_no_missing_columns(
    tokens: &[Token<'_>],
    users: &Described,
    edited: &mut [Option<String>],
) -> Result<(), String> {
    // The log-in name is written under its own name.
    let is_left_out =
        |name: &str| users.missing.contains(&name) || (name == "username" && name != users.login.name());
    let words: Vec<(usize, &str)> = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.kind == Kind::Word)
        .map(|(at, token)| (at, token.text))
        .collect();
    for window in words.windows(3) {
        match *window {
            [(_, "INSERT"), (_, "INTO"), (at, USERS)] => {
                let untranslatable = || "an INSERT of users has to be of VALUES".to_owned();
                let columns = bracketed(tokens, at).ok_or_else(untranslatable)?;
                let (values_word, _) =
                    words.iter().find(|(word, _)| *word > columns.end).ok_or_else(untranslatable)?;
                let values = bracketed(tokens, *values_word).ok_or_else(untranslatable)?;
                let (names, values) = (items(tokens, columns), items(tokens, values));
                if names.len() != values.len() {
                    return Err(untranslatable());
                }
                let left_out: Vec<bool> =
                    names.iter().map(|item| is_left_out(first_word(tokens, item))).collect();
                leave_out(&names, &left_out, edited);
                leave_out(&values, &left_out, edited);
                if let Some(new_key) = users.new_key() {
                    put_before(&names, "id", tokens, edited);
                    put_before(&values, new_key, tokens, edited);
                }
            }
            [(_, "UPDATE"), (_, USERS), (at, "SET")] => {
                let end = words
                    .iter()
                    .find(|(word, text)| *word > at && matches!(*text, "WHERE" | "FROM" | "RETURNING"));
                let end = end.map_or(tokens.len(), |(end, _)| *end);
                let set = items(tokens, at + 1..end);
                let left_out: Vec<bool> =
                    set.iter().map(|item| is_left_out(first_word(tokens, item))).collect();
                if left_out.iter().all(|left_out| *left_out) {
                    return Err("an UPDATE of users would set nothing".to_owned());
                }
                leave_out(&set, &left_out, edited);
            }
            _ => {}
        }
    }
    Ok(())
}

/// What stands between the first bracket after `at` and its counterpart.
fn bracketed(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let begin = at + 1 + tokens.get(at + 1..)?.iter().position(|token| token.text == "(")?;
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(begin) {
        depth = match token.text {
            "(" => depth + 1,
            ")" => depth - 1,
            _ => depth,
        };
        if depth == 0 {
            return Some(begin + 1..place);
        }
    }
    None
}

/// The parts of a list, split at its commas; each but the first begins with its comma.
fn items(tokens: &[Token<'_>], list: Range<usize>) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let (mut begin, mut depth) = (list.start, 0_usize);
    for (at, token) in tokens.iter().enumerate().take(list.end).skip(list.start) {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                items.push(begin..at);
                begin = at;
            }
            _ => {}
        }
    }
    items.push(begin..list.end);
    items
}

fn first_word<'a>(tokens: &[Token<'a>], item: &Range<usize>) -> &'a str {
    let words = tokens.iter().take(item.end).skip(item.start);
    words.filter(|token| token.kind == Kind::Word).map(|token| token.text).next().unwrap_or_default()
}

/// Empties those parts of a list, and the comma before what is then the first.
fn leave_out(items: &[Range<usize>], left_out: &[bool], edited: &mut [Option<String>]) {
    let mut is_first = true;
    for (item, left_out) in items.iter().zip(left_out) {
        let emptied = if *left_out {
            item.clone()
        } else if is_first && item.start != items.first().map_or(0, |first| first.start) {
            item.start..item.start + 1
        } else {
            0..0
        };
        is_first &= *left_out;
        for edited in edited.iter_mut().take(emptied.end).skip(emptied.start) {
            *edited = Some(String::new());
        }
    }
}

/// Adds a part to the front of a list.
fn put_before(items: &[Range<usize>], part: &str, tokens: &[Token<'_>], edited: &mut [Option<String>]) {
    let Some(bracket) = items.first().and_then(|first| first.start.checked_sub(1)) else { return };
    if let (Some(edited), Some(token)) = (edited.get_mut(bracket), tokens.get(bracket)) {
        *edited = Some(format!("{}{part}, ", token.text));
    }
}

/// The text with its parameters numbered without gaps, and which values they then are, if some are not needed.
fn renumbered(tokens: &[Token<'_>], edited: Vec<Option<String>>) -> (String, Option<Vec<usize>>) {
    let number =
        |token: &Token<'_>| token.text.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
    let of = |is_kept: &dyn Fn(usize) -> bool| {
        let parameters =
            tokens.iter().enumerate().filter(|(at, token)| token.kind == Kind::Parameter && is_kept(*at));
        let mut numbers: Vec<usize> = parameters.filter_map(|(_, token)| number(token)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let needed = of(&|at| edited.get(at).is_some_and(Option::is_none));
    let is_all = needed == of(&|_| true);
    let text = tokens.iter().zip(edited).map(|(token, edited)| match edited {
        Some(text) => text,
        None if token.kind == Kind::Parameter => {
            let place = number(token).and_then(|number| needed.binary_search(&number).ok());
            place.map_or_else(|| token.text.to_owned(), |place| format!("${}", place + 1))
        }
        None => token.text.to_owned(),
    });
    let text = text.collect();
    let places = needed.into_iter().map(|number| number - 1).collect();
    (text, if is_all { None } else { Some(places) })
}

/// Which tables a part of a statement is about: what stands in one pair of brackets, or on one side of a `UNION`.
struct Scopes<'a> {
    all: Vec<Scope<'a>>,
    /// The scope of each token.
    of_token: Vec<usize>,
}

struct Scope<'a> {
    outer: Option<usize>,
    /// Tables with a column `user_id`, each under the name that it goes by here.
    tables: Vec<(&'a str, &'a str)>,
}

impl<'a> Scopes<'a> {
    fn of(tokens: &[Token<'a>]) -> Self {
        let mut scopes = Self {
            all: vec![Scope { outer: None, tables: Vec::new() }],
            of_token: Vec::with_capacity(tokens.len()),
        };
        let mut present = 0;
        for (at, token) in tokens.iter().enumerate() {
            let outer = scopes.all.get(present).and_then(|scope| scope.outer);
            match token.text {
                "(" => present = scopes.add(Some(present)),
                "UNION" | "EXCEPT" | "INTERSECT" => present = scopes.add(outer),
                ")" => present = outer.unwrap_or(0),
                table if token.kind == Kind::Word && HAVE_USER_ID.contains(&table) => {
                    if let Some(scope) = scopes.all.get_mut(present) {
                        scope.tables.push((table, alias(tokens, at).unwrap_or(table)));
                    }
                }
                _ => {}
            }
            scopes.of_token.push(present);
        }
        scopes
    }

    fn add(&mut self, outer: Option<usize>) -> usize {
        self.all.push(Scope { outer, tables: Vec::new() });
        self.all.len() - 1
    }

    /// The table whose column the `user_id` at `at` is.
    fn owner_of_user_id(&self, tokens: &[Token<'_>], at: usize) -> Result<&'a str, String> {
        let before =
            |steps: usize| at.checked_sub(steps).and_then(|at| tokens.get(at)).map(|token| token.text);
        let qualifier = if before(1) == Some(".") { before(2) } else { None };
        let mut scope = self.of_token.get(at).and_then(|scope| self.all.get(*scope));
        while let Some(here) = scope {
            let mut owners = here
                .tables
                .iter()
                .filter(|(_, name)| qualifier.is_none_or(|qualifier| qualifier == *name))
                .map(|(table, _)| *table);
            if let Some(owner) = owners.next() {
                return match owners.find(|other| *other != owner) {
                    None => Ok(owner),
                    Some(other) => Err(format!("its user_id may be that of {owner} or of {other}")),
                };
            }
            scope = here.outer.and_then(|outer| self.all.get(outer));
        }
        // The column of something that the statement has named so itself.
        Ok("")
    }
}

/// `m` in `auth_user_groups AS m`.
fn alias<'a>(tokens: &[Token<'a>], at: usize) -> Option<&'a str> {
    let mut words = tokens.get(at + 1..)?.iter().filter(|token| !token.text.trim().is_empty());
    let is_as = words.next()?.text == "AS";
    words.next().filter(|token| is_as && token.kind == Kind::Word).map(|token| token.text)
}

#[cfg(test)]
mod tests;
