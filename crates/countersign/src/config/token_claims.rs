//! `TOKEN_CLAIMS`: which claims tokens carry beside Simple JWT's.

use countersign_auth::{ClaimSource, TokenClaim};
use countersign_domain::LoginField;
use countersign_token::Settings;

use super::reader::{Reader, refused};
use crate::sources::SettingError;

/// Claims that RFC 7519 §4.1 gives a meaning, which a mapping must not change.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// `groups,is_staff`, `mail=email`, or a JSON object `{"mail": "email"}`.
pub fn token_claims(
    reader: &Reader<'_>,
    settings: &Settings,
    login: LoginField,
) -> Result<Vec<TokenClaim>, SettingError> {
    let text = reader.text("TOKEN_CLAIMS")?;
    let pairs = if text.trim_start().starts_with('{') { json_pairs(text)? } else { plain_pairs(reader)? };
    let mut claims: Vec<TokenClaim> = Vec::new();
    for (name, source) in pairs {
        if name.is_empty() || is_reserved(&name, settings) {
            let hint = if name == "sub" { "; USER_ID_CLAIM=sub puts the user's id there" } else { "" };
            return Err(refused(
                "TOKEN_CLAIMS",
                &format!("the name {name:?} is reserved; choose another{hint}"),
            ));
        }
        if claims.iter().any(|claim| claim.name == name) {
            return Err(refused("TOKEN_CLAIMS", &format!("{name:?} stands there twice; remove one")));
        }
        let source = ClaimSource::from_name(&source).ok_or_else(|| unknown_source(&source))?;
        if source == ClaimSource::Username && login != LoginField::Username {
            let why = "users have no username where USERNAME_FIELD is email; use email";
            return Err(refused("TOKEN_CLAIMS", why));
        }
        claims.push(TokenClaim { name, source });
    }
    Ok(claims)
}

fn is_reserved(name: &str, settings: &Settings) -> bool {
    let own = [
        &settings.token_type_claim,
        &settings.jti_claim,
        &settings.user_id_claim,
        &settings.revoke_token_claim,
        &settings.sliding_refresh_exp_claim,
    ];
    REGISTERED.contains(&name)
        || own.into_iter().any(|own| own == name)
        || settings.session_claim.as_deref() == Some(name)
}

fn unknown_source(source: &str) -> SettingError {
    let known: Vec<&str> = ClaimSource::ALL.into_iter().map(ClaimSource::name).collect();
    refused("TOKEN_CLAIMS", &format!("{source:?} is not known of a user; use {}", known.join(", ")))
}

fn plain_pairs(reader: &Reader<'_>) -> Result<Vec<(String, String)>, SettingError> {
    let pair = |entry: &String| {
        let (name, source) = entry.split_once('=').unwrap_or((entry, entry));
        (name.trim().to_owned(), source.trim().to_owned())
    };
    Ok(reader.list("TOKEN_CLAIMS")?.iter().map(pair).collect())
}

fn json_pairs(text: &str) -> Result<Vec<(String, String)>, SettingError> {
    let wrong =
        || refused("TOKEN_CLAIMS", "must be names such as groups,mail=email, or {\"mail\": \"email\"}");
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| wrong())?;
    let pair = |(name, source): (String, serde_json::Value)| {
        source.as_str().map(|source| (name, source.to_owned())).ok_or_else(wrong)
    };
    object.into_iter().map(pair).collect()
}
