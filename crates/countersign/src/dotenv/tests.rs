//! What python-dotenv 1.2.4 makes of these files: every row was read by it too.

use proptest::prelude::{prop, proptest};

use super::{DotenvError, line, parse};

fn environment(name: &str) -> Option<String> {
    (name == "HOME_DIR").then(|| "/home".to_owned())
}

/// The file as `NAME=value` joined by ` & `.
fn read(text: &str) -> String {
    match parse(text, environment, |_, _| true) {
        Ok(values) => {
            let values: Vec<_> =
                values.iter().map(|(name, value)| format!("{name}={}", value.as_str())).collect();
            values.join(" & ")
        }
        Err(DotenvError { line }) => format!("line {line} refused"),
    }
}

#[test]
fn files_mean_what_they_mean_to_python_dotenv() {
    let table = [
        // The original's own.
        (
            "SECRET_KEY=your_secret_key\nDEBUG=True\nALLOWED_HOSTS=*\n",
            "SECRET_KEY=your_secret_key & DEBUG=True & ALLOWED_HOSTS=*",
        ),
        ("", ""),
        ("  \n\t# only a comment\n\n", ""),
        // Bare values: white space around goes, a comment needs white space before it.
        ("A = 1 ", "A=1"),
        ("A=a b  # c", "A=a b"),
        ("A=a#b", "A=a#b"),
        ("A=#b", "A=#b"),
        ("A= #b", "A="),
        ("A=\nB=2", "A= & B=2"),
        ("A=x=y", "A=x=y"),
        ("A=a\\nb", "A=a\\nb"),
        ("A=it's", "A=it's"),
        ("A=a$b$$c%", "A=a$b$$c%"),
        ("A=\u{1c}\u{a0}x\u{1f}", "A=x"),
        // Quotes.
        ("A='a # b'", "A=a # b"),
        ("A=\"a # b\" # c", "A=a # b"),
        ("A='a'#c", "A=a"),
        (r"A='it\'s \\ \n'", r"A=it's \ \n"),
        (r#"A="\"\'\\\a\b\f\n\r\t\v\x""#, "A=\"'\\\u{7}\u{8}\u{c}\n\r\t\u{b}\\x"),
        ("A=\"1\n2\"\nB=3", "A=1\n2 & B=3"),
        ("A='1\r\n2'\rB=3", "A=1\n2 & B=3"),
        // Names.
        ("export A=1\nexport\t B=2", "A=1 & B=2"),
        ("export\u{a0}A=1", "A=1"),
        ("export=1", "export=1"),
        ("exported=1", "exported=1"),
        ("export # nothing\nA=1", "A=1"),
        ("'A B'=1", "A B=1"),
        ("\u{feff}A=1", "A=1"),
        ("A.b-ć=1", "A.b-ć=1"),
        // A name without a value sets nothing, and the last one counts.
        ("A\nB=2", "B=2"),
        ("A # c", ""),
        ("A=1\nB=2\nA=3", "B=2 & A=3"),
        ("A=1\nA", ""),
        // References: the environment first, then what stands above.
        ("A=1\nB=${A}2", "A=1 & B=12"),
        ("B=${A}2\nA=1", "B=2 & A=1"),
        ("HOME_DIR=/here\nA=${HOME_DIR}", "HOME_DIR=/here & A=/home"),
        ("A='${HOME_DIR}' ", "A=/home"),
        ("A=${NO:-${HOME_DIR}}", "A=${HOME_DIR}"),
        ("A=${NO:-d}${NO:--e}${NO}", "A=d-e"),
        ("A\nB=${A:-d}", "B="),
        ("A=${NO:d}${HOME_DIR}", "A=${NO:d}/home"),
        ("A=${x:${HOME_DIR}", "A=${x:/home"),
        ("A=${x", "A=${x"),
        ("A=$HOME_DIR", "A=$HOME_DIR"),
        // What it warns of and skips stops the start here.
        ("A=1\n=2", "line 2 refused"),
        ("A=1\n\nB C=2", "line 3 refused"),
        ("A='1\nB=2", "line 1 refused"),
        ("A=\"1\\\"", "line 1 refused"),
        ("A='1' 2", "line 1 refused"),
        ("export ", "line 1 refused"),
        ("''=1", "line 1 refused"),
        ("'A=1", "line 1 refused"),
        ("\r\rA B", "line 3 refused"),
    ];
    for (text, meant) in table {
        assert_eq!(read(text), meant, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in ".{0,60}", pieces in prop::collection::vec("[A-B=#'\"\\\\ ${}:\n\r\t-]|export ", 0..40)) {
        let _ = parse(&text, environment, |_, _| true);
        let _ = parse(&pieces.concat(), environment, |_, _| true);
    }

    #[test]
    fn a_value_in_single_quotes_is_kept(value in "[^$]{0,40}") {
        let value = value.replace(['\r', '\n'], " ");
        let quoted = value.replace('\\', r"\\").replace('\'', r"\'");
        let read = parse(&format!("A='{quoted}' # c\nB=2"), environment, |_, _| true);
        assert_eq!(read, Ok(vec![("A".to_owned(), value.into()), ("B".to_owned(), "2".to_owned().into())]));
    }
}

#[test]
fn what_is_written_is_read_again_or_refused() {
    for value in
        ["", "sqlite:a.sqlite3", "it's # a \\ \"test\"", " blanks ", "$HOME", "two\nlines", "${", "#"]
    {
        let line = line("A", value).unwrap_or_else(|| panic!("{value:?} can be written"));
        assert_eq!(read(&line), format!("A={value}"));
    }
    for value in ["${HOME_DIR}", "a${B:-c}", "a\rb"] {
        assert!(line("A", value).is_none(), "{value:?} would be read as something else");
    }
}
