//! What is sent where, and of how many requests.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry_sdk::trace::Sampler as SdkSampler;
use percent_encoding::percent_decode_str;

use crate::Attribute;

/// Everything that decides on traces.
pub struct Settings {
    /// Where the collector is.
    pub endpoint: Endpoint,
    /// What it wants to be told with each batch, such as a key.
    pub headers: Headers,
    /// How long it may take for a batch.
    pub timeout: Duration,
    /// Which requests are traced.
    pub sampler: Sampler,
    /// What is said of this service, by OpenTelemetry's names.
    pub resource: Vec<Attribute>,
}

/// A value cannot be used: what it has to be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The address of a collector.
pub struct Endpoint(Uri);

impl Endpoint {
    /// Reads `http://host:port`, with a path if need be.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let sentence =
            "must be the address of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318";
        let uri: Uri = text.parse().map_err(|_| Refused(sentence.to_owned()))?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err(Refused("must hold no password; put it into OTEL_EXPORTER_OTLP_HEADERS".to_owned()))
            }
            Some(_) if is_http => Ok(Self(uri)),
            _ => Err(Refused(sentence.to_owned())),
        }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Where traces go there, by the specification.
    pub(crate) fn of_traces(&self) -> String {
        format!("{}/v1/traces", self.0.to_string().trim_end_matches('/'))
    }
}

/// Headers that go with each batch. They are secret, and not printed.
#[derive(Default)]
pub struct Headers(pub(crate) HeaderMap);

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Headers(..)")
    }
}

impl Headers {
    /// Reads `name=value,name=value`; a value may be percent-encoded.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let refused = || Refused("must be name=value, comma-separated, such as api-key=…".to_owned());
        let mut headers = HeaderMap::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(refused)?;
            let name: HeaderName = name.trim().parse().map_err(|_| refused())?;
            let value = percent_decode_str(value.trim()).collect::<Vec<u8>>();
            let mut value = HeaderValue::from_bytes(&value).map_err(|_| refused())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }
}

/// Which requests are traced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether one that is part of a trace already is traced if the caller's part is, whatever the share.
    pub asks_parent: bool,
    /// Which share of the rest, from 0 to 1.
    pub share: f64,
}

impl Sampler {
    pub(crate) fn for_sdk(self) -> SdkSampler {
        let share = SdkSampler::TraceIdRatioBased(self.share);
        if self.asks_parent { SdkSampler::ParentBased(Box::new(share)) } else { share }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_of_http_to_which_the_path_of_traces_is_added() {
        for (text, traces) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/otlp", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(Endpoint::parse(text).expect(text).of_traces(), traces);
        }
        for bad in
            ["", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http://a:b@c", "http://c/?key=x"]
        {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_pairs_whose_values_are_not_printed() {
        let headers = Headers::parse("api-key=s3cret, authorization=Basic%20czNjcmV0").expect("two");
        assert_eq!(headers.0["authorization"], "Basic czNjcmV0");
        assert!(!format!("{headers:?} {:?}", headers.0).contains("cret"));
        for bad in ["api-key", "a b=c", "a=%0A"] {
            assert!(Headers::parse(bad).is_err(), "{bad}");
        }
        assert!(Headers::parse("").expect("none").0.is_empty());
    }
}
