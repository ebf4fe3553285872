//! The declarations as people read them: `--help`, and in a checkout `docs/settings.md` and `.env.example`.

use std::fmt::Write;

use super::{PARTS, SETTINGS, Setting};

/// Columns of text in `--help` and `.env.example`.
const WIDTH: usize = 96;

/// The settings as they end `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "Settings, from the environment, from .env in the working directory, or from countersign.toml; what is said\n\
         first counts. For a secret, NAME_FILE may name a file that holds it. `countersign config` shows what is in\n\
         force.\n",
    );
    for setting in SETTINGS {
        if let Some(title) = title(setting) {
            let _ = write!(text, "\n{title}:\n");
        }
        let secret = if setting.is_secret { ", secret" } else { "" };
        let Setting { name, since, .. } = setting;
        let _ = writeln!(text, "  {name} [{}{secret}; since {since}]", setting.default.shown());
        for line in wrapped(&setting.doc.replace('`', "")) {
            let _ = writeln!(text, "      {line}");
        }
    }
    text
}

/// The title of the part that begins with this setting.
pub(super) fn title(setting: &Setting) -> Option<&'static str> {
    PARTS.iter().find(|(first, _)| *first == setting.name).map(|(_, title)| *title)
}

/// Lines that are no longer than the width, unless a word is.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A setting as an `.env` has it that changes nothing: what it decides, and its default, commented out.
pub fn dotenv_entry(setting: &Setting) -> String {
    let mut text = commented(setting.doc);
    if let super::Default::Words(words) = setting.default {
        let _ = writeln!(text, "# By default: {words}.");
    }
    let _ = writeln!(text, "#{}={}", setting.name, setting.default.value());
    text
}

/// Words as comments in an `.env`, below an empty line.
pub fn commented(words: &str) -> String {
    wrapped(words).iter().fold(String::from("\n"), |text, line| text + "# " + line + "\n")
}

/// The page `docs/settings.md`.
#[cfg(test)]
fn markdown() -> String {
    let mut text = String::from(
        "# Settings\n\nFrom the environment, from `.env` in the working directory, or from `countersign.toml` there \
         (or the file that `--config` or `COUNTERSIGN_CONFIG` names), in this order: what is said first counts. The names are \
         the same everywhere, in capitals; in `countersign.toml` a value is a string, a number, a boolean or a list of \
         strings. For those marked *secret*, `NAME_FILE` may name a file that holds the value, in each of the three. Those \
         marked *Simple JWT* have its meaning and may also stand in `SIMPLE_JWT_JSON`.\n\nAn unknown name in `.env` or \
         `countersign.toml` stops the start, as does one that begins with `COUNTERSIGN_` in the environment; what else is in \
         the environment is nobody's business, but for names of ten letters or more that are nearly one of these, of which the start warns (`LOG_FORMT` is too short \
         to be meant for one). \
         `countersign config` prints what is in force and where it was said. `.env.example` has them all, to be copied; \
         `settings.schema.json` is a JSON Schema for editors of `countersign.toml`.\n\n\
         (Generated from `crates/countersign/src/settings.rs`.)\n",
    );
    for setting in SETTINGS {
        if let Some(title) = title(setting) {
            let _ = write!(
                text,
                "\n## {title}\n\n| setting | default | values | meaning | since |\n|---|---|---|---|---|\n"
            );
        }
        let marks = match (setting.is_simple_jwt, setting.is_secret) {
            (true, true) => " *Simple JWT, secret*",
            (true, false) => " *Simple JWT*",
            (false, true) => " *secret*",
            (false, false) => "",
        };
        let Setting { name, doc, since, .. } = setting;
        let (default, values) = (setting.default.shown(), setting.kind.words());
        let _ = writeln!(text, "| `{name}`{marks} | {default} | {values} | {doc} | {since} |");
    }
    text
}

/// The file `.env.example`: everything is commented out, so that a copy of it changes nothing.
#[cfg(test)]
fn dotenv_example() -> String {
    let mut text = String::from(
        "# Settings of Countersign. Copy this file to .env, take away the # before what you change, and start again.\n\
         # As it is here, each has its default. docs/settings.md has the same as a page.\n\
         # (Generated from crates/countersign/src/settings.rs.)\n",
    );
    for setting in SETTINGS {
        if let Some(title) = title(setting) {
            let _ = write!(text, "\n# == {title}\n");
        }
        text.push_str(&dotenv_entry(setting));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::schema::schema;
    use super::*;

    #[test]
    fn what_is_made_of_the_declarations_is_what_they_say() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        for (name, text) in [
            ("docs/settings.md", markdown()),
            (".env.example", dotenv_example()),
            ("docs/settings.schema.json", schema()),
        ] {
            let path = format!("{root}{name}");
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(&path, &text).expect("it is writable");
            }
            let written = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(written == text, "run the tests once with UPDATE_DOCS=1 to write {name} anew");
        }
    }

    #[test]
    fn each_part_begins_at_a_setting_and_each_default_is_one_of_its_values() {
        let firsts: Vec<_> = SETTINGS.iter().filter(|setting| title(setting).is_some()).collect();
        assert_eq!(firsts.len(), PARTS.len());
        assert_eq!(firsts[0].name, SETTINGS[0].name, "none is in no part");
        for Setting { name, default, kind, .. } in SETTINGS {
            if let super::super::Default::Value(value) = default {
                assert_eq!(kind.refusal(value).filter(|_| !value.is_empty()), None, "{name}");
            }
        }
    }
}
