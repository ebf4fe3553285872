//! The settings of traces, by OpenTelemetry's own names.

use countersign_traces::{Attribute, Endpoint, Headers, Refused, Sampler, Settings};

use super::reader::{Reader, refused};
use crate::settings::kind;
use crate::sources::SettingError;

/// What is sent where; nothing if no collector is named.
pub fn traces(reader: &Reader<'_>) -> Result<Option<Settings>, SettingError> {
    let endpoint = reader.text("OTEL_EXPORTER_OTLP_ENDPOINT")?.trim();
    let headers = read("OTEL_EXPORTER_OTLP_HEADERS", reader, Headers::parse)?;
    let (sampler, timeout) = (sampler(reader)?, reader.whole("OTEL_EXPORTER_OTLP_TIMEOUT")?);
    if endpoint.is_empty() {
        return Ok(None);
    }
    Ok(Some(Settings {
        endpoint: read("OTEL_EXPORTER_OTLP_ENDPOINT", reader, Endpoint::parse)?,
        headers,
        timeout: std::time::Duration::from_millis(timeout),
        sampler,
        resource: vec![
            Attribute::new("service.name", reader.text("OTEL_SERVICE_NAME")?.trim().to_owned()),
            Attribute::new("service.version", env!("CARGO_PKG_VERSION")),
        ],
    }))
}

fn read<T>(
    name: &'static str,
    reader: &Reader<'_>,
    parse: fn(&str) -> Result<T, Refused>,
) -> Result<T, SettingError> {
    parse(reader.text(name)?.trim()).map_err(|Refused(why)| refused(name, &why))
}

fn sampler(reader: &Reader<'_>) -> Result<Sampler, SettingError> {
    let argument = "OTEL_TRACES_SAMPLER_ARG";
    let name = reader.text("OTEL_TRACES_SAMPLER")?.trim();
    if reader.optional_text("OTEL_TRACES_SAMPLER")?.is_none() && reader.optional_text(argument)?.is_some() {
        let fix = "there is no share to choose where every request is traced; set OTEL_TRACES_SAMPLER to \
                   parentbased_traceidratio";
        return Err(refused(argument, fix));
    }
    let of_the_parent = name.strip_prefix("parentbased_");
    let share = match of_the_parent.unwrap_or(name) {
        "always_on" => 1.0,
        "always_off" => 0.0,
        _ => {
            let share = kind::share(reader.text(argument)?);
            share.ok_or_else(|| refused(argument, "must be a number from 0 to 1"))?
        }
    };
    Ok(Sampler { asks_parent: of_the_parent.is_some(), share })
}
