//! The text rules against Python's tables, for every code point there is.

use countersign_domain::{RawText, is_digit, is_word, lower, nfkc, strip};
use serde_json::Value;

use crate::vectors::{self, string};

/// Python's tables are those of Unicode 14; newer ones may only differ where 14 has nothing.
#[test]
fn every_assigned_code_point_is_of_the_class_that_python_says() {
    let tables = vectors::read_json("unicode_tables.json");
    let [word, digit, space, unassigned] =
        ["word", "isdigit", "strip", "unassigned"].map(|name| members(&tables[name]));
    let mut checked = 0;
    for character in ('\0'..=char::MAX).filter(|&character| !unassigned[character as usize]) {
        let code_point = character as usize;
        assert_eq!(is_word(character), word[code_point], "word {code_point:04X}");
        assert_eq!(is_digit(character), digit[code_point], "digit {code_point:04X}");
        let trimmed = strip(character.encode_utf8(&mut [0; 4])).is_empty();
        assert_eq!(trimmed, space[code_point], "space {code_point:04X}");
        checked += 1;
    }
    assert_eq!(checked, 282_230);
}

#[test]
fn every_assigned_code_point_has_python_s_compatibility_form() {
    let unassigned = members(&vectors::read_json("unicode_tables.json")["unassigned"]);
    let changes = mapping("nfkc.tsv");
    assert_eq!(changes.len(), 4866);
    compare_each(&unassigned, &changes, nfkc);
}

#[test]
fn every_assigned_code_point_has_python_s_lower_case() {
    let unassigned = members(&vectors::read_json("unicode_tables.json")["unassigned"]);
    let changes = mapping("lower.tsv");
    assert_eq!(changes.len(), 1433);
    compare_each(&unassigned, &changes, lower);
}

#[test]
fn lower_case_depends_on_the_context_as_in_python() {
    let vectors = vectors::read("lower_context.json");
    assert_eq!(vectors.len(), 16);
    for vector in &vectors {
        assert_eq!(lower(string(vector, "in")), string(vector, "out"));
    }
}

#[test]
fn trimming_takes_separators_but_no_zero_width_characters() {
    assert_eq!(strip("\u{1c}\u{85}\u{a0} a b \u{2028}\u{1f}\n"), "a b");
    assert_eq!(strip("\u{200b}a\u{feff}"), "\u{200b}a\u{feff}");
}

#[test]
fn the_first_lone_surrogate_is_remembered_and_pairs_are_joined() {
    let raw = RawText::from_utf16_lossy(&[0x61, 0xd83d, 0xde00, 0xdc01, 0xd800, 0x62]);
    assert_eq!(raw.as_str(), "a\u{1f600}\u{fffd}\u{fffd}b");
    assert_eq!(raw.first_surrogate(), Some(0xdc01));
    assert_eq!(RawText::from("a\u{fffd}").first_surrogate(), None);
}

fn compare_each(unassigned: &[bool], changes: &[(char, String)], function: impl Fn(&str) -> String) {
    let mut changes = changes.iter().peekable();
    for character in '\0'..=char::MAX {
        let itself = character.to_string();
        let expected = changes.next_if(|(from, _)| *from == character).map_or(&itself, |(_, to)| to);
        if !unassigned[character as usize] {
            assert_eq!(&function(&itself), expected, "U+{:04X}", character as u32);
        }
    }
    assert_eq!(changes.next(), None);
}

/// Whether each code point lies in one of the inclusive ranges.
fn members(ranges: &Value) -> Vec<bool> {
    let mut members = vec![false; 0x11_0000];
    for range in ranges.as_array().unwrap() {
        let [first, last] = [0, 1].map(|end| usize::try_from(range[end].as_u64().unwrap()).unwrap());
        members[first..=last].fill(true);
    }
    members
}

fn mapping(file: &str) -> Vec<(char, String)> {
    let character = |hex| char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap();
    vectors::read_text(file)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (from, to) = line.split_once('\t').unwrap();
            (character(from), to.split(' ').map(character).collect())
        })
        .collect()
}
