//! What operators are told: each sentence ends in what to do, wherever in the source it stands.

use std::path::{Path, PathBuf};

use super::says_what_to_do;

/// What begins a message to an operator, and what ends it.
const MESSAGES: [(&str, &str); 4] = [
    ("tracing::warn!(", ");"),
    ("tracing::error!(", ");"),
    ("Failure::Other(format!(", "));"),
    ("Failure::Other(\n", ")"),
];
/// Errors of which each sentence is told to an operator, and those of clients among them.
const ERRORS: [&str; 4] = [
    "countersign-store/src/error.rs",
    "countersign-store/src/moving.rs",
    "countersign-auth/src/keys/error.rs",
    "countersign-auth/src/users.rs",
];
/// What a line of the log tells beside it, and what is told in the words of the API, with what to do after them.
const ENDS_OTHERWISE: [&str; 4] = [
    "nothing can be written; the log says why",
    "the {field} was refused",
    "a user with that username already exists",
    "the username is too long to be stored",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The texts in quotes, of which one that goes on in the next line is one.
fn quoted(code: &str) -> String {
    let parts: Vec<&str> = code.split('"').collect();
    let texts = parts.iter().skip(1).step_by(2);
    texts
        .map(|text| text.split("\\\n").map(str::trim_start).collect::<String>())
        .collect::<Vec<_>>()
        .join("; ")
}

/// Whether a message says what to do, or the sentence does that it ends in or has beside it.
fn is_complete(code: &str, text: &str) -> bool {
    let has_another = ["%error", "error,", "transparent"].iter().any(|part| code.contains(part));
    has_another || text.ends_with('}') || says_what_to_do(text) || ENDS_OTHERWISE.contains(&text)
}

#[test]
fn every_message_ends_in_what_to_do() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut files = Vec::new();
    sources(crates, &mut files);
    let (mut seen, mut incomplete) = (0, Vec::new());
    for file in files.iter().filter(|file| file.components().any(|part| part.as_os_str() == "src")) {
        let text = std::fs::read_to_string(file).expect("UTF-8");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let of_errors = ERRORS.iter().any(|name| file.ends_with(name)).then_some(("#[error(", ")]"));
        for (begin, end) in MESSAGES.into_iter().chain(of_errors) {
            for message in code.split(begin).skip(1).filter_map(|rest| rest.split(end).next()) {
                let said = quoted(message);
                seen += 1;
                if !is_complete(message, &said) {
                    incomplete.push(format!("{}: {said:?}", file.display()));
                }
            }
        }
    }
    assert!(seen > 120, "only {seen} were found");
    assert!(incomplete.is_empty(), "and then?\n{}", incomplete.join("\n"));
}
