//! The page `docs/metrics.md`, from the declarations.

use std::fmt::Write;

use crate::Metrics;

impl Metrics {
    /// Every metric as people read of it.
    #[must_use]
    pub fn page(&self) -> String {
        let mut text = String::from(
            "# Metrics\n\nAt `/metrics` of the address that `METRICS_BIND` names, for Prometheus; without it there are none. \
             [operating.md](operating.md#metrics) has how to read them, `deploy/prometheus` alert rules, and \
             `deploy/grafana` a dashboard. Labels come from small fixed sets: no path, name or address is one.\n\n\
             (Generated from `crates/countersign-metrics`.)\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n",
        );
        for metric in &self.declared {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                metric.name, metric.kind, metric.labels, metric.help
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_metrics_is_what_the_declarations_say() {
        let page = Metrics::default().page();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).expect("it is writable");
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page, "run the tests once with UPDATE_DOCS=1 to write docs/metrics.md anew");
    }

    #[test]
    fn every_metric_that_is_declared_is_written_once_something_was_counted() {
        let metrics = Metrics::default();
        let route = metrics.requests.route("/a/", 1);
        route.add(crate::Outcome { index: 0, status: 200, code: "" }, std::time::Duration::from_millis(3));
        let text = metrics.text(crate::Form::OpenMetrics);
        for metric in &metrics.declared {
            let ending = if metric.kind == "histogram" { "_bucket" } else { "" };
            assert!(text.contains(&format!("\n{}{ending}", metric.name)), "{}: {text}", metric.name);
        }
        let counted = "countersign_http_requests_total{route=\"/a/\",status=\"200\",code=\"\"} 1\n";
        assert!(text.contains(counted) && text.ends_with("# EOF\n"), "{text}");
    }
}
