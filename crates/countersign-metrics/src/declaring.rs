//! Declaring: each metric is made, registered and noted for the documentation in one call.

use std::borrow::Cow;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::Gauge;

/// What every name begins with.
pub(crate) const PREFIX: &str = "countersign";

/// The labels of one series.
pub(crate) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// One metric, for the documentation, which a test writes and compares.
#[cfg_attr(not(test), expect(dead_code, reason = "only that test reads it"))]
pub(crate) struct Declared {
    /// As Prometheus has it, ending and all.
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) help: &'static str,
    /// Each label, and its values where they are few.
    pub(crate) labels: String,
}

/// Metrics as they are declared.
pub(crate) struct Declaring {
    pub(crate) registry: Registry,
    pub(crate) declared: Vec<Declared>,
}

impl Default for Declaring {
    fn default() -> Self {
        Self { registry: Registry::with_prefix(PREFIX), declared: Vec::new() }
    }
}

impl Declaring {
    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        let gauge = Gauge::default();
        self.add(name, "gauge", help, String::new(), gauge.clone());
        gauge
    }

    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str) -> Counter {
        let counter = Counter::default();
        self.add(name, "counter", help, String::new(), counter.clone());
        counter
    }

    pub(crate) fn histogram(&mut self, name: &'static str, help: &'static str, buckets: &[f64]) -> Histogram {
        let histogram = Histogram::new(buckets.iter().copied());
        self.add(name, "histogram", help, String::new(), histogram.clone());
        histogram
    }

    /// A counter for each of these values of one label. All are there from the start, so that their rates are.
    pub(crate) fn counters<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Counter; N] {
        let family = self.family(name, "counter", help, words(label, &values), Counter::default);
        values.map(|value| family.get_or_create_owned(&vec![(label, value.into())]))
    }

    /// The same for values that stand elsewhere.
    pub(crate) fn counters_of(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: &[&'static str],
    ) -> Vec<Counter> {
        let family = self.family(name, "counter", help, words(label, values), Counter::default);
        values.iter().map(|&value| family.get_or_create_owned(&vec![(label, value.into())])).collect()
    }

    /// The same with gauges.
    pub(crate) fn gauges<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: [&'static str; N],
    ) -> [Gauge; N] {
        let family = self.family(name, "gauge", help, words(label, &values), Gauge::default);
        values.map(|value| family.get_or_create_owned(&vec![(label, value.into())]))
    }

    /// The same with histograms.
    pub(crate) fn histograms<const N: usize>(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: [&'static str; N],
        make: fn() -> Histogram,
    ) -> [Histogram; N] {
        let family = self.family(name, "histogram", help, words(label, &values), make);
        values.map(|value| family.get_or_create_owned(&vec![(label, value.into())]))
    }

    /// A metric for each set of labels that is met.
    pub(crate) fn family<M, C>(
        &mut self,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        labels: String,
        make: C,
    ) -> Family<Labels, M, C>
    where
        Family<Labels, M, C>: Metric,
        C: MetricConstructor<M> + Clone,
    {
        let family = Family::new_with_constructor(make);
        self.add(name, kind, help, labels, family.clone());
        family
    }

    /// A constant 1 that says which build this is.
    pub(crate) fn build_info(&mut self, version: &'static str) {
        let info = Info::new(vec![("version", version)]);
        let help = "Always 1; says which version runs.";
        self.registry.register("build", help.trim_end_matches('.'), info);
        self.note("build_info", "gauge", help, "`version`".to_owned());
    }

    fn add(
        &mut self,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        labels: String,
        metric: impl Metric,
    ) {
        self.registry.register(name, help.trim_end_matches('.'), metric);
        let ending = if kind == "counter" { "_total" } else { "" };
        self.note(&format!("{name}{ending}"), kind, help, labels);
    }

    fn note(&mut self, name: &str, kind: &'static str, help: &'static str, labels: String) {
        let name = format!("{PREFIX}_{name}");
        self.declared.push(Declared { name, kind, help, labels });
    }
}

/// A label and its values, as the documentation has them.
fn words(label: &str, values: &[&str]) -> String {
    format!("`{label}`: {}", values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "))
}
