//! Reads settings of one type each, falling back to the declared default.

use std::time::Duration;

use jiff::SignedDuration;

use crate::settings::{Kind, find, kind};
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

    /// A whole number.
    pub fn whole<T: TryFrom<u64>>(&self, name: &'static str) -> Result<T, SettingError> {
        let number = self.text(name)?.trim().parse().ok();
        must_be(name, number.and_then(|number: u64| number.try_into().ok()))
    }

    /// On or off.
    pub fn switch(&self, name: &'static str) -> Result<bool, SettingError> {
        must_be(name, kind::switch(self.text(name)?))
    }

    /// A span of time.
    pub fn duration(&self, name: &'static str) -> Result<SignedDuration, SettingError> {
        let text = self.text(name)?;
        must_be(name, find(name).and_then(|setting| setting.kind.time(text)))
    }

    /// The same, for whoever waits.
    pub fn wait(&self, name: &'static str) -> Result<Duration, SettingError> {
        must_be(name, self.duration(name)?.try_into().ok())
    }

    /// A number of seconds, with a fraction if need be.
    pub fn seconds(&self, name: &'static str) -> Result<SignedDuration, SettingError> {
        let Some(Kind::Seconds(max)) = find(name).map(|setting| setting.kind) else {
            return must_be(name, None);
        };
        must_be(name, kind::seconds(self.text(name)?, max))
    }
}

/// What was read, or the refusal of what is none of the setting's values.
pub fn must_be<T>(name: &'static str, read: Option<T>) -> Result<T, SettingError> {
    let words = || find(name).map_or_else(String::new, |setting| setting.kind.words());
    read.ok_or_else(|| refused(name, &format!("must be {}", words())))
}

/// The refusal of a setting: its name, and what is wrong or what to do.
pub fn refused(name: &str, why: &str) -> SettingError {
    SettingError(format!("{name}: {why}"))
}
