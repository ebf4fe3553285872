//! Reading a request body into the fields that an endpoint asks for; all else that it holds is forgotten at once.

use std::time::Duration;

use bytes::Bytes;
use countersign_auth::Submitted;
use countersign_domain::{FieldError, RawText};
use countersign_token::json::{self, Object, Value};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::Body;
use zeroize::Zeroizing;

use crate::endpoint::Field;
use crate::error::Error;
use crate::large_bodies::{LargeBodies, Place, SMALL_BODY_BYTES};
use crate::request::{self, BodyError, BodyKind, FieldValue, Fields, MAX_BODY_BYTES, OverLimit, header_text};

/// The largest multipart body. Its files are discarded, so that there is no reason to take large ones.
const MAX_MULTIPART_BYTES: usize = 2 * MAX_BODY_BYTES;
/// A body that has not arrived by then is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The fields of an endpoint, as the body had them, not yet checked.
#[derive(Default)]
pub(crate) struct Form {
    fields: Vec<(&'static str, Submitted)>,
    /// The texts may be as large as the body was.
    _place: Option<Place>,
}

impl Form {
    /// The field `name`: its text, or why there is none.
    pub(crate) fn field(&self, name: &str) -> Submitted {
        let field = self.fields.iter().find(|(known, _)| *known == name);
        field.map_or(Err(FieldError::Required), |(_, submitted)| submitted.clone())
    }
}

/// Chooses the parser by `Content-Type`, reads at most as much as that parser may have, parses, and keeps `fields`.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    fields: &[Field],
    large_bodies: &LargeBodies,
) -> Result<Form, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let content_type =
        headers.get_all(CONTENT_TYPE).iter().next_back().map(|value| header_text(value.as_bytes()));
    let header = content_type.as_deref().unwrap_or_default();
    let limit = match request::content_type::body_kind(header) {
        Some(BodyKind::Multipart) => MAX_MULTIPART_BYTES,
        Some(BodyKind::Json | BodyKind::Form) => MAX_BODY_BYTES,
        None => 0, // nothing needs no parser
    };
    let collected = tokio::time::timeout(BODY_TIMEOUT, collect(body, limit, large_bodies));
    let (bytes, place) = match collected.await.map_err(|_| Error::BodyNotReceived)? {
        Err(Error::Body(BodyError::OverLimit(_))) if limit == 0 => {
            return Err(BodyError::UnsupportedMediaType(header.to_owned()).into());
        }
        collected => collected?,
    };
    let _turn = if place.is_some() { Some(large_bodies.turn_to_parse().await) } else { None };
    let fields = match request::parse_body(content_type.as_deref(), &bytes)? {
        request::Body::Fields(sent) => from_form(fields, &sent),
        request::Body::Json(text) => match json::parse(&text)? {
            Value::Object(object) => from_json(fields, object),
            other => return Err(Error::NotAnObject(other.python_type_name())),
        },
    };
    Ok(Form { fields, _place: place })
}

/// Reads a body that nobody wants, so that the connection can serve the next request; not more of it than is quick.
pub(crate) async fn discard<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let all = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > SMALL_BODY_BYTES {
                break;
            }
        }
    };
    if tokio::time::timeout(BODY_TIMEOUT, all).await.is_err() {
        tracing::debug!("a body that nobody wants did not arrive");
    }
}

/// The whole body, unless it is too large, with its place if it is large. What is not read here is discarded when the
/// connection ends (`lingering`).
async fn collect<B>(
    mut body: B,
    limit: usize,
    large_bodies: &LargeBodies,
) -> Result<(Zeroizing<Vec<u8>>, Option<Place>), Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let over_limit = || Error::from(BodyError::OverLimit(OverLimit::Bytes));
    let announced = usize::try_from(body.size_hint().lower()).map_err(|_| over_limit())?;
    if announced > limit {
        return Err(over_limit());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced.min(SMALL_BODY_BYTES)));
    let mut place = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::BodyNotReceived)?.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > limit {
            return Err(over_limit());
        }
        if length > SMALL_BODY_BYTES && place.is_none() {
            place = Some(large_bodies.place().await?);
            bytes = with_room(&bytes, limit);
        } else if length > bytes.capacity() {
            bytes = with_room(&bytes, length.max(2 * length.min(SMALL_BODY_BYTES / 2)));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, place))
}

/// The same with more room, in a place of its own: a vector that grows by itself leaves a copy behind that nobody wipes.
fn with_room(bytes: &[u8], capacity: usize) -> Zeroizing<Vec<u8>> {
    let mut roomy = Zeroizing::new(Vec::with_capacity(capacity));
    roomy.extend_from_slice(bytes);
    roomy
}

fn from_form(fields: &[Field], sent: &Fields) -> Vec<(&'static str, Submitted)> {
    let submitted = |field: &Field| match sent.find(field.name)? {
        FieldValue::Text(text) => Some((field.name, Ok(RawText::from(text.as_str())))),
        FieldValue::File => Some((field.name, Err(FieldError::NotAString))),
    };
    fields.iter().filter_map(submitted).collect()
}

fn from_json(fields: &[Field], sent: Object) -> Vec<(&'static str, Submitted)> {
    let submitted = |(name, value): (json::Text, Value)| {
        let field = fields.iter().find(|field| name.as_str() == Some(field.name))?;
        Some((field.name, json_text(value)))
    };
    sent.into_iter().filter_map(submitted).collect()
}

fn json_text(value: Value) -> Submitted {
    match value {
        Value::Null => Err(FieldError::Null),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(FieldError::NotAString),
        Value::Surrogates(units) => Ok(RawText::from_utf16_lossy(&Zeroizing::new(units))),
        Value::String(text) => Ok(RawText::from(text)),
        Value::Int(_) | Value::Float(_) => Ok(RawText::from(value.to_python_str())),
    }
}
