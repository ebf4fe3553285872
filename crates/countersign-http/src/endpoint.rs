//! What an endpoint declares about itself: its methods, who may call it, its fields, and its handler.

use std::future::Future;
use std::pin::Pin;

use countersign_auth::{Auth, Caller, Origin, Submitted};
use countersign_token::json::{Object, Value};
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::body::Form;
use crate::cookies::Cookies;
use crate::error::Error;
use crate::operation::Operation;
use crate::request::Fields;
use crate::seen::Seen;

/// One endpoint. The names and descriptions are those that `OPTIONS` answers with.
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) method: EndpointMethod,
    pub(crate) authentication: Authentication,
    /// Who asks for it.
    pub(crate) asked_by: AskedBy,
    /// The form, in the order in which errors are reported.
    pub(crate) fields: &'static [Field],
    /// What the documentation says of it.
    pub(crate) operation: Operation,
    pub(crate) handle: for<'a> fn(Call<'a>) -> Answering<'a>,
}

/// Who asks for an endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedBy {
    /// The client itself.
    Client,
    /// A proxy that knows our address, and hands on the client's headers: they choose nothing.
    Proxy,
}

impl Endpoint {
    /// Whether the client may choose the form of the answer; else it is JSON.
    pub(crate) fn negotiates(&self) -> bool {
        self.asked_by == AskedBy::Client
    }

    /// The header `Allow`. Where nothing is negotiated, nothing is described either: a proxy may ask with the client's own
    /// method, and must not take a description for leave.
    pub(crate) fn allow(&self) -> &'static str {
        let allowed = self.method.allow();
        if self.negotiates() { allowed } else { allowed.trim_end_matches(", OPTIONS") }
    }
}

/// A handler at work.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>;

/// The method an endpoint answers to, beside `OPTIONS`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointMethod {
    /// `GET` and `HEAD`.
    Get,
    /// `POST`.
    Post,
    /// `DELETE`.
    Delete,
}

impl EndpointMethod {
    /// The header `Allow`.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD, OPTIONS",
            Self::Post => "POST, OPTIONS",
            Self::Delete => "DELETE, OPTIONS",
        }
    }

    /// Whether `method` calls the handler.
    pub(crate) fn is(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
            Self::Delete => method == Method::DELETE,
        }
    }
}

/// What an endpoint does with a bearer token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// Does not look at it.
    Ignored,
    /// Refuses a bad one.
    Optional,
    /// Refuses a bad or missing one.
    Required,
}

/// One field of a form, as `OPTIONS` describes it.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) required: bool,
    pub(crate) read_only: bool,
    pub(crate) label: &'static str,
    pub(crate) help_text: Option<&'static str>,
    pub(crate) max_length: Option<i64>,
    /// For the documentation.
    pub(crate) example: &'static str,
}

impl Field {
    /// A required text field without further limits.
    pub(crate) const fn text(name: &'static str, label: &'static str, example: &'static str) -> Self {
        Self {
            name,
            kind: "string",
            required: true,
            read_only: false,
            label,
            help_text: None,
            max_length: None,
            example,
        }
    }
}

/// What a handler is called with.
pub(crate) struct Call<'a> {
    pub(crate) auth: &'a Auth,
    /// Who sent the bearer token, where the endpoint looks at it and there is one.
    pub(crate) caller: Option<Caller>,
    /// Whether a cookie says who it is.
    pub(crate) came_by_cookie: bool,
    /// What the path says, where it has an argument.
    pub(crate) argument: &'a str,
    pub(crate) query: &'a Fields,
    pub(crate) form: Form,
    /// Where the request comes from, and what it is called.
    pub(crate) origin: &'a Origin<'a>,
    /// Whether cookies are for encrypted connections alone.
    pub(crate) has_secure_cookies: bool,
    /// What the log says of it.
    pub(crate) seen: &'a Seen,
    pub(crate) cookies: &'a Cookies<'a>,
}

impl Call<'_> {
    /// The field `name` of the body.
    pub(crate) fn field(&self, name: &str) -> Submitted {
        self.form.field(name)
    }

    /// Who calls, where that is required.
    pub(crate) fn caller(&self) -> Result<&Caller, Error> {
        self.caller.as_ref().ok_or(Error::NotAuthenticated)
    }

    /// Has the browser forget the session, which has ended, if it is the browser that keeps it.
    pub(crate) fn forget_cookies(&self) {
        if self.came_by_cookie {
            self.cookies.forget();
        }
    }

    /// Whether the query asks for something by name: `?name`, or with a value that does not say no.
    pub(crate) fn is_asked(&self, name: &str) -> bool {
        let says_no =
            |value: &str| ["0", "false", "no", "off"].contains(&value.to_ascii_lowercase().as_str());
        self.query.find_text(name).is_some_and(|value| !says_no(value))
    }
}

/// What a handler answers with.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// Headers beside those of every answer.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self::with(StatusCode::OK, body)
    }

    /// A body with tokens, or with what goes with them: no cache may keep it (RFC 6749 section 5.1).
    pub(crate) fn with_tokens(body: Value) -> Self {
        Self { headers: vec![(CACHE_CONTROL, HeaderValue::from_static("no-store"))], ..Self::ok(body) }
    }

    pub(crate) fn no_content() -> Self {
        Self::with(StatusCode::NO_CONTENT, Value::Null)
    }

    pub(crate) fn with(status: StatusCode, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }
}

/// The metadata that `OPTIONS` answers with.
pub(crate) fn metadata(endpoint: &Endpoint, renders: &[&str]) -> Value {
    let parses = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    let mut body = object([
        ("name", endpoint.name.into()),
        ("description", endpoint.description.into()),
        ("renders", strings(renders)),
        ("parses", strings(&parses)),
    ]);
    if endpoint.method == EndpointMethod::Post {
        let fields = endpoint.fields.iter().map(|field| (field.name, field_metadata(field)));
        body.insert("actions", object([("POST", object(fields).into())]));
    }
    body.into()
}

fn field_metadata(field: &Field) -> Value {
    let mut body = object([
        ("type", field.kind.into()),
        ("required", field.required.into()),
        ("read_only", field.read_only.into()),
        ("label", field.label.into()),
    ]);
    if let Some(help_text) = field.help_text {
        body.insert("help_text", help_text);
    }
    if let Some(max_length) = field.max_length {
        body.insert("max_length", max_length);
    }
    body.into()
}

/// An object with these members, in this order.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Object {
    let mut object = Object::default();
    for (name, value) in members {
        object.insert(name, value);
    }
    object
}

fn strings(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|&text| text.into()).collect())
}
