//! Content negotiation: which renderer answers an `Accept` header, and how JSON is indented.

use thiserror::Error;

use super::parameters::Parameterized;
use super::strip;

const MAX_HEADER_LENGTH: usize = 8192;
const MAX_TOKENS: usize = 64;
const MAX_TOKEN_LENGTH: usize = 256;
const MAX_INDENT: u8 = 8;

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
    let text = strip(text);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let mut total = 0_u8;
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' && after_digit {
            after_digit = false;
            continue;
        }
        total = total.saturating_mul(10).saturating_add(decimal_digit(c)?).min(MAX_INDENT);
        after_digit = true;
    }
    (after_digit && total > 0).then_some(total)
}

/// The zeroes of all decimal digits of Unicode 14; each script's nine others follow its zero.
const ZEROES: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

fn decimal_digit(c: char) -> Option<u8> {
    let offset = |zero: &u32| u32::from(c).checked_sub(*zero).filter(|offset| *offset < 10);
    ZEROES.iter().find_map(offset).and_then(|digit| u8::try_from(digit).ok())
}
