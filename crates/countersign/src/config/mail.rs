//! The settings of mail, by Django's names.

use std::net::IpAddr;
use std::time::Duration;

use countersign_auth::{MailEncryption, MailSettings, Sender};
use zeroize::Zeroizing;

use super::reader::{Reader, refused};
use crate::check::transport::is_loopback;
use crate::sources::SettingError;

/// Where mail is handed in; nowhere if no host is named.
pub fn mail(reader: &Reader<'_>) -> Result<Option<MailSettings>, SettingError> {
    let host = reader.text("EMAIL_HOST")?.trim();
    let (port, timeout) = (reader.whole("EMAIL_PORT")?, reader.whole("EMAIL_TIMEOUT")?);
    let encryption = encryption(reader)?;
    let sender = sender(reader)?;
    if host.is_empty() {
        return Ok(None);
    }
    let Some(sender) = sender else {
        let fix = "names nobody; set it to what messages from EMAIL_HOST are from, such as Example <noreply@example.com>";
        return Err(refused("DEFAULT_FROM_EMAIL", fix));
    };
    if !is_host(host) {
        let fix = "is no name of a host and no address; write it without scheme, port and brackets, and the port in EMAIL_PORT";
        return Err(refused("EMAIL_HOST", fix));
    }
    let login = login(reader, encryption, host)?;
    Ok(Some(MailSettings {
        host: host.to_owned(),
        port,
        encryption,
        login,
        timeout: Duration::from_secs(timeout),
        sender,
    }))
}

/// A name, or an address as it is.
fn is_host(host: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '.' | '-' | '_');
    host.parse::<IpAddr>().is_ok() || host.chars().all(is_part)
}

fn encryption(reader: &Reader<'_>) -> Result<MailEncryption, SettingError> {
    Ok(match (reader.switch("EMAIL_USE_TLS")?, reader.switch("EMAIL_USE_SSL")?) {
        (true, true) => {
            let fix = "is the other way than EMAIL_USE_TLS; leave this one on for port 465, or that one for port 587";
            return Err(refused("EMAIL_USE_SSL", fix));
        }
        (true, false) => MailEncryption::StartTls,
        (false, true) => MailEncryption::Tls,
        (false, false) => MailEncryption::None,
    })
}

fn sender(reader: &Reader<'_>) -> Result<Option<Sender>, SettingError> {
    match reader.text("DEFAULT_FROM_EMAIL")?.trim() {
        "" => Ok(None),
        text => match Sender::parse(text) {
            Some(sender) if sender.address().is_ascii() => Ok(Some(sender)),
            Some(_) => {
                let fix = "has characters beyond ASCII in its address, which most mail servers refuse; write its domain as \
                           xn--…, and nothing but ASCII before the @";
                Err(refused("DEFAULT_FROM_EMAIL", fix))
            }
            None => {
                let fix =
                    "must be an address, with a name before it or without: Example <noreply@example.com>";
                Err(refused("DEFAULT_FROM_EMAIL", fix))
            }
        },
    }
}

/// Not in clear, where others are on the way.
fn login(
    reader: &Reader<'_>,
    encryption: MailEncryption,
    host: &str,
) -> Result<Option<(String, Zeroizing<String>)>, SettingError> {
    let (name, password) = (reader.text("EMAIL_HOST_USER")?.trim(), reader.text("EMAIL_HOST_PASSWORD")?);
    match (name.is_empty(), password.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => {
            return Err(refused("EMAIL_HOST_PASSWORD", "is whose? Set EMAIL_HOST_USER, or remove it"));
        }
        (false, true) => return Err(refused("EMAIL_HOST_USER", "needs EMAIL_HOST_PASSWORD; or remove it")),
        (false, false) => {}
    }
    if encryption == MailEncryption::None && !is_loopback(host) {
        let fix = "would go over the network in clear; set EMAIL_USE_TLS=True for port 587, or EMAIL_USE_SSL=True for port 465";
        return Err(refused("EMAIL_HOST_PASSWORD", fix));
    }
    Ok(Some((name.to_owned(), Zeroizing::new(password.to_owned()))))
}
