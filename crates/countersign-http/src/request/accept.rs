//! Content negotiation: which renderer answers an `Accept` header, and how JSON is indented.

use countersign_domain::strip;
use countersign_token::json::Value;
use thiserror::Error;

use super::parameters::Parameterized;

const MAX_HEADER_LENGTH: usize = 8192;
const MAX_TOKENS: usize = 64;
const MAX_TOKEN_LENGTH: usize = 256;
const MAX_INDENT: i64 = 8;

/// The ways an answer is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// `application/json`, `?format=json`
    Json,
    /// The browsable API: `text/html`, `?format=api`
    Api,
}

impl Renderer {
    fn main_and_sub_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::Api => ("text", "html"),
        }
    }

    /// The media type, as `OPTIONS` lists it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Api => "text/html",
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Api => "api",
        }
    }
}

/// What was agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Who renders the answer.
    pub renderer: Renderer,
    /// Spaces per level of JSON, 1 to 8; `None` is compact.
    pub indent: Option<u8>,
    /// The media type as the client wrote it, or the renderer's own with the parameters of a wildcard.
    pub media_type: String,
}

impl Negotiated {
    /// How a refusal is rendered when nothing was agreed.
    #[must_use]
    pub fn compact_json() -> Self {
        Self { renderer: Renderer::Json, indent: None, media_type: Renderer::Json.media_type().to_owned() }
    }
}

/// Why nothing was agreed. The text is the exact `detail`; the answer is compact JSON.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum NegotiationError {
    /// 406.
    #[error("Could not satisfy the request Accept header.")]
    NotAcceptable,
    /// 404: no renderer has the asked `format`.
    #[error("Not found.")]
    UnknownFormat,
}

/// Chooses the renderer for an `Accept` header (as [`super::header_text`] gives it; several joined by `,`) and the
/// last `format` of the query string.
///
/// More specific types win; among equals the order of `renderers` decides. `q` is ignored, as the reference does.
pub fn negotiate(
    accept: Option<&str>,
    format: Option<&str>,
    renderers: &[Renderer],
) -> Result<Negotiated, NegotiationError> {
    let format = format.filter(|format| !format.is_empty());
    if format.is_none() && is_plainly_json(accept, renderers) {
        return Ok(Negotiated::compact_json());
    }
    let candidates: Vec<Renderer> =
        renderers.iter().copied().filter(|r| format.is_none_or(|format| r.format() == format)).collect();
    if format.is_some() && candidates.is_empty() {
        return Err(NegotiationError::UnknownFormat);
    }
    let accepted: Vec<MediaRange> = tokens(accept.unwrap_or("*/*")).map(MediaRange::parse).collect();
    Specificity::ALL
        .into_iter()
        .flat_map(|level| candidates.iter().map(move |renderer| (level, *renderer)))
        .find_map(|(level, renderer)| {
            let range =
                accepted.iter().find(|range| range.specificity() == level && range.matches(renderer))?;
            Some(range.agree_on(renderer))
        })
        .ok_or(NegotiationError::NotAcceptable)
}

/// What most clients ask for, which needs no reading.
fn is_plainly_json(accept: Option<&str>, renderers: &[Renderer]) -> bool {
    match accept {
        None | Some("*/*") => renderers.first() == Some(&Renderer::Json),
        Some("application/json") => renderers.contains(&Renderer::Json),
        Some(_) => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Specificity {
    WithParameters,
    FullType,
    MainType,
    Anything,
}

impl Specificity {
    const ALL: [Self; 4] = [Self::WithParameters, Self::FullType, Self::MainType, Self::Anything];
}

/// One token of an `Accept` header.
struct MediaRange<'a> {
    token: &'a str,
    main_type: String,
    sub_type: String,
    parameters: Vec<(String, String)>,
}

impl<'a> MediaRange<'a> {
    /// A token with an RFC 2231 parameter in an unknown charset matches nothing.
    fn parse(token: &'a str) -> Self {
        let header = match Parameterized::parse(token) {
            header if header.malformed => Parameterized::default(),
            header => header,
        };
        let (main_type, sub_type) = header.value.split_once('/').unwrap_or((&header.value, ""));
        Self {
            token,
            main_type: main_type.to_owned(),
            sub_type: sub_type.to_owned(),
            parameters: header.parameters,
        }
    }

    fn specificity(&self) -> Specificity {
        let only_quality = matches!(self.parameters.as_slice(), [] | [(_, _)])
            && self.parameters.iter().all(|(name, _)| name == "q");
        match (self.main_type.as_str(), self.sub_type.as_str()) {
            ("*", _) => Specificity::Anything,
            (_, "*") => Specificity::MainType,
            _ if only_quality => Specificity::FullType,
            _ => Specificity::WithParameters,
        }
    }

    fn matches(&self, renderer: Renderer) -> bool {
        let (main_type, sub_type) = renderer.main_and_sub_type();
        let fits = |asked: &str, ours: &str| asked == "*" || asked == ours;
        fits(&self.main_type, main_type) && fits(&self.sub_type, sub_type)
    }

    fn agree_on(&self, renderer: Renderer) -> Negotiated {
        let is_wildcard = matches!(self.specificity(), Specificity::MainType | Specificity::Anything);
        let media_type = if is_wildcard {
            let (main_type, sub_type) = renderer.main_and_sub_type();
            let parameters: String =
                self.parameters.iter().flat_map(|(name, value)| [";", name, "=", value]).collect();
            format!("{main_type}/{sub_type}{parameters}")
        } else {
            self.token.to_owned()
        };
        let indent = Parameterized::parse(&media_type).find("indent").and_then(indent);
        Negotiated { renderer, indent, media_type }
    }
}

/// The usable tokens of a header: the first 64 that are neither empty nor too long.
fn tokens(header: &str) -> impl Iterator<Item = &str> {
    let within_limit = match header.char_indices().nth(MAX_HEADER_LENGTH) {
        // Cut at a comma, so that half a media type is not taken for one.
        Some((limit, _)) => {
            header.get(..limit).and_then(|head| Some(head.rsplit_once(',')?.0)).unwrap_or_default()
        }
        None => header,
    };
    within_limit
        .split(',')
        .map(strip)
        .filter(|token| !token.is_empty() && token.chars().count() <= MAX_TOKEN_LENGTH)
        .take(MAX_TOKENS)
}

/// The `indent` parameter as Python's `int()` reads it, at most 8; zero, negative and anything else is compact.
fn indent(text: &str) -> Option<u8> {
    let spaces = Value::from(text).to_python_int()?.saturated().clamp(0, MAX_INDENT);
    u8::try_from(spaces).ok().filter(|spaces| *spaces > 0)
}
