//! `.env`, and after a NUL `countersign.toml`: what is written is read back, and all settings that can be said so are
//! taken or refused by their names. The program has no library, so that its modules are included.
#![no_main]

include!(concat!(env!("OUT_DIR"), "/modules.rs")); // build.rs
use program_modules::*; // by these names they call each other

use std::collections::BTreeMap;
use std::sync::LazyLock;

use countersign_fuzz::split_at;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

use config::{Config, Files};
use sources::Sources;

static DIRECTORY: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory"));

fuzz_target!(|data: &[u8]| {
    let (dotenv, toml) = split_at(data, 0);
    let (Ok(dotenv), Ok(toml)) = (std::str::from_utf8(dotenv), std::str::from_utf8(toml)) else { return };
    if dotenv.contains("_FILE") || toml.contains("_FILE") {
        return; // it would read files of this machine
    }
    let (name, value) = dotenv.split_once('=').unwrap_or(("NAME", dotenv));
    if let Some(line) = program_modules::dotenv::line(name, value) {
        let variable = |_: &str| Some("a variable".to_owned());
        let read = program_modules::dotenv::parse(&line, variable, |_, value| value.is_some())
            .expect("our own line");
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].0.as_str(), read[0].1.as_str()), (name, value));
    }
    std::fs::write(DIRECTORY.path().join("countersign.toml"), toml).expect("it is ours");
    let refused = |error: sources::SettingError| {
        let sentence = error.to_string();
        assert!(!sentence.is_empty());
        sentence
    };
    match Sources::read(DIRECTORY.path(), None, &BTreeMap::new(), Some(dotenv)) {
        Ok(sources) => {
            if let Err(error) = Config::from_sources(&sources, Files::NotNeeded) {
                let sentence = refused(error);
                let is_named = settings::names().any(|name| sentence.contains(&name));
                assert!(is_named, "which setting? {sentence}");
            }
        }
        Err(error) => drop(refused(error)),
    }
});
