//! Reads settings of one type each, falling back to the declared default.

use std::str::FromStr;

use jiff::SignedDuration;

use crate::durations::parse_duration;
use crate::settings::find;
use crate::sources::{Raw, SettingError, Sources};

/// What was said, by type.
pub struct Reader<'a>(pub &'a Sources);

impl<'a> Reader<'a> {
    /// What was said of `name`, if anything.
    pub fn optional_text(&self, name: &'static str) -> Result<Option<&'a str>, SettingError> {
        match self.0.get(name) {
            Some(Raw::Text(text) | Raw::One(text)) => Ok(Some(text)),
            Some(Raw::List(_)) => Err(refused(name, "must be one value, not a list")),
            None => Ok(None),
        }
    }

    /// What was said, or the default.
    pub fn text(&self, name: &'static str) -> Result<&'a str, SettingError> {
        Ok(self
            .optional_text(name)?
            .unwrap_or_else(|| find(name).map_or("", |setting| setting.default.value())))
    }

    /// A list: JSON, or comma-separated.
    pub fn list(&self, name: &'static str) -> Result<Vec<String>, SettingError> {
        match self.0.get(name) {
            Some(Raw::List(items)) => return Ok(items.clone()),
            Some(Raw::One(item)) => return Ok(vec![item.to_string()]),
            Some(Raw::Text(_)) | None => {}
        }
        let items = self.text(name)?.split(',').map(str::trim);
        Ok(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    /// A number; `fix` says which.
    pub fn number<T: FromStr>(&self, name: &'static str, fix: &str) -> Result<T, SettingError> {
        self.text(name)?.trim().parse().map_err(|_| refused(name, fix))
    }

    /// On or off.
    pub fn switch(&self, name: &'static str) -> Result<bool, SettingError> {
        match self.text(name)?.trim().to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" | "" => Ok(false),
            _ => Err(refused(name, "must be True or False")),
        }
    }

    /// A span of time.
    pub fn duration(&self, name: &'static str) -> Result<SignedDuration, SettingError> {
        let fix = "must be a time such as 300, 90s, 5m, 12h or 1d, between one second and ten years";
        parse_duration(self.text(name)?).ok_or_else(|| refused(name, fix))
    }
}

/// The refusal of a setting: its name, and what is wrong or what to do.
pub fn refused(name: &str, why: &str) -> SettingError {
    SettingError(format!("{name}: {why}"))
}
