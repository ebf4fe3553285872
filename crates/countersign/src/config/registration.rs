//! The settings of registration by mail.

use countersign_auth::{ConfirmPage, PrivateRegistration};

use super::reader::{Reader, refused};
use crate::sources::SettingError;

const PRIVACY: &str = "REGISTRATION_PRIVACY";
const URL: &str = "REGISTRATION_CONFIRM_URL";

/// How accounts are made by mail; `None` if they are made at once.
pub fn private_registration(
    reader: &Reader<'_>,
    debug: bool,
) -> Result<Option<PrivateRegistration>, SettingError> {
    let is_on = reader.switch(PRIVACY)?;
    let link_lifetime = reader.duration("REGISTRATION_LINK_LIFETIME")?;
    let url = reader.text(URL)?.trim();
    if !is_on && url.is_empty() {
        return Ok(None);
    }
    let example = "https://app.example.com/welcome#token={token}";
    if url.is_empty() {
        let fix = format!("needs {URL}, the page that links in messages lead to, such as {example}");
        return Err(refused(PRIVACY, &fix));
    }
    let page = ConfirmPage::parse(url).map_err(|why| refused(URL, why))?;
    if page.is_plain() && !debug {
        let fix = format!("lets everybody on the way read the links, and make the accounts; write {example}");
        return Err(refused(URL, &fix));
    }
    if is_on && reader.text("EMAIL_HOST")?.trim().is_empty() {
        return Err(refused(PRIVACY, "needs mail to be sent; set EMAIL_HOST and DEFAULT_FROM_EMAIL"));
    }
    Ok(is_on.then_some(PrivateRegistration { page, link_lifetime }))
}
