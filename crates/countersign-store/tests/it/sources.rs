//! The SQL texts of the crate, read from its sources.

/// The sources that are about accounts.
pub const OF_ACCOUNTS: [&str; 18] = [
    include_str!("../../src/addresses.rs"),
    include_str!("../../src/attempts.rs"),
    include_str!("../../src/users.rs"),
    include_str!("../../src/tokens.rs"),
    include_str!("../../src/sessions.rs"),
    include_str!("../../src/groups.rs"),
    include_str!("../../src/signing_keys.rs"),
    include_str!("../../src/adoption.rs"),
    include_str!("../../src/holders.rs"),
    include_str!("../../src/sweeping.rs"),
    include_str!("../../src/events.rs"),
    include_str!("../../src/events/chain.rs"),
    include_str!("../../src/events/erasing.rs"),
    include_str!("../../src/events/reading.rs"),
    include_str!("../../src/events/retention.rs"),
    include_str!("../../src/events/verifying.rs"),
    include_str!("../../src/refused_requests.rs"),
    include_str!("../../src/mails.rs"),
];
/// What only SQLite runs.
pub const ON_SQLITE: [&str; 1] = [include_str!("../../src/attempts/one_by_one.rs")];
/// Those that move them from one database to another, which knows Django's own tables only.
pub const OF_MOVING: [&str; 4] = [
    include_str!("../../src/moving/tables.rs"),
    include_str!("../../src/moving/permissions.rs"),
    include_str!("../../src/moving/progress.rs"),
    include_str!("../../src/moving/export.rs"),
];
/// Stands for a quote within a text.
const QUOTE: &str = "\u{1}";
const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// The SQL texts in the sources, one line each, with what a macro stands for in its place.
pub fn statements_of(sources: &[&str]) -> Vec<String> {
    let one_line = |source: &&str| {
        let words = source.split_whitespace().collect::<Vec<_>>().join(" ");
        words.replace("\\ ", "").replace("\\\"", QUOTE)
    };
    let sources: Vec<String> = sources.iter().map(one_line).collect();
    let pieces: Vec<(String, String)> = sources.iter().flat_map(|source| pieces(source)).collect();
    let literals = sources.iter().flat_map(|source| {
        let joined = pieces.iter().fold(source.clone(), |source, (macro_of, text)| {
            let source = source.replace(&format!("\", {macro_of}, \""), text);
            source.replace(&format!("concat!({macro_of}, \""), &format!("concat!(\"{text}"))
        });
        joined.split('"').map(str::to_owned).collect::<Vec<_>>()
    });
    let is_whole = |text: &String| !pieces.iter().any(|(_, piece)| piece == text);
    let statements = literals.filter(|text| VERBS.iter().any(|verb| text.starts_with(verb)));
    statements.filter(is_whole).map(|text| text.replace(QUOTE, "\"")).collect()
}

/// The macros of a source that stand for a part of a statement, and their texts.
fn pieces(source: &str) -> Vec<(String, String)> {
    let defined = source.split("macro_rules! ").skip(1);
    let piece = |defined: &str| {
        let (name, rest) = defined.split_once(" { () => { \"")?;
        let (text, _) = rest.split_once('"')?;
        Some((format!("{name}!()"), text.to_owned()))
    };
    defined.filter_map(piece).collect()
}
