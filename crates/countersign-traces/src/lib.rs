//! What a collector is told of requests, by OpenTelemetry's protocol (OTLP) over HTTP.
//!
//! Every span is on one page, [`span`]; whoever does the work holds it, and nobody above or below has the library. Where
//! nobody has started [`Traces`], no span is made.

mod collector;
mod settings;
pub mod span;

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanLimits};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use self::collector::Collector;
pub use self::settings::{Endpoint, Headers, Refused, Sampler, Settings};
pub use opentelemetry::KeyValue as Attribute;

/// What the spans of this crate are told apart by from what is meant for the log.
pub const TARGET: &str = "countersign::trace";

/// Spans that wait to be sent; those that find no place are lost. Each takes about 1 KiB.
const QUEUE_LENGTH: usize = 8192;
/// Spans that are sent together at the most.
const BATCH_LENGTH: usize = 512;
/// How long a span waits at the most, unless there are many.
const PAUSE: Duration = Duration::from_secs(5);

/// Sends spans to a collector, from a thread of its own.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send what [`Traces::layer`] is given.
    pub fn start(settings: Settings) -> Result<Self, Refused> {
        let collector = Collector::new(settings.headers, settings.timeout, settings.endpoint.is_https());
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.of_traces())
            .with_timeout(settings.timeout)
            .with_http_client(collector)
            .build()
            .map_err(|error| Refused(format!("{error}; name another collector")))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_LENGTH)
            .with_max_export_batch_size(BATCH_LENGTH)
            .with_scheduled_delay(PAUSE)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(settings.sampler.for_sdk())
            .with_span_limits(SpanLimits::default()) // whatever the environment says
            .with_resource(Resource::builder_empty().with_attributes(settings.resource).build());
        Ok(Self(provider.build()))
    }

    /// What hears of spans. It goes into the program's subscriber, and hears of nothing else.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("countersign"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(|metadata| metadata.target() == TARGET))
    }

    /// Sends what waits, for so long at the most.
    pub fn stop(self, deadline: Duration) {
        if self.0.shutdown_with_timeout(deadline).is_err() {
            tracing::warn!(
                "the last traces could not be sent within {} s; see that the collector is there",
                deadline.as_secs()
            );
        }
    }
}
