//! `docs/security.md` says by which tests each claim is known: they are there.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crates");
    let mut sources = String::new();
    read_into(&mut sources, crates);
    let page = include_str!("../../../../docs/security.md");
    let is_sentence = |text: &&str| {
        text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let named: Vec<&str> = page.split('`').filter(is_sentence).filter(|name| name.len() > 20).collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

/// The text of every Rust file below a directory.
fn read_into(sources: &mut String, directory: &Path) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_into(sources, &path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path).expect("a text"));
        }
    }
}
