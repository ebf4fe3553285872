//! The two forms in which metrics are read: `OpenMetrics`, which is what the library writes, and Prometheus's own text format,
//! which every other reader knows.

use std::fmt::Write;

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Version 1.0.0, for who asks for it.
    OpenMetrics,
    /// Version 0.0.4 of Prometheus's.
    Plain,
}

impl Form {
    /// How an answer in this form is labelled.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    pub(crate) fn of(self, open: String) -> String {
        match self {
            Self::OpenMetrics => open,
            Self::Plain => plain(&open),
        }
    }
}

/// In the older form a family is called as its series are: a counter with `_total`, an info, which is a gauge there, with
/// `_info`. Help has no escaped quotes, and the end no mark.
fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        let parts: Vec<&str> = line.splitn(4, ' ').collect();
        match parts.as_slice() {
            ["#", "HELP", _, words] => help = Some(*words),
            ["#", "TYPE", name, kind] => {
                let (ending, kind) = match *kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    kind => ("", kind),
                };
                if let Some(words) = help.take() {
                    let _ = writeln!(text, "# HELP {name}{ending} {}", words.replace("\\\"", "\""));
                }
                let _ = writeln!(text, "# TYPE {name}{ending} {kind}");
            }
            ["#", ..] => {}
            _ => text.extend([line, "\n"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_form_names_counters_and_infos_as_their_series() {
        let open = "# HELP a_logins Logins, \\\"by\\\" outcome.\n# TYPE a_logins counter\na_logins_total{x=\"# y\"} 1\n\
                    # HELP a_build Which.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_wait How long.\n# TYPE a_wait histogram\n# UNIT a_wait seconds\na_wait_sum 0.5\n# EOF\n";
        assert_eq!(
            plain(open),
            "# HELP a_logins_total Logins, \"by\" outcome.\n# TYPE a_logins_total counter\na_logins_total{x=\"# y\"} 1\n\
             # HELP a_build_info Which.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
             # HELP a_wait How long.\n# TYPE a_wait histogram\na_wait_sum 0.5\n"
        );
    }
}
