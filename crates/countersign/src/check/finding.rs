//! What a check has found: which, how grave, what is so, why that matters, and what to do.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

/// Every id there is; docs/operating.md says what each stands for.
const IDS: [&str; 47] = [
    "W001", "W002", "W003", "W004", "W005", "W006", "W007", "W010", "W011", "W012", "W013", "W014", "W015",
    "W016", "W017", "W018", "W020", "W021", "W022", "W023", "W024", "W030", "W031", "W032", "W033", "W040",
    "W041", "W042", "W043", "W044", "W045", "W051", "W052", "W053", "W054", "W055", "W060", "W061", "W070",
    "E001", "E002", "E003", "E004", "E005", "E006", "E007", "E008",
];
/// What stands before each.
const PREFIX: &str = "countersign.";

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name for ever: `W001` stands for `countersign.W001`.
    id: &'static str,
    /// How grave it is.
    pub level: Level,
    what: Cow<'static, str>,
    why: &'static str,
    fix: Cow<'static, str>,
}

/// How grave a finding is; the words are those of Django's checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Level {
    /// For the developer.
    Debug,
    /// Worth knowing.
    Info,
    /// Dangerous where real users are.
    Warning,
    /// It cannot work.
    Error,
    /// It does harm.
    Critical,
}

impl Finding {
    /// Something that is dangerous where real users are.
    pub fn warning(
        id: &'static str,
        what: impl Into<Cow<'static, str>>,
        why: &'static str,
        fix: impl Into<Cow<'static, str>>,
    ) -> Self {
        debug_assert!(IDS.contains(&id), "{id} is to stand in IDS as well");
        Self { id, level: Level::Warning, what: what.into(), why, fix: fix.into() }
    }

    /// The same, where it cannot work.
    pub fn error(self) -> Self {
        Self { level: Level::Error, ..self }
    }

    /// The same, where it does no harm.
    pub fn info(self) -> Self {
        Self { level: Level::Info, ..self }
    }

    /// Its name, as `--silence` takes it.
    pub fn id(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let level = self.level.to_string();
        json!({ "id": self.id(), "level": level, "what": self.what, "why": self.why, "fix": self.fix })
    }
}

/// An id that `--silence` takes.
pub fn parse_id(text: &str) -> Result<String, String> {
    let known = text.strip_prefix(PREFIX).filter(|id| IDS.contains(id));
    let fix = "no finding has this id; it is one of those that `countersign check --deploy` prints, such as countersign.W012";
    known.map(|_| text.to_owned()).ok_or_else(|| fix.to_owned())
}

/// On one line.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}. Fix: {} ({})", self.what, self.why, self.fix, self.id())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        })
    }
}
