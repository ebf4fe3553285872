//! `conformance/differences.md`: the scenarios we answer in another way than the reference, on purpose.

use std::collections::BTreeMap;

use super::http_client::Answer;
use super::scenario::Scenario;

/// Why we may answer in another way: tags that the scenario must carry, and what no tag tells.
const TAGS: [&str; 6] = ["ref-500", "server", "browsable", "csrf-cookie", "session-cookie", "debug"];
const OTHER_REASONS: [&str; 4] = ["chunked", "unsupported-key", "reuse-detected", "front-page"];

/// Rows of the table, by scenario name.
pub type Differences = BTreeMap<String, Difference>;

/// What we do instead.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// Each step that differs from the recording is answered by one of these.
    Answers(Vec<OwnAnswer>),
    /// The server exits at once and says this.
    RefusesToStart(String),
}

/// An answer of ours: its status, and a text that stands in its head or body.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnAnswer {
    status: u16,
    fragment: String,
}

impl Difference {
    /// Whether `answer` is one that the table announces.
    pub fn allows(&self, answer: &Answer) -> bool {
        let Difference::Answers(answers) = self else { return false };
        let text = answer.text();
        answers.iter().any(|own| own.status == answer.status && own.is_in(&text, answer))
    }
}

impl OwnAnswer {
    fn is_in(&self, body: &str, answer: &Answer) -> bool {
        body.contains(&self.fragment)
            || answer.headers.iter().any(|(name, value)| format!("{name}: {value}").contains(&self.fragment))
    }
}

/// Reads the rows `| scenario | we answer | why |`. Fails on an unknown scenario, on a reason that is not allowed or
/// not a tag of the scenario, and on an answer that is a server error.
pub fn parse(markdown: &str, scenarios: &[Scenario]) -> Result<Differences, String> {
    let mut differences = Differences::new();
    for line in markdown.lines().filter(|line| line.starts_with("| `")) {
        let bad = |what: &str| format!("differences.md: {what}: {line}");
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, answer, why] = cells.try_into().map_err(|_| bad("a row has three cells"))?;
        let name = name.trim_matches('`');
        let scenario = scenarios.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.ok_or_else(|| bad("no scenario of this name"))?;
        let reason = why.trim_start_matches('`').split('`').next().unwrap_or_default();
        let is_its_tag = TAGS.contains(&reason) && scenario.tags.iter().any(|tag| tag == reason);
        if !is_its_tag && !OTHER_REASONS.contains(&reason) {
            return Err(bad("not a reason to differ here"));
        }
        let difference =
            own_behaviour(answer).ok_or_else(|| bad("neither `refuses to start` nor answers"))?;
        if differences.insert(name.to_owned(), difference).is_some() {
            return Err(bad("a second row for this scenario"));
        }
    }
    Ok(differences)
}

/// `refuses to start: "text"`, or answers as `401 "text"` with `;` between them.
fn own_behaviour(cell: &str) -> Option<Difference> {
    if let Some(text) = cell.strip_prefix("refuses to start: ") {
        return Some(Difference::RefusesToStart(fragment(text)?));
    }
    let answers: Option<Vec<OwnAnswer>> = cell.split("; ").map(own_answer).collect();
    answers.map(Difference::Answers)
}

fn own_answer(text: &str) -> Option<OwnAnswer> {
    let (status, text) = text.split_once(' ')?;
    let status = status.parse().ok().filter(|status| (200..500).contains(status))?;
    Some(OwnAnswer { status, fragment: fragment(text)? })
}

fn fragment(text: &str) -> Option<String> {
    let inside = text.strip_prefix('`')?.strip_suffix('`')?;
    (!inside.is_empty()).then(|| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Difference, OwnAnswer, parse};

    fn rows(row: &str) -> Result<super::Differences, String> {
        let scenario = r#"{"name": "a/b", "tags": ["ref-500"], "steps": []}"#;
        parse(row, &[serde_json::from_str(scenario).unwrap()])
    }

    #[test]
    fn rows_say_what_we_answer() {
        let found = rows(
            "| scenario | we answer | why |\n|---|---|---|\n| `a/b` | 401 `x`; 200 `y` | `ref-500`: z |",
        );
        let own = |status, fragment: &str| OwnAnswer { status, fragment: fragment.to_owned() };
        assert_eq!(found.unwrap()["a/b"], Difference::Answers(vec![own(401, "x"), own(200, "y")]));
        let start = rows("| `a/b` | refuses to start: `no key` | `unsupported-key` |");
        assert_eq!(start.unwrap()["a/b"], Difference::RefusesToStart("no key".to_owned()));
    }

    #[test]
    fn rows_that_could_hide_something_are_refused() {
        for row in [
            "| `a/c` | 401 `x` | `ref-500` |",
            "| `a/b` | 500 `x` | `ref-500` |",
            "| `a/b` | 401 `` | `ref-500` |",
            "| `a/b` | 401 | `ref-500` |",
            "| `a/b` | 401 `x` | `debug`, not its tag |",
            "| `a/b` | 401 `x` | because |",
            "| `a/b` | 401 `x` |",
            "| `a/b` | 401 `x` | `ref-500` |\n| `a/b` | 401 `x` | `ref-500` |",
        ] {
            assert!(rows(row).is_err(), "{row}");
        }
    }
}
