//! The settings of tokens: Simple JWT's.

use countersign_token::{Algorithm, Audience, Settings};

use super::reader::{Reader, must_be, refused};
use crate::sources::{Raw, SettingError};

/// How tokens are signed.
pub fn algorithm(reader: &Reader<'_>) -> Result<Algorithm, SettingError> {
    must_be("ALGORITHM", Algorithm::from_name(reader.text("ALGORITHM")?))
}

/// How tokens are made and read.
pub fn token_settings(reader: &Reader<'_>) -> Result<Settings, SettingError> {
    refuse_claims_that_clash(reader)?;
    let claim = |name| reader.text(name).map(str::to_owned);
    Ok(Settings {
        access_lifetime: reader.duration("ACCESS_TOKEN_LIFETIME")?,
        refresh_lifetime: reader.duration("REFRESH_TOKEN_LIFETIME")?,
        sliding_lifetime: reader.duration("SLIDING_TOKEN_LIFETIME")?,
        sliding_refresh_lifetime: reader.duration("SLIDING_TOKEN_REFRESH_LIFETIME")?,
        leeway: reader.seconds("LEEWAY")?,
        audience: audience(reader)?,
        issuer: reader.optional_text("ISSUER")?.filter(|issuer| !issuer.is_empty()).map(str::to_owned),
        token_type_claim: claim("TOKEN_TYPE_CLAIM")?,
        jti_claim: claim("JTI_CLAIM")?,
        user_id_claim: claim("USER_ID_CLAIM")?,
        revoke_token_claim: claim("REVOKE_TOKEN_CLAIM")?,
        sliding_refresh_exp_claim: claim("SLIDING_TOKEN_REFRESH_EXP_CLAIM")?,
        session_claim: Some(claim("SESSION_CLAIM")?).filter(|name| !name.is_empty()),
    })
}

fn audience(reader: &Reader<'_>) -> Result<Option<Audience>, SettingError> {
    Ok(match reader.0.get("AUDIENCE") {
        Some(Raw::List(items)) => Some(Audience::List(items.clone())),
        Some(Raw::Text(text)) if text.contains(',') => Some(Audience::List(reader.list("AUDIENCE")?)),
        Some(Raw::Text(text) | Raw::One(text)) if !text.is_empty() => Some(Audience::One(text.to_string())),
        _ => None,
    })
}

/// Two meanings under one name would overwrite each other in every token.
fn refuse_claims_that_clash(reader: &Reader<'_>) -> Result<(), SettingError> {
    let settings = [
        "TOKEN_TYPE_CLAIM",
        "JTI_CLAIM",
        "USER_ID_CLAIM",
        "REVOKE_TOKEN_CLAIM",
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "SESSION_CLAIM",
    ];
    let mut taken = vec!["exp", "iat", "aud", "iss"];
    for setting in settings {
        let claim = reader.text(setting)?;
        if claim.is_empty() && setting == "SESSION_CLAIM" {
            continue;
        }
        let is_of_sessions = setting == "SESSION_CLAIM" && ["nbf", "sub", "jti"].contains(&claim);
        if claim.is_empty() || is_of_sessions || taken.contains(&claim) {
            let why = format!(
                "{claim:?} is no name of its own, another setting or RFC 7519 has it; choose another"
            );
            return Err(refused(setting, &why));
        }
        taken.push(claim);
    }
    Ok(())
}
