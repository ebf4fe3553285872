//! The settings of browsers: pages of other origins, in django-cors-headers' names, and tokens in cookies.

use countersign_http::{Cors, HeaderName, HeaderValue, OriginError, Origins, TokenCookies, UrlPattern};
use countersign_token::Settings;

use super::reader::{Reader, refused};
use crate::sources::{Raw, SettingError};

/// What pages of other origins may do; `None` where no other origin is allowed.
pub fn cors(reader: &Reader<'_>) -> Result<Option<Cors>, SettingError> {
    let cors = Cors {
        allow_all_origins: reader.switch("CORS_ALLOW_ALL_ORIGINS")?,
        allowed_origins: allowed_origins(reader)?,
        allow_credentials: reader.switch("CORS_ALLOW_CREDENTIALS")?,
        allow_headers: words(reader, "CORS_ALLOW_HEADERS")?,
        allow_methods: words(reader, "CORS_ALLOW_METHODS")?,
        expose_headers: Some(words(reader, "CORS_EXPOSE_HEADERS")?).filter(|names| !names.is_empty()),
        preflight_max_age_secs: reader.wait("CORS_PREFLIGHT_MAX_AGE")?.as_secs(),
        urls: UrlPattern::read(reader.text("CORS_URLS_REGEX")?)
            .map_err(|error| refused("CORS_URLS_REGEX", &error.to_string()))?,
        allow_private_network: reader.switch("CORS_ALLOW_PRIVATE_NETWORK")?,
    };
    Ok(Some(cors).filter(|cors| cors.allow_all_origins || !cors.allowed_origins.is_empty()))
}

/// How browsers keep tokens; `None` if they do not.
pub fn token_cookies(reader: &Reader<'_>, settings: &Settings) -> Result<Option<TokenCookies>, SettingError> {
    if !reader.switch("TOKEN_COOKIES")? {
        return Ok(None);
    }
    if settings.session_claim.is_none() {
        let why =
            "what a page shows beside its cookies is made for a session; let SESSION_CLAIM have its default";
        return Err(refused("TOKEN_COOKIES", why));
    }
    Ok(Some(TokenCookies {
        trusted_origins: allowed_origins(reader)?,
        access_lifetime: settings.access_lifetime,
        refresh_lifetime: settings.refresh_lifetime,
    }))
}

fn allowed_origins(reader: &Reader<'_>) -> Result<Origins, SettingError> {
    let of = |name| move |error: OriginError| refused(name, &error.to_string());
    Origins::named(&reader.list("CORS_ALLOWED_ORIGINS")?)
        .map_err(of("CORS_ALLOWED_ORIGINS"))?
        .and_like(&patterns(reader)?)
        .map_err(of("CORS_ALLOWED_ORIGIN_REGEXES"))
}

/// Comma-separated, or a JSON list for patterns that have a comma.
fn patterns(reader: &Reader<'_>) -> Result<Vec<String>, SettingError> {
    const NAME: &str = "CORS_ALLOWED_ORIGIN_REGEXES";
    match reader.0.get(NAME) {
        Some(Raw::Text(text)) if text.trim().starts_with('[') => {
            let fix =
                "must be patterns separated by commas, or a JSON list, in which each \\ is written twice";
            serde_json::from_str(text).map_err(|_| refused(NAME, fix))
        }
        _ => reader.list(NAME),
    }
}

/// Names of headers or methods, as a header has them.
fn words(reader: &Reader<'_>, name: &'static str) -> Result<HeaderValue, SettingError> {
    let words = reader.list(name)?;
    match words.iter().find(|word| word.parse::<HeaderName>().is_err()) {
        Some(odd) => Err(refused(name, &format!("{odd:?} is no name; write names with commas between them"))),
        None => Ok(HeaderValue::try_from(words.join(", ")).expect("names are visible ASCII")),
    }
}
