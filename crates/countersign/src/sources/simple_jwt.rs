//! `SIMPLE_JWT_JSON`: Simple JWT's settings as one JSON object, and what to say of those that are not to be had here.

use zeroize::Zeroizing;

use super::{Raw, Said, SettingError, Sources};
use crate::check::Finding;
use crate::settings::{find, nearest};

impl Sources {
    pub(super) fn add_simple_jwt_json(&mut self) -> Result<(), SettingError> {
        let Some(Said { raw: Raw::Text(json), origin, .. }) = self.values.get("SIMPLE_JWT_JSON").cloned()
        else {
            return Ok(());
        };
        let object = match serde_json::from_str(&json) {
            Ok(serde_json::Value::Object(object)) => object,
            Ok(_) => {
                return Err(SettingError(format!(
                    "SIMPLE_JWT_JSON is not a JSON object; it must be {{\"NAME\": value}} (it stands in {origin})"
                )));
            }
            Err(error) => {
                return Err(SettingError(format!(
                    "SIMPLE_JWT_JSON is not JSON: {error}; it must be {{\"NAME\": value}} (it stands in {origin})"
                )));
            }
        };
        for (name, value) in object {
            let Some(setting) = find(&name).filter(|setting| setting.is_simple_jwt) else {
                self.warnings.extend(unsupported(&name, &value)?);
                continue;
            };
            let Some(raw) = json_value(&name, &value)? else { continue };
            if self.values.contains_key(setting.name) {
                return Err(SettingError(format!(
                    "{name} is set twice, by itself and in SIMPLE_JWT_JSON; remove one"
                )));
            }
            let origin = format!("SIMPLE_JWT_JSON in {origin}");
            self.values.insert(setting.name, Said { raw, origin, file: None });
        }
        Ok(())
    }
}

/// Simple JWT's settings that name a class of its own or of a project's.
const OWN_CLASSES: [(&str, &str); 7] = [
    ("TOKEN_OBTAIN_SERIALIZER", "rest_framework_simplejwt.serializers.TokenObtainPairSerializer"),
    ("TOKEN_REFRESH_SERIALIZER", "rest_framework_simplejwt.serializers.TokenRefreshSerializer"),
    ("TOKEN_VERIFY_SERIALIZER", "rest_framework_simplejwt.serializers.TokenVerifySerializer"),
    ("TOKEN_BLACKLIST_SERIALIZER", "rest_framework_simplejwt.serializers.TokenBlacklistSerializer"),
    ("SLIDING_TOKEN_OBTAIN_SERIALIZER", "rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"),
    (
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        "rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer",
    ),
    ("TOKEN_USER_CLASS", "rest_framework_simplejwt.models.TokenUser"),
];

/// What to say of a name in `SIMPLE_JWT_JSON` that is none of our settings. Simple JWT ignores names it does not know,
/// but some of its own are not to be had here.
fn unsupported(name: &str, value: &serde_json::Value) -> Result<Option<Finding>, SettingError> {
    let removed = ["SECRET_KEY", "AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "TOKEN_BACKEND_CLASS"];
    let default = match name {
        "JWK_URL" | "JSON_ENCODER" => serde_json::Value::Null,
        "USER_AUTHENTICATION_RULE" => serde_json::Value::from(
            "rest_framework_simplejwt.authentication.default_user_authentication_rule",
        ),
        _ if OWN_CLASSES.iter().any(|(own, _)| *own == name) => serde_json::Value::from(
            OWN_CLASSES.iter().find(|(own, _)| *own == name).map_or("", |(_, class)| *class),
        ),
        _ if removed.contains(&name) => {
            return Err(SettingError(format!(
                "SIMPLE_JWT_JSON holds {name}, which Simple JWT has removed; remove it"
            )));
        }
        _ if find(name).is_some() => {
            return Err(SettingError(format!(
                "SIMPLE_JWT_JSON holds {name}, which is not one of Simple JWT's settings; set it by itself"
            )));
        }
        _ => {
            let fix = nearest(name).map_or("remove it".to_owned(), |known| format!("did you mean {known}?"));
            let what = format!("SIMPLE_JWT_JSON holds {name}, which Simple JWT does not know and ignores");
            return Ok(Some(Finding::warning("W006", what, "it changes nothing", fix)));
        }
    };
    if *value == default {
        return Ok(None);
    }
    let hint = if name.starts_with("TOKEN_OBTAIN") { "; TOKEN_CLAIMS adds claims to tokens" } else { "" };
    Err(SettingError(format!(
        "SIMPLE_JWT_JSON sets {name}, which Countersign does not support; remove it{hint}"
    )))
}

/// `None` for null, which means the default.
fn json_value(name: &str, value: &serde_json::Value) -> Result<Option<Raw>, SettingError> {
    use serde_json::Value;
    let text = |text: String| Ok(Some(Raw::One(Zeroizing::new(text))));
    match value {
        Value::Null => Ok(None),
        Value::String(value) => text(value.clone()),
        Value::Bool(true) => text("True".to_owned()),
        Value::Bool(false) => text("False".to_owned()),
        Value::Number(number) => text(number.to_string()),
        Value::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let refused = || SettingError(format!("SIMPLE_JWT_JSON: {name} must be a list of strings"));
            Ok(Some(Raw::List(texts.ok_or_else(refused)?)))
        }
        Value::Object(_) => Err(SettingError(format!(
            "SIMPLE_JWT_JSON: {name} cannot be an object; give it a text, a number or a list"
        ))),
    }
}
