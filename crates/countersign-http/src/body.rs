//! Reading a request body into the fields of a form.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use countersign_auth::Submitted;
use countersign_domain::{FieldError, RawText};
use countersign_token::json::{self, Object, Value};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::error::Error;
use crate::request::{self, BodyError, BodyKind, FieldValue, Fields, MAX_BODY_BYTES, OverLimit, header_text};

/// The largest multipart body. Its files are discarded, so that there is no reason to take large ones.
const MAX_MULTIPART_BYTES: usize = 4 * MAX_BODY_BYTES;
/// A body that has not arrived by then is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The fields of a body, not yet checked.
pub(crate) enum Data {
    /// A JSON object.
    Json(Object),
    /// A form, or no body at all.
    Form(Fields),
}

impl Data {
    /// The field `name`: its text, or why there is none.
    pub(crate) fn field(&self, name: &str) -> Submitted {
        match self {
            Self::Json(object) => object.get(name).map_or(Err(FieldError::Required), json_text),
            Self::Form(fields) => match fields.find(name) {
                Some(FieldValue::Text(text)) => Ok(RawText::from(text.as_str())),
                Some(FieldValue::File) => Err(FieldError::NotAString),
                None => Err(FieldError::Required),
            },
        }
    }
}

fn json_text(value: &Value) -> Submitted {
    match value {
        Value::Null => Err(FieldError::Null),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(FieldError::NotAString),
        Value::Surrogates(units) => Ok(RawText::from_utf16_lossy(units)),
        Value::String(text) => Ok(RawText::from(text.as_str())),
        Value::Int(_) | Value::Float(_) => Ok(RawText::from(value.to_python_str())),
    }
}

/// Chooses the parser by `Content-Type`, reads at most as much as that parser may have, and parses.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B) -> Result<Data, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Data::Form(Fields::default())); // nothing to parse, whatever the content type
    }
    let content_type =
        headers.get_all(CONTENT_TYPE).iter().next_back().map(|value| header_text(value.as_bytes()));
    let header = content_type.as_deref().unwrap_or_default();
    let limit = match request::content_type::body_kind(header) {
        Some(BodyKind::Multipart) => MAX_MULTIPART_BYTES,
        Some(BodyKind::Json | BodyKind::Form) => MAX_BODY_BYTES,
        None => return Err(BodyError::UnsupportedMediaType(header.to_owned()).into()),
    };
    let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(body, limit))
        .await
        .map_err(|_| Error::BodyNotReceived)??;
    match request::parse_body(content_type.as_deref(), &bytes)? {
        request::Body::Fields(fields) => Ok(Data::Form(fields)),
        request::Body::Json(text) => match json::parse(&text)? {
            Value::Object(object) => Ok(Data::Json(object)),
            other => Err(Error::NotAnObject(other.python_type_name())),
        },
    }
}

/// The whole body, unless it is too large. What is not read here is discarded when the connection ends (`lingering`).
async fn collect<B>(mut body: B, limit: usize) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::BodyNotReceived)?.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(BodyError::OverLimit(OverLimit::Bytes).into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}
